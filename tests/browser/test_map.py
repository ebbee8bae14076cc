"""The map in a real browser: where tissue lies, what colours mean, what is counted, what is refused."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from numpy.typing import NDArray
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page, Playwright, expect
from scipy import sparse

import squint.io
from app import sections
from app.cell_sets import CellSets
from app.drawing import find_chrome
from app.library import Library, Section
from squint.pl import LIGHT, palette
from tests.dashboard import MAP, PATIENCE, chromium, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
HEAD = 42  # pixels above a panel
PARTS = ("stem", "top", "middle")  # of the letter, the largest first
SIDE = 1_000  # um


def letter() -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Give cells (n, 2) in the shape of an F, y down, and the part of each."""
    x, y = np.meshgrid(np.arange(0, 600, 20.0), np.arange(0, SIDE, 20.0))
    place = np.stack([x.ravel(), y.ravel()], axis=1)
    stem, top = place[:, 0] < 140, place[:, 1] < 160
    middle = (place[:, 1] >= 400) & (place[:, 1] < 520) & (place[:, 0] < 420)
    part = np.where(stem, PARTS[0], np.where(top, PARTS[1], PARTS[2]))
    kept = stem | top | middle
    return place[kept], part[kept].astype(object)


def tissue(name: str) -> AnnData:
    """Make a section of the letter; the counts of its one gene fall from left to right."""
    place, part = letter()
    counts = np.round(60 - place[:, :1] / 10)
    adata = AnnData(
        X=sparse.csr_matrix(np.concatenate([counts, np.ones_like(counts)], axis=1).astype(np.float32)),
        obs=pd.DataFrame(
            {"section_id": name, "patient_id": "P-1", "cell_type": part},
            index=[f"{name}-{i}" for i in range(len(place))],
        ),
        var=pd.DataFrame(index=["ACTA2", "PTPRC"]),
    )
    adata.obsm["spatial"] = place
    adata.uns["squint"] = {"unit": "um"}
    return adata


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a library with six sections of one shape, no model's business."""
    folder = tmp_path_factory.mktemp("letters")
    library = Library(folder / "library")
    library.samples_marker.touch()
    labels = sections.Labels({"P-1": "P-1"}, {}, organ="skin", assay="simulated")
    for i in range(6):
        adata = tissue(f"F{i}")
        adata.X[0, 1] = i + 1  # sections are known by their content
        adata.write_h5ad(folder / "F.h5ad")
        (part,) = sections.clean(squint.io.read(folder / "F.h5ad"), labels)
        sections.add(library, part, labels)
    return folder / "library"


@pytest.fixture(scope="module")
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with started(home) as url:
        yield url


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open the sections, with errors of scripts noted."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(address)
    expect(page.locator(MAP)).to_be_visible(timeout=PATIENCE)
    # The stamp names the model, so an export that was asked for before it is loaded is asked for again.
    expect(page.locator(".st-key-foot").get_by_text("50 codes")).to_be_visible(timeout=PATIENCE)
    yield page
    context.close()
    assert not wrong


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


def at_rest(page: Page) -> None:
    """Wait until the page has run and the map is drawn."""
    ready = page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")
    expect(ready).to_be_visible(timeout=PATIENCE)
    expect(page.locator(MAP).first).to_be_visible(timeout=PATIENCE)


def seen(page: Page) -> NDArray[np.int64]:
    """Give what the map shows (height, width, 3)."""
    at_rest(page)
    page.mouse.move(5, 5)
    picture = Image.open(BytesIO(page.locator(".stage").screenshot()))
    return np.asarray(picture.convert("RGB")).astype(np.int64)


def centre(pixels: NDArray[np.int64], part: str) -> NDArray[np.float64]:
    """Find where a part of the letter is (x, y), as a share of the picture."""
    colour = ImageColor.getrgb(LIGHT.categories[PARTS.index(part)])
    row, column = np.nonzero(np.abs(pixels - colour).sum(axis=2) < 12)
    assert len(row) > 50, part
    return np.array([column.mean() / pixels.shape[1], row.mean() / pixels.shape[0]])


