"""Files and folders in a real browser: chosen or dropped, seen on their way, stopped, kept."""

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from squint import datasets
from squint.chrome import find_chrome
from squint.files import sha256
from tests.helpers.app import wait_for
from tests.helpers.dashboard import PATIENCE, free_port, serve, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
UPLOAD = re.compile("/upload/[0-9a-f]{32}")
FIELD = ".drop input.file"
READY = "Drop a folder or a file here"


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
    """Open Sections."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(READY)).to_be_visible(timeout=PATIENCE)
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


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders as a hand does: Chromium reads them from the disk."""
    box = page.locator(".drop .zone").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def slow_down(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000_000}
    session.send("Network.emulateNetworkConditions", slow)


@pytest.fixture
def outs(tmp_path: Path) -> Path:
    """Make a folder as an instrument might: many files, one that nobody needs, and what a Mac adds."""
    (folder := tmp_path / "Jane Doe 1970-01-01" / "deep").mkdir(parents=True)
    for i in range(250):
        (folder / f"{i}.bin").write_bytes(b"x" * i)
    (folder / "transcripts.zarr.zip").write_bytes(b"x" * 999)
    (folder.parent / "é & Ü.csv").write_text("x")
    (folder.parent / ".DS_Store").write_text("x")
    return folder.parent


def came_of(home: Path) -> int:
    """Sum the bytes of what is on its way."""
    paths = [path for part in (home / "uploads").glob("*/.part") for path in (part, *part.rglob("*"))]
    return sum(path.stat().st_size for path in paths if path.is_file())


def count_sent(page: Page) -> list[int]:
    """Note of every PUT from now on how many bytes the browser says it has."""
    sent: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PUT":
            sent.append(int(request.all_headers()["content-length"]))

    page.on("requestfinished", note)
    return sent


def grow(folder: Path) -> None:
    """Add a file of 300 MB."""
    (folder / "zeros.bin").touch()
    os.truncate(folder / "zeros.bin", 300_000_000)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_a_folder_comes_whole_but_for_what_is_not_needed(
    page: Page, home: Path, outs: Path, way: str
) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    if way == "dropped":
        drop(page, outs)
    else:
        page.locator(".drop input.folder").set_input_files(outs)
    expect(page.get_by_text("251 files, 0.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Not sent, as nothing here reads it: transcripts.zarr.zip.")).to_be_visible()
    expect(page.get_by_text("The folder's name looks like a date")).to_be_visible()
    (folder,) = (home / "uploads").glob("*/[!.]*")
    assert folder.name == "section"
    files = content_of(outs)
    del files["deep/transcripts.zarr.zip"], files[".DS_Store"]
    assert content_of(folder) == files
    assert not [address for address in addresses if "Jane" in address or "deep" in address]
    assert "Jane" not in (home.parent / "server.log").read_text()
    expect(page.get_by_text("Reading the file did not work")).to_be_visible(timeout=PATIENCE)
    remove(page)
    assert not list((home / "uploads").iterdir())


