"""Who lives: locks on files of the library, which the system lets go of when their holder ends, however."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

ENGINE, WEB = "engine.lock", "web.lock"  # below the library's folder
_PROBED_S = 1.0  # somebody who only looks whether a lock is held holds it for a moment


class Lock:
    """A lock on a file, which is held until it is let go or this process ends.

    Parameters
    ----------
    path
        The file, which stays.
    shared
        Whether others may hold it too, if they share it.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self) -> bool:
        """Take it; return whether that went."""
        end = time.monotonic() + _PROBED_S
        while not self._try():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def write(self, text: str) -> None:
        """Leave a word in the file, for whoever looks at it."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def let_go(self) -> None:
        """Let others take it."""
        os.close(self._file)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, self._kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> "Lock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()


def read(path: Path) -> str:
    """Read the word that the holder of a lock, or the last one, left."""
    return path.read_text() if path.exists() else ""


def is_held(path: Path) -> bool:
    """Say whether somebody holds a lock."""
    if not path.exists():
        return False
    with Lock(path) as lock:
        return not lock._try()
