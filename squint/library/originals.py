"""What was uploaded, stored unmodified below its hash, as long as a section of it is in the library."""

import hashlib
import os
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import Moves, why_refused
from squint.library.folders import Folders
from squint.library.records import Original, SectionRow
from squint.library.stored import DamagedError, Hashed, hashed

PLACING = "transcripts"  # in the recipe of a section: how those of its original come to lie at its cells


@dataclass(frozen=True)
class Incoming:
    """An upload on its way: a staged folder holds it alone, under its name."""

    folder: Path
    name: str  # harmless
    sha256: str  # of a folder: of its files' names and hashes
    files: tuple[Hashed, ...]


def stage(library: Folders, path: Path) -> Incoming:
    """Take a file or folder as it is.

    What lies in the library as an upload is linked, so that nothing is copied and whoever still reads it
    finds it; anything else, as a file of the import folder, is copied. Links inside a folder are left out.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    home, real = library.home.resolve(), path.resolve()  # of the import folder, a link is staged
    own = home in real.parents and home / "import" not in real.parents
    take = _link if own else shutil.copyfile
    with library.handed_out() as folder:
        try:
            if path.is_dir():
                shutil.copytree(
                    path, folder / path.name, copy_function=take, ignore=_links, ignore_dangling_symlinks=True
                )
            else:
                take(path, folder / path.name)
        except (OSError, shutil.Error) as error:
            raise InputError(f"{path.name} could not be stored: {why_refused(error)}.") from error
        files = hashed(folder)
    (sha256,) = {one.sha256 for one in files} if path.is_file() else {_together(files, path.name)}
    return Incoming(folder, path.name, sha256, tuple(files))


def place(library: Folders, session: Session, incoming: Incoming, moves: Moves) -> None:
    """Put an upload into the library, where it is not there yet, or is damaged there.

    Parameters
    ----------
    library
        Where to.
    session
        In which a section that was made of it is added too.
    incoming
        Of :func:`stage`. Its folder may be moved.
    moves
        Which end with the session.
    """
    target = library.originals / incoming.sha256
    row = session.get(Original, incoming.sha256, with_for_update=True)
    if row is not None and row.intact and not library.files.problems(session, original=incoming.sha256):
        return
    if row is None:
        row = Original(sha256=incoming.sha256)
        session.add(row)
    row.name, row.n_files = incoming.name, len(incoming.files)
    row.n_bytes = sum(one.n_bytes for one in incoming.files)
    row.added = datetime.now(UTC).isoformat(timespec="seconds")
    session.flush()
    library.files.record(session, target, incoming.files, original=incoming.sha256)
    moves.move(incoming.folder, target)


def take_out(library: Folders, session: Session, sha256: str | None, moves: Moves) -> None:
    """Remove an original of which no section is in the library any more."""
    row = session.get(Original, sha256, with_for_update=True) if sha256 else None
    if row is None or session.scalar(sa.select(SectionRow.id).where(SectionRow.original == sha256).limit(1)):
        return
    session.execute(sa.delete(Original).where(Original.sha256 == sha256))
    moves.discard(library.originals / str(row.sha256))


def find(library: Folders, section_id: str) -> Path | None:
    """Give the original of a section, checked; ``None`` if it has none.

    Raises
    ------
    DamagedError
        If a file of it is damaged, or what the database says of it or of the section.
    """
    with library.database.reading() as session:
        row = session.get(SectionRow, section_id)
        if row is not None and not row.intact:
            raise DamagedError("What the library knows of the section, and so its original, is damaged.")
        original = session.get(Original, row.original) if row is not None and row.original else None
        if original is None:
            return None
        if not original.intact:
            raise DamagedError("What the library knows of the section's original is damaged.")
        damaged = library.files.problems(session, original=original.sha256)
    if damaged:
        raise DamagedError(next(iter(damaged.values())))
    return library.originals / original.sha256 / original.name


def names_in(path: Path) -> list[str]:
    """Name the files of a folder or zip, relative to it; none of what is neither, or is damaged."""
    if path.is_dir():
        return [one.relative_to(path).as_posix() for one in path.rglob("*") if one.is_file()]
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile):
        return []


def sha256_of(path: Path) -> str:
    """Hash a file or folder as :func:`stage` does, where it lies; links inside a folder do not count.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    files = hashed(path)
    return files[0].sha256 if path.is_file() else _together(files, path.name)


def _together(files: list[Hashed], name: str) -> str:
    lines = sorted(f"{one.name.removeprefix(f'{name}/')}\0{one.sha256}" for one in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)


def _links(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_symlink()}
