"""How somebody who asked for a job wakes the engine: a named pipe in the folder of the first library.

It carries nothing: what is to be done stands in the databases, at which an engine that nobody wakes looks by
itself. So a byte that is lost, or that nobody rang for, does no harm.
"""

import io
import os
import select
import stat
from contextlib import suppress
from pathlib import Path

from squint.library import place

FILE = ".bell"  # below the folder of the first library


def ring(home: Path) -> None:
    """Wake the engine of a library, if one lives; never waits, and never fails."""
    with suppress(OSError):  # no engine, or one whose disk knows no pipes
        pipe = os.open(place.root_of(home) / FILE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                os.write(pipe, b".")
        finally:
            os.close(pipe)


class Bell:
    """The engine's end of the pipe, which its own threads ring too.

    Parameters
    ----------
    root
        Folder of the first library.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self.reaches_others = True  # whether others can ring it: else they must be looked after
        try:
            ends = [_open(self._path)]
        except OSError:  # the disk knows no pipes
            self.reaches_others = False
            ends = [*os.pipe2(os.O_NONBLOCK)]
        # Objects, not numbers: one that is closed writes into no other file that got its number.
        self._read, self._write = io.FileIO(ends[0], "r"), io.FileIO(os.dup(ends[-1]), "w")
        if len(ends) == 2:
            os.close(ends[1])
        self._waiting = select.poll()
        self._waiting.register(self._read, select.POLLIN)

    def ring(self) -> None:
        """Wake whoever waits, or will wait next."""
        with suppress(ValueError):  # it was closed
            self._write.write(b".")  # of a full pipe nothing is taken: it was rung often enough

    def wait(self, seconds: float) -> bool:
        """Wait until somebody rings, or so long; return whether somebody did, since the last time."""
        if not self._waiting.poll(max(0.0, 1000 * seconds)):
            return False
        while self._read.read(1 << 16):
            pass
        return True

    def close(self) -> None:
        """Take it away; who rings afterwards does nothing."""
        if self.reaches_others:
            self._path.unlink(missing_ok=True)
        self._read.close()
        self._write.close()


def _open(path: Path) -> int:
    """Open a pipe at both ends, so that it is never at its end; what lies there is replaced."""
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)
