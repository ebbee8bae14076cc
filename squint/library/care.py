"""What a server does for all its libraries: the first, and those of its projects."""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from squint.errors import InputError
from squint.library import identity, place, removing, sharing
from squint.library.database import database
from squint.library.jobs import Jobs
from squint.library.recovery import recover
from squint.library.staging import ABANDONED_S
from squint.library.store import Library

_log = logging.getLogger(__name__)
_opened: dict[Path, Library] = {}  # by this process


def begin(root: Path) -> None:
    """Set right what a crash left, when a server starts: in all libraries, and between them."""
    removing.finish(root)
    _for_all(root, recover)
    sharing.share_all(root)


def sweep(root: Path, older_than_s: float = ABANDONED_S) -> None:
    """Remove what nobody needs any more from all libraries, as :meth:`.Library.sweep` does from one.

    Private jobs that ended as long ago are forgotten too.
    """

    def clear(library: Library) -> None:
        Jobs(library.database).forget_private(older_than_s)
        library.sweep(older_than_s)

    removing.finish(root)
    _for_all(root, clear)


def check(root: Path) -> None:
    """See that each library can be written and read: a few system calls, as it is asked again and again.

    Of each disk one folder is written to.

    Raises
    ------
    InputError
        If one of them cannot be used: it names the project.
    """
    homes, written = place.all_homes(root), set[int]()
    for gone in _opened.keys() - set(homes):
        del _opened[gone]
    for home in homes:
        try:
            _check(opened(home), written)
        except (InputError, OSError) as error:
            if home != root and not home.exists():  # removed just now
                continue
            raise InputError(f"{_name(home)}{error}") from error


def opened(home: Path) -> Library:
    """Give a library that is only looked at: as it was opened before, if it is still the same one.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    identity.check_folder(home)
    known = _opened.get(home)
    if known is None or known.database is not database(home):
        known = _opened[home] = Library(home)
    return known


def _check(library: Library, written: set[int]) -> None:
    disk = library.home.stat().st_dev
    if disk not in written:
        shutil.rmtree(library.workspace())
        written.add(disk)
    for folder in (library.sections_folder, library.staging):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"The library folder {library.home} cannot be written.")
    if not library.database.schema:  # else the first library's answer is its own
        library.database.ask()


def _for_all(root: Path, do: Callable[[Library], None]) -> None:
    """Do something for each library; what one refuses is logged, and does not keep the others from it."""
    for home in place.all_homes(root):
        try:
            do(Library(home))
        except (InputError, OSError) as error:  # every page says so too
            if home == root or home.exists():  # else it was removed just now
                _log.warning("The library could not be swept: %s%s", _name(home), error)


def _name(home: Path) -> str:
    return f"Project {project}: " if (project := place.project_of(home)) else ""
