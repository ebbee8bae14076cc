"""How fast boundaries of cells are in a real browser without a graphics card."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, Route

from squint.chrome import find_chrome
from tests.benchmarks.test_map import DRAWN, frames_of, seen, visit, warm, zoom
from tests.helpers.dashboard import PATIENCE, chromium, started
from tests.helpers.tissue import library_with_outlines

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
N_SIDE = 400


def test_many_boundaries(playwright: Playwright, tmp_path: Path, record: Callable[[str, str, str], None]):
    (home := tmp_path / "library").mkdir()
    n = library_with_outlines(home, N_SIDE).n_cells
    name = f"Boundaries of {n:,} cells"
    whole = f"{DRAWN}[data-polygons='{n}']"
    with chromium(playwright) as browser, started(home) as address:
        warm(browser, address, whole)
        with visit(browser, address) as (page, _):
            held: list[Route] = []
            page.route("**/map/boundaries/*/*/index*", lambda route: held.append(route))  # noqa: PLW0108 - it is marked
            seen(page, DRAWN)
            page.wait_for_timeout(1_500)
            begun = page.evaluate("() => performance.now()")
            held[0].continue_()
            record(
                f"{name}: all points to all boundaries", f"{(seen(page, whole) - begun) / 1e3:.2f} s", "1 s"
            )
            page.wait_for_timeout(1_000)
            record(f"{name}: a frame while zooming, p95", f"{zoom(page, '.stage'):.0f} ms", "60 ms")
            page.wait_for_selector(whole, timeout=PATIENCE, state="attached")
            stage = page.locator(".stage")
            box = stage.bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])

            def nearer() -> None:
                for _ in range(24):
                    page.mouse.wheel(0, -240)
                    page.wait_for_timeout(60)

            frames = frames_of(page, nearer)
            frames.sort()
            p95 = frames[int(0.95 * len(frames))]
            record(f"{name}: a frame on the way from all to few, p95", f"{p95:.0f} ms", "60 ms")
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    record(f"{name}: load of the machine (1, 5, 15 min)", load, "0")
