"""A large file in a real browser: sent past Streamlit's uploader, seen on its way, stopped, kept."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from squint import datasets
from squint.chrome import find_chrome
from tests.helpers.dashboard import PATIENCE, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
UPLOAD = re.compile("/upload/[0-9a-f]{32}")
FIELD = ".drop input[type=file]"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty library, into which no samples will be imported."""
    home = tmp_path_factory.mktemp("large") / "library"
    home.mkdir()
    (home / "samples_imported").touch()
    return home


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with started(home) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Open Sections, with the field for large files shown."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Larger than 200 MB").click()
    expect(page.get_by_text("Drop a file here, or choose one")).to_be_visible(timeout=PATIENCE)
    yield page
    page.context.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a file of 300 MB that is no section."""
    path = tmp_path_factory.mktemp("files") / "large.h5ad"
    path.touch()
    os.truncate(path, 300_000_000)
    return path


def remove(page: Page) -> None:
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("has come")).to_have_count(0, timeout=PATIENCE)


def test_a_file_of_another_kind_is_refused(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    page.locator(FIELD).set_input_files(tmp_path / "notes.txt")
    expect(page.get_by_role("alert").filter(has_text="cannot be read")).to_be_visible()


def test_it_is_seen_on_its_way_and_can_be_stopped(page: Page, home: Path, large: Path) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000_000}
    session.send("Network.emulateNetworkConditions", slow)
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_role("progressbar", name="Upload of large.h5ad")).to_be_visible()
    shown = re.compile(r"\d+(\.\d)? of 300 MB \([1-9]\d? %\)")
    expect(page.get_by_text(shown)).to_be_visible(timeout=PATIENCE)
    assert list((home / "staging").glob("*/large.h5ad"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect(page.get_by_text("Drop a file here, or choose one")).to_be_visible()
    page.wait_for_timeout(1_000)
    assert not list((home / "staging").iterdir())


def test_the_text_is_large_enough_and_the_field_is_reached_by_keyboard(page: Page) -> None:
    sizes = page.locator(".drop").evaluate(
        "drop => [...drop.querySelectorAll('*')].map(part => parseFloat(getComputedStyle(part).fontSize))"
    )
    assert min(sizes) >= 12
    with page.expect_file_chooser():
        page.locator(FIELD).press("Enter")


def test_a_large_file_that_is_no_section_is_told_so(page: Page, home: Path, large: Path) -> None:
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_text("Reading the file did not work")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("300.0 MB, sha256")).to_be_visible()
    remove(page)
    assert not list((home / "staging").iterdir())


def test_an_address_that_expired_is_renewed_and_the_file_sent(page: Page, large: Path) -> None:
    def expire(route: Route) -> None:
        route.continue_(url=re.sub("until=[0-9]+", "until=1", route.request.url))

    page.route(UPLOAD, expire, times=1)
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_text("300.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
    remove(page)


def test_why_a_file_did_not_come_is_asked_for_after_the_line_was_cut(page: Page, large: Path) -> None:
    def cut(route: Route) -> None:
        if route.request.method == "PUT":
            route.abort()
        else:
            route.continue_()

    page.route(UPLOAD, cut)
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_role("alert").filter(has_text="The connection broke off")).to_be_visible()
    expect(page.get_by_text("Drop a file here, or choose one")).to_be_visible()


def test_a_section_is_sent_and_kept(page: Page, home: Path, tmp_path: Path) -> None:
    adata = datasets.kidney(seed=7)[0]
    adata.obs = adata.obs[["section_id", "patient_id", "cell_type"]].copy()
    adata.obs["section_id"] = adata.obs["section_id"].cat.rename_categories(["NEW-1"])
    adata.write_h5ad(tmp_path / "new section.h5ad")
    page.locator(FIELD).set_input_files(tmp_path / "new section.h5ad")
    expect(page.get_by_text("new_section.h5ad")).to_be_visible(timeout=PATIENCE)
    keep = page.get_by_role("button", name="Keep and tokenise")
    expect(keep).to_be_visible(timeout=PATIENCE)
    keep.click()
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=PATIENCE)
    assert len(list((home / "sections").iterdir())) == 1
    assert not list((home / "staging").iterdir())
