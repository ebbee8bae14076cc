"""How long the web process lets others wait while it serves the worst of requests, asked every 50 ms."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright, Request, Route, expect

from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, chromium, started
from tests.helpers.tissue import library_of

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
N_CELLS = 300_000
EVERY_S = 0.05
DRAWN = ".stage[data-state='drawn']"
Record = Callable[[str, str, str], None]

_NO_WEBGL = """const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return kind === "webgl2" ? null : context.call(this, kind, ...more);
};"""


@contextmanager
def probed(address: str, what: str, record: Record) -> Iterator[None]:
    """Ask the server for its health again and again, and note how long it took to answer."""
    at, waits, over = urlsplit(address), list[float](), threading.Event()

    def probe() -> None:
        while not over.wait(EVERY_S):
            start = time.perf_counter()
            with closing(HTTPConnection(at.hostname or "", at.port, timeout=60)) as connection:
                connection.request("GET", "/_stcore/health")
                connection.getresponse().read()
            waits.append(1e3 * (time.perf_counter() - start))

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    p50, p99 = np.percentile(waits, (50, 99))
    said = f"p50 {p50:.0f}, p99 {p99:.0f}, longest {max(waits):.0f} ms of {len(waits)}"
    record(f"Web process asked meanwhile: {what}", said, "p99 100 ms")


def own_corners(route: Route) -> None:
    """Let the page post corners of our own in place of those that were drawn."""
    script = route.fetch()
    drawn = "const polygon = line.map("
    assert drawn in script.text()
    route.fulfill(
        response=script, body=script.text().replace(drawn, "const polygon = window.POSTED ?? line.map(")
    )


def lasso(page: Page, corners: list[list[float]]) -> None:
    """Draw around the middle of the tissue, and post other corners."""
    page.evaluate("(corners) => { window.POSTED = corners; }", corners)
    page.get_by_role("button", name="Lasso").first.click()
    box = page.locator(".stage").first.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle[0] + 90, middle[1])
    page.mouse.down()
    for turn in np.linspace(0, 6, 12):
        page.mouse.move(middle[0] + 90 * np.cos(turn), middle[1] + 90 * np.sin(turn))
    page.mouse.up()


def at_rest(page: Page) -> None:
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible(
        timeout=PATIENCE
    )


def give(page: Page, path: Path) -> None:
    """Upload a file of cell sets, and wait until the page has said what is wrong with it."""
    field = page.locator("[class*='st-key-sections-sets-file-'] input[type=file]")
    field.set_input_files(path)
    expect(page.get_by_text(path.name, exact=False).first).to_be_visible(timeout=PATIENCE)
    time.sleep(1)  # until the page has been told of it
    at_rest(page)
    page.locator(".st-key-sections-sets-load button").click(timeout=PATIENCE)
    time.sleep(0.5)  # what is there of the last file is gone
    expect(page.get_by_text("Making cell sets did not work").first).to_be_visible(timeout=PATIENCE)
    at_rest(page)


def test_others_do_not_wait(playwright: Playwright, tmp_path: Path, record: Record) -> None:
    (home := tmp_path / "library").mkdir()
    library_of(home, {"S": N_CELLS})
    side = 10 * np.sqrt(N_CELLS)
    star = np.random.default_rng(0).uniform(0, side, (3_000, 2)).tolist()
    zigzag = [[side * i / 250, side * (i % 2)] for i in range(250)] + [[side, -1], [-1, -1]]
    json_bomb, wide, wider = tmp_path / "bomb.geojson", tmp_path / "wide.csv", tmp_path / "wider.csv"
    json_bomb.write_bytes(b"[" + b"{}," * 21_000_000 + b"{}]")
    wide.write_bytes(b"cell_id,group" + b",x" * 45_000 + b"\na1,T\n")
    wider.write_bytes(b"cell_id,group" + b",x" * 20_000_000 + b"\n")
    asked: list[Request] = []
    with chromium(playwright) as browser, started(home) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.add_init_script(_NO_WEBGL)
        page.route("**/hand.js", own_corners)
        page.on("request", lambda one: asked.append(one) if "/picture?" in one.url else None)
        page.goto(address)
        page.locator(DRAWN).first.wait_for(timeout=4 * PATIENCE)
        at_rest(page)
        time.sleep(5)
        with probed(address, "nothing else", record):
            time.sleep(5)
        state = json.loads(asked[-1].post_data or "")
        with probed(address, "a picture of the map", record):
            for _ in range(3):
                assert page.request.post(asked[-1].url, data=state).status == 200
        huge = {**state, "diameters": [1e9] * len(state["diameters"]), "size": 100}
        with probed(address, "a picture with cells of diameter 1e9", record):
            status = page.request.post(asked[-1].url, data=huge, timeout=PATIENCE).status
            assert status in {200, 400}
        with probed(address, "a lasso of 3,000 random corners", record):
            lasso(page, star)
            page.get_by_text("crosses itself more than").first.wait_for(timeout=PATIENCE)
            at_rest(page)
        with probed(address, "a zigzag past all cells 250 times", record):
            for _ in range(3):
                lasso(page, zigzag)
                time.sleep(3)
                at_rest(page)
        page.get_by_text("Cell sets", exact=True).first.click()
        page.get_by_text("Load from QuPath or Xenium Explorer").first.click()
        for path, what in (
            (json_bomb, "63 MB of {} as GeoJSON"),
            (wide, "a CSV 90 kB wide"),
            (wider, "a CSV of 20 million columns"),
        ):
            with probed(address, what, record):
                give(page, path)
