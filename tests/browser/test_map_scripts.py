"""The functions of the map's own scripts, run in the browser itself."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
import shapely
from playwright.sync_api import Browser, Route

from app.web.assets import MAP_ASSETS
from squint.chrome import find_chrome
from squint.geometry import outlines
from squint.geometry.regions import Polygon
from squint.io.boundaries import from_rings
from squint.library.boundary_tiles import write_tiles
from squint.library.points import progressive_order
from squint.pl import View
from squint.pl._frame import nice_length

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def script(browser: Browser) -> Iterator[Callable[[str], object]]:
    """Run an expression with the map's modules at hand."""
    page = browser.new_page()

    def answer(route: Route) -> None:
        path = MAP_ASSETS.folder / Path(urlsplit(route.request.url).path).name
        route.fulfill(path=path) if path.exists() else route.fulfill(status=204)

    page.route("http://map/**", answer)
    page.goto("http://map/style.css")
    names = ("geometry", "orbit", "colours", "store", "space", "mesh")
    modules = "".join(f"const {name} = await import('/{name}.js');" for name in names)

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
    found = script("""
        const view = {x: 30, y: 40, scale: 2, rotation: 30, flipped: true};
        return geometry.toScreen(view, {left: 0, top: 0, width: 200, height: 100}, [50, 10]);""")
    same = View(30, 40, width=100, aspect=0.5, rotation=30, flipped=True)
    assert found == pytest.approx((same.place(np.array([[50.0, 10.0]])) * 2)[0])


def test_points_are_found_in_polygons_as_the_server_finds_them(script: Callable[[str], object]) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 10, (2_000, 2)).astype(np.float32)
    corners = rng.uniform(0, 10, (9, 2)).round(3)  # crosses itself
    n = script(f"""return geometry.countInside({corners.tolist()},
        new Float32Array({points.ravel().tolist()}), [0, 0]);""")
    mask = Polygon("s", [tuple(c) for c in corners.tolist()]).mask(
        pd.RangeIndex(2_000), points.astype(np.float64), rng
    )
    assert n == mask.sum()


