"""Which cells are in a set, and where it was drawn: files in the folder of a section, named by their hash.

What such a file holds is compared with its name whenever it is read, so that damage is noticed.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from squint.errors import InputError
from squint.geometry.outlines import Rows
from squint.library.store import Library

_HEADER = 128  # bytes, of a .npy with one dimension; not parsed, as it may be damaged


def name_of(content: bytes) -> str:
    """Give the name of a file that holds this."""
    return hashlib.sha256(content).hexdigest()[:16]


def rows_path(library: Library, section_id: str, name: str) -> Path:
    """Say where the rows of a section's cells lie."""
    return library.folder(section_id) / "sets" / f"{name}.npy"


def outline_path(library: Library, section_id: str, name: str) -> Path:
    """Say where an outline lies."""
    return library.folder(section_id) / "sets" / f"{name}.json"


def read_rows(library: Library, section_id: str, name: str) -> Rows:
    """Read rows (k,) of a section by the name of their file; none if that is gone or not named.

    Raises
    ------
    InputError
        If they are not those that were kept.
    """
    if not name:
        return np.empty(0, dtype=np.uint32)
    try:
        return _read(rows_path(library, section_id, name))
    except FileNotFoundError:
        return np.empty(0, dtype=np.uint32)


def count_rows(path: Path) -> int:
    """Count the rows in a file, which is read once; 0 if it is gone.

    Raises
    ------
    InputError
        If they are not those that were kept.
    """
    try:
        return _count(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return 0


def read_outline(library: Library, section_id: str, name: str) -> bytes:
    """Read an outline, as JSON; nothing if it is gone.

    Raises
    ------
    InputError
        If it is not the one that was kept.
    """
    path = outline_path(library, section_id, name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _damaged(path) from error
    if name_of(content) != name:
        raise _damaged(path)
    return content


@lru_cache(maxsize=10_000)
def _count(path: Path, changed: int) -> int:  # noqa: ARG001 - another time, another file
    return len(_read(path))


def _read(path: Path) -> Rows:
    try:
        content = path.read_bytes()[_HEADER:]
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _damaged(path) from error
    if name_of(content) != path.stem:
        raise _damaged(path)
    return np.frombuffer(content, dtype="<u4").astype(np.uint32)


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path.name} of the cell sets is damaged in the library. Restore it from a backup, or delete the "
        "cell set."
    )
