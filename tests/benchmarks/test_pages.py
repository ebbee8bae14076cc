"""How long each page takes: at its first visit, when it was seen before, and after a change of each control.

``pytest -m benchmark -s tests/benchmarks/test_pages.py`` with the sample cohort and, where it is, the
pancreas of 140,702 cells. Beside each number: where it went, some of it at the same time.
"""

import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, Playwright, expect

from squint.chrome import find_chrome
from squint.io.content import Answers
from squint.library import adding
from squint.library.ingest import Labels
from squint.library.records import TokenRun
from squint.library.store import Library
from squint.pp import QualityFilter
from tests.helpers.app import wait_for
from tests.helpers.dashboard import PATIENCE, chromium, follow_link, server_of
from tests.helpers.paths import REAL_DATA, ROOT
from tests.helpers.waits import Wait, wait_after

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(find_chrome() is None, reason="chromium is not installed"),
]
Record = Callable[[str, str, str], None]
PAGES = (
    "Sections", "Cell types", "Tokens", "Risk map", "Compare", "Differential expression", "Report",
    "Codebook", "Borders", "Co-occurrence", "Perturbation", "In-painting", "Z-stack", "Models", "Jobs",
)  # fmt: skip
OF_COHORT = ("Z-stack",)  # pages that need several levels
WARM, FIRST, CONTROL = 2.0, 4.0, 1.0  # s that are wanted
MAIN = "[data-testid='stMain']"
MOST_OF_A_KIND = 8
MS = 2_000  # that a control has to be there
PANCREAS = "xenium_human_pancreas_full"


@pytest.fixture(scope="module", params=["cohort", "pancreas"])
def seen(
    request: pytest.FixtureRequest, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Page, Library]]:
    """Serve a library whose sections have tokens; give the browser's first page, at rest."""
    home = tmp_path_factory.mktemp(request.param) / "library"
    library, more = Library(home), {}
    if request.param == "pancreas":
        path = REAL_DATA / f"{PANCREAS}.h5ad"
        if not path.is_file():
            pytest.skip(f"real section {path.name} is not in SQUINT_TEST_DATA ({REAL_DATA})")
        library.note_samples()
        settled = adding.read(path, Answers())
        adding.keep(
            library, path, settled, Labels({"": "P-1"}, {}), Answers(), QualityFilter(), lambda *_: None
        )
        more = {"SQUINT_MODEL": str(ROOT / "data_samples" / "pancreas_model")}
    with chromium(playwright) as browser, server_of(home, **more) as (address, _):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(address)
        expect(page.get_by_role("link", name="Risk map", exact=True).first).to_be_visible(timeout=PATIENCE)
        n = 1 if more else 6
        wait_for(lambda: len(library.sections()) >= n and all_tokenised(library), 900)
        page.goto(address)
        wait_after(page, library, lambda: None)
        yield request.param, page, library
        page.context.close()


def all_tokenised(library: Library) -> bool:
    """Say whether each section has tokens."""
    with library.database.reading() as session:
        done = set(session.scalars(sa.select(TokenRun.section_id)))
    return {section.id for section in library.sections()} <= done


def say(record: Record, where: str, wait: Wait, wanted: float) -> None:
    """Print a wait; only what took longer than wanted is worth a second look."""
    late = " **late**" if wait.all > wanted or not wait.at_rest else ""
    record(where, f"{wait}{late}", f"{wanted:g} s")


def test_every_page(seen: tuple[str, Page, Library], record: Record) -> None:
    name, page, library = seen
    print("\n| page | s | script | followed | queue + work of jobs (n) | drawing | kB |")
    print(f"load before: {os.getloadavg()[0]:.1f}")
    pages = [title for title in PAGES if name == "cohort" or title not in OF_COHORT]
    for title in pages:
        wait = wait_after(page, library, lambda title=title: follow_link(page, title))
        say(record, f"{name}, {title}, first visit", wait, FIRST)
    for title in pages:
        wait = wait_after(page, library, lambda title=title: follow_link(page, title))
        say(record, f"{name}, {title}, seen before", wait, WARM)


def test_every_control(seen: tuple[str, Page, Library], record: Record) -> None:
    name, page, library = seen
    for title in PAGES:
        if name != "cohort" and title in OF_COHORT:
            continue
        wait_after(page, library, lambda title=title: follow_link(page, title))
        for what, change in controls(page):
            try:
                wait = wait_after(page, library, change)
            except PlaywrightError as error:  # what was changed before took it away
                page.keyboard.press("Escape")
                print(f"{name}, {title}: {what} could not be changed: {str(error).splitlines()[0]}")
                continue
            say(record, f"{name}, {title}: {what}", wait, CONTROL)


def controls(page: Page) -> list[tuple[str, Callable[[], object]]]:
    """List the controls of a page, each with what changes it once."""
    main = page.locator(MAIN)
    found: list[tuple[str, Callable[[], object]]] = []
    for kind, act in (
        ("stSelectbox", choose_other),
        ("stButtonGroup", press_other),
        ("stCheckbox", lambda one: one.locator("label").first.click(timeout=MS)),
        ("stSlider", lambda one: one.get_by_role("slider").first.press("ArrowRight", timeout=MS)),
        ("stNumberInput", lambda one: one.get_by_test_id("stNumberInputStepUp").click(timeout=MS)),
        ("stMultiSelect", choose_more),
    ):
        for one in main.get_by_test_id(kind).all()[:MOST_OF_A_KIND]:
            if one.is_visible() and not one.get_by_label("Model", exact=True).count():
                label = one.locator("label, [data-testid='stWidgetLabel']").first
                said = label.inner_text().strip().splitlines() if label.count() else []
                name = f"{kind.removeprefix('st')} {said[0] if said else ''}"
                found.append((name, lambda one=one, act=act: act(one)))
    return found


def choose_other(one: Locator) -> None:
    """Choose another option of a list."""
    one.locator("input").first.click(timeout=MS)
    options = one.page.get_by_role("option")
    options.first.wait_for(timeout=MS)
    others = [option for option in options.all() if option.get_attribute("aria-selected") != "true"]
    if not others:
        one.page.keyboard.press("Escape")
        return
    others[0].click(timeout=MS)


def choose_more(one: Locator) -> None:
    """Choose one more option of a list."""
    choose_other(one)
    one.page.keyboard.press("Escape")


def press_other(one: Locator) -> None:
    """Press a button of a row that is not pressed."""
    buttons = one.get_by_role("radio").all() or one.get_by_role("button").all()
    for button in buttons:
        if button.get_attribute("aria-checked") != "true":
            button.click(timeout=MS)
            return
