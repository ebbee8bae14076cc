"""Originals that several projects of a server keep, stored once: their files are links to the same bytes.

Each project has rows and names of its own, so that deleting one original leaves the others'. Where the disk
knows no links, or projects lie on several, each has its own bytes.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from squint.errors import InputError
from squint.files import sha256
from squint.library import place
from squint.library.folders import Folders
from squint.library.records import StoredFile

LOCK = "originals.lock"  # in the first library of a server: who links originals is alone


def share(library: Folders, original: str) -> int:
    """Let the files of an original be those of another project of the server that has the same, if one has.

    Nothing changes for whoever reads: each file is replaced in one step by another of the same bytes, which
    were hashed. Of two that do so at the same moment the second finds that it is done.

    Parameters
    ----------
    library
        Which has the original, complete and recorded.
    original
        Its hash.

    Returns
    -------
    Bytes that are stored once now, and were twice before.
    """
    root = place.root_of(library.home)
    others = [
        folder
        for home in place.all_homes(root)
        if home != library.home and (folder := home / "originals" / original).is_dir()
    ]
    if not others:
        return 0
    with library.database.reading() as session:
        rows = session.scalars(sa.select(StoredFile).where(StoredFile.original == original)).all()
    freed = 0
    # A disk that refuses, or a project that is removed just now, is no reason to keep nothing.
    with suppress(OSError), _alone(root):
        for row in rows:
            path = library.home / row.path
            below = _below(path.relative_to(library.home / "originals" / original))
            same = (
                other
                for folder in others
                for other in _files(folder)
                if _below(other.relative_to(folder)) == below
            )
            if row.intact and any(_link(other, path, row) for other in same):
                freed += row.n_bytes
    return freed


def share_all(root: Path) -> int:
    """Do so for all originals of a server, as after a restart amid an upload, or of a backup.

    Returns
    -------
    Bytes that are stored once now, and were twice before.
    """
    freed, seen = 0, set[str]()
    for home in place.all_homes(root):
        with suppress(InputError, OSError):
            library = Folders(home)
            names = {folder.name for folder in library.originals.iterdir()}
            freed += sum(share(library, name) for name in sorted(names & seen))
            seen |= names
    return freed


def _link(other: Path, path: Path, row: StoredFile) -> bool:
    """Replace a file by a link to another, if that holds what the row says; say whether that was done."""
    if other.is_symlink() or other.stat().st_size != row.n_bytes or other.samefile(path):
        return False
    link = path.with_name(f".{uuid4().hex}.tmp")
    try:
        os.link(other, link, follow_symlinks=False)
        if sha256(link) != row.sha256:  # that one is damaged
            return False
        link.replace(path)
    finally:
        link.unlink(missing_ok=True)
    return True


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _below(path: Path) -> tuple[str, ...]:
    """Name a file of an original but for what its user called that."""
    return path.parts[1:]


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    file = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
