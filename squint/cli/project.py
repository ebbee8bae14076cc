"""The option ``--project``: whose library a command is about."""

import argparse
from pathlib import Path

from squint.errors import InputError


def add_project(parser: argparse.ArgumentParser, otherwise: str = "the server's first project") -> None:
    """Take the option.

    Parameters
    ----------
    parser
        Of a command.
    otherwise
        Whose library it is about without it.
    """
    parser.add_argument(
        "--project",
        metavar="ID|NAME",
        help=f"whose library: a project's id, the start of it, its name, or first (default: {otherwise})",
    )


def home_of(options: argparse.Namespace, *, may_be_new: bool = False) -> Path:
    """Give the folder of the library that a command is about.

    Parameters
    ----------
    options
        Of the command, with the one of :func:`add_project`.
    may_be_new
        Whether a server's first library may be missing: it is made then.

    Raises
    ------
    InputError
        If there is no such project, or more than one.
    """
    from squint.library import place

    if options.project is None:
        return place.home() if may_be_new else place.existing_home()
    return _find(place.existing_home(), options.project)


def homes_of(options: argparse.Namespace) -> list[Path]:
    """Give the folders of all libraries that a command is about: without the option, of all projects."""
    from squint.library import place

    return place.all_homes(place.existing_home()) if options.project is None else [home_of(options)]


def called(home: Path) -> str:
    """Say which project a library is of, by its name, if that is known, and its id."""
    from squint.library import place

    project = place.project_of(home)
    name, word = _names(place.root_of(home)).get(project, ""), place.word_of(project)
    return f"{name} ({word})" if name else word


def _find(root: Path, asked: str) -> Path:
    from squint.library import place

    homes = {place.project_of(home): home for home in place.all_homes(root)}
    found = [home for project, home in homes.items() if asked == place.word_of(project)]
    names = _names(root)
    found = found or [home for project, home in homes.items() if names.get(project) == asked]
    found = found or [home for project, home in homes.items() if asked and project.startswith(asked)]
    if len(found) != 1:
        there = ", ".join(called(home) for home in homes.values())
        which = "No project" if not found else f"{len(found)} projects"
        raise InputError(f"{which} of that name or id with a library. There are: {there}.")
    return found[0]


def _names(root: Path) -> dict[str, str]:
    """Read what projects are called, by their ids; the first has no name where nobody signs in."""
    from squint.library.database import database
    from squint.library.projects import Projects

    return {one.id: one.name for one in Projects(database(root)).all() if one.added}
