"""What changes a library is in its audit log, once, and nothing that names anybody."""

import re
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint.errors import InputError
from squint.library import audit, chain, noting
from squint.library.acting import Actor, acting
from squint.library.chain import ADDED, CHANGED, DELETED, EXPORTED, FIGURE, Entry
from squint.library.database import Database, database
from squint.library.place import project_home
from squint.library.records import Audit, GeneSetFile, Mark, Model, Note, Original, Record
from squint.library.store import Library
from squint.library.stored import Hashed, hashed
from tests.helpers.audit_log import ANNA
from tests.helpers.cell_sets import A, put

PROJECT = "c0ffee" + "0" * 10


def test_every_table_is_noted_or_there_is_a_reason() -> None:
    known = {mapper.class_ for mapper in Record.registry.mappers}
    assert known == {*noting.NOTED, *noting.NOT_NOTED}
    assert not set(noting.NOTED) & set(noting.NOT_NOTED)
    assert all(noting.NOT_NOTED.values())


def done(database: Database) -> list[tuple[str, str]]:
    return [(row.action, row.kind) for row in reversed(audit.rows(database, audit.Filter()))]


def test_rows_added_changed_and_deleted_are_noted_once_each(database: Database) -> None:
    with acting(ANNA):
        with database.writing() as session:
            session.add(GeneSetFile(name="immune.gmt", sets={"S": ["G"]}, added=""))
            session.flush()
            session.get_one(GeneSetFile, "immune.gmt").added = "now"
        with database.writing() as session:
            session.get_one(GeneSetFile, "immune.gmt").added = "then"
        with database.writing() as session:
            session.execute(sa.update(GeneSetFile).where(GeneSetFile.name == "immune.gmt").values(added="x"))
        with database.writing() as session:
            session.execute(sa.delete(GeneSetFile).where(GeneSetFile.name == "another"))
            session.execute(sa.delete(GeneSetFile).where(GeneSetFile.name == "immune.gmt"))
    assert done(database) == [
        (ADDED, "gene sets"),
        (CHANGED, "gene sets"),
        (CHANGED, "gene sets"),
        (DELETED, "gene sets"),
    ]
    rows = audit.rows(database, audit.Filter())
    assert {(row.person, row.place) for row in rows} == {(7, "tokens")}
    assert len({row.object for row in rows}) == 1


def test_what_is_not_done_is_not_noted(database: Database) -> None:
    def half() -> None:
        with database.writing() as session:
            session.add(Note(id="aa", about="a", text="", added=""))
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        half()
    with database.writing() as session:  # nothing comes of it
        session.add(Note(id="aa", about="a", text="", added=""))
        session.flush()
        session.execute(sa.delete(Note))
    with database.writing() as session:
        session.add(Mark(name="samples", added=""))
    assert done(database) == []


def test_what_cannot_be_noted_is_not_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(chain, "append", refuse)
        with pytest.raises(InputError), database.writing() as session:
            session.add(Note(id="aa", about="a", text="", added=""))
    with database.reading() as session:
        assert session.get(Note, "aa") is None


def test_the_log_of_a_project_is_that_of_the_server(library: Library) -> None:
    project = Library(project_home(library.home, PROJECT))
    with acting(ANNA), project.database.writing() as session:
        session.add(Note(id="aa", about="a", text="", added=""))
        session.flush()
        session.get_one(Note, "aa").text = "changed before it was noted"
    audit.note(project.home, Entry(EXPORTED, FIGURE))
    log = audit.log_of(project.home)
    rows = [row for row in audit.rows(log, audit.Filter()) if row.project]
    assert [(row.project, row.kind) for row in rows] == [(PROJECT, "figure"), (PROJECT, "note")]
    assert log is library.database
    assert audit.verify(log).problem == ""
    with project.database.reading() as session:
        assert session.scalars(sa.select(Audit)).all() == []
        assert session.get_one(Note, "aa").text
    database(project.home).close()