def test_files_that_belong_together_are_dropped_at_once(page: Page, home: Path, tmp_path: Path) -> None:
    for name in ("counts.csv", "cells.csv"):
        (tmp_path / name).write_text(name)
    drop(page, tmp_path / "counts.csv")
    expect(page.get_by_role("alert").filter(has_text="Choose all files that belong together")).to_be_visible()
    drop(page, tmp_path / "counts.csv", tmp_path / "cells.csv")
    expect(page.get_by_text("2 files, 0.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
    (folder,) = (home / "uploads").glob("*/section")
    assert content_of(folder) == {"counts.csv": b"counts.csv", "cells.csv": b"cells.csv"}
    remove(page)


def test_a_folder_is_seen_on_its_way_and_can_be_stopped(page: Page, home: Path, outs: Path) -> None:
    slow_down(page)
    grow(outs)
    drop(page, outs)
    shown = re.compile(r"\d+ of 252 files, \d+(\.\d)? of 300 MB \(\d+ %\)")
    expect(page.get_by_text(shown)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("progressbar", name="Upload of Jane Doe")).to_be_visible()
    page.wait_for_timeout(500)
    assert list((home / "uploads").glob("*/.part/*"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect(page.get_by_text(READY)).to_be_visible()
    page.wait_for_timeout(1_000)
    assert not list((home / "uploads").iterdir())


def test_a_folder_goes_on_in_another_tab_where_the_first_was_closed(
    page: Page, home: Path, outs: Path
) -> None:
    slow_down(page)
    grow(outs)
    drop(page, outs)
    expect(page.get_by_text(re.compile("of 252 files, "))).to_be_visible(timeout=PATIENCE)
    wait_for(lambda: came_of(home) > 10_000_000, timeout=60)
    address = page.url
    context = page.context.browser.new_context(viewport={"width": 1280, "height": 900})
    page.context.close()
    other = context.new_page()
    sent = count_sent(other)
    other.goto(address)
    expect(other.get_by_text(READY)).to_be_visible(timeout=PATIENCE)
    drop(other, outs)
    expect(other.get_by_text("252 files, 300.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
    (folder,) = (home / "uploads").glob("*/section")
    files = content_of(outs)
    del files["deep/transcripts.zarr.zip"], files[".DS_Store"]
    assert content_of(folder) == files
    assert 0 < sum(sent) < 290_100_000
    remove(other)
    context.close()


def test_a_folder_with_a_name_that_is_not_fit_is_refused(page: Page, home: Path, outs: Path) -> None:
    (outs / "a\nb").write_text("x")
    drop(page, outs)
    refused = page.get_by_role("alert").filter(has_text="'a\\nb' is no fit name: it has a control character")
    expect(refused).to_be_visible(timeout=PATIENCE)
    assert not list((home / "uploads").iterdir())


def test_a_zip_is_dropped_and_one_that_leads_elsewhere_refused(
    page: Page, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "outs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../out", "x")
    drop(page, path)
    expect(page.get_by_text("'../out' is no fit name")).to_be_visible(timeout=PATIENCE)
    remove(page)
    assert not list((home / "uploads").iterdir())


def test_a_file_of_another_kind_is_refused(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    page.locator(FIELD).set_input_files(tmp_path / "notes.txt")
    expect(page.get_by_role("alert").filter(has_text="cannot be read")).to_be_visible()


def test_it_is_seen_on_its_way_and_can_be_stopped(page: Page, home: Path, large: Path) -> None:
    slow_down(page)
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_role("progressbar", name="Upload of large.h5ad")).to_be_visible()
    shown = re.compile(r"\d+(\.\d)? of 300 MB \([1-9]\d? %\)")
    expect(page.get_by_text(shown)).to_be_visible(timeout=PATIENCE)
    assert list((home / "uploads").glob("*/.part"))
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled. Nothing was kept.")).to_be_visible()
    expect(page.get_by_text(READY)).to_be_visible()
    page.wait_for_timeout(1_000)
    assert not list((home / "uploads").iterdir())


def test_the_text_is_large_enough_and_the_field_is_reached_by_keyboard(page: Page) -> None:
    sizes = page.locator(".drop").evaluate(
        "drop => [...drop.querySelectorAll('*')].map(part => parseFloat(getComputedStyle(part).fontSize))"
    )
    assert min(sizes) >= 12
    for field in (FIELD, ".drop input.folder"):
        with page.expect_file_chooser():
            page.locator(field).press("Enter")


def test_a_large_file_that_is_no_section_is_told_so(page: Page, home: Path, large: Path) -> None:
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_text("Reading the file did not work")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("300.0 MB, sha256")).to_be_visible()
    remove(page)
    assert not list((home / "uploads").iterdir())


def test_an_address_that_expired_is_renewed_and_the_file_sent(page: Page, large: Path) -> None:
    def expire(route: Route) -> None:
        route.continue_(url=re.sub("until=[0-9]+", "until=1", route.request.url))

    page.route(UPLOAD, expire, times=1)
    page.locator(FIELD).set_input_files(large)
    expect(page.get_by_text("300.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
    remove(page)


def test_a_line_that_is_cut_again_and_again_is_told_of_in_the_end(page: Page, tmp_path: Path) -> None:
    (path := tmp_path / "small.h5ad").write_bytes(b"x" * 1_000_000)

    def cut(route: Route) -> None:
        if route.request.method == "PUT":
            route.abort()
        else:
            route.continue_()

    page.route(UPLOAD, cut)
    page.locator(FIELD).set_input_files(path)
    expect(page.get_by_text("The connection broke off. Trying again in 1 s …")).to_be_visible()
    told = page.get_by_role("alert").filter(has_text="The connection broke off. Try again.")
    expect(told).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(READY)).to_be_visible()


def test_a_file_that_changed_meanwhile_is_not_sent_on(page: Page, home: Path, tmp_path: Path) -> None:
    (path := tmp_path / "grows.h5ad").write_bytes(b"x" * 1_000_000)

    def cut(route: Route) -> None:
        if route.request.method == "PUT":
            path.write_bytes(b"y" * 1_000_001)
            route.abort()
        else:
            route.continue_()

    page.route(UPLOAD, cut)
    page.locator(FIELD).set_input_files(path)
    told = page.get_by_role("alert").filter(has_text="changed meanwhile. Give it again.")
    expect(told).to_be_visible(timeout=PATIENCE)
    assert not list((home / "uploads").iterdir())


def test_a_file_goes_on_by_itself_after_the_server_was_killed(
    browser: Browser, tmp_path: Path, large: Path
) -> None:
    home, port = tmp_path / "library", free_port()
    home.mkdir()
    (home / "samples_imported").touch()
    server = serve(home, port)
    try:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(f"http://127.0.0.1:{port}")
        expect(page.get_by_text(READY)).to_be_visible(timeout=PATIENCE)
        slow_down(page)
        page.locator(FIELD).set_input_files(large)
        wait_for(lambda: came_of(home) > 60_000_000, timeout=60)
        server.kill()
        server.wait(20)
        came = came_of(home)
        expect(page.get_by_text(re.compile("Trying again in"))).to_be_visible(timeout=PATIENCE)
        sent = count_sent(page)
        server = serve(home, port)
        share = 100 * came // 300_000_000
        expect(page.get_by_text(f"Continuing large.h5ad at {share} % …")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("300.0 MB, sha256")).to_be_visible(timeout=PATIENCE)
        assert sent == [300_000_000 - came]
        (path,) = (home / "uploads").glob("*/large.h5ad")
        assert sha256(path) == sha256(large)
        page.context.close()
    finally:
        server.terminate()
        server.wait(20)


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
    assert not list((home / "uploads").iterdir())
