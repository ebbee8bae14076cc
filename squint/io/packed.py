"""Files that may be gzipped or not, whatever they are called, and never unfold beyond what memory holds."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from squint.errors import InputError
from squint.io.hdf5 import memory_budget

GZIP = b"\x1f\x8b"
DAMAGED = (OSError, EOFError, zlib.error)  # gzip's errors are among them


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more bytes than were allowed."""

    def __init__(self, stream: IO[bytes], most: int, name: str) -> None:
        self._stream = stream
        self._left = most
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        n = cast("io.BufferedIOBase", self._stream).readinto(buffer)
        self._left -= n
        if self._left < 0:
            raise InputError(f"{self._name} is refused: unpacked it is larger than half of the memory here.")
        return n


def is_gzipped(path: Path) -> bool:
    """Say by its first bytes whether a file is gzipped.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(2) == GZIP


@contextmanager
def opened(path: Path, most: int | None = None) -> Iterator[IO[bytes]]:
    """Open a file that may be gzipped, for reading its bytes unpacked.

    Parameters
    ----------
    path
        The file.
    most
        Bytes that it may unfold to; by default :func:`squint.io.hdf5.memory_budget`.

    Yields
    ------
    A stream of bytes.

    Raises
    ------
    InputError
        If it is missing, a link, empty, damaged or too large.
    """
    check_file(path)
    try:
        opener = gzip.open if is_gzipped(path) else open
        with opener(path, "rb") as stream:
            bounded = _Bounded(
                cast("IO[bytes]", stream), memory_budget() if most is None else most, path.name
            )
            yield cast("IO[bytes]", io.BufferedReader(bounded, 2**20))
    except DAMAGED as error:
        raise damaged(path.name) from error


def lines(path: Path) -> list[str]:
    """Read the lines of a text file that may be gzipped, without those that are empty at its end.

    Raises
    ------
    InputError
        As :func:`opened`.
    """
    with opened(path) as stream:
        text = stream.read().decode("utf-8-sig", errors="replace")
    return text.rstrip("\r\n").replace("\r\n", "\n").split("\n") if text.strip() else []


def check_file(path: Path) -> None:
    """Refuse what is no file with something in it.

    Raises
    ------
    InputError
        If it is missing, a link, a folder, a device, or empty.
    """
    if path.is_symlink():
        raise InputError(f"{path.name} is refused: it is a link. Copy the file itself into the folder.")
    if not path.is_file():
        raise InputError(f"{path.name} is missing, or no file. Copy the folder again.")
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty. Copy it again.")


def damaged(name: str) -> InputError:
    """Give the error for a file that breaks off or holds what it should not."""
    return InputError(f"{name} is damaged or incomplete. Copy it again.")