def test_polygons_of_a_tile_are_filled_and_picked_exactly(
    script: Callable[[str], object], tmp_path: Path
) -> None:
    """An L, a U and random stars, as the server writes them: in each of 2,000 places the same as Shapely."""
    rng = np.random.default_rng(0)
    ell = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]], float)
    you = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3]], float) + np.array([6, 1])
    angles = np.linspace(0, 2 * np.pi, 11)[:-1]
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    stars = [[2 + 4 * i, 8] + rng.uniform(0.4, 2.2, (10, 1)) * around for i in range(3)]
    rings = [ell, you, *stars]
    place = np.array([ring.mean(axis=0) for ring in rings])
    offsets = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
    boundaries = from_rings(np.arange(len(rings)), offsets, np.concatenate(rings))
    order = progressive_order(place)
    path = tmp_path / "boundaries.tiles"
    write_tiles(boundaries, place, order, path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    (tile,) = json.loads(content[8 : 8 + length])["levels"][0]
    made = list(content[8 + length : 8 + length + tile["bytes"]])
    points = rng.uniform(-0.5, 12, (2_000, 2))
    found = script(f"""
        const tile = new mesh.Mesh(new Uint8Array({made}).buffer, {json.dumps(tile)});
        const {{corners, triangles}} = tile;
        let area = 0;
        for (let k = 0; k < triangles.length; k += 3) {{
            const [a, b, c] = [0, 1, 2].map((i) => {{
                const at = 2 * triangles[k + i]; return [corners[at], corners[at + 1]]; }});
            area += Math.abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2;
        }}
        const hit = {points.tolist()}.map(([x, y]) => {{
            const places = []; tile.at(x, y, (place) => places.push(place)); return places.sort(); }});
        const values = tile.perCorner(new Uint8Array([0, 1, 2, 3, 4]));
        return {{area: area * tile.step ** 2, edges: tile.edges.length / 2, hit,
                 values: [...tile.places].map((place, i) => values[i ? tile.ends[i - 1] : 0] === place)}};""")
    polygons = [shapely.Polygon(ring) for ring in rings]
    assert found["area"] == pytest.approx(sum(one.area for one in polygons), rel=1e-3)
    assert found["edges"] == len(boundaries.corners)
    assert all(found["values"])
    for (x, y), hit in zip(points, found["hit"], strict=True):
        at = shapely.Point(x, y)
        if min(one.exterior.distance(at) for one in polygons) > 2 * tile["step"]:
            assert sorted(order[hit]) == [i for i, one in enumerate(polygons) if one.contains(at)], (x, y)


def test_cells_on_the_border_are_inside_as_the_server_says(script: Callable[[str], object]) -> None:
    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    for corners in (
        [[1, 1], [10, 1], [10, 10], [1, 10]],
        [[0, 0], [8, 0], [0, 8]],
        [[5, 0], [10, 5], [0, 5]],
    ):
        n = script(f"""return geometry.countInside({corners},
            new Float32Array({grid.ravel().tolist()}), [0, 0]);""")
        assert n == outlines.inside([(np.array(corners, dtype=float),)], grid).sum()


def test_of_a_cut_stack_only_cells_that_are_drawn_are_told_of(script: Callable[[str], object]) -> None:
    found = script("""
        const points = {array: new Float32Array([5, 1, 5, 9])};  // one behind the other, seen along y
        const panels = [{n: 2, diameter: 1, origin: [0, 0], points, frame: [0, 0, 10, 10]}];
        const boxes = [{left: 0, top: 0, width: 100, height: 100}];
        let hidden = -1;
        const map = {panels, boxes, settings: {size: 1}, isShown: (panel, place) => place !== hidden};
        const stack = new space.Space(map);
        stack.take({stack: {levels: [0], stretch: 1, low: 0, high: 1}, state: {}}, false);
        stack.orbit = {azimuth: 180, elevation: 0, zoom: 1, dx: 0, dy: 0};
        const at = stack.at([5, 1, 0]);
        const places = [stack.cellAt(at).place];
        stack.cut = {axis: 2, share: 0.5};
        places.push(stack.cellAt(at).place);
        hidden = 1;
        return [...places, stack.cellAt(at)];""")
    assert found == [0, 1, None]


# A map of four cells, each at a corner of a square, and what goes wrong on it.
MOUNTED = """
    const wrong = [];
    addEventListener("error", (event) => wrong.push(event.message));
    addEventListener("unhandledrejection", (event) => wrong.push(String(event.reason)));
    const rest = (ms) => new Promise((go) => setTimeout(go, ms));
    const press = (key) => made.stage.dispatchEvent(new KeyboardEvent("keydown", {key}));
    const holder = document.body.appendChild(document.createElement("div"));
    const {TissueMap} = await import("/map.js");
    const made = new TissueMap(holder);
    const bytes = (name, array) => ({name, url: "data:;base64," + btoa(String.fromCharCode(
        ...new Uint8Array(array.buffer)))});
    const panel = {title: "square", said: "4 cells", n: 4, unit: "um", origin: [0, 0], diameter: 1,
        frame: [-1, -1, 12, 12], points: bytes("points", new Float32Array([0, 0, 10, 0, 0, 10, 10, 10])),
        values: {...bytes("values", new Uint8Array(4)), type: "u1", missing: 255},
        predicted: null, outlines: [], heights: null, sets: null, picture: null, boundaries: null,
        transcripts: []};
    const none = {name: "", n: 0, colour: "#000000"};
    const described = {title: "map", panels: [panel, panel], linked: false, grid: [1, 2], stack: null,
        scale: {kind: "labels", title: "kind", entries: [{label: "a", name: "a", colour: "#ff0000", n: 8}],
            rest: none, missing: {...none, hollow: false}},
        style: {ink: "#000", ground: "rgba(0,0,0,0)", dark: false},
        address: {path: "/map/0", query: ""}, state: {},
        tools: ["pan", "lasso", "box"], tool: "pan", editable: false, sets: null, refused: null,
        prints: false, exported: false};
"""


def test_before_the_cells_have_come_keys_and_clicks_do_nothing(script: Callable[[str], object]) -> None:
    found = script(
        MOUNTED
        + """
        ["ArrowLeft", "+", "0", "r", "f", "t", "n", "c", "Enter", "k", "i", "["].forEach(press);
        made.stage.dispatchEvent(new PointerEvent("pointerdown", {clientX: 5, clientY: 5}));
        made.stage.dispatchEvent(new WheelEvent("wheel", {deltaY: 100, cancelable: true}));
        await rest(500); // it would tell the server by then
        return wrong;"""
    )
    assert found == []


def test_a_map_that_was_hidden_at_first_is_drawn_once_it_is_seen(script: Callable[[str], object]) -> None:
    found: Any = script(
        MOUNTED
        + """
        holder.style.display = "none";
        await made.update(described, () => {});
        const before = made.views.length;
        holder.style.display = "";
        for (let n = 0; n < 100 && made.stage.dataset.state !== "drawn"; n++) await rest(100);
        return [before, made.said.textContent, made.stage.dataset.state, made.windows()[1].x];"""
    )
    views, said, state, seen = found
    assert (views, said, state) == (0, "", "drawn")
    assert seen == pytest.approx(5)


def test_a_map_says_that_it_is_drawn_only_while_it_is(script: Callable[[str], object]) -> None:
    found = script(
        MOUNTED
        + """
        const states = [];
        const drawn = async () => {
            for (let n = 0; n < 100 && made.stage.dataset.state !== "drawn"; n++) await rest(100);
            states.push(made.stage.dataset.state);
        };
        await made.update(described, () => {});
        await drawn();
        for (const moving of [true, false]) {
            made.changed(moving);
            states.push(made.stage.dataset.state);
            await drawn();
        }
        return states;"""
    )
    assert found == ["drawn", "drawing", "drawn", "drawing", "drawn"]


def test_an_area_is_given_up_where_another_tool_or_panel_is_taken(script: Callable[[str], object]) -> None:
    found = script(
        MOUNTED
        + """
        await made.update(described, () => {});
        const left = [];
        for (const other of [() => press("n"), () => press("b")]) {
            made.hand.use("lasso");
            Object.assign(made.hand, {from: [50, 100], corners: [[1, 1]]});
            other();
            made.stage.dispatchEvent(new PointerEvent("pointermove", {clientX: 60, clientY: 110}));
            made.stage.dispatchEvent(new PointerEvent("pointerup", {clientX: 60, clientY: 110}));
            left.push(made.hand.corners);
        }
        return [wrong, left];"""
    )
    assert found == [[], [None, None]]


def test_what_one_gives_up_another_still_gets(script: Callable[[str], object]) -> None:
    got = script("""
        const asked = globalThis.fetch;
        globalThis.fetch = (url, { signal }) => new Promise((done, fail) => {
            signal.addEventListener("abort", () => fail(new DOMException("given up", "AbortError")));
            setTimeout(() => done(new Response(new Uint8Array(2))), 50);
        });
        const one = {name: "one", url: "one"}, two = {name: "two", url: "two"};
        const [first, second] = [new AbortController(), new AbortController()];
        const alone = store.load(one, first.signal).then(() => "there", (error) => error.name);
        const together = [first, second].map(({signal}) => store.load(two, signal));
        first.abort();
        const again = await store.load(one, second.signal);
        const got = [await alone, again.byteLength, (await together[1]).byteLength];
        globalThis.fetch = asked;
        return got;""")
    assert got == ["AbortError", 2, 2]


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
            if (best >= 0 && index.find(x, y, 0.5, (i) => i !== best) === best) return false;
        }
        return true;""")


def test_a_simplified_line_stays_near_the_drawn_one(script: Callable[[str], object]) -> None:
    found = script("""
        const line = Array.from({length: 500}, (_, i) => [i, 20 * Math.sin(i / 30)]);
        const short = geometry.shortened(line, 60, 0.5);
        const from = ([x, y]) => Math.min(...short.slice(1).map((b, k) => {
            const a = short[k]; const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
            const t = Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)));
            return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy); }));
        return [short.length, Math.max(...line.map(from))];""")
    assert isinstance(found, list)
    assert found[0] <= 60
    assert found[1] <= 1.5


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
    assert script(f"return geometry.niceLength({length});") == pytest.approx(nice_length(length))
