"""Write HDF5 files to a disk that may be full.

HDF5 cannot cope with a disk that refuses: data sets that find no room when they are closed are lost without
an error, and a file that cannot be closed holds on to what it takes, though deleted, until the process ends.
So it is never refused: what finds no room is held in memory until it is done, and then the refusal is raised.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

_MOST = 1 << 28  # bytes held in memory


class PatientFile(io.RawIOBase):
    """A new file that holds in memory whatever comes after the disk has refused something.

    Parameters
    ----------
    path
        The file, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.problem: OSError | None = None  # why the disk refused
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        self._at = self._end = 0
        self._held: list[tuple[int, bytes]] = []  # place and content, the last one counts
        self._n_held = 0

    def write(self, content: Any) -> int:
        """Write at the current place; all of it is taken."""
        left = memoryview(content).cast("B")
        n_bytes, start = len(left), self._at
        self._at += n_bytes
        self._end = max(self._end, self._at) if n_bytes else self._end
        try:
            while left and self.problem is None:
                n_written = os.pwrite(self._file, left, start)
                left, start = left[n_written:], start + n_written
        except OSError as error:
            self.problem = error
        if left and self.problem is not None:
            self._n_held += len(left)
            if self._n_held > _MOST:
                raise self.problem
            self._held.append((start, bytes(left)))
        return n_bytes

    def readinto(self, buffer: Any) -> int:
        """Read at the current place what was written there; zeros where nothing was."""
        out = memoryview(buffer).cast("B")
        start, end = self._at, self._at + len(out)
        out[:] = os.pread(self._file, len(out), start).ljust(len(out), b"\0")
        for place, content in self._held:
            low, high = max(place, start), min(place + len(content), end)
            if low < high:
                out[low - start : high - start] = content[low - place : high - place]
        self._at = end
        return len(out)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """Say at which place it is."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Give the file another length."""
        self._end = self._at if size is None else size
        try:
            if self.problem is None:
                os.ftruncate(self._file, self._end)
        except OSError as error:
            self.problem = error
        return self._end

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def seekable(self) -> bool:
        """Say that one can go to any place in it."""
        return True

    def close(self) -> None:
        """Let go of the file, and of what is held."""
        if not self.closed:
            os.close(self._file)
            self._held.clear()
        super().close()


@contextmanager
def new_hdf5(path: Path) -> Iterator["h5py.File"]:
    """Give a new HDF5 file to write to.

    Raises
    ------
    OSError
        If the disk refused, at the end of the block.
    """
    import h5py  # noqa: PLC0415 - only where something is kept

    with PatientFile(path) as target:
        with h5py.File(target, "w") as file:
            yield file
        if target.problem is not None:
            raise target.problem
