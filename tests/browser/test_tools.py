"""Comparison, in-painting, stack and co-occurrence in a real browser, on the sample cohort."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from squint.chrome import find_chrome
from squint.pl import palette
from tests.helpers.app import wait_for
from tests.helpers.dashboard import MAP, PATIENCE, click_point, draw_box, open_page, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Open the dashboard on a new library, and wait for the sample cohort and its tokens."""
    (home := tmp_path_factory.mktemp("samples") / "library").mkdir()
    with started(home) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 2400}).new_page()
        page.goto(address)
        expect(page.get_by_text("Stack SIM-H-stack: 13 levels")).to_be_visible(timeout=3 * PATIENCE)
        # tokens follow the sections; until then there are no scores to compare by
        expect(page.get_by_text("no tokens by this model")).to_have_count(0, timeout=5 * PATIENCE)
        yield page
        page.context.close()


def test_a_gene_clicked_in_the_volcano_is_shown(page: Page) -> None:
    open_page(page, "Differential expression")
    expect(page.get_by_text("high score (above 0.75)").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("LDHA").first).to_be_visible(timeout=PATIENCE)
    marked = page.locator(".st-key-volcano g.annotation").filter(has_text="MMP14")
    expect(marked).to_be_visible(timeout=PATIENCE)
    click_point(page, "volcano", "MMP14")
    expect(page.get_by_text("MMP14: log2 fold change")).to_be_visible(timeout=PATIENCE)


def test_the_map_is_coloured_by_a_gene_set_and_its_border_is_looked_at(page: Page) -> None:
    open_page(page, "Sections")
    page.get_by_role("radio", name="Gene set", exact=True).click()
    legend = page.locator(".st-key-sections").get_by_text("score of the cell (scale of log1p)")
    expect(legend).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("3 of the 3 genes")).to_be_visible()
    page.get_by_text("Mean over the neighbourhood", exact=True).click()
    smoothed = page.locator(".st-key-sections").get_by_text("mean score of the neighbourhood")
    expect(smoothed).to_be_visible(timeout=PATIENCE)

    def n_like(colour: NDArray[np.int64]) -> int:
        seen = page.locator(".st-key-sections .stage").screenshot()
        pixels = np.asarray(Image.open(BytesIO(seen)).convert("RGB")).reshape(-1, 3).astype(int)
        return int((np.abs(pixels - colour).max(axis=1) < 40).sum())

    for end in (palette("Viridis")[0], palette("Viridis")[-1]):  # the cores of SIM-H, and the rest
        wait_for(lambda end=end: n_like(end) > 500)
    open_page(page, "Borders")
    expect(page.get_by_text("Border of cell type tumour")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-border .js-plotly-plot")).to_contain_text("distance to the border (µm)")


def test_an_area_drawn_on_the_map_is_in_painted(page: Page) -> None:
    open_page(page, "In-painting")
    expect(page.get_by_text("No area is marked yet")).to_be_visible(timeout=PATIENCE)
    draw_box(page, "marking", (0.4, 0.3), (0.6, 0.5))
    expect(page.get_by_text("lie inside")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="In-paint the marked area").click()
    expect(page.locator(f".st-key-in_painted {MAP}")).to_be_visible(timeout=3 * PATIENCE)
    expect(page.locator(".st-key-in_painted .entry-name").filter(has_text="in-painted")).to_be_visible()
    expect(page.get_by_text("No score is shown")).to_be_visible(timeout=PATIENCE)


def test_a_stack_is_drawn_in_three_dimensions_with_its_quality(page: Page) -> None:
    open_page(page, "Z-stack")
    expect(page.locator(f".st-key-stack {MAP}")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("2,079 cells")).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_text("No movement is proposed")).to_be_visible(timeout=PATIENCE)


def test_a_community_clicked_in_the_clustermap_is_shown(page: Page) -> None:
    open_page(page, "Co-occurrence")
    expect(page.get_by_text("Neighbours in the tissue")).to_be_visible(timeout=3 * PATIENCE)
    expect(page.get_by_text("Pearson correlation over n = 13 levels")).to_be_visible(timeout=PATIENCE)
    click_point(page, "co_occurrence", "1")
    expect(page.get_by_text("tokens of community 1")).to_be_visible(timeout=PATIENCE)
