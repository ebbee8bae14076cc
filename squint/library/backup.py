"""A server's libraries as one file, and libraries made of such a file.

A backup is a ``.zip`` that holds ``records/<table>.jsonl``, a row a line; ``files/<path>``, every file below
the library's folder but for uploads on their way and the import folder; both again for the library of each
project, below ``projects/<id>/``; and last ``backup.json``, which names each file with its hash. What several
projects store once is in it for each. It is the same from SQLite and PostgreSQL, and either takes it.
"""

import hashlib
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from squint._version import __version__
from squint.errors import InputError
from squint.files import Moves, make_folder, whole, why_refused
from squint.io.archives import DAMAGED, copy_in
from squint.io.folders import check_names
from squint.library import place, removing
from squint.library.database import FILE, HEAD, Database, database
from squint.library.import_folder import IMPORT
from squint.library.records import Record, StoredFile
from squint.library.staging import LOCKS, STAGING, UPLOADS
from squint.library.trainings import FOLDER as TRAINING

CONTENTS = "backup.json"
_ROWS, _FILES = "records/", "files/"
_BIN = "bin"  # beside them while a library is restored
_PROJECTS = "projects/"
_NOT_TAKEN = {STAGING, UPLOADS, LOCKS, IMPORT, TRAINING}  # on their way, of this machine, or the user's own
_OF_THE_MOMENT = {"jobs", "job_askers", "engines"}  # tables: work is not taken up elsewhere
_TRIES = 3  # at a library that changes meanwhile
_MAX_CONTENTS = 1 << 28  # bytes of backup.json
_BLOCK = 1 << 20
_AT_ONCE = 5_000  # rows in memory: the audit log may have millions


@dataclass(frozen=True)
class Kept:
    """A file of a backup."""

    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    squint: str  # version
    revision: str  # of the tables
    made: str  # UTC
    rows: dict[str, int]  # of each table, in all libraries
    files: dict[str, Kept]  # by name in the backup
    damaged: tuple[str, ...] = ()  # files that were not what they once were when the backup was made
    projects: tuple[str, ...] = ()  # ids of those whose libraries are in it, beside the first

    @property
    def n_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.n_bytes for file in self.files.values())


class _ChangedError(Exception):
    """A file was deleted while the backup was made."""


def backup(home: Path, path: Path) -> Contents:
    """Write a library to a file, whole or not at all, while others may go on using it.

    Each library is as it was at one moment; several, at moments that follow each other.

    Parameters
    ----------
    home
        The library's folder. With a server's first library, those of all projects are written too.
    path
        The file, which must not exist yet.

    Returns
    -------
    What it holds. Files that were damaged before are in it as they are, and named.

    Raises
    ------
    InputError
        If the file is there already, the disk refuses, or the library changes too often to be copied.
    """
    if path.exists():
        raise InputError(f"{path} is there already. Choose another name.")
    with whole(path) as temporary:
        for _ in range(_TRIES):
            with suppress(_ChangedError):
                return _write(home, temporary)
    raise InputError("The library was changed again and again meanwhile. Try again when less is going on.")


def _write(home: Path, path: Path) -> Contents:
    files: dict[str, Kept] = {}
    damaged: list[str] = []
    n_rows = Counter[str]()
    projects: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        _write_library(home, "", archive, files, n_rows, damaged)
        if not place.project_of(home):
            projects += [place.project_of(one) for one in place.all_homes(home)[1:]]  # those there are now
        for project in projects:
            own = place.project_home(home, project)
            if not own.exists():
                raise _ChangedError
            _write_library(own, f"{_PROJECTS}{project}/", archive, files, n_rows, damaged)
        contents = Contents(
            squint=__version__,
            revision=HEAD,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=dict(n_rows),
            files=files,
            damaged=tuple(damaged),
            projects=tuple(projects),
        )
        archive.writestr(CONTENTS, json.dumps(asdict(contents)), zipfile.ZIP_DEFLATED)
    return contents


