"""The map in a real browser: where tissue lies, what colours mean, what is counted, what is refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page, expect

from app.cell_sets.store import CellSets
from squint.chrome import find_chrome
from squint.library import tiling
from squint.library.images import Addition, Images
from squint.library.store import Library, Section
from squint.pl import DARK, LIGHT, palette
from tests.helpers.app import wait_for
from tests.helpers.dashboard import MAP, PATIENCE, started
from tests.helpers.letters import (
    HEAD,
    at_rest,
    directions,
    library_of_letters,
    opened,
    seen,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return library_of_letters(tmp_path_factory.mktemp("letters") / "library", 6)


@pytest.fixture(scope="module")
def address(library: Library) -> Iterator[str]:
    with started(library.home) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open the sections, with errors of scripts noted."""
    with opened(browser, address) as page:
        expect(page.locator(MAP)).to_be_visible(timeout=PATIENCE)
        # The stamp names the model: an export that was asked for before it is loaded is asked for again.
        expect(page.locator(".st-key-foot").get_by_text("50 codes")).to_be_visible(timeout=PATIENCE)
        yield page


@pytest.fixture
def one(page: Page, library: Library) -> Section:
    """Show the first section alone."""
    section = library.sections()[0]
    for other in library.sections()[1:]:
        page.get_by_role("button", name=f"Remove {other.title}").or_(
            page.locator(f"[data-baseweb=tag]:has-text('{other.title}') [role=presentation]")
        ).first.click()
        page.wait_for_timeout(300)
    expect(page.locator(".title")).to_have_count(1, timeout=PATIENCE)
    at_rest(page)
    return section


def press(page: Page, *names: str) -> None:
    page.locator(".stage").focus()
    for name in names:
        page.keyboard.press(name)
    page.wait_for_timeout(400)  # the server is told


