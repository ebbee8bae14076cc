"""Pages as somebody sees them who may only look, and who may change."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from streamlit.testing.v1 import AppTest

from app import identity, who
from app.engine.client import jobs_of
from app.uploads.arrivals import UPLOADS
from squint.library import models
from squint.library.people import People
from squint.library.preferred_model import preferred
from squint.library.projects import FIRST, OWNER, Projects
from squint.library.store import Library
from tests.helpers.app import MAIN, PAGES, words
from tests.helpers.bundles import save_bundle
from tests.helpers.visitors import claims, cookie, sign_in_set_up

CHANGES = (
    *("delete", "tokenise", "train", "keep", "remove", "hide-", "show-simulated", "undo", "redo", "rename"),
    *("labeling-", "types-begin", "codebook_save", "gene_sets", "patients_add", "learn", "edit", "names-"),
    *("image-upload", "image-delete", "load", "import-", "rebuild"),
)


@pytest.fixture
def people(home: Path, tmp_path: Path) -> Iterator[None]:
    del home
    with sign_in_set_up(tmp_path):
        yield


@pytest.fixture
def comes(
    loaded: Library, people: None, monkeypatch: pytest.MonkeyPatch, worker: Any
) -> Callable[[str, str], int]:
    """Let somebody with a role into the first project, whose browser all pages are then opened by."""
    del people

    def come(login: str, role: str) -> int:
        worker.wait_ready()
        someone = identity.who_asks(cookie(login))
        assert someone is not None
        People(loaded.database).set_role(someone.id, role)
        Projects(loaded.database).add_member(FIRST, someone.id)
        Projects(loaded.database).open(FIRST, someone.id)
        monkeypatch.setattr(who, "claims", lambda: claims(login))  # as `st.user` has them, without a socket
        return someone.id

    return come


def _open(name: str) -> AppTest:
    app = AppTest.from_file(MAIN, default_timeout=120)
    app.run()
    return app if name == "sections" else app.switch_page(f"../pages/{name}.py").run()


def _offers(app: AppTest) -> list[str]:
    """Name what a page offers that changes the project."""
    keys = [str(element.key) for kind in (app.button, app.get("file_uploader")) for element in kind]
    drops = [
        str(element.key) for element in app.get("bidi_component") if str(element.key).startswith("drop-")
    ]
    uploads = ["upload" for _ in app.get("file_uploader")]
    return [key for key in keys if key.startswith(CHANGES)] + drops + uploads


@pytest.mark.parametrize("name", [*PAGES, "models", "jobs"])
def test_a_viewer_is_offered_nothing_that_changes_the_project(
    comes: Callable[[str, str], int], name: str
) -> None:
    comes("vera", "viewer")
    app = _open(name)
    assert not app.exception
    assert not app.error
    assert _offers(app) == []


def test_an_analyst_is(comes: Callable[[str, str], int]) -> None:
    comes("ben", "analyst")
    assert [_offers(_open(name)) != [] for name in ("sections", "cell_types", "models")] == [True] * 3


def test_a_browser_opens_no_project_by_naming_it(
    comes: Callable[[str, str], int], loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a field of choices sends is not held against its choices before it is acted on."""
    person = comes("ben", "analyst")
    projects = Projects(loaded.database)
    projects.add("Lung", person)
    hers = projects.add("Kidney", comes("eve", "analyst"))
    comes("ben", "analyst")
    app = _open("sections")
    box = app.selectbox("project_choice")
    known = vars(type(box))["format_func"].fget
    said = property(lambda one: str if one.key == box.key else known(one))
    monkeypatch.setattr(type(box), "format_func", said)
    box.options.append(hers.id)  # so that the test sends it, as a browser may
    box.set_value(hers.id).run()
    assert not app.exception
    assert loaded.sections()[0].title in words(app)
    assert projects.last_of(person) == FIRST


def test_what_somebody_sends_is_counted_together_whatever_browser_sends_it(
    comes: Callable[[str, str], int],
) -> None:
    person = comes("ben", "analyst")
    for _ in range(2):  # as in a private window, which knows no cookie of the other
        ids = _open("sections").session_state["_upload_ids"].values()
        tickets = [UPLOADS.get(one) for one in ids]
        assert {one.owner for one in tickets if one} == {f"person-{person}"}