def directions(pixels: NDArray[np.int64]) -> tuple[str, str]:
    """Say where the upper bar is from the middle one, and where the bars are from the stem."""
    stem, top, middle = (centre(pixels, part) for part in PARTS)
    names = {(0, -1): "above", (0, 1): "below", (-1, 0): "left", (1, 0): "right"}

    def name(way: NDArray[np.float64]) -> str:
        axis = int(np.argmax(np.abs(way * [1, pixels.shape[0] / pixels.shape[1]])))
        return names[(int(np.sign(way[0])), 0) if axis == 0 else (0, int(np.sign(way[1])))]

    return name(top - middle), name((top + middle) / 2 - stem)


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
    after = seen(page)
    assert (np.abs(before - after).max(axis=2) > 8).mean() < 0.001


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


def test_entries_are_switched_off_and_on(page: Page) -> None:
    def n_pixels() -> int:
        top = ImageColor.getrgb(LIGHT.categories[1])
        return int((np.abs(seen(page) - top).sum(axis=2) < 12).sum())

    shown = n_pixels()
    assert shown > 50
    page.get_by_role("switch", name="Show top").click()
    assert n_pixels() < shown / 20
    page.get_by_role("switch", name="Show top").click()
    assert n_pixels() > 0.9 * shown


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


def test_a_lasso_makes_a_set_of_the_cells_the_server_finds(
    page: Page, library: Library, address: str
) -> None:
    sets = CellSets(library)

    def circle(t: float) -> tuple[float, float]:
        return 0.4 + 0.3 * np.cos(6.2 * t), 0.5 + 0.35 * np.sin(6.2 * t)

    n = draw_around(page, 1, circle)
    assert n > 50
    (made,) = sets.all()
    section = library.sections()[1]
    assert list(made.members) == [section.id]
    assert sets.n_cells(made, section.id) == n
    page.get_by_text("Cell sets").first.click()
    expect(page.get_by_text(f"{n:,} cells here")).to_be_visible(timeout=PATIENCE)
    more = draw_around(page, 0, circle, "Shift")
    (grown,) = sets.all()
    assert {sets.n_cells(grown, section.id), sets.n_cells(grown, library.sections()[0].id)} == {n, more}
    draw_around(page, 0, circle, "Alt")
    (less,) = sets.all()
    assert list(less.members) == [section.id]
    press(page, "Control+z")
    page.wait_for_timeout(800)
    at_rest(page)
    assert len(sets.all()[0].members) == 2
    page.get_by_role("button", name="top · ").click()
    page.wait_for_timeout(800)
    at_rest(page)
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


# ---- the scripts' own functions, in the browser itself


@pytest.fixture(scope="module")
def script(browser: Browser, address: str) -> Iterator[Callable[[str], object]]:
    """Run an expression with the map's modules at hand."""
    from app.map_assets import MAP_ASSETS  # noqa: PLC0415 - beside its only use

    page = browser.new_page()
    page.goto(f"{address}/_stcore/health")
    modules = "".join(
        f"const {name} = await import('{MAP_ASSETS.address}/{name}.js');"
        for name in ("geometry", "orbit", "colours")
    )

    def run(code: str) -> object:
        return page.evaluate(f"async () => {{ {modules} {code} }}")

    yield run
    page.close()


VIEWS = """
const box = {left: 10, top: 20, width: 400, height: 300};
const random = (() => { let s = 7; return () => (s = (s * 16807) % 2147483647) / 2147483647; })();
const views = Array.from({length: 200}, () => ({x: 100 * random(), y: 100 * random(),
    scale: 0.1 + 5 * random(), rotation: 360 * random(), flipped: random() < 0.5}));
const near = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) < 1e-6;
"""


def test_places_go_to_the_screen_and_back(script: Callable[[str], object]) -> None:
    assert script(
        VIEWS
        + """return views.every((view) => {
        const place = [1e3 * random(), 1e3 * random()];
        return near(geometry.toTissue(view, box, geometry.toScreen(view, box, place)), place); });"""
    )


def test_what_is_under_the_pointer_stays_there_on_zooming(script: Callable[[str], object]) -> None:
    assert script(
        VIEWS
        + """return views.every((view) => {
        const point = [400 * random(), 300 * random()];
        const closer = geometry.zoomed(view, box, point, 0.2 + 3 * random());
        return near(geometry.toTissue(closer, box, point), geometry.toTissue(view, box, point)); });"""
    )


