"""From an empty library and an instrument's folder to a PDF of a comparison: the time, and the clicks.

Names that are typed or picked are no clicks; whatever else the mouse does is one. A screenshot of each step
lies in the folder that ``SQUINT_SCREENSHOTS`` names, if it names one.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Playwright, expect
from pypdf import PdfReader

from squint.chrome import find_chrome
from squint.library.store import Library
from tests.helpers.dashboard import FIGURE, MAP, PATIENCE, chromium, save_pdf, started

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
AT_REST = "[data-testid='stApp'][data-test-script-state='notRunning']"
CLICKS = 8


class Journey:
    """Clicks, counts them, and prints when each step was done."""

    def __init__(self, page: Page, title: str) -> None:
        print(f"\n| {title}: done | s | clicks |\n|---|---|---|")
        self.page, self.title = page, title
        self.n_clicks, self.n_steps, self.began = 0, 0, time.perf_counter()

    def click(self, what: Locator) -> None:
        """Click, and count it."""
        expect(what).to_be_enabled(timeout=PATIENCE)
        what.click()
        self.n_clicks += 1

    def done(self, step: str) -> None:
        """Print when a step was done."""
        print(f"| {step} | {time.perf_counter() - self.began:.1f} | {self.n_clicks} |", flush=True)
        if folder := os.environ.get("SQUINT_SCREENSHOTS"):
            self.page.wait_for_timeout(1500)
            self.page.locator(AT_REST).wait_for(timeout=PATIENCE)
            self.page.screenshot(path=Path(folder) / f"{self.title}-{self.n_steps}.png", full_page=True)
        self.n_steps += 1


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1920, "dark")])
def test_from_a_folder_to_a_comparison(
    playwright: Playwright, tmp_path: Path, bundle: Callable[[str], Path], width: int, scheme: str
) -> None:
    folder = bundle("xenium_CellSPA_breast_subset")
    Library(tmp_path / "library").note_samples()
    with chromium(playwright) as browser, started(tmp_path / "library") as address:
        context = browser.new_context(
            viewport={"width": width, "height": 1200}, accept_downloads=True, color_scheme=scheme
        )
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
        journey = Journey(page, f"{width}-{scheme}")
        page.locator(".drop input.folder").set_input_files(folder)  # as one that is dropped
        code = page.get_by_label(re.compile("Study code of"))
        expect(code).to_be_visible(timeout=PATIENCE)
        journey.done("report, with the models that fit")
        code.fill("P-07")
        code.press("Enter")
        journey.click(page.get_by_role("button", name="Keep and tokenise"))
        names = page.get_by_role("link", name="Name the cells").first
        expect(names).to_be_visible(timeout=PATIENCE)
        journey.done("kept")
        journey.click(names)
        journey.click(page.get_by_text("Marker genes", exact=True))
        journey.click(page.get_by_role("button", name="Name the cells"))
        expect(page.get_by_text("Labelings of this section")).to_be_visible(timeout=2 * PATIENCE)
        journey.done("types")
        journey.click(page.get_by_role("link", name="Risk map", exact=True).first)
        expect(page.locator(MAP).first).to_be_visible(timeout=PATIENCE)
        journey.done("risk map")
        journey.click(page.get_by_role("link", name="Differential expression", exact=True).first)
        expect(page.locator(FIGURE).first).to_be_visible(timeout=PATIENCE)
        page.locator(AT_REST).wait_for(timeout=PATIENCE)
        page.get_by_label(re.compile("Within cell types")).click()
        page.get_by_role("option", name="epithelial", exact=True).click()
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        page.locator(AT_REST).wait_for(timeout=PATIENCE)
        journey.done("comparison within epithelial cells")
        save_pdf(page, tmp_path / "genes.pdf", "genes")
        journey.n_clicks += 2
        journey.done("PDF of it")
        context.close()
    facts = PdfReader(tmp_path / "genes.pdf").metadata
    assert facts is not None
    assert "cell types: epithelial" in facts["/Parameters"]
    assert "human markers" in facts["/Celltypes"]
    assert journey.n_clicks <= CLICKS
