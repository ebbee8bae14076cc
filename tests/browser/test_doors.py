"""Every page under the policy of the doors, and pages of other origins before them, in a real browser."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, follow_link, server_of, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
PAGES = (
    "Sections",
    "Cell types",
    "Tokens",
    "Risk map",
    "Compare",
    "Differential expression",
    "Report",
    "Codebook",
    "Borders",
    "Co-occurrence",
    "Perturbation",
    "In-painting",
    "Z-stack",
    "Models",
    "Jobs",
)
AT_REST = "[data-testid='stApp'][data-test-script-state='notRunning']"
_NOTE = """document.addEventListener('securitypolicyviolation', event =>
    console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sourceFile))"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the dashboard, which fills its library with the samples."""
    with started(tmp_path_factory.mktemp("library")) as url:
        yield url


def test_every_page_is_drawn_and_nothing_on_it_is_against_the_policy(browser: Browser, address: str) -> None:
    """Row 80: scripts, styles and connections are those of this server alone, and all pages do with them."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    said: list[str] = []
    page.on("console", lambda told: said.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(_NOTE)
    page.goto(address)
    for name in PAGES:
        follow_link(page, name)
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
        expect(page.locator(AT_REST)).to_be_visible(timeout=10 * PATIENCE)  # levels are laid on each other
        page.wait_for_timeout(1500)  # for what is fetched after the page
        expect(page.get_by_text("WebGL is not supported")).to_have_count(0)
        assert (name, said) == (name, [])
    # The listener hears what it listens for; what the debugger evaluates itself may do anything.
    page.evaluate("() => { setTimeout(() => { try { eval('1') } catch {} }, 0) }")
    page.wait_for_timeout(200)
    assert any("script-src" in words for words in said)
    page.context.close()


@contextmanager
def another_site(folder: Path, page: str) -> Iterator[str]:
    """Serve a page on another local port."""
    (folder / "index.html").write_text(page)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def open_site(browser: Browser, site: str) -> Page:
    page = browser.new_context().new_page()
    page.goto(site)
    return page


def test_a_page_of_another_port_can_neither_frame_it_nor_ask_it_nor_open_its_socket(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    """Rows 62, 80 and 81, from a page on another port of this machine."""
    with another_site(tmp_path, f"<iframe id=frame src='{address}'></iframe>") as site:
        page = open_site(browser, site)
        page.wait_for_timeout(3000)
        frame = page.frames[1]
        assert address not in frame.url or frame.locator("#root").count() == 0
        asked = page.evaluate(
            """async address => {
                const tries = {};
                const where = address.replace('http', 'ws') + '/_stcore/stream';
                const socket = new WebSocket(where, ['streamlit']);
                tries.socket = await new Promise(done => {
                    socket.onopen = () => done('open');
                    socket.onerror = () => done('refused');
                });
                const read = fetch(address + '/health');
                tries.read = await read.then(answer => answer.text(), () => 'refused');
                const image = new Image();
                tries.image = await new Promise(done => {
                    image.onload = () => done('shown');
                    image.onerror = () => done('refused');
                    image.src = address + '/favicon.png';
                });
                const script = document.createElement('script');
                tries.script = await new Promise(done => {
                    script.onload = () => done('run');
                    script.onerror = () => done('refused');
                    script.src = address + '/static/js/index.js';
                    document.head.append(script);
                });
                return tries;
            }""",
            address,
        )
        assert {asked[kind] for kind in ("socket", "read", "image", "script")} == {"refused"}
        page.set_content(f"<a href='{address}'>go</a>")
        page.get_by_text("go").click()
        expect(page.get_by_text("For research use only").first).to_be_visible(timeout=PATIENCE)
        page.context.close()


def test_the_cookie_of_a_browser_is_not_told_to_scripts(browser: Browser, address: str) -> None:
    page = open_site(browser, address)
    expect(page.get_by_text("For research use only").first).to_be_visible(timeout=PATIENCE)
    cookies = {one["name"]: one for one in page.context.cookies()}
    assert cookies["squint_visitor"]["httpOnly"]
    assert cookies["squint_visitor"]["sameSite"] == "Lax"
    assert "squint_visitor" not in page.evaluate("document.cookie")
    page.context.close()


def test_a_page_that_nobody_touches_is_emptied(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What was shown is gone from the page, and its data are refused."""
    home = tmp_path_factory.mktemp("away") / "home"
    with server_of(home, SQUINT_SESSION_MINUTES="0.75") as (url, _):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url, timeout=2 * PATIENCE)
        expect(page.get_by_text("SIM-").first).to_be_visible(timeout=3 * PATIENCE)
        expect(page.get_by_role("heading", name="You were away")).to_be_visible(timeout=5 * PATIENCE)
        expect(page.get_by_text("SIM-")).to_have_count(0)
        expect(page.locator("canvas, img, .stage")).to_have_count(0)
        buffers = [one for one in asked if "/map/buffer/" in one]
        refused = [page.request.get(one).status for one in buffers[:3]]
        assert set(refused) <= {401}
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("SIM-").first).to_be_visible(timeout=3 * PATIENCE)
        page.context.close()
