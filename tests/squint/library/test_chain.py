"""The chain of the audit log: nobody changes it unnoticed, and writers at once make one."""

import json
import os
import subprocess
import sys
from datetime import datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
import sqlalchemy as sa

from squint.library import audit, chain
from squint.library.acting import Actor, acting
from squint.library.chain import EXPORTED, FIGURE, Entry, Head
from squint.library.database import FILE, Database
from tests.helpers.audit_log import ANNA, by_force, write
from tests.helpers.paths import ROOT


def test_a_log_that_nobody_touched_holds(database: Database) -> None:
    assert audit.verify(database) == audit.Verdict(0, 0, None, "", chain.START)
    write(database, 12)
    found = audit.verify(database)
    assert (found.n_rows, found.n_checked, found.row, found.problem) == (12, 12, None, "")
    assert audit.verify(database, audit.head(database)).problem == ""


def test_a_row_is_hashed_with_all_its_values_and_the_row_before(database: Database) -> None:
    """The hash of each row, computed anew beside squint."""
    import hashlib  # noqa: PLC0415

    write(database, 3)
    before = "0" * 64
    with database.reading() as session:
        rows = session.execute(sa.text("SELECT * FROM audit ORDER BY id")).mappings().all()
    for row in rows:
        values = [value for name, value in row.items() if name != "chain"]
        text = json.dumps([before, *values], separators=(",", ":"))
        assert row["chain"] == hashlib.sha256(text.encode()).hexdigest()
        before = row["chain"]


EDITS = {
    "edited": ("UPDATE audit SET person = 8 WHERE id = 5", 5),
    "made another's": ("UPDATE audit SET section = '' WHERE id = 1", 1),
    "its time moved": ("UPDATE audit SET time = '2020-01-01T00:00:00.000+00:00' WHERE id = 12", 12),
    "deleted": ("DELETE FROM audit WHERE id = 4", 4),
    "the first deleted": ("DELETE FROM audit WHERE id = 1", 1),
    "cut in the middle": ("DELETE FROM audit WHERE id BETWEEN 6 AND 9", 6),
    "the end cut off": ("DELETE FROM audit WHERE id > 9", 10),
    "all deleted": ("DELETE FROM audit", 1),
    "its hash changed": ("UPDATE audit SET chain = 'x' WHERE id = 12", 12),
}
COPY = (
    "INSERT INTO audit SELECT {id}, time, person, project, place, action, kind, object, section, n, outcome, "
    "chain FROM audit WHERE id = 3"
)


@pytest.mark.parametrize("what", EDITS)
def test_what_somebody_did_to_a_row_is_found(database: Database, what: str) -> None:
    statement, first = EDITS[what]
    write(database, 12)
    by_force(database, statement)
    found = audit.verify(database)
    assert found.problem
    assert found.row == first


@pytest.mark.parametrize(("number", "first"), [(0, 1), (-4, 1), (13, 13), (99, 13)])
def test_a_row_that_was_put_in_is_found(database: Database, number: int, first: int) -> None:
    write(database, 12)
    by_force(database, COPY.format(id=number))
    assert audit.verify(database).row == first


def test_rows_that_were_swapped_are_found(database: Database) -> None:
    write(database, 12)
    by_force(
        database,
        "UPDATE audit SET id = 100 WHERE id = 5",
        "UPDATE audit SET id = 5 WHERE id = 8",
        "UPDATE audit SET id = 8 WHERE id = 100",
    )
    assert audit.verify(database).row == 5


def test_a_log_whose_end_was_cut_with_its_head_is_found_by_a_head_that_was_kept(database: Database) -> None:
    write(database, 12)
    kept = audit.head(database)
    ninth = next(row for row in audit.rows(database, audit.Filter()) if row.id == 9)
    shorter = f"UPDATE audit_head SET n = 9, chain = '{ninth.chain}'"  # noqa: S608 - our own hash
    by_force(database, "DELETE FROM audit WHERE id > 9", shorter)
    assert audit.verify(database).problem == ""  # nothing in the database says so
    found = audit.verify(database, kept)
    assert found.row == 10
    assert "cut off" in found.problem