def test_a_change_in_a_project_of_postgresql_takes_one_connection_alone(library: Library) -> None:
    """Else as many writers as there are connections would wait for each other."""
    if library.database.is_sqlite:
        pytest.skip("each library of SQLite has connections of its own")
    project = Library(project_home(library.home, PROJECT))
    pool = library.database.engine.pool
    assert isinstance(pool, sa.QueuePool)
    held = [library.database.engine.connect() for _ in range(pool.size() + 9)]  # all but one
    with project.database.writing() as session:
        session.add(Note(id="aa", about="a", text="", added=""))
    for one in held:
        one.close()
    assert done(library.database)[-1] == (ADDED, "note")


def test_where_a_change_in_a_project_fails_at_its_end_postgresql_notes_none(library: Library) -> None:
    if library.database.is_sqlite:
        pytest.skip("with SQLite it is noted before it is done, in another file")
    project = Library(project_home(library.home, PROJECT))
    before = done(library.database)
    late = "DEFERRABLE INITIALLY DEFERRED"
    with project.database.writing() as session:
        session.execute(sa.text(f"CREATE TABLE late (id varchar(32) REFERENCES notes (id) {late})"))

    def change() -> None:
        with project.database.writing() as session:
            session.add(Note(id="aa", about="a", text="", added=""))
            session.execute(sa.text("INSERT INTO late VALUES ('bb')"))

    with pytest.raises(sa.exc.IntegrityError):
        change()
    assert done(library.database) == before


NAMES = st.one_of(
    st.text(min_size=1, max_size=40), st.sampled_from(["Müller, Anna", "1961-03-04", "../../x"])
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=3, max_size=3))
def test_no_name_is_in_the_log(
    database: Database, caplog: pytest.LogCaptureFixture, names: list[str]
) -> None:
    clean = [name.replace("\0", "").encode(errors="ignore").decode() or "x" for name in names]
    with acting(Actor(1, clean[0])), database.writing() as session:
        session.merge(GeneSetFile(name=clean[0], sets={clean[1]: [clean[2]]}, added=clean[1]))
        session.merge(Note(id=clean[1], about=clean[2], text=clean[0], added=""))
        session.merge(
            Model(folder=clean[0], sha256="ab" * 32, genes_sha256="", name=clean[1], added=clean[2])
        )
    for row in audit.rows(database, audit.Filter(), n=3):
        assert re.fullmatch(r"[0-9a-f:]*", row.object + row.section)
        assert re.fullmatch(r"[a-z_ -]*", row.place)
        assert row.place in ("", clean[0])  # what looks like a page is one: pages are named by their scripts
        assert row.action in chain.ACTIONS
        assert row.kind in chain.KINDS
    assert not caplog.records


def test_what_is_found_damaged_is_noted(library: Library) -> None:
    section = put(library, A)
    for folder in (library.folder(A), library.originals / ("ab" * 32)):
        path = folder / "kept.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"as it was kept")
        with library.database.writing() as session:
            if folder.parent == library.originals:
                session.add(Original(sha256="ab" * 32, name="x", n_bytes=14, n_files=1, added=""))
                session.flush()
                library.files.record(session, folder, [hashed_of(path)], original="ab" * 32)
            else:
                library.files.record(session, folder, [hashed_of(path)], section_id=A)
        path.write_bytes(b"as it was kepT")  # one bit
        with acting(ANNA), pytest.raises(InputError):
            library.files.checked(path)
    rows = audit.rows(library.database, audit.Filter(action="quarantined"))
    assert [(row.kind, row.object, row.person) for row in rows] == [
        ("original", "ab" * 32, 7),
        ("section", section.id, 7),
    ]


def hashed_of(path: Path) -> Hashed:
    return next(one for one in hashed(path.parent) if one.name == path.name)


@given(st.text())
def test_an_entry_takes_no_words(text: str) -> None:
    if re.fullmatch(r"[0-9a-f:]*", text):
        return
    for where in ({"id": text}, {"section": text}):
        with pytest.raises(ValueError, match="ids alone"):
            Entry(EXPORTED, FIGURE, **where)
    with pytest.raises(ValueError, match="knows no"):
        Entry(text, FIGURE)
    assert chain.harmless_id(text) == ""
