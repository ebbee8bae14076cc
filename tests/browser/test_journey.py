"""The whole journey in a real browser: upload, report, keep, tokens, risk map, PDF."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect
from pypdf import PdfReader

from app.drawing import find_chrome
from app.settings import NOTICE
from squint import datasets

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # ms
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a section that is in no library yet."""
    path = tmp_path_factory.mktemp("upload") / "new_section.h5ad"
    adata = datasets.kidney(seed=7)[0]
    adata.obs = adata.obs[["section_id", "patient_id", "cell_type"]].copy()
    adata.obs["section_id"] = adata.obs["section_id"].cat.rename_categories(["NEW-1"])
    adata.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the dashboard as `make run` does, on a free port and with a new library."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py"]
    options = ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
    home = tmp_path_factory.mktemp("library")
    (home / "samples_imported").touch()
    log = (home.parent / "server.log").open("w")
    server = subprocess.Popen(
        [*command, *options], cwd=ROOT, env={**os.environ, "SQUINT_HOME": str(home)}, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                pytest.fail((home.parent / "server.log").read_text())
            time.sleep(0.2)
    yield url
    server.terminate()
    server.wait(20)
    log.close()
    assert "Traceback" not in (home.parent / "server.log").read_text()


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    flags = [
        "--no-sandbox",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--ignore-gpu-blocklist",
    ]
    browser = playwright.chromium.launch(executable_path=find_chrome(), args=flags)
    yield browser
    browser.close()


def open_page(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)


def test_from_upload_to_pdf(chromium: Browser, address: str, section: Path, tmp_path: Path) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True).new_page()
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if address not in request.url else None)
    page.goto(address)
    expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(NOTICE)).to_be_visible()

    page.locator("input[type=file]").set_input_files(section)
    keep = page.get_by_role("button", name="Keep and tokenise")
    expect(keep).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("6,", exact=False).first).to_be_visible()
    keep.click()
    expect(page.get_by_text("1 section(s) tokenised")).to_be_visible(timeout=PATIENCE)

    open_page(page, "Tokens")
    expect(page.get_by_text("What a token is")).to_be_visible(timeout=PATIENCE)
    open_page(page, "Risk map")
    expect(page.get_by_text("codes most frequent")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("1 section, 1 patient").first).to_be_visible()

    page.locator(".st-key-risk_map-pdf button").first.click()
    download = page.get_by_role("button", name="Download risk_map.pdf")
    expect(download).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as saved:
        download.click()
    saved.value.save_as(tmp_path / "risk_map.pdf")
    assert (tmp_path / "risk_map.pdf").read_bytes().startswith(b"%PDF")
    facts = PdfReader(tmp_path / "risk_map.pdf").metadata
    assert facts is not None
    assert facts["/Notice"] == NOTICE
    assert "NEW-1 sha256" in facts["/Sections"]
    assert "reference patient: SIM-H" in facts["/Parameters"]
    assert [url for url in elsewhere if url.startswith("http")] == []  # nothing leaves the machine
    page.context.close()
