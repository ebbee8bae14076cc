"""What the dashboard writes into the audit log: all that is seen, and all that leaves, before it does."""

import ast
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from app import audit as noted
from app import session, who
from app.components.audit_log import rows as shown_rows
from app.exports.stamp import Marks
from squint.errors import InputError
from squint.library import audit, chain
from squint.library.acting import Actor, acting
from squint.library.chain import EXPORTED, FIGURE, Entry
from squint.library.people import VIEWER, Person
from squint.library.place import project_home
from squint.library.store import GENES, Library
from tests.helpers.app import PAGES, settled, words
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]
# They read sections that they do not show: to give types their colours, and to say which panels there are.
ASIDE = ("app/maps/type_colours.py", "app/models.py", "app/components/models/panels.py")


def log(library: Library, **how: str) -> list[audit.Row]:
    """Give the rows that are wanted, the oldest first."""
    noted.BEHIND.flush()
    return audit.rows(audit.log_of(library.home), audit.Filter(**how), n=1_000)[::-1]


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a new server does; all sessions of AppTest have one id."""
    monkeypatch.setattr(noted, "BEHIND", noted.Behind())


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str | bytes]]:
    """Collect what Streamlit would ask for when the button of a file is clicked, by name."""
    asked: dict[str, Callable[[], str | bytes]] = {}
    real = MediaFileManager.add_deferred

    def spy(
        self: MediaFileManager, function: Callable[[], str | bytes], *rest: object, **more: object
    ) -> str:
        asked[str(more["file_name"])] = function
        return real(self, function, *rest, **more)

    monkeypatch.setattr(MediaFileManager, "add_deferred", spy)
    return asked


# --- nothing leaves without a note ------------------------------------------------------------------------


def test_there_is_one_way_out() -> None:
    """Whatever a page offers for download goes through the one function that notes it."""
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "pages")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "download_button"
    ]
    assert found == ["app/components/download.py"]


def test_scripts_of_the_browser_offer_no_file() -> None:
    for path in (ROOT / "app" / "components").rglob("*.js"):
        text = path.read_text()
        assert ".download" not in text, path
        assert "showSaveFilePicker" not in text, path


def test_a_stamp_names_the_sections_that_it_is_of_whatever_is_added() -> None:
    marks = Marks({"Title": "t"}, ["ab", "cd"])
    marks["Cells"] = "n"
    assert Marks({**marks, "Of": "x"}, marks.sections).sections == ("ab", "cd")


def test_a_table_that_leaves_is_noted_first(
    visit: Open, loaded: Library, left: dict[str, Callable[[], bytes]]
) -> None:
    app = visit("tokens")
    app.button("tokens-csv").click().run()
    assert not app.exception
    assert log(loaded, action=EXPORTED) == []  # it was made, and is still here
    content = left["tokens.csv"]()
    assert content == app.session_state["_exports"]["tokens"].file.read()
    rows = log(loaded, action=EXPORTED)
    assert {row.section for row in rows} == {section.id for section in loaded.sections()}
    assert {(row.kind, row.person, row.place) for row in rows} == {("table", 0, "tokens")}
    left["tokens.csv"]()  # once more
    assert len(log(loaded, action=EXPORTED)) == 2 * len(rows)


def test_a_link_is_noted_when_it_is_made(visit: Open, loaded: Library) -> None:
    app = visit("tokens")
    app.button("view_link").click().run()
    assert not app.exception
    rows = log(loaded, action=EXPORTED)
    assert {row.kind for row in rows} == {"link"}
    assert {row.section for row in rows} == {section.id for section in loaded.sections()}
    assert rows[0].object in app.code[0].value


def test_what_cannot_be_noted_does_not_leave(
    visit: Open,
    loaded: Library,
    left: dict[str, Callable[[], bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = visit("tokens")
    app.button("tokens-csv").click().run()
    noted.BEHIND.flush()

    def refuse(*_: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("attempt to write a readonly database"))

    with monkeypatch.context() as patched:
        patched.setattr(chain, "append", refuse)
        with pytest.raises(InputError, match="audit log could not be written"):
            left["tokens.csv"]()
        app.run()
        assert any("audit log could not be written" in str(one.value) for one in app.warning)
        shown = loaded.sections()[0]
        with pytest.raises(InputError):
            loaded.delete(shown.id)
        assert loaded.get(shown.id) == shown
    left["tokens.csv"]()
    app.run()
    assert not app.warning
    assert {row.kind for row in log(loaded, action=EXPORTED)} == {"table"}


# --- nothing is seen without a note -----------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_sections_that_a_page_reads_are_noted_as_seen(
    visit: Open, loaded: Library, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()
    real = Library.path

    def spy(self: Library, section_id: str, file: str) -> Path:
        callers = [one.filename for one in traceback.extract_stack()]
        if file != GENES and not any(caller.endswith(ASIDE) for caller in callers):
            read.add(section_id)
        return real(self, section_id, file)

    monkeypatch.setattr(Library, "path", spy)
    app = visit(name)
    assert not app.exception
    seen = {row.section for row in log(loaded, action="seen") if row.place in (name, "sections")}
    assert read <= seen
    assert {row.person for row in log(loaded, action="seen")} <= {0}


def test_what_is_seen_is_noted_once_a_session_and_page(visit: Open, loaded: Library) -> None:
    app = visit("tokens")
    app.run()
    app.switch_page("../pages/risk_map.py").run()
    app.switch_page("../pages/tokens.py").run()
    rows = [(row.place, row.section) for row in log(loaded, action="seen")]
    assert len(rows) == len(set(rows))
    assert {place for place, _ in rows} == {"sections", "tokens", "risk_map"}


def test_what_is_changed_on_a_page_is_noted_with_who_did(visit: Open, loaded: Library) -> None:
    section = loaded.sections()[0]
    app = visit("sections")
    app.button(f"delete-{section.id}").click().run()
    app.button("delete-for-good").click().run()
    assert not app.exception
    (row,) = log(loaded, action="deleted")
    assert (row.kind, row.section, row.person, row.place) == ("section", section.id, 0, "sections")


def test_rows_wait_while_the_log_cannot_be_written_and_are_not_lost(
    loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = noted.Behind()
    who = Actor(3, "tokens", "s")
    with monkeypatch.context() as patched:
        patched.setattr(audit, "note", _refuse)
        for i in range(3):
            behind.put(loaded.home, who, Entry("refused", "address", outcome="refused"))
            behind.put(loaded.home, who, Entry("seen", "cells", f"{i:x}", f"{i:x}"))
        with pytest.raises(InputError):
            behind.flush()
    behind.flush()
    rows = log(loaded, person="3")
    assert [(row.action, row.section, row.n) for row in rows] == [
        ("refused", "", 3),
        ("seen", "0", 1),
        ("seen", "1", 1),
        ("seen", "2", 1),
    ]


def test_rows_of_a_project_that_is_gone_wait_for_the_log_of_the_server_too(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, gone = noted.Behind(), project_home(library.home, "0a" * 8)
    with monkeypatch.context() as patched:
        patched.setattr(audit, "note", _refuse)
        behind.put(gone, Actor(3, "tokens", "s"), Entry("seen", "cells", "0a", "0a"))
        with pytest.raises(InputError):
            behind.flush()
    behind.flush()
    assert [(row.project, row.section) for row in log(library, person="3")] == [("0a" * 8, "0a")]


def _refuse(*_: object, **__: object) -> None:
    raise InputError("the disk is full")


# --- the page ---------------------------------------------------------------------------------------------


def test_an_empty_log_says_so(visit: Open, library: Library) -> None:
    app = settled(visit("audit"))
    assert not app.exception
    assert "Nothing is in the log yet" in words(app)
    assert "0 rows are as they were written" in str(app.success[0].value)
    assert library.sections() == []


def test_the_page_names_what_ids_stand_for_and_says_that_the_chain_holds(
    visit: Open, loaded: Library
) -> None:
    with acting(Actor(0, "tokens")):
        for section in loaded.sections():
            audit.note(loaded.home, Entry(EXPORTED, FIGURE, section=section.id))
    app = settled(visit("audit"))
    assert not app.exception
    assert "The chain holds" in str(app.success[0].value)
    app.selectbox(session.AUDIT_WHAT).set_value("exported").run()
    (frame,) = (one.value for one in app.dataframe)
    assert set(frame["section"]) == {section.title for section in loaded.sections()}
    assert set(frame["who"]) == {"whoever uses this machine"}
    app.selectbox(session.AUDIT_WHO).set_value("server").run()
    assert "No row of the log is so" in words(app)


def test_pages_of_a_long_log_are_turned(
    visit: Open, loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_rows, "PAGE", 10)
    audit.note(loaded.home, *[Entry(EXPORTED, FIGURE, f"{i:x}") for i in range(25)])
    app = settled(visit("audit"))
    app.selectbox(session.AUDIT_WHAT).set_value("exported").run()
    first = list(app.dataframe[0].value["number"])
    next(one for one in app.button if one.label == "Older").click().run()
    second = list(app.dataframe[0].value["number"])
    assert second == [number - 10 for number in first]
    next(one for one in app.button if one.label == "Newer").click().run()
    assert list(app.dataframe[0].value["number"]) == first


def test_a_log_that_was_tampered_with_is_said_on_the_page(visit: Open, loaded: Library) -> None:
    audit.note(loaded.home, *[Entry(EXPORTED, FIGURE, f"{i:x}") for i in range(5)])
    with loaded.database.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("DROP TRIGGER audit_no_update"))
        connection.execute(sa.text("UPDATE audit SET person = 9 WHERE object = '3'"))
    number = next(row.id for row in log(loaded) if row.object == "3")
    app = settled(visit("audit"))
    assert not app.exception
    assert f"The log does not hold.** Row {number} was changed" in str(app.error[0].value)


def test_the_csv_of_the_log_is_noted_as_well(
    visit: Open, loaded: Library, left: dict[str, Callable[[], bytes]]
) -> None:
    audit.note(loaded.home, Entry(EXPORTED, FIGURE))
    app = settled(visit("audit"))
    next(one for one in app.button if one.label == "Prepare CSV").click().run()
    assert not app.exception
    content = left["audit.csv"]().decode()
    assert content.startswith('"id","time","person"')
    assert not any(section.title in content for section in loaded.sections())
    assert log(loaded)[-1].kind == "audit log"


def test_nobody_but_admins_sees_the_page(
    visit: Open, loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who, "person", lambda: Person(5, "Somebody", VIEWER))
    app = AppTest.from_file(str(ROOT / "pages" / "audit.py"), default_timeout=60).run()
    assert [one.value for one in app.error] == ["There is no such page."]
    assert not app.dataframe
    rows = log(loaded, action="refused")
    assert [(row.kind, row.person, row.outcome) for row in rows] == [("audit log", 5, "refused")]
    del visit
