"""Files and folders that are written whole or not at all, and what a file hashes to.

Whoever reads sees what was there before or all of what is new, never a part: what is written goes to a hidden
name beside its place, reaches the disk, and takes the place in one step. No two writers share such a name, so
that of several the last one counts.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from squint.errors import InputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which becomes ``path`` at the end of the block.

    Parameters
    ----------
    path
        The file, replaced if it exists; its folder must exist.

    Yields
    ------
    Where to write meanwhile. If anything is raised, ``path`` stays as it was and nothing is left behind.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # or a crash could leave the new name with nothing behind it
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or "the disk refused"
        raise InputError(f"{path.name} could not be written in {path.parent}: {reason}.") from error
    finally:
        with suppress(OSError):  # where the folder is none, nothing was written either
            temporary.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes as :func:`whole` does."""
    with whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write text as :func:`whole` does, in UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any, indent: int | None = None) -> None:
    """Write as JSON what is made of lists, dicts, text and numbers, as :func:`whole` does."""
    write_text(path, json.dumps(content, indent=indent))


def sha256(path: Path) -> str:
    """Hash a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be made: {error.strerror}.") from error


def move_folder(folder: Path, target: Path, *, holds: str) -> bool:
    """Move a complete folder to where it is found; where there is one already, that one stays.

    Parameters
    ----------
    folder
        The folder, on the same disk as ``target``. It is gone afterwards.
    target
        Its place. The folder above must exist.
    holds
        Name of a file that every complete folder of this kind holds.

    Returns
    -------
    Whether it was moved.

    Raises
    ------
    OSError
        If it could not be moved, and there is no complete folder at ``target``.
    """
    try:
        folder.rename(target)
    except OSError:
        if not (target / holds).exists():
            raise
        shutil.rmtree(folder)
        return False
    return True
