"""People sign in at a real identity provider, find their own project, and what they left in it."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.engine.client import ask, jobs_of
from app.requests import TrainModel
from squint.library.jobs import CANCELLED, RUNNING
from squint.library.people import Person
from squint.library.place import project_home
from squint.library.projects import Projects
from squint.library.sign_in import Rules, admit
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.dashboard import PATIENCE
from tests.helpers.sign_in import hospital, sign_in
from tests.helpers.tissue import library_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = {
    "anna": {"name": "Anna Meyer", "email": "anna@example.org", "email_verified": True},
    "ben": {"name": "Ben Okafor"},
}


COOKIE = "_streamlit_user"
JOB = "Training that outlasts a visit"


def _said(page: Page) -> str:
    return page.locator("body").inner_text()


def _sign_out(page: Page) -> None:
    page.locator(".st-key-account button").first.click(timeout=PATIENCE)
    page.get_by_role("button", name="Sign out").click(timeout=PATIENCE)
    page.get_by_role("button", name="Yes, sign me out").click(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)


def _in_project(home: Path, issuer: str, login: str, sizes: dict[str, int]) -> tuple[Person, Library]:
    """Let somebody have come once before, and fill their project with sections of so many cells."""
    now = time.time()
    told = {"iss": issuer, "sub": login, "iat": now, "exp": now + 60, **PEOPLE[login]}
    root = Library(home)
    someone = admit(root.database, told, Rules.read({}))
    [project] = Projects(root.database).of(someone.id)
    library_of(project_home(home, project.id), sizes)
    return someone, Library(project_home(home, project.id))


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


def test_a_page_that_lies_untouched_ends_the_sign_in_at_the_provider_too(
    browser: Browser, tmp_path: Path
) -> None:
    """Row 64: in all windows of the browser, and its cookie is gone before that is confirmed there."""
    with hospital(tmp_path, PEOPLE, SQUINT_SESSION_MINUTES="0.75") as (address, provider):
        _in_project(tmp_path / "home", provider.address, "ben", {"S": 400})
        page = browser.new_context().new_page()
        sign_in(page, address, "ben")
        other = page.context.new_page()
        other.goto(address)
        expect(other.get_by_role("heading", name="Sections", exact=True)).to_be_visible(timeout=PATIENCE)
        for one in (page, other):
            gone = expect(one.get_by_role("heading", name="Sections", exact=True))
            gone.to_have_count(0, timeout=2 * PATIENCE)
            expect(one.get_by_role("button", name=re.compile("Sign in|Yes, sign me out"))).to_be_visible(
                timeout=PATIENCE
            )
        asks = next(one for one in (page, other) if one.url.startswith(provider.address))  # the first to go
        kept = {str(one.get("name")) for one in page.context.cookies(address)}
        assert not [name for name in kept if name.startswith(COOKIE)]
        asks.get_by_role("button", name="Yes, sign me out").click()
        expect(asks.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
        sign_in(page, address, "ben")  # anew, with the form of the provider


def test_a_job_runs_on_while_its_owner_signs_out_and_in_again_and_nobody_else_sees_it(
    browser: Browser, tmp_path: Path
) -> None:
    """Row 50."""
    with hospital(tmp_path, PEOPLE) as (address, provider):
        ben, library = _in_project(tmp_path / "home", provider.address, "ben", {"S": 40_000})
        _in_project(tmp_path / "home", provider.address, "anna", {"S": 400})
        asked = TrainModel((library.sections()[0].id,), 20, "left alone")
        job, jobs = ask(asked, library, asker=f"person-{ben.id}", about=JOB), jobs_of(library)
        wait_for(lambda: jobs.get(job.id).state == RUNNING and jobs.get(job.id).fraction > 0.1, 120)
        page = browser.new_context().new_page()
        sign_in(page, address, "ben")
        _sign_out(page)
        left_at = jobs.get(job.id)
        assert left_at.state == RUNNING
        anna = browser.new_context().new_page()
        sign_in(anna, address, "anna")
        anna.goto(f"{address}/jobs", timeout=PATIENCE)
        expect(anna.get_by_role("heading", name="Jobs", exact=True)).to_be_visible(timeout=PATIENCE)
        sign_in(page, address, "ben")
        page.goto(f"{address}/jobs", timeout=PATIENCE)
        expect(page.get_by_text(JOB).first).to_be_visible(timeout=PATIENCE)
        wait_for(lambda: jobs.get(job.id).fraction > left_at.fraction, 120)
        goes_on = jobs.get(job.id)
        assert (goes_on.state, goes_on.started) == (RUNNING, left_at.started)  # not begun anew
        assert JOB not in _said(anna)
        page.get_by_role("button", name="Cancel").click(timeout=PATIENCE)
        wait_for(lambda: jobs.get(job.id).state == CANCELLED, 120)
