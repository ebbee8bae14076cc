"""The map in a browser without WebGL2: drawn by the server, moved and measured as elsewhere."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from app.cell_sets.store import CellSets
from squint.chrome import find_chrome
from squint.library.store import Library
from tests.helpers.dashboard import MAP, PATIENCE, started
from tests.helpers.letters import HEAD, at_rest, centre, directions, letter, library_of_letters, opened, seen

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
WITHOUT = """
    const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
        return kind === 'webgl2' ? null : get.call(this, kind, ...more);
    };"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Fill a library with two levels of a stack."""
    return library_of_letters(tmp_path_factory.mktemp("letters") / "library", 2, step_um=300)


@pytest.fixture(scope="module")
def address(library: Library) -> Iterator[str]:
    with started(library.home) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open the sections without WebGL2."""
    with opened(browser, address, WITHOUT) as page:
        at_rest(page)
        expect(page.locator("img.picture")).to_be_visible()
        expect(page.get_by_text("no WebGL2, so the server draws the cells")).to_be_visible()
        # The foot is told of the model once it is loaded, and the page runs again: not while one draws.
        expect(page.locator(".st-key-foot").get_by_text("50 codes")).to_be_visible(timeout=PATIENCE)
        yield page


def windows(page: Page) -> list[dict[str, float]]:
    """Give the windows that the map tells the server."""
    page.wait_for_timeout(600)
    said = page.locator(".stage").get_attribute("data-told")
    assert said is not None
    return json.loads(said)["panels"]


def stage_of(page: Page) -> dict[str, float]:
    """Bring the map onto the screen; give where it is."""
    at_rest(page)
    page.locator(".stage").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = page.locator(".stage").bounding_box()
    assert box is not None
    return dict(box)


def press(page: Page, key: str) -> None:
    page.locator(".stage").focus()
    page.keyboard.press(key)
    page.wait_for_timeout(100)


def first_panel(page: Page) -> NDArray[np.int64]:
    pixels = seen(page)
    return pixels[:, : pixels.shape[1] // 2]


def test_the_tissue_is_there_and_moves_with_the_hand(page: Page) -> None:
    before = first_panel(page)
    assert directions(before) == ("above", "right")
    box = stage_of(page)
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 60, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)
    moved = first_panel(page)
    shift = (centre(moved, "middle") - centre(before, "middle")) * [moved.shape[1], moved.shape[0]]
    np.testing.assert_allclose(shift, [40, 60], atol=4)

    stage_of(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -250)
    near = windows(page)[0]["width"]
    closer = first_panel(page)
    press(page, "0")
    assert windows(page)[0]["width"] == pytest.approx(near * np.exp(0.5), rel=1e-3)
    assert (np.abs(closer - first_panel(page)).max(axis=2) > 100).mean() > 0.05
    press(page, "r")
    press(page, "r")
    assert directions(first_panel(page)) == ("below", "left")


def test_an_area_that_is_drawn_reaches_the_server(page: Page, library: Library) -> None:
    press(page, "0")
    window, _ = windows(page)
    press(page, "b")
    box = stage_of(page)
    x, y = box["x"], box["y"] + HEAD
    page.mouse.move(x + 30, y + 30)
    page.mouse.down()
    page.mouse.move(x + 120, y + 130, steps=4)
    page.mouse.move(x + 200, y + 230, steps=4)
    page.mouse.up()
    page.wait_for_timeout(1_500)
    at_rest(page)
    (drawn,) = CellSets(library).all()
    panel = np.array([(box["width"] - 12) / 2, box["height"] - HEAD])
    scale = panel[0] / window["width"]
    low = np.array([window["x"], window["y"]]) + (np.array([30, 30]) - panel / 2) / scale
    high = low + np.array([170, 200]) / scale
    points, _ = letter()
    inside = ((points >= low) & (points <= high)).all(axis=1).sum()
    assert inside > 50
    section = library.sections()[0]
    assert list(drawn.members) == [section.id]
    assert CellSets(library).n_cells(drawn, section.id) == pytest.approx(inside, abs=25)  # whole pixels


@pytest.mark.parametrize("place", ["", "z_stack"])
def test_the_server_draws_what_the_graphics_card_draws(browser: Browser, address: str, place: str) -> None:
    pictures = []
    for script in ("", WITHOUT):
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        context.add_init_script(script)
        page = context.new_page()
        page.goto(f"{address}/{place}")
        expect(page.locator(MAP)).to_be_visible(timeout=PATIENCE)
        expect(page.locator(".st-key-foot").get_by_text("50 codes")).to_be_visible(timeout=PATIENCE)
        pictures.append(seen(page))
        context.close()
    card, server = pictures
    far = np.abs(card - server).max(axis=2) > 60
    assert (card.max(axis=2) - card.min(axis=2) > 60).mean() > 0.05  # there is tissue
    assert far.mean() < 0.01  # edges of cells
