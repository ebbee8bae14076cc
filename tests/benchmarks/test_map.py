"""How fast the map is in a real browser, beside Plotly's scattergl on the same page and data."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, chromium, started
from tests.helpers.paths import ROOT
from tests.helpers.tissue import library_of

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
# Cells, and the gates: seconds to the whole map and to new colours, ms of a frame while zooming.
GATES = {100_000: (3.0, 0.5, 60), 300_000: (3.5, 0.75, 90), 1_000_000: (4.0, 1.0, 120)}
DRAWN = ".stage[data-state='drawn']"
PLOTLY = ROOT / "tests" / "benchmarks" / "plotly_map.py"
Record = Callable[[str, str, str], None]

# Looks at every frame, in shadow trees too: Playwright's own waiting looks but twice a second.
_SEEN = """(selector) => {
    const within = (root) => root.querySelector(selector)
        || [...root.querySelectorAll("*")].some((one) => one.shadowRoot && within(one.shadowRoot));
    return within(document) ? performance.now() : 0; }"""
_CLICKED = """() => addEventListener("click", () => window.clicked_ = performance.now(),
                                  {once: true, capture: true})"""
_FRAMES = """() => new Promise((done) => {
    const frames = window.frames_ = []; let last = performance.now();
    window.stop_ = false;
    const step = () => { const now = performance.now(); frames.push(now - last); last = now;
                         if (!window.stop_) requestAnimationFrame(step); };
    requestAnimationFrame(step); done(); })"""


@contextmanager
def visit(browser: Browser, address: str) -> Iterator[tuple[Page, dict[str, int]]]:
    """Open a page in a new profile, counting bytes on its socket."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    n_bytes = {"in": 0, "out": 0}
    session = context.new_cdp_session(page)
    session.send("Network.enable")

    def count(way: str) -> Callable[[dict], None]:
        def add(event: dict) -> None:
            data = event["response"]["payloadData"]
            n_bytes[way] += len(data) * 3 // 4 if event["response"]["opcode"] == 2 else len(data)

        return add

    session.on("Network.webSocketFrameReceived", count("in"))
    session.on("Network.webSocketFrameSent", count("out"))
    page.goto(address, wait_until="commit")
    yield page, n_bytes
    context.close()


def warm(browser: Browser, address: str, ready: str) -> None:
    """Open a page once, so that the server has imported what it needs, and its worker the model."""
    with visit(browser, address) as (page, _):
        page.wait_for_selector(ready, timeout=4 * PATIENCE, state="attached")
        foot = page.locator(".st-key-foot")
        if foot.count():  # Plotly's page has none, and needs no model
            foot.get_by_text("codes").wait_for(timeout=PATIENCE)


def seen(page: Page, selector: str) -> float:
    """Wait until something is there; give the time on the page's own clock, in ms."""
    found = page.wait_for_function(_SEEN, arg=selector, polling="raf", timeout=4 * PATIENCE)
    return float(found.json_value())


def recolour(page: Page, to: str, ready: str) -> float:
    """Choose another colour; give the seconds from the click until it is seen."""
    page.evaluate(_CLICKED)
    page.get_by_role("radio", name=to).or_(page.get_by_role("button", name=to)).first.click()
    return (seen(page, ready) - page.evaluate("() => window.clicked_")) / 1e3


def frames_of(page: Page, act: Callable[[], None]) -> np.ndarray:
    """Do something; give the milliseconds of each frame meanwhile."""
    page.evaluate(_FRAMES)
    act()
    return np.array(page.evaluate("() => { window.stop_ = true; return window.frames_; }")[1:])


def zoom(page: Page, selector: str) -> float:
    """Turn the wheel to and fro; give the 95th percentile of a frame's milliseconds."""
    stage = page.locator(selector).first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])

    def turn() -> None:
        end = time.perf_counter() + 12
        for i in range(20):
            page.mouse.wheel(0, -60 if i % 2 else 60)
            page.wait_for_timeout(60)
            if time.perf_counter() > end:
                break

    return float(np.percentile(frames_of(page, turn), 95))


@pytest.mark.parametrize("n_cells", list(GATES))
def test_the_map_of_many_cells(playwright: Playwright, tmp_path: Path, record: Record, n_cells: int):
    first, colour, frame = GATES[n_cells]
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": n_cells})
    name = f"Map of {n_cells:,} cells"
    with chromium(playwright) as browser, started(home) as address:
        warm(browser, address, DRAWN)
        start = time.perf_counter()
        with visit(browser, address) as (page, n_bytes):
            seen(page, DRAWN)
            record(
                f"{name}: page opened to all cells drawn",
                f"{time.perf_counter() - start:.1f} s",
                f"{first:g} s",
            )
            page.wait_for_timeout(1_500)
            seconds, sent = [], []
            for to, title in (("Gene", "GENE0, counts"), ("Counts per cell", "counts per cell")) * 2:
                before = n_bytes["in"]
                seconds.append(recolour(page, to, f"{DRAWN}[data-shows='{title}']"))
                page.wait_for_timeout(700)
                sent.append(n_bytes["in"] - before)
            record(f"{name}: new colours", f"{np.median(seconds):.2f} s", f"{colour:g} s")
            record(f"{name}: socket, a rerun", f"{max(sent) / 1e3:.1f} kB", "20 kB")
            record(f"{name}: a frame while zooming, p95", f"{zoom(page, '.stage'):.0f} ms", f"{frame} ms")
            drag_range(page, n_bytes, name, record)
            lasso(page, n_bytes, name, record)


