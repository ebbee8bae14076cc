"""A name given on the page Codebook stands on the map of the page Tokens, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import squint
from app.requests import Tokenise
from app.tasks import models, tokens
from squint.chrome import find_chrome
from squint.library import ingest
from squint.library.database import database
from squint.library.store import Library
from tests.helpers.dashboard import MAP, PATIENCE, open_page, started
from tests.helpers.paths import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]


@pytest.fixture
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Open the dashboard on a library of one simulated section with tokens by the model that ships."""
    library = Library(tmp_path_factory.mktemp("named") / "library")
    library.note_samples()
    models.use(ROOT / "data_samples" / "pretrained")
    bundle = models.hold(ROOT / "data_samples" / "pretrained")
    adata = squint.read(ROOT / "data_samples" / "SIM-H-1.h5ad")
    patient = str(adata.obs["patient_id"].iloc[0])
    (part,) = ingest.clean(adata, ingest.Labels({patient: patient}, {}))
    section, _ = ingest.add(library, part, ingest.Labels({patient: patient}, {}))
    tokens.tokenise(library, Tokenise((section.id,), bundle.sha256), lambda *_: None)
    database(library.home).close()
    with started(library.home) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 2400}).new_page()
        page.goto(address, timeout=PATIENCE)
        yield page
        page.context.close()


def test_a_name_is_shown_on_the_map_of_tokens_and_undone(page: Page) -> None:
    open_page(page, "Tokens")
    entries = page.locator(".st-key-tokens .entry-name")
    first = entries.first.inner_text().split()[0]
    open_page(page, "Codebook")
    expect(page.get_by_role("heading", name=f"Token {first}")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Name", exact=True).fill("rim of the tumour")
    page.get_by_role("button", name="Save").click()
    title = f"{first} · rim of the tumour"
    expect(page.get_by_role("heading", name=f"Token {title}")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-codebook_map .entry-name").filter(has_text=title)).to_be_visible()
    chosen = page.get_by_role("combobox", name="Token (or click a row above)")
    expect(chosen).to_have_value(title, timeout=PATIENCE)
    open_page(page, "Tokens")
    expect(page.locator(f".st-key-tokens {MAP}")).to_be_visible(timeout=PATIENCE)
    expect(entries.filter(has_text=title)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".st-key-highlighted").filter(has_text=title)).to_be_visible(timeout=PATIENCE)
    open_page(page, "Codebook")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("heading", name=f"Token {title}")).to_have_count(0, timeout=PATIENCE)
    open_page(page, "Tokens")
    expect(entries.filter(has_text=title)).to_have_count(0, timeout=PATIENCE)