def _write_library(
    home: Path,
    prefix: str,
    archive: zipfile.ZipFile,
    files: dict[str, Kept],
    n_rows: Counter[str],
    damaged: list[str],
) -> None:
    """Write one library below a name in the archive; note its files, rows and damage."""
    records = database(home)
    rows, known = _write_rows(records, prefix, archive, files)
    n_rows.update(rows)
    there = dict(_files_of(home))
    if missing := known.keys() - there.keys():
        if not _still_stored(records, missing):
            raise _ChangedError
        damaged += [prefix + name for name in sorted(missing)]
    for name, file in there.items():
        try:
            with file.open("rb") as source:
                kept = Kept(*copy_in(archive, prefix + _FILES + name, source))
        except FileNotFoundError as error:
            raise _ChangedError from error
        files[prefix + _FILES + name] = kept
        if known.get(name, kept.sha256) != kept.sha256:
            damaged.append(prefix + name)


def _write_rows(
    records: Database, prefix: str, archive: zipfile.ZipFile, files: dict[str, Kept]
) -> tuple[dict[str, int], dict[str, str]]:
    """Write all tables as they are at one moment; return how long each is, and the hashes of stored files."""
    rows, known = {}, {}
    with records.reading() as session:
        if not records.is_sqlite:
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for table in Record.metadata.sorted_tables:
            if table.name in _OF_THE_MOMENT:
                continue
            name, digest, n_bytes, n = f"{prefix}{_ROWS}{table.name}.jsonl", hashlib.sha256(), 0, 0
            info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            asked = sa.select(table).order_by(*table.primary_key).execution_options(yield_per=_AT_ONCE)
            with archive.open(info, "w", force_zip64=True) as file:
                for row in session.execute(asked).mappings():
                    line = json.dumps(dict(row)).encode() + b"\n"
                    digest.update(line)
                    file.write(line)
                    n, n_bytes = n + 1, n_bytes + len(line)
                    if table.name == StoredFile.__tablename__:
                        known[row["path"]] = row["sha256"]
            rows[table.name], files[name] = n, Kept(digest.hexdigest(), n_bytes)
    return rows, known


def _still_stored(records: Database, paths: set[str]) -> bool:
    with records.reading() as session:
        return any(session.get(StoredFile, path) is not None for path in paths)


def _files_of(home: Path) -> Iterator[tuple[str, Path]]:
    """List the files that a backup takes, by their names below the library's folder."""
    for top in sorted(home.iterdir()):
        if (
            top.name in _NOT_TAKEN
            or top == place.projects_folder(home)
            or top.name.startswith((".", FILE))
            or top.suffix == ".lock"
        ):
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            name = path.relative_to(home).as_posix()
            if path.is_file() and not path.is_symlink() and not path.name.endswith(".tmp"):
                yield name, path