@pytest.mark.usefixtures("one")
def test_tissue_lies_as_it_was_measured_and_as_it_is_turned(page: Page, tmp_path: Path) -> None:
    assert directions(seen(page)) == ("above", "right")
    press(page, "r")
    assert directions(seen(page)) == ("right", "below")  # a quarter clockwise
    press(page, "f")
    assert directions(seen(page)) == ("left", "below")
    page.locator(".st-key-sections-png button").first.click()
    download = page.get_by_role("button", name="Download sections.png")
    expect(download).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as saved:
        download.click()
    saved.value.save_as(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as picture:
        assert directions(np.asarray(picture.convert("RGB")).astype(np.int64)) == ("left", "below")
        assert "mirrored" in picture.info["Parameters"]
    press(page, "f", "Shift+r")
    expect(download).to_be_hidden(timeout=PATIENCE)  # it shows what is seen no more
    assert directions(seen(page)) == ("above", "right")


def test_cells_have_the_colours_of_the_scale(page: Page, one: Section, library: Library) -> None:
    page.get_by_role("radio", name="Gene").or_(page.get_by_role("button", name="Gene")).first.click()
    expect(page.locator(f"{MAP}[data-shows='ACTA2, counts']")).to_be_visible(timeout=PATIENCE)
    pixels = seen(page)
    state = json.loads(told(page))
    (window,) = state["panels"]
    height, width, _ = pixels.shape
    scale = width / window["width"]
    cells = library.cells(one.id)
    values = library.gene(one.id, "ACTA2")
    assert values is not None
    top = max(1.0, np.ceil(np.quantile(values, 0.995)))
    steps = np.clip(values / top * 255, 0, 255).astype(int)
    x = (cells["x"].to_numpy() - window["x"]) * scale + width / 2
    y = (cells["y"].to_numpy() - window["y"]) * scale + HEAD + (height - HEAD) / 2
    covered = (y > height - 60) & (x < 180)  # by the scale bar
    rows, columns = np.floor(y).astype(int)[~covered], np.floor(x).astype(int)[~covered]
    wrong = np.abs(pixels[rows, columns] - palette("Viridis")[steps[~covered]].astype(int)).max(axis=1)
    assert (wrong <= 2).mean() > 0.99


def told(page: Page) -> str:
    """Make the map tell what it shows, and give that."""
    press(page, "]", "[")
    page.wait_for_timeout(300)
    said = page.locator(".stage").get_attribute("data-told")
    assert said is not None
    return said


def test_addresses_are_refused_unless_signed(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/map/" in request.url else None)
    page.reload()
    at_rest(page)
    signed = [url for url in asked if "/map/buffer/" in url]
    assert signed
    assert page.request.get(signed[0]).status == 200
    assert page.request.get(signed[0].split("?")[0]).status == 403
    assert page.request.get(signed[0].replace("until=1", "until=2")).status == 403
    assert all(url.startswith(address) for url in asked)


def test_a_picture_is_as_clear_as_the_slider_says(
    page: Page, one: Section, library: Library, tmp_path: Path
) -> None:
    Image.new("RGB", (1_200, 2_000), (200, 40, 0)).save(tmp_path / "scan.png")
    image = tiling.keep(library, Addition(one.id, str(tmp_path / "scan.png")), lambda *_: None)
    Images(library).place(one.id, image.id, [[0.5, 0, 0], [0, 0.5, 0]], "by its pixel size")
    page.get_by_role("radio", name="Counts per cell").or_(
        page.get_by_role("button", name="Counts per cell")
    ).first.click()
    expect(page.get_by_label("Image", exact=True)).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(1_500)  # all tiles, the coarse and the fine
    pixels = seen(page)
    wanted = 0.8 * np.array([200, 40, 0]) + 0.2 * 255
    alike = (np.abs(pixels - wanted).max(axis=2) <= 3).sum()
    other = (np.abs(pixels - [200, 40, 0]).max(axis=2) < 25).sum()
    assert alike > 5_000 > 50 * other
    Images(library).delete(one.id, image.id)


def test_six_sections_share_one_context(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.add_init_script("""
        window.contexts_ = 0;
        const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
            if (kind === 'webgl2' && !this.seen_) { this.seen_ = true; window.contexts_++; }
            return get.call(this, kind, ...more);
        };""")
    page = context.new_page()
    page.goto(address)
    at_rest(page)
    expect(page.locator(".title")).to_have_count(6)
    assert page.evaluate("window.contexts_") == 1
    context.close()


def test_sections_moved_together_are_mirrored_each_in_its_place(page: Page) -> None:
    press(page, "r", "n", "k", "f")
    panels = json.loads(told(page))["panels"]
    assert [panel["flipped"] for panel in panels] == [True] * 6
    assert [panel["rotation"] for panel in panels] == [270, 0, 0, 0, 0, 0]


def test_a_lost_context_is_drawn_again(page: Page) -> None:
    before = seen(page)
    page.evaluate(
        """() => new Promise((done) => {
            const find = (root) => root.querySelector('canvas.cells') ?? [...root.querySelectorAll('*')]
                .map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
            const lose = find(document).getContext('webgl2').getExtension('WEBGL_lose_context');
            lose.loseContext();
            setTimeout(() => { lose.restoreContext(); setTimeout(done, 500); }, 300); })"""
    )
    wait_for(lambda: (np.abs(before - seen(page)).max(axis=2) > 8).mean() < 0.001)


def test_a_change_of_colour_sends_little_on_the_socket(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    n_bytes = 0

    def count(event: dict) -> None:
        nonlocal n_bytes
        data = event["response"]["payloadData"]
        n_bytes += len(data) * 3 // 4 if event["response"]["opcode"] == 2 else len(data)

    session.on("Network.webSocketFrameReceived", count)
    page.get_by_role("radio", name="Counts per cell").or_(
        page.get_by_role("button", name="Counts per cell")
    ).first.click()
    expect(page.locator(f"{MAP}[data-shows='counts per cell']")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(500)
    assert 0 < n_bytes < 20_000
    said = page.locator(".stage").get_attribute("data-told") or "{}"
    assert json.loads(said)["coloured"] == "numbers counts per cell"  # an export is of these colours


def test_entries_are_switched_off_and_on(page: Page) -> None:
    def places() -> NDArray[np.int64]:
        """Where the colour of the upper bar is seen (k, 2): x, y."""
        top = ImageColor.getrgb(LIGHT.categories[1])
        return np.argwhere(np.abs(seen(page) - top).sum(axis=2) < 12)[:, ::-1]

    def point_at(place: NDArray[np.float64]) -> None:
        box = page.locator(".stage").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + place[0], box["y"] + place[1], steps=3)
        page.wait_for_timeout(800)

    shown = places()
    assert len(shown) > 50
    in_first = shown[(shown < shown.min(axis=0) + 60).all(axis=1)].mean(axis=0)
    point_at(in_first)
    expect(page.locator(".card")).to_contain_text("top")
    page.get_by_role("switch", name="Show top").click()
    wait_for(lambda: len(places()) < len(shown) / 20)
    point_at(in_first)
    expect(page.locator(".card")).to_be_hidden()
    page.get_by_role("switch", name="Show top").click()
    wait_for(lambda: len(places()) > 0.9 * len(shown))


def draw_around(page: Page, panel: int, shape: Callable[[float], tuple[float, float]], keys: str = "") -> int:
    """Draw a lasso in a panel, by shares of its width and height; give the n that the map says at once."""
    page.get_by_role("button", name="Lasso").click()
    page.locator(".stage").evaluate("stage => delete stage.dataset.inside")
    title = page.locator(".title").nth(panel).bounding_box()
    stage = page.locator(".stage").bounding_box()
    assert title is not None
    assert stage is not None
    left, top = title["x"], title["y"] + HEAD
    width = (stage["width"] - 24) / 3
    points = [(left + width * x, top + width * y) for x, y in map(shape, np.linspace(0, 1, 60))]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points:
        page.mouse.move(*point)
    if keys:
        page.keyboard.down(keys)
    page.mouse.up()
    if keys:
        page.keyboard.up(keys)
    expect(page.locator(".stage[data-inside]")).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(500)
    at_rest(page)
    return int(page.locator(".stage").get_attribute("data-inside") or -1)


def known_after(page: Page, sets: CellSets, version: int) -> None:
    """Wait until the server has written what was drawn or undone, and has shown it."""
    try:
        wait_for(lambda: sets.version != version)
    except TimeoutError:
        said = page.locator("[data-testid='stMain']").inner_text()
        raise AssertionError(f"No set changed. The page says:\n{said}") from None
    at_rest(page)


def test_a_lasso_makes_a_set_of_the_cells_the_server_finds(
    page: Page, library: Library, address: str
) -> None:
    sets = CellSets(library)

    def circle(t: float) -> tuple[float, float]:
        return 0.4 + 0.3 * np.cos(6.2 * t), 0.5 + 0.35 * np.sin(6.2 * t)

    version = sets.version
    n = draw_around(page, 1, circle)
    known_after(page, sets, version)
    assert n > 50
    (made,) = sets.all()
    section = library.sections()[1]
    assert list(made.members) == [section.id]
    assert sets.n_cells(made, section.id) == n
    page.get_by_text("Cell sets").first.click()
    expect(page.get_by_text(f"{n:,} cells here")).to_be_visible(timeout=PATIENCE)
    version = sets.version
    more = draw_around(page, 0, circle, "Shift")
    known_after(page, sets, version)
    (grown,) = sets.all()
    assert {sets.n_cells(grown, section.id), sets.n_cells(grown, library.sections()[0].id)} == {n, more}
    version = sets.version
    draw_around(page, 0, circle, "Alt")
    known_after(page, sets, version)
    (less,) = sets.all()
    assert list(less.members) == [section.id]
    expect(page.get_by_text(f"{n:,} cells here")).to_be_visible(timeout=PATIENCE)
    version = sets.version
    press(page, "Control+z")
    known_after(page, sets, version)
    assert len(sets.all()[0].members) == 2
    version = sets.version
    page.get_by_role("button", name="top · ").click()
    known_after(page, sets, version)
    by_entry = sets.all()[-1]
    assert by_entry.name == "top"
    assert all(sets.n_cells(by_entry, s.id) == 184 for s in library.sections())
    again = page.context.new_page()  # the same sets in another session, and on another page
    again.goto(address)
    at_rest(again)
    again.get_by_text("Cell sets").first.click()
    expect(again.locator("input[aria-label='Name']").first).to_be_visible(timeout=PATIENCE)
    again.close()


def test_escape_cancels_what_is_being_drawn(page: Page, library: Library) -> None:
    before = CellSets(library).version
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 190, steps=6)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.wait_for_timeout(500)
    assert CellSets(library).version == before


@pytest.mark.usefixtures("one")
def test_the_keyboard_alone_moves_zooms_and_tells_of_a_cell(page: Page) -> None:
    before = json.loads(told(page))["panels"][0]
    press(page, "+", "ArrowRight", "ArrowDown")
    after = json.loads(told(page))["panels"][0]
    assert after["width"] == pytest.approx(before["width"] / 1.25)
    assert after["x"] > before["x"]
    assert after["y"] > before["y"]
    press(page, "0", "c")
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(120)
        if page.locator(".card").is_visible():
            break
    expect(page.locator(".card")).to_contain_text("F0-")
    expect(page.locator(".card")).to_contain_text("top genes")


def test_on_a_dark_page_tissue_lies_on_a_dark_ground_until_a_light_one_is_chosen(
    browser: Browser, address: str
) -> None:
    def share_of(ground: str) -> float:
        return float((np.abs(seen(page) - ImageColor.getrgb(ground)).max(axis=2) < 3).mean())

    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    at_rest(page)
    dark, light = LIGHT.on_dark().ground, DARK.ground
    assert share_of(dark) > 0.2
    page.get_by_role("checkbox", name="Dark ground", exact=True).uncheck()
    wait_for(lambda: share_of(light) > 0.2)
    assert share_of(dark) < 0.01
    page.get_by_role("checkbox", name="Dark ground in files").check()
    wait_for(lambda: json.loads(told(page))["dark"])
    page.get_by_role("link", name="Tokens", exact=True).first.click()  # and so on every page
    page.get_by_role("link", name="Sections", exact=True).first.click()
    at_rest(page)
    wait_for(lambda: share_of(light) > 0.2)
    expect(page.get_by_role("checkbox", name="Dark ground in files")).to_be_checked()
    context.close()
