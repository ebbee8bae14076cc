"""A link in a real browser: the same window of the map, thresholds and colours for whoever opens it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from squint.chrome import find_chrome
from squint.library import place
from tests.helpers.app import wait_for
from tests.helpers.dashboard import MAP, PATIENCE, started
from tests.helpers.letters import at_rest
from tests.helpers.reports import cohort_of, read_sections

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the dashboard with two simulated sections that have tokens."""
    folder = tmp_path_factory.mktemp("views")
    sections = read_sections(place.SAMPLES)
    two = {name: sections[name] for name in ("SIM-H-1", "SIM-L-1")}
    cohort = cohort_of(folder / "home", folder / "originals", two, place.server_model())
    cohort.library.note_samples()
    with started(folder / "home") as url:
        yield url


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 1600}).new_page()
    page.goto(url)
    expect(page.locator(MAP)).to_be_visible(timeout=PATIENCE)
    at_rest(page)
    return page


def picture(page: Page) -> bytes:
    """Take a picture of the map and its colour bar, without the line around what has the keyboard."""
    page.locator("h1").click()
    page.wait_for_timeout(500)
    return page.locator(".stage").screenshot()


def test_a_link_opens_the_same_window_thresholds_and_colours(browser: Browser, address: str) -> None:
    page = opened(browser, f"{address}/risk_map")
    at_first = picture(page)
    page.get_by_text("Most frequent in the reference").click()
    expect(page.get_by_text("codes most frequent")).to_be_visible(timeout=PATIENCE)
    lower = page.get_by_role("slider", name=re.compile("Thresholds.*start"))
    lower.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("0.37").first).to_be_visible(timeout=PATIENCE)
    page.locator(".stage").focus()
    for key in ("+", "+", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(2_000)  # the server is told
    at_rest(page)
    before = picture(page)
    assert before != at_first
    page.get_by_role("button", name="Link to this view").click()
    code = page.get_by_role("dialog").locator("code")
    expect(code).to_be_visible(timeout=PATIENCE)
    link = code.inner_text().strip()
    assert re.fullmatch(rf"{address}/risk_map\?view=[0-9a-f]{{32}}", link)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.evaluate("navigator.clipboard.writeText('')")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as over plain HTTP
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    page.context.close()

    other = opened(browser, link)
    expect(other.get_by_text("codes most frequent")).to_be_visible(timeout=PATIENCE)
    expect(other.get_by_text("0.37").first).to_be_visible(timeout=PATIENCE)
    at_rest(other)
    wait_for(lambda: picture(other) == before, 30)  # a busy machine draws late
    assert "view=" not in other.url
    other.context.close()
