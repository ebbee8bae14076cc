"""The database of a library: SQLite in its folder, or PostgreSQL where ``SQUINT_DATABASE_URL`` names one.

In PostgreSQL each project has a schema of its own, named after it. Connections are shared: which schema a
transaction sees is set when it begins, and ends with it.
"""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from squint.errors import InputError
from squint.files import FULL
from squint.library import chain, noting, place
from squint.library.acting import Actor, actor
from squint.secret import secret

FILE = place.FILE
HEAD = "0008"  # the last revision in migrations/versions
_SHARED = 1 << 20  # bytes, more than that file ever was
_WAIT_S = 10  # for a lock that somebody else holds
_UPGRADE_LOCK = 7_305_901  # any number: PostgreSQL's name of the lock of whoever upgrades
_GONE = "The records of this project are gone: somebody removed it."
_SAID = {  # what PostgreSQL says of a schema, by its codes
    "42P01": _GONE,
    "3F000": _GONE,
    "42501": "The user of SQUINT_DATABASE_URL may not make schemas, and each project has one. Whoever runs "
    "PostgreSQL says: GRANT CREATE ON DATABASE name TO user.",
}


class Database:
    """Transactions on the records of a library.

    Parameters
    ----------
    url
        As SQLAlchemy reads it: ``sqlite:///...`` or ``postgresql+psycopg://...``.
    schema
        Of PostgreSQL, in which all tables lie; made if it is missing. By default the one of its user.
    connections
        Of whom to take connections, instead of making own ones: of the same URL.
    log
        Gives the database of the server's first library, which holds the audit log; without, it is this one.
    project
        Id of the project whose library this is of.

    Raises
    ------
    InputError
        If it cannot be opened, is damaged, or was written by a newer squint.
    """

    def __init__(
        self,
        url: str,
        schema: str = "",
        connections: "Database | None" = None,
        *,
        log: "Callable[[], Database] | None" = None,
        project: str = "",
    ) -> None:
        self.schema, self._log, self.project = schema, log, project
        self._turn = threading.Lock()
        try:
            self.url = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            raise InputError("SQUINT_DATABASE_URL is no URL of a database.") from error
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _create_engine(
                self.url, connect_args={"timeout": _WAIT_S}, json_deserializer=_what_can_be_read
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            event.listen(self.engine, "handle_error", _not_decoded)
        elif connections is not None:
            self.engine = connections.engine.execution_options()
        else:
            self.engine = _create_engine(
                self.url,
                pool_pre_ping=True,  # connections that a restart of the server cut are made again
                connect_args={
                    "connect_timeout": _WAIT_S,
                    "options": f"-c lock_timeout={_WAIT_S}s",
                    "client_encoding": "utf8",  # of a database without one, texts would be bytes
                },
            )
        if schema:
            event.listen(self.engine, "begin", partial(_look_in, schema))
        self._session = sessionmaker(self.engine, expire_on_commit=False)
        noting.listen(self._session)
        try:
            with self._in_words():
                self._upgrade()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session in which nothing is written.

        Raises
        ------
        InputError
            If the database does not answer, or is damaged.
        """
        with self._in_words(), self._session() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session that is committed at the end of the block, or not at all.

        On SQLite, nobody else writes meanwhile: what was read in it still holds when it is written. What is
        changed of what :mod:`squint.library.noting` notes is in the audit log first, or not done.

        Raises
        ------
        InputError
            If the database does not answer within 10 s, is damaged, or cannot be written.
        """
        who = actor()  # asked before anything is locked: finding out may have to write itself
        with self._writing() as session:
            yield session
            session.flush()
            if changed := noting.changes(session):
                self._note(session, changed, who)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._in_words(), self._in_turn(), self._session() as session, session.begin():
            session.connection(execution_options={"squint_writes": True})
            yield session

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread after the other write to a file: in SQLite those that wait sleep, and starve."""
        if not self.is_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=_WAIT_S):
            raise InputError("Much is being written at this moment. Try again in a minute.")
        try:
            yield
        finally:
            self._turn.release()

    def _note(self, session: Session, changed: Sequence[chain.Entry], who: Actor) -> None:
        """Add to the audit log what a session changed, as the last thing that it does."""
        if self._log is not None and self.is_sqlite:  # a file of its own, which is committed first
            with self._log()._writing() as other:
                chain.append(other, changed, who, self.project)
            return
        if self.schema:  # the log is in another one: a second connection might never be free
            session.execute(sa.text("SET LOCAL search_path TO DEFAULT"))
        chain.append(session, changed, who, self.project)

    def ask(self) -> None:
        """Read a row, to see that it answers.

        Raises
        ------
        InputError
            If it does not.
        """
        with self._in_words(), self.engine.connect() as connection:
            connection.exec_driver_sql("SELECT version_num FROM alembic_version")

    def check(self) -> None:
        """Read all of a database that is a file, and see that its parts agree.

        Raises
        ------
        InputError
            If it is damaged.
        """
        if not self.is_sqlite:
            return  # PostgreSQL is looked after by whoever runs it
        with self.reading() as session:
            whole = session.execute(sa.text("PRAGMA integrity_check(1)")).scalar()
            if whole != "ok" or session.execute(sa.text("PRAGMA foreign_key_check")).first() is not None:
                raise InputError(self._damaged())

    def scrub(self) -> None:
        """Take what was deleted out of the files of the database too, unless somebody reads just now."""
        if self.is_sqlite:
            with suppress(InputError), self._in_words(), self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                if driver is not None:  # outside of a transaction, where alone it works
                    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _check_encoding(self) -> None:
        """Refuse a database of PostgreSQL that counts and sorts bytes, or lacks letters."""
        with self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            encoding = driver.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise InputError(
                f"The database of SQUINT_DATABASE_URL has the encoding {encoding}, and needs UTF8: "
                "createdb --encoding UTF8 --template template0 NAME."
            )

    def _upgrade(self) -> None:
        if not (self.is_sqlite or self.schema):
            self._check_encoding()
        found = self.revision()
        if found == HEAD:
            return
        if found is not None:  # of a damaged number, tables would be made anew
            self.check()
        from squint.library.migrations.upgrade import upgrade  # noqa: PLC0415 - alembic, once per library

        with self.engine.connect() as connection:
            connection.execution_options(squint_writes=True)
            with connection.begin():
                if not self.is_sqlite:
                    lock_alone(connection, _UPGRADE_LOCK)
                if self.schema:
                    connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"')
                upgrade(connection)

    def drop(self, schema: str) -> None:
        """Drop a schema of PostgreSQL with all that is in it."""
        with self._in_words(), self.engine.begin() as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')

    def revision(self) -> str | None:
        """Give the revision that the tables have; ``None`` where there are none."""
        with self.engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.execute(
                sa.text("SELECT version_num FROM alembic_version")
            ).scalar()
            return found

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say in words what the database refused."""
        try:
            yield
        except (sa.exc.OperationalError, sqlite3.OperationalError) as error:
            raise InputError(self._refusal(str(getattr(error, "orig", error)))) from error
        except sa.exc.TimeoutError as error:  # of the pool
            raise InputError("Too many people use the database at this moment. Try again.") from error
        except sqlite3.DatabaseError as error:  # while a connection is made
            raise InputError(self._damaged()) from error
        except sa.exc.ProgrammingError as error:
            if said := _SAID.get(getattr(error.orig, "sqlstate", "")) if self.schema else None:
                raise InputError(said) from error
            raise  # a defect of ours
        except sa.exc.DatabaseError as error:
            if isinstance(error, sa.exc.IntegrityError | sa.exc.DataError):
                raise  # a defect of ours
            raise InputError(self._damaged()) from error

    def _refusal(self, said: str) -> str:
        if not self.is_sqlite:
            return (
                "The database does not answer. Try again in a minute; if it stays so, whoever runs it should "
                "look at SQUINT_DATABASE_URL and at PostgreSQL."
            )
        path = self.url.database
        if "locked" in said or "busy" in said:
            return f"Another program holds {path}. Try again in a minute."
        if "malformed" in said or "no such" in said:  # a table or column that we have made
            return self._damaged()
        if "full" in said or _is_full(Path(path or "").parent):
            return f"{FULL}."
        if "readonly" in said or "unable to open" in said:
            return f"{path} cannot be written. Set SQUINT_HOME to a folder that can be."
        return f"{path} cannot be used: {said}."

    def _damaged(self) -> str:
        where = self.url.database if self.is_sqlite else "The database"
        return f"{where} is damaged. Restore a backup: squint restore."


def _is_full(folder: Path) -> bool:
    """Say whether a disk has no room for the file by which SQLite's connections know of each other."""
    try:
        return shutil.disk_usage(folder).free < _SHARED
    except OSError:
        return False


def _create_engine(url: sa.URL, **how: Any) -> sa.Engine:
    try:
        return sa.create_engine(url, **how)
    except sa.exc.NoSuchModuleError as error:
        raise InputError(f"SQUINT_DATABASE_URL names no database that is known: {url.drivername}.") from error
    except ModuleNotFoundError as error:
        raise InputError(
            f"SQUINT_DATABASE_URL needs {error.name}. Run: pip install 'squint[postgresql]'"
        ) from error


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = (
        None  # transactions begin where we say, so that changes of tables are in them
    )
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # a damaged row is not intact
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA busy_timeout={_WAIT_S * 1000}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # what was said to be kept outlives a power cut
        connection.execute("PRAGMA cache_size=-512")  # kB a connection, of which each thread may have one
        connection.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten
    except UnicodeDecodeError as error:
        raise _malformed() from error


def _not_decoded(context: sa.engine.ExceptionContext) -> None:
    """Take as damage what SQLite says of damaged tables in letters that are none."""
    if isinstance(context.original_exception, UnicodeDecodeError):
        raise _malformed() from context.original_exception


def _malformed() -> sqlite3.DatabaseError:
    return sqlite3.DatabaseError("the database is malformed")


def _what_can_be_read(text: str) -> Any:
    """Give ``None`` for what is no JSON: its row is damaged, which is no reason to show no others."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _begin_sqlite(connection: sa.Connection) -> None:
    """Lock at once what will be written: a reader that becomes a writer may be refused without waiting."""
    writes = connection.get_execution_options().get("squint_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _look_in(schema: str, connection: sa.Connection) -> None:
    """Let a transaction see one schema, until it ends."""
    connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')


def lock_alone(connection: sa.Connection | Session, lock: int) -> None:
    """Let nobody else hold a lock of PostgreSQL in the same schema, until the transaction ends."""
    of = "hashtext(coalesce(current_schema(), ''))"  # there is none yet where it is to be made
    connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({lock}, {of})"))


def url_of(home: Path) -> str:
    """Give the URL of the database of a library."""
    return secret("SQUINT_DATABASE_URL") or f"sqlite:///{home / FILE}"


def schema_of(home: Path) -> str:
    """Name the schema of PostgreSQL in which the records of a library are; empty for that of its user."""
    project = place.project_of(home)
    return f"project_{project}" if project and secret("SQUINT_DATABASE_URL") else ""


_open: dict[str, Database] = {}
_opening = threading.Lock()


def database(home: Path) -> Database:
    """Open the database of a library; one that this process has opened is found again.

    Raises
    ------
    InputError
        If it cannot be opened, or is of a project whose folder is gone.
    """
    with _opening:
        url, schema, project = url_of(home), schema_of(home), place.project_of(home)
        key = _key(url, schema)
        found = _open.get(key)
        if found is not None and (not found.is_sqlite or Path(found.url.database or "").exists()):
            return found
        if not project:
            found = _open[key] = Database(url)
            return found
    if not home.is_dir():  # what would be made now would be found by nobody
        raise InputError(_GONE)
    root = place.root_of(home)
    connections = database(root) if schema else None
    with _opening:
        if (meanwhile := _open.get(key)) is not None and meanwhile is not found:
            return meanwhile
        found = _open[key] = Database(url, schema, connections, log=lambda: database(root), project=project)
        return found


def forget(home: Path) -> None:
    """Let go of the database of a library that is gone."""
    with _opening:
        found = _open.pop(_key(url_of(home), schema_of(home)), None)
    if found is not None and not found.schema:  # connections of others
        found.close()


def drop(home: Path) -> None:
    """Drop what PostgreSQL has of a project, and let go of its database; a file goes with its folder.

    Raises
    ------
    InputError
        If the database does not answer, or somebody holds a table for 10 s.
    """
    forget(home)
    if schema := schema_of(home):
        database(place.root_of(home)).drop(schema)


def _key(url: str, schema: str) -> str:
    return f"{url}#{schema}" if schema else url