def test_a_drag_moves_the_tissue_with_the_pointer(script: Callable[[str], object]) -> None:
    assert script(
        VIEWS
        + """return views.every((view) => {
        const place = [50, 60]; const [dx, dy] = [30 * random(), -20 * random()];
        const before = geometry.toScreen(view, box, place);
        const after = geometry.toScreen(geometry.moved(view, dx, dy), box, place);
        return near(after, [before[0] + dx, before[1] + dy]); });"""
    )


def test_the_view_is_that_of_the_library(script: Callable[[str], object]) -> None:
    from squint.pl import View  # noqa: PLC0415 - beside its only use

    found = script("""
        const view = {x: 30, y: 40, scale: 2, rotation: 30, flipped: true};
        return geometry.toScreen(view, {left: 0, top: 0, width: 200, height: 100}, [50, 10]);""")
    same = View(30, 40, width=100, aspect=0.5, rotation=30, flipped=True)
    assert found == pytest.approx((same.place(np.array([[50.0, 10.0]])) * 2)[0])


def test_points_are_found_in_polygons_as_the_server_finds_them(script: Callable[[str], object]) -> None:
    from squint.regions import Polygon  # noqa: PLC0415 - beside its only use

    rng = np.random.default_rng(0)
    points = rng.uniform(0, 10, (2_000, 2)).astype(np.float32)
    corners = rng.uniform(0, 10, (9, 2)).round(3)  # crosses itself
    n = script(f"""return geometry.countInside({corners.tolist()},
        new Float32Array({points.ravel().tolist()}), [0, 0]);""")
    mask = Polygon("s", [tuple(c) for c in corners.tolist()]).mask(
        pd.RangeIndex(2_000), points.astype(np.float64), rng
    )
    assert n == mask.sum()


def test_the_nearest_point_is_the_nearest(script: Callable[[str], object]) -> None:
    assert script("""
        let s = 3; const random = () => (s = (s * 16807) % 2147483647) / 2147483647;
        const points = new Float32Array(Array.from({length: 1000}, () => 10 * random()));
        const index = new geometry.Nearest(points);
        for (let k = 0; k < 300; k++) {
            const [x, y] = [12 * random() - 1, 12 * random() - 1];
            let [best, d] = [-1, 0.25];
            for (let i = 0; i < 500; i++) {
                const own = (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2;
                if (own <= d) [best, d] = [i, own];
            }
            if (index.find(x, y, 0.5) !== best) return false;
        }
        return true;""")


def test_a_simplified_line_stays_near_the_drawn_one(script: Callable[[str], object]) -> None:
    n, farthest = script("""
        const line = Array.from({length: 500}, (_, i) => [i, 20 * Math.sin(i / 30)]);
        const short = geometry.shortened(line, 60, 0.5);
        const from = ([x, y]) => Math.min(...short.slice(1).map((b, k) => {
            const a = short[k]; const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
            const t = Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)));
            return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy); }));
        return [short.length, Math.max(...line.map(from))];""")  # type: ignore[misc]
    assert n <= 60
    assert farthest <= 1.5


def test_from_above_a_stack_is_the_map(script: Callable[[str], object]) -> None:
    assert script("""
        const box = {left: 0, top: 0, width: 100, height: 100};
        const view = {azimuth: 0, elevation: 90, zoom: 1, dx: 0, dy: 0};
        const [x, y, low] = orbit.project(view, [0, 0, 0], 2, box, [3, 4, 5]);
        const [, , high] = orbit.project(view, [0, 0, 0], 2, box, [3, 4, 6]);
        const tipped = orbit.project({...view, elevation: 20}, [0, 0, 0], 2, box, [0, 0, 9]);
        return Math.abs(x - 56) < 1e-9 && Math.abs(y - 58) < 1e-9 && high > low && tipped[1] < 50;""")


@pytest.mark.parametrize("length", [1.0, 37.0, 999.0, 12_345.0])
def test_scale_bars_are_as_long_as_in_print(script: Callable[[str], object], length: float) -> None:
    from squint.pl._frame import nice_length  # noqa: PLC0415 - beside its only use

    assert script(f"return geometry.niceLength({length});") == pytest.approx(nice_length(length))
