"""The dashboard as its users meet it: started by the command of `make run`, seen in Chromium."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect
from playwright.sync_api import Error as PlaywrightError

from squint.chrome import find_chrome
from squint.engine import locks
from tests.helpers.app import wait_for
from tests.helpers.paths import ROOT

PATIENCE = 60_000  # ms
MAP = ".stage[data-state='drawn']"
FIGURE = f"{MAP}, .js-plotly-plot .main-svg"
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]


def free_port() -> int:
    """Find a port that nobody uses, and that the system gives to nobody who asks for any, as engines do."""
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def serve(
    home: Path,
    port: int,
    script: Path = ROOT / "app" / "main.py",
    *,
    under: Sequence[str] = (),
    address: str = "127.0.0.1",
    **more: str,
) -> "subprocess.Popen[bytes]":
    """Start the dashboard with a library at ``home``, and wait until it answers; its log goes beside that.

    It listens on ``address``, and runs under another command, as one that watches it, if there is one.
    ``more`` is added to its environment.
    """
    command = [*under, sys.executable, "-m", "streamlit", "run", str(script.relative_to(ROOT))]
    options = [f"--server.address={address}", f"--server.port={port}", "--server.headless=true"]
    path = home.parent / "server.log"
    with path.open("a") as log:
        server = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env={**os.environ, "SQUINT_HOME": str(home), **more},
            stdout=log,
            stderr=log,
        )
    end = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return server
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                server.kill()
                pytest.fail(path.read_text())
            time.sleep(0.1)


@contextmanager
def started(home: Path, script: Path = ROOT / "app" / "main.py") -> Iterator[str]:
    """Start the dashboard on a free port with a library at ``home``; give its address."""
    with server_of(home, script) as (address, _):
        yield address


@contextmanager
def server_of(home: Path, script: Path = ROOT / "app" / "main.py", **more: str) -> Iterator[tuple[str, int]]:
    """Start the dashboard, with ``more`` in its environment; give its address and the id of its process."""
    port = free_port()
    server = serve(home, port, script, **more)
    try:
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(60)
        end_engine(home)
    assert "Traceback" not in (home.parent / "server.log").read_text()


def end_engine(home: Path) -> None:
    """End the engine that outlives the dashboard of a library."""
    lock = home / locks.ENGINE
    if locks.is_held(lock) and (number := locks.read(lock).partition(" ")[0]):
        os.kill(int(number), signal.SIGTERM)
        wait_for(lambda: not locks.is_held(lock), 60)


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Start Chromium with WebGL in software."""
    browser = playwright.chromium.launch(executable_path=find_chrome(), args=FLAGS)
    yield browser
    browser.close()


def open_page(page: Page, name: str) -> None:
    """Go to a page by its link and wait for its first figure."""
    follow_link(page, name)
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(FIGURE).first).to_be_visible(timeout=PATIENCE)


def follow_link(page: Page, name: str) -> None:
    """Click the link to a page, in the group of pages that it lies in.

    The bar of links is drawn anew while a page starts: what is not there yet is looked for again.
    """
    link = page.get_by_role("link", name=name, exact=True).first
    inside = page.get_by_role("menuitem", name=name, exact=True).first
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        if link.is_visible():
            link.click()
            return
        for group in page.get_by_test_id("stTopNavSection").all():
            try:
                group.click(timeout=5_000)
            except PlaywrightError:  # it was drawn anew just now
                break
            page.wait_for_timeout(500)
            if inside.is_visible():
                inside.click()
                return
            page.keyboard.press("Escape")
            page.wait_for_timeout(300)
        page.wait_for_timeout(300)
    raise AssertionError(f"no link to the page {name!r} within {PATIENCE / 1000:.0f} s")


def click_point(page: Page, chart: str, value: str) -> None:
    """Click the first point of a Plotly chart whose custom data are, or end with, a value.

    Not before the page is at rest: what is drawn above the chart moves it. And not before the chart shows
    what lies under the pointer, because only then it takes a click for one on a point.
    """
    figure = page.locator(f".st-key-{chart} .js-plotly-plot")
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible(
        timeout=PATIENCE
    )
    figure.scroll_into_view_if_needed()
    label = page.locator(f".st-key-{chart} .hoverlayer .hovertext")
    end = time.monotonic() + PATIENCE / 1000
    while True:
        x, y = figure.evaluate(_PLACE_OF_POINT, value)
        page.mouse.move(x - 1, y)
        page.mouse.move(x, y)
        try:
            expect(label.first).to_be_visible(timeout=2_000)
        except AssertionError:
            if time.monotonic() > end:
                raise
        else:
            page.mouse.click(x, y)
            return


_PLACE_OF_POINT = """(figure, value) => {
    const last = data => [data].flat().at(-1);
    for (const trace of figure._fullData) {
        const point = (trace.customdata ?? []).findIndex(data => last(data) === value);
        if (point < 0) continue;
        const axis = name => figure._fullLayout[trace[name].replace(/^(.)/, '$1axis')];
        const box = figure.getBoundingClientRect(), x = axis('xaxis'), y = axis('yaxis');
        return [box.x + x._offset + x.d2p(trace.x[point]), box.y + y._offset + y.d2p(trace.y[point])];
    }
    throw new Error(`no point has ${value}`);
}"""


def draw_box(page: Page, chart: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a box on a map from one corner to another, each a share of the map's width and height."""
    figure = page.locator(f".st-key-{chart} {MAP}")
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible(
        timeout=PATIENCE
    )
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    assert box is not None
    (x0, y0), (x1, y1) = (
        (box["x"] + across * box["width"], box["y"] + down * box["height"]) for across, down in (start, end)
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=5)
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()


def save_pdf(page: Page, path: Path, figure: str = "risk_map") -> None:
    """Have a figure drawn as a PDF and download it."""
    page.locator(f".st-key-{figure}-pdf button").first.click()
    download = page.get_by_role("button", name=f"Download {figure}.pdf")
    expect(download).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as saved:
        download.click()
    saved.value.save_as(path)
