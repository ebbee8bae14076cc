"""Labels from files in a real browser: text, and nothing that leaves without a stamp."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from squint.chrome import find_chrome
from tests.browser.labels_page import ADDRESSES
from tests.helpers.dashboard import PATIENCE, started
from tests.helpers.paths import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    home = tmp_path_factory.mktemp("labels") / "library"
    with started(home, ROOT / "tests" / "browser" / "labels_page.py") as address:
        page = browser.new_context().new_page()
        page.goto(address)
        expect(page.get_by_text("all drawn")).to_be_visible(timeout=PATIENCE)
        yield page
        page.context.close()


def test_an_address_is_text_and_no_link(page: Page) -> None:
    assert page.locator("[data-testid='stMain'] a").count() == 0
    shown = page.locator("[data-testid='stMain']").inner_text().replace("\u2060", "")
    for address in ADDRESSES:
        assert shown.count(address) >= 4, address


def test_a_table_offers_no_download_of_its_own(page: Page) -> None:
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    table.hover()
    expect(page.get_by_role("button", name="Fullscreen")).to_be_visible()
    assert page.get_by_role("button", name="Download as CSV").count() == 0
