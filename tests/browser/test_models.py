"""Models in a real browser: trained, exported, deleted and added again; and a training that is cancelled."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from squint import datasets
from squint.chrome import find_chrome
from squint.library import ingest, trainings
from squint.library.database import database
from squint.library.jobs import CANCELLED, Jobs
from squint.library.models import KnownModel, known
from squint.library.store import Library
from tests.helpers.app import staged, wait_for
from tests.helpers.dashboard import PATIENCE, follow_link, started

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
LONG = 5 * PATIENCE  # a training, on a machine that does other things beside


@contextmanager
def dashboard(folder: Path, n_cells: int) -> Iterator[tuple[Library, str]]:
    """Start the dashboard with two sections; give its library and its address."""
    library = Library(folder / "home")
    library.note_samples()
    toy = datasets.toy(n_cells=n_cells, n_sections=2)
    labels = ingest.Labels({str(name): str(name) for name in toy.obs["patient_id"].unique()}, {})
    for part in ingest.clean(toy, labels):
        ingest.add(library, part, labels)
    with started(library.home) as address:
        yield library, address


def open_models(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True).new_page()
    page.goto(f"{address}/models")
    expect(page.get_by_role("heading", name="All models")).to_be_visible(timeout=PATIENCE)
    return page


def at_rest(page: Page) -> None:
    """Wait until no script runs."""
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible(
        timeout=LONG
    )


def train(page: Page, name: str) -> None:
    """Ask for a training of a model of four codes."""
    page.get_by_text("Train a model", exact=True).click()
    expect(page.get_by_text("on this machine, within")).to_be_visible(timeout=LONG)
    codes = page.get_by_label("Codes", exact=True)
    codes.fill("4")
    codes.press("Enter")
    at_rest(page)  # the time is measured once more
    field = page.get_by_label("Name", exact=True)
    field.fill(name)
    field.press("Enter")
    at_rest(page)
    page.get_by_role("button", name="Train", exact=True).click()


def own(library: Library) -> list[KnownModel]:
    return known(library, [])


def test_a_model_is_trained_exported_deleted_and_added_again(browser: Browser, tmp_path: Path) -> None:
    with dashboard(tmp_path, n_cells=240) as (library, address):
        page = open_models(browser, address)
        train(page, "Small")
        wait_for(lambda: own(library), LONG / 1000)
        (model,) = own(library)
        assert (model.name, model.problem) == ("Small", "")
        shown = page.get_by_text(f"sha256 {model.sha256[:12]}")
        expect(shown).to_be_visible(timeout=PATIENCE)
        wait_for(lambda: len(library.tokenised(library.sections(), model.sha256)) == 2, LONG / 1000)
        at_rest(page)
        title = page.locator("strong").get_by_text("Small", exact=True)  # while it is trained, there too
        expect(title).to_have_count(1)

        export = page.locator(f".st-key-export-{model.folder.name} button").first  # a tooltip doubles it
        with page.expect_download(timeout=LONG) as saved:
            export.click()
        assert saved.value.suggested_filename == "Small.zip"
        saved.value.save_as(tmp_path / "Small.zip")

        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete for good").click()
        expect(shown).to_have_count(0, timeout=PATIENCE)
        expect(title).to_have_count(0)
        assert own(library) == []
        assert list(library.models.iterdir()) == []

        page.get_by_text("Add a packed model", exact=True).click()
        page.locator(".drop input.file").set_input_files(tmp_path / "Small.zip")
        expect(shown).to_be_visible(timeout=LONG)
        expect(title).to_have_count(1)
        (back,) = own(library)
        assert (back.name, back.sha256, back.problem) == ("Small", model.sha256, "")
        at_rest(page)
        expect(page.locator(f".st-key-use-{back.folder.name} button").first).to_be_disabled()  # it is in use
        assert not staged(library)
        page.context.close()


def test_a_training_that_is_cancelled_leaves_nothing_and_the_page_is_usable(
    browser: Browser, tmp_path: Path
) -> None:
    with dashboard(tmp_path, n_cells=4_000) as (library, address):
        page = open_models(browser, address)
        train(page, "Never")
        expect(page.get_by_text(re.compile(r"epoch \d+ of 30"))).to_be_visible(timeout=LONG)
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Training a model: cancelled. Nothing of it was kept.")).to_be_visible(
            timeout=PATIENCE
        )
        jobs = Jobs(database(library.home)).list()
        assert [job.state for job in jobs if job.task == "train_model"] == [CANCELLED]
        assert own(library) == []
        assert list(library.models.iterdir()) == []
        wait_for(lambda: not any((library.home / trainings.FOLDER).iterdir()))
        assert not staged(library)

        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.get_by_text("Training a model: cancelled")).to_have_count(0, timeout=PATIENCE)
        expect(page.get_by_text("Train a model", exact=True)).to_be_visible()
        follow_link(page, "Jobs")
        expect(page.get_by_role("heading", name="Ended")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text("Nothing is being worked on.")).to_be_visible()
        page.context.close()
