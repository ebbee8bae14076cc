"""The whole journey in a real browser: upload, keep, tokens, risk map, PDF, genes, report.

Once with a simulated section, and once with a real one, of which a starter model knows such tissue.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import normalize

import pytest
from playwright.sync_api import Browser, expect
from pypdf import PdfReader

from app.settings import NOTICE
from squint import datasets
from squint.chrome import find_chrome
from squint.report.packed import read_given
from tests.helpers.dashboard import PATIENCE, open_page, save_pdf, started

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
    """Start the dashboard with an empty library, into which no samples will be imported."""
    home = tmp_path_factory.mktemp("library")
    (home / "samples_imported").touch()
    with started(home) as url:
        yield url


def test_from_upload_to_pdf(browser: Browser, address: str, section: Path, tmp_path: Path) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True).new_page()
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if address not in request.url else None)
    page.goto(address)
    expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text(NOTICE)).to_be_visible()

    page.locator(".drop input.file").set_input_files(section)
    keep = page.get_by_role("button", name="Keep and tokenise")
    expect(keep).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("6,", exact=False).first).to_be_visible()
    keep.click()
    # What stays, not the toast, which a busy machine may show too briefly to be seen here.
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=PATIENCE)

    open_page(page, "Tokens")
    expect(page.get_by_text("What a token is")).to_be_visible(timeout=PATIENCE)
    open_page(page, "Risk map")
    expect(page.get_by_text("codes most frequent")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("1 section, 1 patient").first).to_be_visible()

    save_pdf(page, tmp_path / "risk_map.pdf")
    assert (tmp_path / "risk_map.pdf").read_bytes().startswith(b"%PDF")
    facts = PdfReader(tmp_path / "risk_map.pdf").metadata
    assert facts is not None
    assert str(facts["/Notice"]) == NOTICE
    assert "NEW-1 sha256" in facts["/Sections"]
    assert "reference patient: SIM-H" in facts["/Parameters"]

    open_page(page, "Differential expression")
    expect(page.get_by_text("Marked gene set")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Report", exact=True).first.click()
    page.get_by_role("button", name="Make the report").click(timeout=PATIENCE)
    expect(page.get_by_text("is ready")).to_be_visible(timeout=2 * PATIENCE)
    with page.expect_download() as download:
        page.get_by_role("button", name="PDF ·").click()
    download.value.save_as(tmp_path / "report.pdf")
    report = PdfReader(tmp_path / "report.pdf")
    first = " ".join(report.pages[0].extract_text().split())
    assert NOTICE in first
    assert "Report of" in first
    assert "1 section, 1 patient" in first
    assert "NEW-1 sha256" in str((report.metadata or {})["/Sections"])
    assert [url for url in elsewhere if url.startswith("http")] == []  # nothing leaves the machine
    page.context.close()


@pytest.fixture(scope="module")
def breast(real_section: Callable[[str], Path]) -> Path:
    """Find a section of breast cancer that states neither its patient nor its unit."""
    return real_section("xenium_breast_roi_17k")


@pytest.fixture(scope="module")
def empty(breast: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the dashboard with another empty library, where there is a section for it."""
    del breast
    home = tmp_path_factory.mktemp("starter")
    (home / "samples_imported").touch()
    with started(home) as url:
        yield url


def test_from_a_real_section_and_a_starter_model_to_its_report(
    browser: Browser, empty: str, breast: Path, tmp_path: Path
) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(empty)
    expect(page.get_by_text("The library is empty")).to_be_visible(timeout=PATIENCE)
    page.locator(".drop input.file").set_input_files(breast)
    expect(page.get_by_label("Tokens by")).to_have_value("breast_model, fits best", timeout=PATIENCE)
    keep = page.get_by_role("button", name="Keep and tokenise")
    expect(keep).to_be_disabled(timeout=PATIENCE)  # the file states neither a unit nor a patient
    page.get_by_role("radiogroup").filter(has_text="nm").get_by_text("µm", exact=True).click()
    code = page.get_by_label("Study code of the patient")
    code.fill("BR-01")
    code.press("Enter")
    expect(keep).to_be_enabled(timeout=PATIENCE)
    keep.click()
    expect(page.get_by_role("heading", name="Side by side")).to_be_visible(timeout=PATIENCE)

    open_page(page, "Tokens")
    expect(page.get_by_text("What a token is")).to_be_visible(timeout=PATIENCE)
    open_page(page, "Risk map")
    expect(page.get_by_text("codes most frequent")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("BR-01 is the only patient here")).to_be_visible(timeout=PATIENCE)
    open_page(page, "Differential expression")
    expect(page.get_by_text("Marked gene set")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("link", name="Report", exact=True).first.click()
    page.get_by_role("button", name="Make the report").click(timeout=PATIENCE)
    expect(page.get_by_text("is ready")).to_be_visible(timeout=2 * PATIENCE)
    with page.expect_download() as download:
        page.get_by_role("button", name="PDF ·").click()
    download.value.save_as(tmp_path / "report.pdf")
    report = PdfReader(tmp_path / "report.pdf")
    texts = [" ".join(normalize("NFKC", one.extract_text()).split()) for one in report.pages]  # no ligatures
    assert all(NOTICE in text for text in texts)
    assert "17,136 cells, 1 section, 1 patient" in texts[0]
    assert "its own high scores are no finding" in texts[0]
    assert "simulated" not in " ".join(texts)
    said = " ".join(texts)
    for heading in ("Cell types", "Tokens", "Activation score", "Genes that differ", "Methods", "Limits"):
        assert heading in said
    assert "The model breast_model: A starter" in said
    assert normalize("NFKC", "positions in µm") in said
    with page.expect_download() as download:
        page.get_by_role("button", name="Tables and recipe").click()
    download.value.save_as(tmp_path / "report.zip")
    recipe = read_given(tmp_path / "report.zip").recipe
    assert recipe.sections[0].original == hashlib.sha256(breast.read_bytes()).hexdigest()
    assert (recipe.sections[0].patient, recipe.sections[0].unit) == ("BR-01", "um")
    page.context.close()
