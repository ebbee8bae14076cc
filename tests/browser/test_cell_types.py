"""Cells named by clusters in a real browser, one of them renamed, seen on another page, and undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from squint import datasets, keys
from squint.chrome import find_chrome
from squint.library import ingest, labelings
from squint.library.store import Library
from tests.helpers.dashboard import MAP, PATIENCE, open_page, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
_WORK = 4 * PATIENCE  # of a worker that has just been started
REST = "[data-testid='stApp'][data-test-script-state='notRunning']"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a library of one section without cell types."""
    home = tmp_path_factory.mktemp("library") / "home"
    library = Library(home)
    library.note_samples()
    adata = datasets.toy(n_cells=600, n_sections=1)
    adata.obs = adata.obs[["section_id", "patient_id"]].copy()
    labels = ingest.Labels({str(one): str(one) for one in adata.obs["patient_id"].unique()}, {})
    ingest.add(library, next(iter(ingest.clean(adata, labels))), labels)
    return home


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with started(home) as url:
        yield url


def at_rest(page: Page) -> None:
    page.wait_for_timeout(300)
    expect(page.locator(REST)).to_be_visible(timeout=PATIENCE)


def select_first(page: Page) -> None:
    """Select the first row of the table of names, which is drawn on a canvas."""
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible(timeout=PATIENCE)
    field = page.get_by_label("New name")
    for _ in range(20):  # what is drawn above may move it
        at_rest(page)
        table.scroll_into_view_if_needed()
        box = table.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 17, box["y"] + 35 * 1.5)
        at_rest(page)
        if field.count():
            return
    pytest.fail("the first row cannot be selected")


def test_named_by_clusters_renamed_seen_and_undone(browser: Browser, address: str, home: Path) -> None:
    library = Library(home)
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    link = page.get_by_role("link", name="Name the cells")
    expect(link).to_be_visible(timeout=PATIENCE)
    link.click()
    expect(page.get_by_role("heading", name="Cell types", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("has no cell types yet")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Name the cells").click()
    for heading in ("Labelings of this section", "Genes that set each type apart"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=_WORK)
    (section,) = library.sections()
    assert section.n_cell_types > 1

    select_first(page)
    page.get_by_label("New name").fill("Renal tubule")
    page.get_by_label("New name").press("Enter")
    at_rest(page)
    page.locator(".st-key-types-rename button").click()
    expect(page.locator(".st-key-cell_types").get_by_text("Renal tubule")).to_be_visible(timeout=PATIENCE)
    assert "Renal tubule" in set(library.cells(section.id)[keys.CELL_TYPE])

    open_page(page, "Sections")
    expect(page.locator(f".st-key-sections {MAP}").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-sections").get_by_text("Renal tubule")).to_be_visible(timeout=PATIENCE)

    open_page(page, "Cell types")
    at_rest(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".st-key-cell_types").get_by_text("Renal tubule")).to_have_count(0, timeout=PATIENCE)
    (labeling,) = labelings.known(library, section.id)
    assert "Renal tubule" not in labelings.read(library, labeling)[0].names
    page.context.close()
