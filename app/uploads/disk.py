"""What the server's disk takes, and how it is said when it does not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path

from squint.errors import InputError
from squint.files import why_refused
from squint.library.staging import RESERVE


class RefusedError(InputError):
    """Something that is not taken, with the status of the answer."""

    def __init__(self, status: int, words: str, *, kept: bool = False) -> None:
        super().__init__(words)
        self.status = status
        self.kept = kept  # whether what has come of it stays, so that it can go on


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse what the disk has no room for."""
    left = room(folder)
    if n_bytes > left:
        raise RefusedError(
            507,
            f"The server's disk has room for {left / 1e6:,.0f} MB more. "
            "Delete what is no longer needed, or ask for a larger disk.",
        )


def room(folder: Path) -> int:
    """Give how many bytes more may be written where a folder is."""
    with disk_errors():
        return max(0, shutil.disk_usage(folder).free - RESERVE)


def write_all(file: RawIOBase, left: memoryview) -> None:
    """Write to a file that is not buffered, which may take less at a time than it is given."""
    while left:
        left = left[file.write(left) or 0 :]


@contextmanager
def disk_errors() -> Iterator[None]:
    """Say in words that the disk refused."""
    try:
        yield
    except OSError as error:
        reason = why_refused(error)
        raise RefusedError(
            507, f"The server's disk could not take the file: {reason}. Nothing was kept."
        ) from error