def test_wide_numbers(playwright: Playwright, tmp_path: Path, record: Record):
    """Time what travels in four bytes a cell, as scores and distances do: intensities."""
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": 1_000_000}, brightness=100_000)
    with chromium(playwright) as browser, started(home) as address:
        warm(browser, address, DRAWN)
        with visit(browser, address) as (page, _):
            seen(page, DRAWN)
            page.wait_for_timeout(1_500)
            seconds = []
            for to, title in (("Gene", "GENE0, intensity"), ("Counts per cell", "intensity per cell")) * 2:
                seconds.append(recolour(page, to, f"{DRAWN}[data-shows='{title}']"))
                page.wait_for_timeout(700)
    record("Map of 1,000,000 cells: new colours in four bytes a cell", f"{np.median(seconds):.2f} s", "1 s")


def drag_range(page: Page, n_bytes: dict[str, int], name: str, record: Record) -> None:
    """Drag an end of the colour bar: shader uniforms alone, nothing on the socket."""
    page.wait_for_selector(DRAWN, timeout=PATIENCE, state="attached")
    handle = page.locator(".handle").nth(1)
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + 6, box["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    before = n_bytes["in"] + n_bytes["out"]

    def drag() -> None:
        for i in range(20):
            page.mouse.move(x, y + 4 * i)
            page.wait_for_timeout(40)

    frames = frames_of(page, drag)
    record(
        f"{name}: a frame while dragging on the colour bar, median", f"{np.median(frames):.0f} ms", "1 frame"
    )
    record(f"{name}: socket meanwhile", f"{n_bytes['in'] + n_bytes['out'] - before} B", "0 B")
    page.mouse.up()


def lasso(page: Page, n_bytes: dict[str, int], name: str, record: Record) -> None:
    """Draw around the middle of the tissue."""
    page.wait_for_timeout(1_000)
    page.wait_for_selector(DRAWN, timeout=PATIENCE, state="attached")
    stage = page.locator(".stage")
    page.get_by_role("button", name="Lasso").click()
    box = stage.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    around = [(middle[0] + 180 * np.cos(a), middle[1] + 180 * np.sin(a)) for a in np.linspace(0, 6.2, 80)]
    page.mouse.move(*around[0])
    page.mouse.down()
    for point in around:
        page.mouse.move(*point)
    before = n_bytes["out"]
    start = time.perf_counter()
    page.mouse.up()
    seen(page, ".stage[data-inside]")
    record(f"{name}: lasso closed to its n", f"{time.perf_counter() - start:.2f} s", "0.5 s")
    page.wait_for_timeout(1_500)
    record(f"{name}: lasso, sent", f"{(n_bytes['out'] - before) / 1e3:.1f} kB", "4 kB")


def test_six_sections_with_a_million_cells(playwright: Playwright, tmp_path: Path, record: Record):
    (home := tmp_path / "library").mkdir()
    library_of(home, {f"S{i}": 1_000_000 // 6 for i in range(6)})
    with chromium(playwright) as browser, started(home) as address:
        warm(browser, address, DRAWN)
        start = time.perf_counter()
        with visit(browser, address) as (page, _):
            seen(page, DRAWN)
            took = time.perf_counter() - start
    record("Six sections, 1,000,000 cells: page opened to all drawn", f"{took:.1f} s", "6 s")


@pytest.mark.parametrize("n_cells", list(GATES))
def test_plotly_with_the_same_cells(playwright: Playwright, tmp_path: Path, record: Record, n_cells: int):
    """Time what the map replaced: scattergl, on a page with the same choices."""
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": n_cells})
    name = f"Plotly scattergl, {n_cells:,} cells"
    drawn = ".js-plotly-plot .main-svg"
    with chromium(playwright) as browser, started(home, PLOTLY) as address:
        warm(browser, address, drawn)
        start = time.perf_counter()
        with visit(browser, address) as (page, n_bytes):
            seen(page, drawn)
            record(f"{name}: page opened to drawn", f"{time.perf_counter() - start:.1f} s", "-")
            page.wait_for_timeout(1_500)
            before = n_bytes["in"]
            took = recolour(page, "Counts per cell", ".js-plotly-plot .colorbar, .js-plotly-plot .cbtitle")
            record(f"{name}: new colours", f"{took:.1f} s", "-")
            record(f"{name}: socket, a rerun", f"{(n_bytes['in'] - before) / 1e6:.1f} MB", "-")
            record(f"{name}: a frame while zooming, p95", f"{zoom(page, '.js-plotly-plot'):.0f} ms", "-")
