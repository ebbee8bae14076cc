"""What a server does for all its libraries: the first, and those of its projects."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from squint.errors import InputError
from squint.library import place, removing, sharing
from squint.library.jobs import Jobs
from squint.library.recovery import recover
from squint.library.staging import ABANDONED_S
from squint.library.store import Library

_log = logging.getLogger(__name__)


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
    """Write to the folder of each library, and read from its database.

    Raises
    ------
    InputError
        If one of them cannot be used: it names the project.
    """
    for home in place.all_homes(root):
        try:
            library = Library(home)
            shutil.rmtree(library.workspace())
            with library.database.reading() as session:
                session.execute(sa.text("SELECT 1"))
        except (InputError, OSError) as error:
            if home != root and not home.exists():  # removed just now
                continue
            raise InputError(f"{_name(home)}{error}") from error


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