def test_a_log_that_was_written_anew_is_found_by_a_head_that_was_kept(database: Database) -> None:
    write(database, 5)
    kept = audit.head(database)
    by_force(database, "DELETE FROM audit", "DELETE FROM audit_head")
    write(database, 9, Actor(1, "tokens"))
    assert audit.verify(database).problem == ""
    assert "rewritten" in audit.verify(database, kept).problem


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET person = 8",
        "DELETE FROM audit WHERE id = 2",
        COPY.format(id=2),
        "INSERT OR REPLACE INTO audit SELECT 2, time, 9, project, place, action, kind, object, section, n, "
        "outcome, chain FROM audit WHERE id = 2",
        "TRUNCATE audit",
    ],
)
def test_the_database_refuses_to_change_the_log(database: Database, statement: str) -> None:
    if ("REPLACE" in statement) != database.is_sqlite and ("REPLACE" in statement or "TRUNCATE" in statement):
        pytest.skip("only one of the databases has such a statement")
    if "TRUNCATE" in statement and database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    write(database, 3)
    with database.engine.connect() as connection, pytest.raises(sa.exc.IntegrityError), connection.begin():
        connection.execute(sa.text(statement))
    assert audit.verify(database).problem == ""


def test_rows_are_numbered_by_those_before_whatever_the_clock_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database, 2)

    class Back(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(chain, "datetime", Back)
    write(database, 1)
    newest = audit.rows(database, audit.Filter())
    assert [row.id for row in newest] == [3, 2, 1]
    assert newest[0].time.startswith("2001")
    assert audit.verify(database).problem == ""


_WRITER = """
import sys
from pathlib import Path
from squint.library import audit
from squint.library.acting import Actor, acting
from squint.library.chain import Entry
home, me, n = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with acting(Actor(me, "tokens")):
    for i in range(n):
        audit.note(home, Entry("exported", "figure", f"{i:x}"), Entry("seen", "cells", f"{i:x}"))
"""


def test_processes_that_write_at_once_make_one_chain(library: SimpleNamespace) -> None:
    """On both databases, with threads of another process beside."""
    n, writers = 15, 4
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(library.home), str(me), str(n)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for me in range(writers)
    ]
    with acting(ANNA):
        for i in range(n):
            audit.note(library.home, Entry(EXPORTED, FIGURE, f"{i:x}"))
    assert [process.wait(120) for process in processes] == [0] * writers
    log = audit.log_of(library.home)
    found = audit.verify(log)
    assert found.problem == ""
    rows = list(audit.every(log, audit.Filter()))
    assert len(rows) == found.n_rows
    for me in range(writers):
        mine = [row.object for row in reversed(rows) if row.person == me and row.kind == "figure"]
        assert mine == [f"{i:x}" for i in range(n)]  # none lost, each in its order


def test_the_head_goes_to_the_log_of_the_server_now_and_then(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "TELL_EVERY", 5)
    write(database, 11)
    said = [record.getMessage() for record in caplog.records]
    fifth = next(row for row in audit.rows(database, audit.Filter()) if row.id == 5)
    assert said[0] == f"Audit log: row 5 has chain {fifth.chain}"
    assert len(said) == 2


def test_a_log_goes_with_a_backup_and_comes_out_of_it(
    library: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from squint.library.backup import backup, restore  # noqa: PLC0415
    from squint.library.database import database as database_of  # noqa: PLC0415

    for i in range(7):
        audit.note(library.home, Entry(EXPORTED, FIGURE, f"{i:x}"))
    kept = audit.head(audit.log_of(library.home))
    backup(library.home, tmp_path / "b.zip")
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    other = tmp_path / "restored"
    restore(tmp_path / "b.zip", other)
    log = audit.log_of(other)
    assert audit.head(log) == kept
    assert audit.verify(log, kept).problem == ""
    audit.note(other, Entry(EXPORTED, FIGURE))  # and it goes on
    assert audit.verify(log, kept).n_rows == 8
    assert isinstance(kept, Head)
    database_of(other).close()


def test_a_library_of_the_release_before_gets_its_log(tmp_path: Path) -> None:
    from squint.library.migrations.upgrade import upgrade  # noqa: PLC0415

    url = f"sqlite:///{tmp_path / FILE}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0006")
        connection.execute(
            sa.text(
                "INSERT INTO jobs (id, task, module, args, key, lane, about, state, fraction, words, cancel, "
                "tries, limit_s, private, engine, worker, answer, problem, defect, added) VALUES (1, 't', "
                "'m', '{}', 'k', 'l', '', 'queued', 0, '', 0, 0, 1, 0, '', '', 'null', '', 0, 0)"
            )
        )
    engine.dispose()
    database = Database(url)
    write(database, 2)
    assert audit.verify(database).n_rows == 2
    with database.reading() as session:
        assert session.execute(sa.text("SELECT person, place FROM jobs")).all() == [(None, "")]
    database.close()
