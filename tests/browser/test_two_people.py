"""Two people in two browsers: nothing of one's project is reached by the other, by whatever address."""

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from squint.library.people import People
from squint.library.projects import FIRST, Projects
from squint.library.store import Library
from tests.helpers.dashboard import MAP, PATIENCE
from tests.helpers.section_pictures import keep_picture
from tests.helpers.sign_in import hospital, sign_in
from tests.helpers.tissue import library_with_outlines

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = {
    "anna": {"name": "Anna Meyer", "email": "anna@example.org", "email_verified": True},
    "ben": {"name": "Ben Okafor", "email": "ben@example.org", "email_verified": True},
}
PAGES = (
    *("cell_types", "tokens", "risk_map", "compare", "differential_expression", "report", "codebook"),
    *("borders", "co_occurrence", "perturbation", "in_painting", "z_stack", "models", "jobs", "projects"),
)
SIGN_IN = "Sign in"
FETCHED = "fetch file of a page"


def _rest(page: Page) -> None:
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible(
        timeout=PATIENCE
    )


def test_nothing_of_ones_project_is_reached_by_the_other(browser: Browser, tmp_path: Path) -> None:
    home = tmp_path / "home"
    section = library_with_outlines(home, 8)
    library = Library(home)
    keep_picture(library, section.id)
    with hospital(tmp_path, PEOPLE, SQUINT_ADMINS="anna@example.org") as (address, _):
        anna, ben = (browser.new_context().new_page() for _ in range(2))
        hers: list[str] = []
        anna.on("request", lambda request: hers.append(request.url))
        sign_in(anna, address, "anna")
        expect(anna.locator(MAP).first).to_be_visible(timeout=PATIENCE)
        anna.get_by_role("button", name="Link to this view").click()
        link = anna.get_by_test_id("stCode").inner_text(timeout=PATIENCE).strip()
        assert re.search(r"\?project=first&view=\w+$", link)
        _rest(anna)
        icon = anna.locator("link[rel='shortcut icon'], link[rel='icon']").first.get_attribute("href")
        assert icon is not None
        fetched = [
            url
            for url in dict.fromkeys(hers)
            if re.match(rf"{address}/(map/(buffer|tiles|boundaries)|media)/", url) and icon not in url
        ]
        kinds = {
            kind for url in fetched for kind in ("/map/buffer/", "/map/tiles/", "/media/") if kind in url
        }
        assert kinds == {"/map/buffer/", "/map/tiles/", "/media/"}

        sign_in(ben, address, "ben")
        stranger = browser.new_context().new_page()
        for url in fetched:
            assert anna.request.get(url).status in (200, 405), url
            assert ben.request.get(url).status in (404, 405), url
            assert stranger.request.get(url).status in (404, 405), url
        clicked, told = _downloaded(anna), (tmp_path / "server.log").read_text().count(FETCHED)
        assert [one.request.get(clicked).status for one in (ben, stranger)] == [404, 404]
        assert (tmp_path / "server.log").read_text().count(FETCHED) == told + 2  # it was known as hers
        for name in PAGES:
            ben.goto(f"{address}/{name}?section={section.id}&sections={section.id}", timeout=PATIENCE)
            expect(ben.get_by_test_id("stHeading").first).to_be_visible(timeout=PATIENCE)
            _rest(ben)
            said = ben.locator("body").inner_text()
            assert section.title not in said, name
            assert "Anna" not in said, name
        for wrong in (link, link.replace("first", "0" * 16), link[:-3] + "000"):
            ben.goto(wrong, timeout=PATIENCE)
            expect(ben.get_by_text("This link leads to no view")).to_be_visible(timeout=PATIENCE)
            assert section.title not in ben.locator("body").inner_text()
        ben.goto(link.replace("project=first&", ""), timeout=PATIENCE)
        expect(ben.get_by_text("This link leads to no view")).to_be_visible(timeout=PATIENCE)
        log = (tmp_path / "server.log").read_text()
        assert FETCHED in log
        assert "open view in project first" in log
        assert not any(word in log for word in ("Anna", "Ben", "example.org"))

        _lend_and_take_back(library, ben, address, section.title)
        assert "fetch in project first" in (tmp_path / "server.log").read_text()
        _remove(library, ben, fetched)


def _downloaded(page: Page) -> str:
    """Download a table of what is shown; give its address."""
    for _ in range(5):  # while the samples come, what is shown changes, and it is asked for anew
        _rest(page)
        page.get_by_role("button", name="CSV", exact=True).first.click(timeout=PATIENCE)
        with suppress(TimeoutError), page.expect_download(timeout=20_000) as download:
            page.get_by_role("button", name="Download sections").click(timeout=20_000)
        if download.is_done():
            assert download.value.failure() is None
            return download.value.url
    raise AssertionError("Nothing was downloaded.")


def _lend_and_take_back(library: Library, ben: Page, address: str, title: str) -> None:
    """Let Ben in, and out again while he looks."""
    projects = Projects(library.database)
    person = next(one.id for one in People(library.database).all() if one.name == "Ben Okafor")
    projects.add_member(FIRST, person)
    fetched: list[str] = []  # by his own browser, for which alone they are signed
    ben.on("request", lambda request: fetched.append(request.url))
    ben.goto(address, timeout=PATIENCE)
    ben.locator(".st-key-account button").first.click(timeout=PATIENCE)
    ben.get_by_role("combobox", name="Project").click(timeout=PATIENCE)
    ben.get_by_role("option", name="First project").click(timeout=PATIENCE)
    expect(ben.get_by_text(title).first).to_be_visible(timeout=PATIENCE)
    with ben.expect_request(lambda request: "/map/buffer/first/" in request.url, timeout=PATIENCE):
        ben.reload(timeout=PATIENCE)
    buffer = next(url for url in fetched if "/map/buffer/first/" in url)
    assert ben.request.get(buffer).status == 200
    projects.remove_member(FIRST, person)
    assert ben.request.get(buffer).status == 404
    expect(ben.get_by_text(title)).to_have_count(0, timeout=PATIENCE)  # by itself, within seconds
    assert title not in ben.locator("body").inner_text()


def _remove(library: Library, ben: Page, fetched: list[str]) -> None:
    """Take from Ben the right to use the server, while he looks."""
    people = People(library.database)
    people.remove(next(one.id for one in people.all() if one.name == "Ben Okafor"))
    assert all(ben.request.get(url).status in (404, 405) for url in fetched)
    expect(ben.get_by_text("was taken away")).to_be_visible(timeout=PATIENCE)
    expect(ben.get_by_role("link", name="Sections")).to_have_count(0)


def test_whose_token_expires_is_outside_though_the_provider_is_down(browser: Browser, tmp_path: Path) -> None:
    with hospital(tmp_path, PEOPLE, token_s=90) as (address, provider):
        page = browser.new_context().new_page()
        began = time.monotonic()
        sign_in(page, address, "ben")
        provider.process.kill()
        expect(page.get_by_role("button", name=SIGN_IN)).to_be_visible(timeout=90_000 + PATIENCE)
        assert time.monotonic() - began > 85
        assert page.get_by_role("link", name="Sections").count() == 0
        page.get_by_role("button", name=SIGN_IN).click()
        expect(page.get_by_text("The sign-in service does not answer")).to_be_visible(timeout=PATIENCE)
        page.goto(f"{address}/tokens", timeout=PATIENCE)
        expect(page.get_by_role("button", name=SIGN_IN)).to_be_visible(timeout=PATIENCE)
