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
from squint.files import sha256, why_refused
from squint.library import chain, noting, place
from squint.library.database import Database, database
from squint.library.records import Labeling, Picture, SectionRow, StoredFile, TokenRun, signed

DATA, CELLS = "section.h5ad", "cells.parquet"
GENES, THUMBNAIL, PLACES, GRAPH = "genes.h5", "thumbnail.png", "places.npz", "graph.npz"
BOUNDARIES = "boundaries.parquet"  # outlines of cells, where the source holds them
BOUNDARY_TILES = "boundaries.tiles"  # the same, as the map draws them
UNFILTERED = "unfiltered.h5ad"  # all cells, of a section from which some were left out
UNFILTERED_BOUNDARIES = "unfiltered_boundaries.parquet"
TOKENS, IMAGES, LABELINGS = "tokens", "images", "labelings"  # folders in that of a section
_MENDED = {  # how a damaged file is mended, by its folder in the library, or in that of a section
    IMAGES: "Delete this picture under the cells, and add it again.",
    LABELINGS: "Choose other names for these cells on the page Cell types, or name them again.",
    "models": "Train this model again, or add it again.",
    "results": "Load the page again: it is computed anew.",
}
_ON_SECTIONS = "Look at the page Sections, which offers to mend it."
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
    inside = (path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    paths = sorted(inside) if place.is_dir() else [place]
    found = []
    try:
        for path in paths:
            with path.open("rb") as file:
                os.fsync(file.fileno())  # before a row says that it is there
            found.append(Hashed(path.relative_to(folder).as_posix(), sha256(path), path.stat().st_size))
    except OSError as error:
        raise InputError(f"{place.name} could not be stored: {why_refused(error)}.") from error
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

        Raises
        ------
        InputError
            If all libraries of the server together would hold more than ``SQUINT_QUOTA_GB``. Two that are
            written to at the same moment may go beyond it by what they add.
        """
        place = self._path_of(folder)
        self._check_quota(session, sum(one.n_bytes for one in files), original)
        for known in _parts({f"{place}/{one.name}": one for one in files}):
            rows = {
                row.path: row
                for row in session.scalars(sa.select(StoredFile).where(StoredFile.path.in_(list(known))))
            }
            new = []
            for path, one in known.items():
                row = rows.get(path) or StoredFile(path=path)
                row.sha256, row.n_bytes = one.sha256, one.n_bytes
                row.section_id, row.original, row.model, row.result = section_id, original, model, result
                if path not in rows:
                    new.append(signed(row))
            if new:  # in one statement: a picture has tens of thousands of tiles
                session.execute(sa.insert(StoredFile), new)
        session.flush()

    def forget(self, session: Session, place: Path) -> None:
        """Take back what was said of a file, or of all below a folder."""
        path = self._path_of(place)
        session.execute(
            sa.delete(StoredFile).where(
                sa.or_(StoredFile.path == path, StoredFile.path.startswith(f"{path}/", autoescape=True))
            )
        )

    def below(self, folder: Path) -> list[Path]:
        """List the files that are known below a folder."""
        inside = StoredFile.path.startswith(f"{self._path_of(folder)}/", autoescape=True)
        with self._database.reading() as session:
            return [
                self._home / path
                for path in session.scalars(
                    sa.select(StoredFile.path).where(inside).order_by(StoredFile.path)
                )
            ]

    def checked(self, path: Path) -> Path:
        """Give the path of a stored file, once it is sure that the file is as it was written.

        A process hashes a file once, and again when it has changed.

        Raises
        ------
        InputError
            If the file is gone with what it belonged to.
        DamagedError
            If it is damaged or lost. What it is of is marked as damaged: a section, or of one tokens or a
            picture alone.
        """
        stamp = _stamp(path)
        if stamp is not None and _checked.get(path) == stamp:
            return path
        with self._database.reading() as session:
            row = session.get(StoredFile, self._path_of(path))
        problem = self._problem(row, path)  # takes a while: nobody is kept from writing meanwhile
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
            raise DamagedError(f"{problem} {self._remedy(path)}")
        _remember(path, stamp)
        return path

    def problems(
        self,
        session: Session,
        *,
        section_id: str | None = None,
        original: str | None = None,
        model: str | None = None,
        result: str | None = None,
    ) -> dict[Path, str]:
        """Look at all files that belong to one row, and say what is wrong with those that are not right.

        Nothing is marked. Give one of the keys, as to :meth:`record`.
        """
        owners = {
            StoredFile.section_id: section_id,
            StoredFile.original: original,
            StoredFile.model: model,
            StoredFile.result: result,
        }
        which = [column == key for column, key in owners.items() if key is not None]
        found = {}
        for row in session.scalars(sa.select(StoredFile).where(*which)):
            path = self._home / row.path
            stamp = _stamp(path)
            if stamp is None or _checked.get(path) != stamp:
                if problem := self._problem(row, path):
                    found[path] = problem
                else:
                    _remember(path, stamp)
        return found

    def is_recorded(self, path: Path) -> bool:
        """Say whether a file is known, be it damaged or not."""
        with self._database.reading() as session:
            return session.get(StoredFile, self._path_of(path)) is not None

    def used_bytes(self) -> int:
        """Add up the sizes of all stored files."""
        with self._database.reading() as session:
            return _used_bytes(session)

    def _check_quota(self, session: Session, n_bytes: int, original: str | None) -> None:
        most = quota()
        if most is None:
            return
        others = [home for home in place.all_homes(place.root_of(self._home)) if home != self._home]
        used, stored_once = _used_bytes(session), _bytes_of_originals(session)
        for home in others:
            with (
                suppress(InputError),
                database(home).reading() as other,
            ):  # one that is damaged holds no other
                used += _used_bytes(other)
                for sha256_, size in _bytes_of_originals(other).items():
                    used -= size if sha256_ in stored_once else 0
                    stored_once[sha256_] = size
        needed = 0 if original in stored_once else n_bytes
        if used + needed > most:
            who = "All projects together hold" if others else "The library holds"
            raise InputError(
                f"{who} {used / 1e9:,.2f} of {most / 1e9:,.2f} GB (SQUINT_QUOTA_GB), and this needs "
                f"{needed / 1e9:,.2f} GB. Delete sections that are no longer needed."
            )

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
        """Mark what a damaged file is of: tokens or a picture, each alone, or the section itself."""
        kind, section_id, below = self._parts_of(path)
        if kind != "sections" or not below:
            _note_original(session, kind, section_id)
            return
        rows: list[SectionRow | TokenRun | Picture | Labeling] = []
        if below[0] == TOKENS:
            model = path.name.split(".")[0]
            runs = sa.select(TokenRun).where(TokenRun.section_id == section_id).with_for_update()
            rows += [run for run in session.scalars(runs) if run.model.startswith(model)]
        elif below[0] == IMAGES and len(below) > 1:
            picture = session.get(Picture, (section_id, below[1]), with_for_update=True)
            rows += (
                [picture] if picture is not None and not picture.damage else []
            )  # of thousands, one is said
        elif below[0] == LABELINGS and len(below) > 1:
            labeling = session.get(Labeling, (section_id, below[1]), with_for_update=True)
            counts = labeling is not None and path.stem == str(labeling.at)  # else nothing shown is of it
            rows += [labeling] if labeling is not None and counts else []
        elif len(below) == 1:
            own = session.get(SectionRow, section_id, with_for_update=True)
            rows += [own] if own is not None else []
        for row in rows:
            if row.intact and problem not in row.damage:
                row.damage = f"{row.damage} {problem}".strip()

    def _remedy(self, path: Path) -> str:
        kind, _, below = self._parts_of(path)
        return _MENDED.get(below[0] if kind == "sections" and below else kind, _ON_SECTIONS)

    def _parts_of(self, path: Path) -> tuple[str, str, list[str]]:
        """Take apart what kind of thing a file is of, which one that is, and what it is within it."""
        kind, key, *below = [*path.relative_to(self._home).parts, "", ""]
        return kind, key, below[:-2]

    def _path_of(self, path: Path) -> str:
        return path.relative_to(self._home).as_posix()


def quota() -> float | None:
    """Read ``SQUINT_QUOTA_GB``: the most bytes that a server may hold; ``None`` if it is not bounded."""
    given = os.environ.get("SQUINT_QUOTA_GB")
    if not given:
        return None
    try:
        bytes_ = float(given) * 1e9
    except ValueError:
        bytes_ = float("nan")
    if not bytes_ > 0:
        raise InputError(f"SQUINT_QUOTA_GB must be a number of gigabytes, not {given!r}.")
    return bytes_


def _bytes_of_originals(session: Session) -> dict[str, int]:
    """Add up the bytes of each original, which several libraries of a server store once."""
    size = sa.func.sum(StoredFile.n_bytes)
    asked = sa.select(StoredFile.original, size).where(StoredFile.original.is_not(None))
    return {str(original): int(n) for original, n in session.execute(asked.group_by(StoredFile.original))}


def _used_bytes(session: Session) -> int:
    return int(session.scalar(sa.select(sa.func.sum(StoredFile.n_bytes))) or 0)


def _stamp(path: Path) -> _Stamp | None:
    try:
        seen = path.stat()
    except (OSError, ValueError):  # what stands in a damaged row may be no path at all
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _remember(path: Path, stamp: _Stamp | None) -> None:
    with _lock:
        if len(_checked) >= _REMEMBERED:
            _checked.clear()
        if stamp is not None:
            _checked[path] = stamp


def _parts(files: dict[str, Hashed]) -> Iterator[dict[str, Hashed]]:
    items = list(files.items())
    for start in range(0, len(items), _AT_ONCE):
        yield dict(items[start : start + _AT_ONCE])


def _note_original(session: Session, kind: str, key: str) -> None:
    """Note that an original is damaged: nothing that is shown is of it, so that nothing is marked."""
    if kind == "originals":
        noting.put(session, chain.ORIGINAL, key, chain.QUARANTINED)