def restore(path: Path, home: Path) -> Contents:
    """Make a library of a backup, with those of its projects, whole or not at all.

    Parameters
    ----------
    path
        The backup.
    home
        The folder of the new library: empty, or not there. So must the tables be that its records go to. What
        is a backup of one project becomes a library of its own.

    Returns
    -------
    What the backup holds.

    Raises
    ------
    InputError
        If there is a library already, the backup is damaged or of a newer squint, or the disk refuses.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            contents = _contents(archive, path)
            make_folder(home)
            _check_empty(home)
            _check_room(home, contents)
            away = home / f".restoring-{uuid4().hex}"
            try:
                _unpack(archive, contents, away)
                with _projects_restored(home, contents, away):
                    _fill(home, contents, away)
            finally:
                shutil.rmtree(away, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{path} could not be restored: {why_refused(error)}.") from error
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path} is no backup that can be read: {error}.") from error
    return contents


@contextmanager
def _projects_restored(root: Path, contents: Contents, away: Path) -> Iterator[None]:
    """Fill the libraries of all projects; they are gone again if anything is raised in the block."""
    begun = []
    try:
        for project in contents.projects:
            own = place.project_home(root, project)
            make_folder(own)
            _check_empty(own)  # else it is another's, and stays
            begun.append(project)
            _fill(own, contents, away / _PROJECTS / project)
        yield
    except BaseException:
        for project in begun:
            removing.remove(root, project)
        raise


def _fill(home: Path, contents: Contents, away: Path) -> None:
    """Put unpacked rows and files into an empty library."""
    make_folder(away / _BIN)
    records = database(home)
    with Moves(away / _BIN) as moves, records.writing() as session:
        _insert(session.connection(), records, contents, away)
        for top in sorted((away / _FILES).glob("*")):  # what is there holds nothing
            moves.move(top, home / top.name)


def _check_empty(home: Path) -> None:
    others = [one.name for one in home.iterdir() if one.name not in _NOT_TAKEN]
    others = [name for name in others if not name.startswith((".", FILE)) and not name.endswith(".lock")]
    holding = [name for name in others if not (home / name).is_dir() or any((home / name).iterdir())]
    if holding:
        raise InputError(
            f"{home} holds a library already ({', '.join(sorted(holding)[:3])}). Restore into another folder."
        )
    records = database(home)
    with records.reading() as session:
        for table in Record.metadata.sorted_tables:
            if table.name not in _OF_THE_MOMENT and session.execute(sa.select(table).limit(1)).first():
                raise InputError(
                    "The database holds a library already. Restore into an empty one, by SQUINT_HOME and "
                    "SQUINT_DATABASE_URL."
                )


def _contents(archive: zipfile.ZipFile, path: Path) -> Contents:
    """Read what a backup says that it holds, and hold it to that."""
    wrong = InputError(f"{path} is no backup of a library, or a damaged one: its contents do not agree.")
    try:
        info = archive.getinfo(CONTENTS)
        if info.file_size > _MAX_CONTENTS:
            raise wrong
        said: Mapping[str, Any] = json.loads(archive.read(info))
        files = {str(name): Kept(**kept) for name, kept in said["files"].items()}
        lists = {name: tuple(said.get(name, ())) for name in ("damaged", "projects")}
        contents = Contents(**{**said, "files": files, **lists})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise wrong from error
    names = archive.namelist()
    if len(set(names)) != len(names) or set(names) != {*files, CONTENTS}:
        raise wrong
    check_names(names, path.name)
    below = ["", *(f"{_PROJECTS}{project}/" for project in contents.projects)]
    if not all(place.is_project(str(project)) for project in contents.projects):
        raise wrong
    if not all(
        name.startswith(tuple(f"{own}{kind}" for own in below for kind in (_ROWS, _FILES))) for name in files
    ):
        raise wrong
    if any(
        name.startswith(f"{_FILES}{_PROJECTS}") for name in files
    ):  # what looked like a project would be one
        raise wrong
    return contents


def _check_room(home: Path, contents: Contents) -> None:
    free = shutil.disk_usage(home).free
    if contents.n_bytes > free:
        raise InputError(
            f"The backup holds {contents.n_bytes / 1e6:,.1f} MB, and the disk of {home} has room for "
            f"{free / 1e6:,.1f} MB. Delete what is no longer needed, or ask for a larger disk."
        )


def _unpack(archive: zipfile.ZipFile, contents: Contents, folder: Path) -> None:
    """Write all files, each held to its size and hash while it comes."""
    make_folder(folder)
    for name, kept in contents.files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest, left = hashlib.sha256(), kept.n_bytes
        with archive.open(name) as source, target.open("xb") as file:
            while block := source.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    break
                digest.update(block)
                file.write(block)
        if left or digest.hexdigest() != kept.sha256:
            raise InputError(f"The backup is damaged: {name} is not what it was. Take another one.")


def _insert(connection: sa.Connection, records: Database, contents: Contents, away: Path) -> None:
    """Put the rows into tables of the backup's own revision, and bring these up to date."""
    from squint.library.migrations.upgrade import upgrade  # noqa: PLC0415 - alembic

    old = sa.MetaData()
    old.reflect(connection)
    old.drop_all(connection)  # they are empty
    upgrade(connection, contents.revision)
    tables = sa.MetaData()
    tables.reflect(connection)
    for table in tables.sorted_tables:
        path = away / _ROWS / f"{table.name}.jsonl"
        if path.exists() and path.stat().st_size:
            with path.open() as lines:
                while rows := [json.loads(line) for line in islice(lines, _AT_ONCE)]:
                    connection.execute(table.insert(), rows)
            if not records.is_sqlite:
                _go_on_counting(connection, table)
    upgrade(connection)


def _go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """Tell PostgreSQL which numbers are taken."""
    for column in table.primary_key:
        sequence = connection.scalar(
            sa.select(sa.func.pg_get_serial_sequence(table.name, column.name)),
        )
        if sequence:
            highest = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(sequence, highest)))
