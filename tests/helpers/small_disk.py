"""Disks of a few MB, filled up to a chosen rest, to see what happens where they are full."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.library.records import Record
from squint.library.store import Library
from squint.library.verify import verify

PAGE = 4096  # bytes: a disk in memory gives them out in pages


class SmallDisk:
    """A disk in memory, mounted at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        return shutil.disk_usage(self.folder).free

    def leave(self, n_bytes: int) -> None:
        """Fill the disk but for so many bytes."""
        self.clear()
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free - n_bytes)
        assert self.free == n_bytes

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)


def run(*command: str) -> bool:
    """Run a command; say whether it worked."""
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder: Path, size: str = "20m") -> Iterator[SmallDisk]:
    """Mount a disk, where the system lets us have one; else the test is skipped."""
    folder.mkdir()
    if os.geteuid() or not run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
        pytest.skip("a disk can only be mounted by root, where the system allows it")
    try:
        yield SmallDisk(folder)
    finally:  # lazily: this process holds the lock of what it stages there
        assert run("umount", "--lazy", str(folder))


def refused_until_there_is_room(
    disk: SmallDisk, library: Library, act: Callable[[], Any], *, rest: Callable[[], Any] = lambda: None
) -> int:
    """Do something with no room at all, and with more and more of it until it works.

    Whenever it does not, it must say that the disk is full, and leave the library as it was.

    Parameters
    ----------
    disk
        Where the library is.
    library
        The library.
    act
        What is done.
    rest
        Gives what else must stay as it was.

    Returns
    -------
    How often it was refused.
    """
    before, room, n_refused = state_of(library), 0, 0
    beside = rest()
    while True:
        disk.leave(room)
        refusal = refusal_of(act)
        if refusal is None:
            disk.clear()
            return n_refused
        assert re.fullmatch(".*(disk is full|disk .*has room for).*", refusal)
        n_refused += 1
        library.sections()  # a full disk keeps nobody from looking
        disk.clear()
        assert state_of(library) == before
        assert rest() == beside
        assert verify(library).problems == ()
        room += max(PAGE, room // 8 // PAGE * PAGE)
        assert room < disk.free


def refusal_of(act: Callable[[], Any]) -> str | None:
    """Do something; give the words by which it was refused, if it was."""
    try:
        act()
    except InputError as error:
        return str(error)
    return None


def state_of(library: Library) -> tuple[dict[str, int], dict[str, list[Any]]]:
    """List all files below a library's folder with their sizes, and all rows of its database."""
    sizes = {
        path.relative_to(library.home).as_posix(): path.stat().st_size
        for path in library.home.rglob("*")
        if path.is_file() and not path.name.startswith("library.sqlite") and path.parent.name != "locks"
    }
    sizes |= {f"{path.name}/": 0 for path in library.staging.iterdir()}
    sizes |= {f"{path.name}/": 0 for path in library.uploads.iterdir()}
    with library.database.reading() as session:
        rows = {
            table.name: sorted(map(repr, session.execute(sa.select(table)).all()))
            for table in Record.metadata.sorted_tables
        }
    return sizes, rows


@contextmanager
def library_on(disk: SmallDisk) -> Iterator[Library]:
    """Give a library of which the database is on the small disk too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SQUINT_DATABASE_URL", raising=False)
        library = Library(disk.folder / "home")
        yield library
        library.database.close()
