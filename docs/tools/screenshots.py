"""Pictures of the dashboard for the documentation: ``make screenshots``, or some by name.

The dashboard is started on a new library, takes in the sample cohort, and is used as the tour says, in
Chromium. What it shows goes to ``docs/images`` as WebP, which keeps letters sharp and pages small.
"""

import math
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import FloatRect, Page, expect, sync_playwright

from squint import datasets
from tests.helpers.dashboard import (
    MAP,
    PATIENCE,
    chromium,
    click_point,
    draw_box,
    open_page,
    started,
)

IMAGES = Path(__file__).parents[1] / "images"
WIDTH = 1280
FOOT = 60  # pixels of the line that every page ends with
MOST_BYTES = 300_000
LOWEST_QUALITY = 60


def sections(page: Page) -> None:
    """Show the gallery."""
    _open(page, "Sections", 1_230)


def upload(page: Page) -> None:
    """Show the report on a file that is in no library yet."""
    _open(page, "Sections", 1_265)
    page.get_by_text("Add a section").first.click()
    with TemporaryDirectory() as folder:
        adata = datasets.kidney(seed=7)[0]
        adata.obs = adata.obs[["section_id", "patient_id", "cell_type"]].copy()
        adata.obs["section_id"] = adata.obs["section_id"].cat.rename_categories(["NEW-1"])
        adata.write_h5ad(Path(folder) / "new_section.h5ad")
        page.locator(".drop input.file").set_input_files(Path(folder) / "new_section.h5ad")
        expect(page.get_by_role("button", name="Keep and tokenise")).to_be_visible(timeout=PATIENCE)


def tokens(page: Page) -> None:
    """Show where tokens are, and what they are."""
    _open(page, "Tokens", 1_860)


def risk_map(page: Page) -> None:
    """Score against the reference patient, by enriched codes."""
    _open(page, "Risk map", 1_490)
    expect(page.get_by_text("codes most enriched")).to_be_visible(timeout=PATIENCE)


def differential_expression(page: Page) -> None:
    """Compare high with low tumour cells, and choose a gene."""
    _open(page, "Differential expression", 2_120)
    expect(page.locator(".st-key-volcano g.annotation").filter(has_text="MMP14")).to_be_visible(
        timeout=PATIENCE
    )
    click_point(page, "volcano", "LDHA")
    expect(page.get_by_text("LDHA: log2 fold change")).to_be_visible(timeout=PATIENCE)


def in_painting(page: Page) -> None:
    """Mark an area, and have it in-painted."""
    _open(page, "In-painting", 2_075)
    draw_box(page, "marking", (0.3, 0.25), (0.55, 0.45))
    expect(page.get_by_text("lie inside")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="In-paint the marked area").click()
    expect(page.locator(f".st-key-in_painted {MAP}")).to_be_visible(timeout=3 * PATIENCE)


def z_stack(page: Page) -> None:
    """Show thirteen levels, and how well held-out cells are told."""
    _open(page, "Z-stack", 2_130)
    expect(page.get_by_text("2,079 cells")).to_be_visible(timeout=3 * PATIENCE)


def co_occurrence(page: Page) -> None:
    """Show tokens that are used together."""
    _open(page, "Co-occurrence", 1_540)
    expect(page.get_by_text("Pearson correlation over n = 13 levels")).to_be_visible(timeout=3 * PATIENCE)


def cell_sets(page: Page) -> None:
    """Draw a lasso on the map, and show the numbers of what is inside."""
    _open(page, "Tokens", 2_330)
    page.get_by_role("button", name="Lasso").first.click()
    stage = _box(page, f".st-key-tokens {MAP}")
    points = [2 * math.pi * i / 40 for i in range(41)]
    across = [(stage["x"] + 110 + 75 * math.cos(t), stage["y"] + 150 + 70 * math.sin(t)) for t in points]
    page.mouse.move(*across[0])
    page.mouse.down()
    for point in across:
        page.mouse.move(*point)
    page.mouse.up()
    expect(page.locator(".stage[data-inside]")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Cell sets").first.click()


def map_card(page: Page) -> FloatRect:
    """Enlarge the map, and rest on a cell."""
    _open(page, "Tokens", 1_300)
    page.get_by_text("Cell type", exact=True).first.click()
    _rest(page)
    stage = _box(page, f".st-key-tokens {MAP}")
    x, y = stage["x"] + 320, stage["y"] + 150
    page.mouse.move(x, y)
    for _ in range(8):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(100)
    for step in range(40):
        page.mouse.move(x + 3 * step, y + step)
        page.wait_for_timeout(400)
        if page.locator(".card").first.is_visible():
            break
    expect(page.locator(".card").first).to_contain_text("top genes")
    whole = _box(page, ".st-key-tokens")
    return {"x": whole["x"] - 8, "y": whole["y"] - 8, "width": whole["width"] + 16, "height": 436}


PICTURES: dict[str, Callable[[Page], FloatRect | None]] = {
    picture.__name__: picture
    for picture in (
        sections,
        tokens,
        risk_map,
        differential_expression,
        in_painting,
        z_stack,
        co_occurrence,
        cell_sets,
        map_card,
        upload,
    )
}


def main(names: list[str]) -> None:
    """Take the pictures that are named, or all."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "library"
        home.mkdir()
        with chromium(playwright) as browser, started(home) as address:
            page = browser.new_context(viewport={"width": WIDTH, "height": 1_000}).new_page()
            page.goto(address)
            expect(page.get_by_text("Stack SIM-H-stack: 13 levels")).to_be_visible(timeout=3 * PATIENCE)
            expect(page.locator(".st-key-foot").get_by_text("50 codes")).to_be_visible(timeout=PATIENCE)
            for name in names or PICTURES:
                clip = PICTURES[name](page)
                _rest(page)
                sys.stdout.write(f"{name}: {_save(page.screenshot(clip=clip), name):,} bytes\n")


def _open(page: Page, name: str, height: int) -> None:
    """Go to a page, in a window that shows so much of it."""
    page.set_viewport_size({"width": WIDTH, "height": height + FOOT})
    page.mouse.move(2, 2)
    open_page(page, name)
    _rest(page)


def _rest(page: Page) -> None:
    """Wait until all is drawn; what fades in says nothing when it is done."""
    ready = page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")
    expect(ready).to_be_visible(timeout=3 * PATIENCE)
    page.wait_for_timeout(3_000)
    expect(ready).to_be_visible(timeout=3 * PATIENCE)


def _box(page: Page, selector: str) -> FloatRect:
    """Give where an element is."""
    box = page.locator(selector).first.bounding_box()
    if box is None:
        raise RuntimeError(f"{selector} is not on the page")
    return box


def _save(png: bytes, name: str) -> int:
    """Write a picture as WebP, as good as its size allows; give its bytes."""
    path = IMAGES / f"{name}.webp"
    with Image.open(BytesIO(png)) as picture:
        for quality in range(85, LOWEST_QUALITY - 1, -5):
            picture.convert("RGB").save(path, quality=quality, method=4)
            if path.stat().st_size <= MOST_BYTES:
                break
    return path.stat().st_size


if __name__ == "__main__":
    main(sys.argv[1:])
