"""Files and folders that are written whole or not at all, and what a file hashes to.

Whoever reads sees what was there before or all of what is new, never a part: what is written goes to a hidden
name beside its place, reaches the disk, and takes the place in one step. No two writers share such a name, so
that of several the last one counts.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from squint.errors import InputError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_SAID = "No space left on device"  # in the words of libraries that drop the number of an error
FULL = "The disk is full. Delete what is no longer needed, or ask for a larger disk"


def why_refused(error: OSError) -> str:
    """Say in plain words why the disk refused, without a full stop."""
    return FULL[0].lower() + FULL[1:] if is_full(error) else error.strerror or "the disk refused"


def is_full(error: BaseException) -> bool:
    """Say whether an error means that the disk is full."""
    words = str(error)
    return (
        (isinstance(error, OSError) and error.errno in _FULL)
        or _SAID in words
        or FULL.lower() in words.lower()
    )


@contextmanager
def telling_if_full() -> Iterator[None]:
    """Say in plain words that the disk is full; all else that is raised in the block stays as it is.

    Raises
    ------
    InputError
        If the disk is full.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # HDF5 raises the second where it closes a file
        if is_full(error):
            raise InputError(f"{FULL}.") from error
        raise


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
        raise InputError(
            f"{path.name} could not be written in {path.parent}: {why_refused(error)}."
        ) from error
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


def list_sha256(names: list[str]) -> str:
    """Hash a list of names."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


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
        raise InputError(f"{path} cannot be made: {why_refused(error)}.") from error


class Moves:
    """Moves of files and folders on one disk, all of which are made, or none.

    Used as a context: if anything is raised in the block, what was moved is moved back; else, what was
    discarded is removed.

    Parameters
    ----------
    bin
        Empty folder for what is discarded; it is removed at the end.
    """

    def __init__(self, bin: Path) -> None:
        self._bin = bin
        self._done: list[tuple[Path, Path]] = []

    def move(self, source: Path, target: Path) -> None:
        """Move something to a place where nothing is; what is in the way is discarded."""
        if target.exists():
            self.discard(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        self._done.append((source, target))

    def replace(self, source: Path, target: Path) -> None:
        """Move a file to a place where one may be; whoever reads there finds the one or the other."""
        if target.exists():
            before = self._bin / uuid4().hex
            try:
                os.link(target, before)
            except OSError:  # a disk that knows no links
                target.rename(before)
            self._done.append((target, before))
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        self._done.append((source, target))

    def discard(self, path: Path) -> None:
        """Remove something at the end, and from its place at once."""
        if path.exists():
            target = self._bin / uuid4().hex
            path.rename(target)
            self._done.append((path, target))

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """End, or take all back.

        Raises
        ------
        InputError
            If it was the disk that refused.
        """
        if kind is not None:
            for source, target in reversed(self._done):
                with suppress(OSError):  # as far as it goes
                    target.rename(source)
        shutil.rmtree(self._bin, ignore_errors=True)
        if isinstance(error, OSError):
            raise InputError(f"The library cannot be changed: {why_refused(error)}.") from error
