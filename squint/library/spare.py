"""Some room that is kept aside on the disk of a library: deleting needs some before it frees any.

A server sees to it that it is there, and it is given up by whoever deletes something on a disk that is full.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

SPARE = ".spare"  # file in the folder of the library
_BYTES = 4 << 20  # more than the database takes to forget a section
_ROOM = 10  # so many times that must be free before it is taken


def keep(home: Path) -> None:
    """Take some room, if it is not taken yet and there is plenty."""
    path = home / SPARE
    with suppress(OSError):
        if (path.exists() and path.stat().st_size >= _BYTES) or shutil.disk_usage(home).free < _ROOM * _BYTES:
            return
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _BYTES)


def give_up(home: Path) -> bool:
    """Free that room; say whether it was taken."""
    try:
        (home / SPARE).unlink()
    except OSError:
        return False
    return True
