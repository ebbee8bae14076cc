"""The records of a library: tables, transactions, and what happens when the database does not do as asked."""

import os
import re
import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library import database as databases
from squint.library.database import FILE, HEAD, Database
from squint.library.migrations.upgrade import upgrade
from squint.library.records import GeneSetFile, JobRow, Mark, Note, Record
from tests.helpers.postgres import Postgres


def test_the_migrations_make_the_tables_that_the_records_are_of(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Record.metadata) == []
    assert database.revision() == HEAD


def test_a_database_that_is_opened_again_holds_what_was_written(url: str) -> None:
    first = Database(url)
    with first.writing() as session:
        session.add(Mark(name="samples", added="2026-11-27"))
    first.close()
    second = Database(url)
    with second.reading() as session:
        assert [mark.name for mark in session.scalars(sa.select(Mark))] == ["samples"]
    second.close()


def test_what_fails_half_way_leaves_nothing(database: Database) -> None:
    def half(session: Session) -> None:
        session.add(Mark(name="one", added=""))
        session.flush()
        raise LookupError

    with pytest.raises(LookupError), database.writing() as session:
        half(session)
    with database.reading() as session:
        assert session.scalars(sa.select(Mark)).all() == []


def test_writers_wait_for_each_other_and_nothing_is_lost(database: Database) -> None:
    with database.writing() as session:
        session.add(Note(id="n", about="a", text="0", added=""))

    def count() -> None:
        for _ in range(10):
            with database.writing() as session:
                note = session.get_one(Note, "n", with_for_update=True)
                note.text = str(int(note.text) + 1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.get_one(Note, "n").text == "80"


def test_a_row_that_was_changed_beside_is_not_intact(database: Database) -> None:
    with database.writing() as session:
        session.add(GeneSetFile(name="a", sets={"S": ["G1", "G2"]}, added="x"))
        session.add(GeneSetFile(name="b", sets={"S": ["G1"]}, added="x"))
    with database.engine.connect() as connection, connection.begin():
        connection.execute(sa.update(GeneSetFile.__table__).where(sa.text("name = 'b'")).values(added="y"))
    with database.reading() as session:
        assert [row.intact for row in session.scalars(sa.select(GeneSetFile).order_by("name"))] == [
            True,
            False,
        ]


@pytest.mark.parametrize("damage", ["{'S'", "x", "", "[[[[", "\udcff"])
def test_a_row_that_cannot_be_read_hides_no_other(tmp_path: Path, damage: str) -> None:
    database = Database(f"sqlite:///{tmp_path / FILE}")
    with database.writing() as session:
        for name in "abc":
            session.add(GeneSetFile(name=name, sets={"S": ["G1"]}, added="x"))
    beside = sqlite3.connect(tmp_path / FILE)
    beside.execute("UPDATE gene_sets SET sets = CAST(? AS TEXT) WHERE name = 'b'", [os.fsencode(damage)])
    beside.execute("UPDATE gene_sets SET added = x'ff00' WHERE name = 'c'")
    beside.commit()
    beside.close()
    with database.reading() as session:
        assert [row.intact for row in session.scalars(sa.select(GeneSetFile).order_by("name"))] == [
            True,
            False,
            False,
        ]
    database.close()


def test_a_row_that_is_changed_by_us_is_intact(database: Database) -> None:
    with database.writing() as session:
        session.add(Note(id="n", about="a", text="old", added=""))
    with database.writing() as session:
        session.get_one(Note, "n").text = "new"
    with database.reading() as session:
        assert session.get_one(Note, "n").intact


@pytest.mark.parametrize("bit", range(8))
def test_a_number_of_tables_that_is_damaged_makes_none_anew(tmp_path: Path, bit: int) -> None:
    path = tmp_path / FILE
    first = Database(f"sqlite:///{path}")
    with first.writing() as session:
        job = JobRow(task="t", module="m", args="{}", key="k", lane="l", state="s", limit_s=1.0, added=0.0)
        session.add(job)
    first.close()
    whole = path.read_bytes()
    places = [found.end() - 1 for found in re.finditer(HEAD.encode(), whole)]
    assert len(places) == 2  # in the table, and in its index
    said = []
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << bit
        path.write_bytes(content)
        try:
            opened = Database(f"sqlite:///{path}")
        except InputError as error:
            said.append(str(error))
            continue
        with opened.reading() as session:
            assert session.get_one(JobRow, job.id).task == "t"
        opened.close()
    assert len(said) == 1
    assert "is damaged. Restore a backup" in said[0]


def test_a_library_of_a_newer_squint_is_refused_and_left_alone(url: str) -> None:
    first = Database(url)
    with first.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    first.close()
    with pytest.raises(InputError, match=r"A newer squint wrote this library .*9999"):
        Database(url)


def test_a_library_of_the_first_tables_is_brought_up_to_date_with_what_it_holds(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0001")
        connection.execute(sa.text("INSERT INTO marks (name, added) VALUES ('samples', '2026-11-27')"))
    engine.dispose()
    database = Database(url)
    assert database.revision() == HEAD
    with database.reading() as session:
        assert [mark.name for mark in session.scalars(sa.select(Mark))] == ["samples"]
        assert session.scalars(sa.select(JobRow)).all() == []
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Record.metadata) == []
    database.close()


def test_a_migration_that_is_interrupted_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(connection: sa.Connection) -> None:
        upgrade(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("squint.library.migrations.upgrade.upgrade", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            Database(url)
    engine = sa.create_engine(url)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    Database(url).close()


def test_several_that_open_an_empty_database_at_once_make_its_tables_once(url: str) -> None:
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(Database(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.revision() for one in opened] == [HEAD] * 6
    for one in opened:
        one.close()


def test_a_lock_that_somebody_holds_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_WAIT_S", 0.2)
    path = tmp_path / FILE
    database = Database(f"sqlite:///{path}")
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(InputError, match="Another program holds"), database.writing():
        pass
    holder.close()
    with database.writing():
        pass
    database.close()


def test_a_writer_that_waits_for_another_of_its_process_is_let_in_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / FILE}")
    got_in = threading.Event()

    def write() -> None:
        with database.writing():
            got_in.set()

    with database.writing():
        waiting = threading.Thread(target=write)
        waiting.start()
        assert not got_in.wait(0.2)
        monkeypatch.setattr(databases, "_WAIT_S", 0.05)
        with pytest.raises(InputError, match="Try again"), database.writing():
            pass
    waiting.join(30)
    assert got_in.is_set()
    with database.writing():  # nor did the one that was told keep anything
        pass
    database.close()


def test_that_all_connections_are_in_use_is_told_of(database: Database) -> None:
    pool = database.engine.pool
    assert isinstance(pool, sa.QueuePool)
    pool._timeout = 0.05  # of 30 s
    held = [database.engine.connect() for _ in range(pool.size() + 10)]  # with those beyond it
    with pytest.raises(InputError, match="Try again"), database.reading() as session:
        session.execute(sa.text("SELECT 1"))
    for one in held:
        one.close()
    with database.reading() as session:
        assert session.scalar(sa.text("SELECT 1")) == 1


def test_a_damaged_file_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)
    with pytest.raises(InputError, match=r"damaged\. Restore a backup"):
        Database(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_bytes(b"something else" * 500)
    with pytest.raises(InputError, match=r"damaged\. Restore a backup"):
        Database(f"sqlite:///{path}")


def test_a_database_of_postgresql_that_is_not_of_utf8_is_told_of(server: Postgres) -> None:
    url = server.create("ascii", "--encoding=SQL_ASCII", "--locale=C", "--template=template0")
    with pytest.raises(InputError, match="has the encoding SQL_ASCII, and needs UTF8"):
        Database(url)


def test_a_restart_of_postgresql_costs_one_refusal_at_most(server: Postgres) -> None:
    database = Database(server.create("restarted"))
    with database.writing() as session:
        session.add(Mark(name="before", added=""))
    server.stop()
    with pytest.raises(InputError, match="The database does not answer"), database.reading() as session:
        session.scalars(sa.select(Mark)).all()
    server.start()
    with database.reading() as session:
        assert [mark.name for mark in session.scalars(sa.select(Mark))] == ["before"]
    database.close()


def test_a_database_that_is_not_there_is_told_of_without_its_password() -> None:
    with pytest.raises(InputError, match="The database does not answer") as refused:
        Database("postgresql+psycopg://squint:secret@127.0.0.1:1/squint")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "oracle://somewhere/x", "postgresql+nothing://x/y"])
def test_a_url_that_names_no_database_is_told_of(url: str) -> None:
    with pytest.raises(InputError, match="SQUINT_DATABASE_URL"):
        Database(url)