def test_nobody_sees_a_page_before_they_are_let_in_or_after_they_were_removed(
    comes: Callable[[str, str], int], loaded: Library
) -> None:
    person = comes("ben", "analyst")
    app = _open("sections")
    section = loaded.sections()[0].title
    assert section in words(app)
    People(loaded.database).remove(person)
    app.run()
    assert section not in words(app)
    assert "taken away" in words(app)
    assert not [key for key in app.session_state._state.filtered_state if key != "_person"]


def test_in_which_projects_somebody_is_is_asked_once_a_run(
    comes: Callable[[str, str], int], loaded: Library
) -> None:
    comes("ben", "analyst")
    app = _open("sections")
    asked = Counter[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        told = " ".join(statement.split())
        asked.update(what for what in ("JOIN shares ON", "FROM users WHERE") if what in told)

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        app.run()
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)
    assert loaded.sections()[0].title in words(app)
    assert set(asked) == {"JOIN shares ON", "FROM users WHERE"}
    assert max(asked.values()) <= 2  # of the page, and of a part of it that began anew at once


def test_whoever_leaves_is_out_though_that_cannot_be_written_down(
    comes: Callable[[str, str], int], loaded: Library, caplog: pytest.LogCaptureFixture
) -> None:
    comes("ben", "analyst")
    app = _open("jobs")
    other = sqlite3.connect(loaded.home / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # so that nobody else writes
    try:
        app.button("sign_out").click().run()
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert not app.exception
    assert "could not be written down" in caplog.text


@pytest.mark.parametrize("key", ["model", "project_choice"])
def test_a_widget_that_changes_as_somebody_is_put_outside_keeps_nobody_from_the_door(
    comes: Callable[[str, str], int], loaded: Library, tmp_path: Path, key: str
) -> None:
    """Streamlit tells of it before the page begins."""
    models.add(loaded, save_bundle(tmp_path / "other", seed=3), [])
    person = comes("ben", "analyst")
    Projects(loaded.database).add("Lung", person)
    app = _open("sections")
    preferred_before = preferred(loaded)
    People(loaded.database).remove(person)
    app.selectbox(key).select_index(1).run()
    assert not app.exception
    assert not app.error
    assert "taken away" in words(app)
    assert "Sign out" in [button.label for button in app.button]
    assert preferred(loaded) == preferred_before


def test_another_project_begins_with_nothing_of_the_one_before(
    comes: Callable[[str, str], int], loaded: Library
) -> None:
    person = comes("ben", "analyst")
    other = Projects(loaded.database).add("Lung", person)
    app = _open("sections")
    section = loaded.sections()[0].title
    assert section in words(app)
    assert any(key.startswith("_served") for key in app.session_state._state.filtered_state)
    before = dict(app.session_state["_upload_ids"])
    app.selectbox("project_choice").set_value(other.id).run()
    assert not app.exception
    assert section not in words(app)
    after = app.session_state._state.filtered_state
    assert not [key for key in after if key.startswith(("_served", "_map", "shown"))]
    assert not set(before.values()) & set(app.session_state["_upload_ids"].values())
    Projects(loaded.database).add_member(other.id, identity.who_asks(cookie("eve")).id, OWNER)
    Projects(loaded.database).remove_member(other.id, person)
    app.run()
    assert section in words(app)  # of the project that is left


def test_a_job_goes_on_when_its_owner_leaves_and_is_seen_by_nobody_else(
    comes: Callable[[str, str], int], loaded: Library
) -> None:
    jobs, asked = jobs_of(loaded), {"module": "none", "lane": "none"}
    eve, ben = comes("eve", "analyst"), comes("ben", "analyst")
    hers = jobs.submit("a", {}, asker=f"person-{eve}", about="What Eve asked for", **asked)
    his = jobs.submit("b", {}, asker=f"person-{ben}", about="What Ben asked for", **asked)
    for _ in range(2):  # he signs out, and in again
        said = words(_open("jobs"))
        assert "What Ben asked for" in said
        assert "What Eve asked for" not in said
    app = _open("jobs")
    app.button(f"job-{his.id}-cancel").click().run()
    assert jobs.get(his.id).cancel
    assert jobs.get(hers.id).is_open
    comes("eve", "analyst")
    said = words(_open("jobs"))
    assert "What Eve asked for" in said
    assert "Ben" not in said
