"""The commands ``people`` and ``projects``: who uses a server, as what, and which libraries they see."""

import argparse
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from squint.cli.terminal import Facts, say

if TYPE_CHECKING:
    from squint.library.database import Database
    from squint.library.people import Known
    from squint.library.projects import Project


def add_people(add: Any, commands: Any) -> None:
    """Take commands on the people and projects of the server whose library ``SQUINT_HOME`` names.

    Parameters
    ----------
    add
        Adds a command, to a group if one is given.
    commands
        Where groups are added.
    """
    about = "Say who may use a server whose people sign in, and as what."
    kinds = commands.add_parser("people", help=about, description=about).add_subparsers(
        required=True, metavar="WHAT"
    )
    add(list_people, "list", kinds)
    sub = add(role, to=kinds)
    sub.add_argument("person", type=int, metavar="ID", help="number, as `people list` says it")
    sub.add_argument("role", choices=("none", "viewer", "analyst", "admin"))
    sub = add(remove_person, "remove", kinds)
    sub.add_argument("person", type=int, metavar="ID", help="number, as `people list` says it")

    about = "Make projects, each a library of its own, and say who is in them."
    kinds = commands.add_parser("projects", help=about, description=about).add_subparsers(
        required=True, metavar="WHAT"
    )
    add(list_projects, "list", kinds)
    sub = add(add_project, "add", kinds)
    sub.add_argument("name", metavar="NAME")
    sub.add_argument("--owner", type=int, metavar="ID", help="number of a person")
    sub = add(rename_project, "rename", kinds)
    _takes_project(sub)
    sub.add_argument("name", metavar="NAME")
    sub = add(remove_project, "remove", kinds)
    _takes_project(sub)
    sub.add_argument("--yes", action="store_true", help="with all that is in it; this cannot be undone")
    sub = add(member, to=kinds)
    _takes_project(sub)
    sub.add_argument("person", type=int, metavar="ID", help="number, as `people list` says it")
    sub.add_argument("role", choices=("member", "owner", "none"), help="none takes them out")


def list_people(options: argparse.Namespace) -> Facts:
    """List everybody who has signed in."""
    from squint.library.people import People

    del options
    found = People(_database()).all()
    for one in found:
        say(_line(one))
    say(f"{len(found):,} people")
    return {"people": [{**asdict(one), "role": one.role_now} for one in found]}


def role(options: argparse.Namespace) -> Facts:
    """Give somebody a role; whoever was removed may come in again."""
    from squint.library.people import People

    people = People(_database())
    people.set_role(options.person, options.role)
    return _said(people.get(options.person))


def remove_person(options: argparse.Namespace) -> Facts:
    """Take from somebody all they may do, and all projects; what they added stays."""
    from squint.library.people import People

    people = People(_database())
    people.remove(options.person)
    return _said(people.get(options.person))


def list_projects(options: argparse.Namespace) -> Facts:
    """List all projects with their members."""
    from squint.library.place import word_of
    from squint.library.projects import Projects

    del options
    projects = Projects(_database())
    told = []
    for one in projects.all():
        members = projects.members(one.id)
        say(f"{word_of(one.id)}  {one.name}")
        for known in members:
            say(f"    {known.role}: {known.person.id} {known.person.name}")
        told.append(
            {**asdict(one), "members": [{"id": known.person.id, "role": known.role} for known in members]}
        )
    return {"projects": told}


def add_project(options: argparse.Namespace) -> Facts:
    """Make a project; its library is made when somebody opens it."""
    from squint.library.projects import Projects

    return _told(Projects(_database()).add(options.name, options.owner))


def rename_project(options: argparse.Namespace) -> Facts:
    """Give a project another name."""
    from squint.library.projects import Projects

    projects = Projects(_database())
    projects.rename(_id(options), options.name)
    return _told(projects.get(_id(options)))


def remove_project(options: argparse.Namespace) -> Facts:
    """Remove a project with all of its sections, models and results."""
    from squint.errors import InputError
    from squint.library import place
    from squint.library.projects import Projects

    projects = Projects(_database())
    gone = projects.get(_id(options))
    if not options.yes:
        raise InputError(f"All in the project {gone.name!r} would be deleted for good. Add --yes to do so.")
    projects.remove(gone.id, place.existing_home())
    say(f"{gone.name} is gone, with all that was in it")
    return {"removed": gone.id}


def member(options: argparse.Namespace) -> Facts:
    """Let somebody into a project, or take them out."""
    from squint.library.projects import Projects

    projects, project = Projects(_database()), _id(options)
    if options.role == "none":
        projects.remove_member(project, options.person)
    else:
        projects.add_member(project, options.person, options.role)
    members = projects.members(project)
    for known in members:
        say(f"{known.role}: {known.person.id} {known.person.name}")
    return {"project": project, "members": [{"id": one.person.id, "role": one.role} for one in members]}


def _takes_project(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("project", metavar="PROJECT", help="its id, as `projects list` says it")


def _id(options: argparse.Namespace) -> str:
    from squint.errors import InputError
    from squint.library.place import of_word
    from squint.library.projects import GONE

    if (project := of_word(options.project)) is None:
        raise InputError(GONE)
    return project


def _database() -> "Database":
    from squint.library import place
    from squint.library.store import Library

    return Library(place.existing_home()).database


def _line(one: "Known") -> str:
    seen = time.strftime("%Y-%m-%d", time.gmtime(one.seen))
    removed = ", removed" if one.removed else ""
    return f"{one.id}  {one.role_now}  {one.name}  {one.email or '-'}  last seen {seen}{removed}"


def _said(one: "Known") -> Facts:
    say(_line(one))
    return {**asdict(one), "role": one.role_now}


def _told(one: "Project") -> Facts:
    from squint.library.place import word_of

    say(f"{word_of(one.id)}  {one.name}")
    return asdict(one)
