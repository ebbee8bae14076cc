"""A project's library removed for good: its folder and, in PostgreSQL, its schema.

The folder is renamed first, so that from then on nobody finds the project. What is left of it, should that be
cut short, is removed by the next sweep of the server.
"""

import logging
import shutil
from pathlib import Path

from squint.errors import InputError
from squint.files import why_refused
from squint.library import place
from squint.library.database import drop

_log = logging.getLogger(__name__)


def remove(root: Path, project: str) -> None:
    """Remove the library of a project with all that it holds; one that is not there is no mistake.

    Its jobs end, as the engine notices within a second. Originals that other projects keep too stay there.

    Parameters
    ----------
    root
        Folder of the server's first library.
    project
        Id of the project. The first one stays: the server's own records lie in it.

    Raises
    ------
    InputError
        If it is the first project or no id of one, or the disk refuses: then all of it is still there.
    """
    if not project:
        raise InputError("The first project cannot be removed: the server's own records lie in it.")
    home = place.project_home(root, project)
    try:
        _clear(home)  # of an earlier one, as a test may have it
        if home.exists():
            home.rename(_away(home))
    except OSError as error:
        raise InputError(f"The project {project} cannot be removed: {why_refused(error)}.") from error
    _finish(home)


def finish(root: Path) -> None:
    """Remove what is left of projects whose removal was cut short."""
    for away in place.projects_folder(root).glob(".*"):
        if place.is_project(away.name[1:]):
            _finish(away.with_name(away.name[1:]))


def _finish(home: Path) -> None:
    try:
        if not home.exists():  # else one of the same id began since
            drop(home)
        _clear(home)
    except (InputError, OSError) as error:
        _log.warning("What is left of the project %s is removed later: %s", home.name, error)


def _away(home: Path) -> Path:
    return home.with_name(f".{home.name}")


def _clear(home: Path) -> None:
    if _away(home).exists():
        shutil.rmtree(_away(home))
