"""Files of the library, each known by its hash: what is damaged is noticed before anything is read from it.

Whoever writes files hashes them where they are made (:func:`hashed`), and then, in one transaction, records
them and moves them to their place. Whoever reads a file asks for it by :meth:`StoredFiles.checked`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import sha256
from squint.library.database import Database
from squint.library.records import SectionRow, StoredFile

_AT_ONCE = 500  # paths in one question: databases bound how many a question may name
_REMEMBERED = 200_000  # files that were checked

_Stamp = tuple[int, int, int]
_checked: dict[Path, _Stamp] = {}  # by this process
_lock = Lock()


class DamagedError(InputError):
    """A stored file that is not as it was written."""


@dataclass(frozen=True)
class Hashed:
    """What a file holds, by its hash."""

    name: str  # below its folder, with "/"
    sha256: str
    n_bytes: int


def hashed(place: Path) -> list[Hashed]:
    """Hash a file, or all files of a folder, and wait until they are on the disk.

    Returns
    -------
    Of a file, its own name and hash; of a folder, those of all files below it, by name.

    Raises
    ------
    InputError
        If one cannot be read.
    """
    folder = place if place.is_dir() else place.parent
    paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    found = []
    try:
        for path in paths:
            with path.open("rb") as file:
                os.fsync(file.fileno())  # before a row says that it is there
            found.append(Hashed(path.relative_to(folder).as_posix(), sha256(path), path.stat().st_size))
    except OSError as error:
        raise InputError(f"{place.name} could not be stored: {error.strerror}.") from error
    return found


class StoredFiles:
    """The files below a library's folder, and what is known of them."""

    def __init__(self, home: Path, database: Database) -> None:
        self._home = home
        self._database = database

    def record(
        self,
        session: Session,
        folder: Path,
        files: Sequence[Hashed],
        *,
        section_id: str | None = None,
        original: str | None = None,
        model: str | None = None,
        result: str | None = None,
    ) -> None:
        """Say what files lie in a folder; of those of the same names, it is said anew.

        Parameters
        ----------
        session
            In which the folder, or the files, are moved to their place too, last of all.
        folder
            Where they will lie, below the library's folder.
        files
            Of :func:`hashed`.
        section_id, original, model, result
            Key of the row that they belong to, and go with.
        """
        place = self._path_of(folder)
        for known in _parts({f"{place}/{one.name}": one for one in files}):
            rows = {
                row.path: row
                for row in session.scalars(sa.select(StoredFile).where(StoredFile.path.in_(list(known))))
            }
            for path, one in known.items():
                row = rows.get(path)
                if row is None:
                    row = StoredFile(path=path)
                    session.add(row)
                row.sha256, row.n_bytes = one.sha256, one.n_bytes
                row.section_id, row.original, row.model, row.result = section_id, original, model, result
        session.flush()

    def forget(self, session: Session, place: Path) -> None:
        """Take back what was said of a file, or of all below a folder."""
        path = self._path_of(place)
        session.execute(
            sa.delete(StoredFile).where(
                sa.or_(StoredFile.path == path, StoredFile.path.startswith(f"{path}/", autoescape=True))
            )
        )

    def checked(self, path: Path) -> Path:
        """Give the path of a stored file, once it is sure that the file is as it was written.

        A process hashes a file once, and again when it has changed.

        Raises
        ------
        InputError
            If the file is gone with what it belonged to.
        DamagedError
            If it is damaged or lost. If it is a section's own, the section is marked as damaged.
        """
        stamp = _stamp(path)
        if stamp is not None and _checked.get(path) == stamp:
            return path
        with self._database.reading() as session:
            problem = self._problem(session.get(StoredFile, self._path_of(path)), path)
        if problem:  # it may have been replaced just now: nobody replaces it while its row is held
            with (
                suppress(InputError),
                self._database.writing() as session,
            ):  # nothing can be marked: still say it
                row = session.get(StoredFile, self._path_of(path), with_for_update=True)
                stamp = _stamp(path)
                problem = self._problem(row, path)
                if problem:
                    self._mark(session, path, problem)
        if problem:
            raise DamagedError(f"{problem} Look at the page Sections, which offers to mend it.")
        with _lock:
            if len(_checked) >= _REMEMBERED:
                _checked.clear()
            if stamp is not None:
                _checked[path] = stamp
        return path

    def is_recorded(self, path: Path) -> bool:
        """Say whether a file is known, be it damaged or not."""
        with self._database.reading() as session:
            return session.get(StoredFile, self._path_of(path)) is not None

    def used_bytes(self) -> int:
        """Add up the sizes of all stored files."""
        with self._database.reading() as session:
            return int(session.scalar(sa.select(sa.func.sum(StoredFile.n_bytes))) or 0)

    def _problem(self, row: StoredFile | None, path: Path) -> str:
        """Say what is wrong with a file; nothing if it is as its row says."""
        if row is None:
            if not path.exists():
                raise InputError(f"{path.name} is no longer in the library. Load the page again.")
            return f"{path.name} in the library was not put there by squint."
        if not row.intact:
            return f"What the library knows of {path.name} is damaged."
        try:
            right = path.stat().st_size == row.n_bytes and sha256(path) == row.sha256
        except FileNotFoundError:
            return f"{path.name} is missing in the library."
        except OSError as error:
            return f"{path.name} in the library cannot be read: {error.strerror}."
        return "" if right else f"{path.name} in the library is damaged."

    def _mark(self, session: Session, path: Path, problem: str) -> None:
        """Mark the section that a damaged file is of, where it is not one that can be made again alone."""
        folder = path.parent
        if folder.parent != self._home / "sections":
            return
        row = session.get(SectionRow, folder.name, with_for_update=True)
        if row is not None and row.intact and problem not in row.damage:
            row.damage = f"{row.damage} {problem}".strip()

    def _path_of(self, path: Path) -> str:
        return path.relative_to(self._home).as_posix()


def _stamp(path: Path) -> _Stamp | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _parts(files: dict[str, Hashed]) -> Iterator[dict[str, Hashed]]:
    items = list(files.items())
    for start in range(0, len(items), _AT_ONCE):
        yield dict(items[start : start + _AT_ONCE])
