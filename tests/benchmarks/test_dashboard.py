"""How long a user of the dashboard waits, from the command to the figure, with the sample cohort."""

import os
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect

from squint.chrome import find_chrome
from tests.helpers.dashboard import (
    FIGURE,
    MAP,
    PATIENCE,
    chromium,
    open_page,
    save_pdf,
    server_of,
    started,
)
from tests.helpers.visits import cpu_s

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


class Watch:
    """Prints how long each step took since the one before."""

    def __init__(self) -> None:
        print("\n| step | s |\n|---|---|")
        self.since = time.perf_counter()

    def lap(self, step: str) -> None:
        """Print the time since the last step."""
        now = time.perf_counter()
        print(f"| {step} | {now - self.since:.1f} |", flush=True)
        self.since = now


@pytest.mark.parametrize("run", range(3))
def test_first_map_of_a_new_library(playwright: Playwright, tmp_path: Path, run: int) -> None:
    """From the command to the first map: at most 8 s on two cores that do nothing else."""
    (home := tmp_path / "library").mkdir()
    with chromium(playwright) as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        load, began = os.getloadavg()[0], time.perf_counter()
        with server_of(home) as (address, pid):
            page.goto(address, timeout=PATIENCE)
            painted = time.perf_counter() - began
            expect(page.locator(MAP).first).to_be_visible(timeout=PATIENCE)
            taken, used = time.perf_counter() - began, cpu_s(pid)
            n_cells = int(page.locator(MAP).first.get_attribute("data-drawn") or 0)
        page.context.close()
    print(
        f"\nrun {run + 1}: page {painted:.1f} s, first map {taken:.1f} s with {n_cells:,} cells; "
        f"{used:.1f} CPU s of the server and its engine; load {load:.1f} before"
    )
    assert n_cells > 0
    assert taken < 8 or load > 1


def test_waits_of_a_user(playwright: Playwright, tmp_path: Path):
    (home := tmp_path / "library").mkdir()
    with chromium(playwright) as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True).new_page()
        watch = Watch()
        with started(home) as address:
            watch.lap("command to server")
            page.goto(address)
            expect(page.get_by_role("link", name="Risk map", exact=True).first).to_be_visible(
                timeout=PATIENCE
            )
            watch.lap("server to first paint")
            expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=PATIENCE)
            expect(page.locator(FIGURE).first).to_be_visible(timeout=PATIENCE)
            watch.lap("first map (once)")
            expect(page.get_by_text(re.compile("sections tokenised"))).to_be_visible(timeout=3 * PATIENCE)
            watch.lap("all of the sample cohort and stack imported and tokenised (once)")
            page.goto(address)
            expect(page.locator(FIGURE).first).to_be_visible(timeout=PATIENCE)
            watch.lap("Sections opened again, 33,248 cells in 5 sections")
            open_page(page, "Tokens")
            watch.lap("Tokens, first map")
            open_page(page, "Risk map")
            watch.lap("Risk map, first map")
            save_pdf(page, tmp_path / "first.pdf")
            watch.lap("PDF of it (the first starts Chromium)")
            open_page(page, "Differential expression")
            watch.lap("Differential expression, all cells of 5 sections scored, first figure")
            open_page(page, "Z-stack")
            watch.lap("Z-stack, 13 levels aligned and in-painted, first figure (once)")
            page.goto(f"{address}/z_stack")
            expect(page.locator(FIGURE).first).to_be_visible(timeout=PATIENCE)
            watch.lap("Z-stack opened again")
            open_page(page, "Co-occurrence")
            watch.lap("Co-occurrence, 10,000 shuffles of 13 levels, first figure")
        page.context.close()
