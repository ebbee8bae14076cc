"""People sign in at a real identity provider, and find their own project."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.helpers.dashboard import PATIENCE
from tests.helpers.sign_in import hospital, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = {
    "anna": {"name": "Anna Meyer", "email": "anna@example.org", "email_verified": True},
    "ben": {"name": "Ben Okafor"},
}


def _said(page: Page) -> str:
    return page.locator("body").inner_text()


def test_nothing_is_shown_before_sign_in_and_then_ones_own_library_until_one_leaves(
    browser: Browser, tmp_path: Path
) -> None:
    with hospital(tmp_path, PEOPLE) as (address, _):
        page = browser.new_context().new_page()
        for path in ("", "/tokens", "/jobs", "/no_such_page"):
            page.goto(address + path)
            expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
            expect(page.get_by_text("For research use only")).to_be_visible()
            assert not any(word in _said(page) for word in ("Sections", "Tokens", "Model", "pretrained"))
            assert page.get_by_role("link", name="Tokens").count() == 0
        sign_in(page, address, "ben")
        page.get_by_role("button", name="Project of Ben Okafor").click(timeout=PATIENCE)
        expect(page.get_by_text("Ben Okafor, analyst")).to_be_visible()
        other = page.context.new_page()  # another window of the same browser
        other.goto(address)
        expect(other.get_by_role("heading", name="Sections", exact=True)).to_be_visible(timeout=PATIENCE)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign me out").click(timeout=PATIENCE)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
        expect(other.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
        assert "Sections" not in _said(other)
    [project] = (tmp_path / "home" / "projects").iterdir()
    assert (project / "library.id").exists()
