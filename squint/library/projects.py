"""Projects of a server: each is a library of its own, and what here says who its members are.

The rows lie in the server's first library, which is itself the first project, under the id ``""``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library import place, removing
from squint.library.database import Database, database
from squint.library.jobs import Jobs
from squint.library.people import Known, known_of
from squint.library.records import Project as Row
from squint.library.records import Share, User

FIRST = ""  # id of the server's first project
OWNER, MEMBER = "owner", "member"
_FIRST_NAME = "First project"
_MAX_NAME = 80
GONE = "There is no such project. Look at the page Projects."


@dataclass(frozen=True)
class Project:
    """A project."""

    id: str  # hexadecimal: the folder of its library; FIRST of the server's first
    name: str
    added: str  # UTC; empty of the first, until somebody is in it


@dataclass(frozen=True)
class Member:
    """Somebody in a project."""

    person: Known
    role: str  # OWNER or MEMBER


class Projects:
    """Projects and their members.

    Parameters
    ----------
    database
        Of the server's first library. Every method raises :class:`squint.errors.InputError` if it does not
        answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- look ---------------------------------------------------------------------------------------------

    def all(self) -> Sequence[Project]:
        """List all projects by name, the first one first."""
        with self._database.reading() as session:
            rows = session.scalars(sa.select(Row)).all()
        found = [_project(row) for row in rows]
        if all(one.id != FIRST for one in found):
            found.append(Project(FIRST, _FIRST_NAME, ""))
        return sorted(found, key=_place)

    def of(self, person_id: int) -> Sequence[Project]:
        """List the projects that somebody is a member of, by name, the first one first."""
        chosen = sa.select(Row).join(Share, Share.project_id == Row.id).where(Share.user_id == person_id)
        with self._database.reading() as session:
            return sorted((_project(row) for row in session.scalars(chosen)), key=_place)

    def role(self, project_id: str, person_id: int) -> str:
        """Say whether somebody is OWNER or MEMBER of a project; empty if neither, or if it is not there."""
        chosen = sa.select(Share.role).join(Row, Share.project_id == Row.id)
        with self._database.reading() as session:
            found = session.scalar(chosen.where(Row.folder == project_id, Share.user_id == person_id))
        return found or ""

    def get(self, project_id: str) -> Project:
        """Give a project.

        Raises
        ------
        InputError
            If it is not there.
        """
        found = next((one for one in self.all() if one.id == project_id), None)
        if found is None:
            raise InputError(GONE)
        return found

    def members(self, project_id: str) -> Sequence[Member]:
        """List the members of a project, its owners first."""
        chosen = sa.select(User, Share.role).join(Share, Share.user_id == User.id)
        chosen = chosen.join(Row, Share.project_id == Row.id).where(Row.folder == project_id)
        with self._database.reading() as session:
            found = [Member(known_of(user), role) for user, role in session.execute(chosen)]
        return sorted(found, key=lambda one: (one.role != OWNER, one.person.name.casefold(), one.person.id))

    def last_of(self, person_id: int) -> str:
        """Give the id of the project that somebody had open last; it may be gone."""
        with self._database.reading() as session:
            return session.scalar(sa.select(User.project).where(User.id == person_id)) or FIRST

    # --- change -------------------------------------------------------------------------------------------

    def open(self, project_id: str, person_id: int) -> None:
        """Note that somebody opened a project."""
        with self._database.writing() as session:
            user = session.get(User, person_id)
            if user is not None:
                user.project = project_id

    def add(self, name: str, owner_id: int | None = None) -> Project:
        """Make a project; its library is made when somebody opens it.

        Raises
        ------
        InputError
            If the name is taken, or none, or nobody here has the owner's number.
        """
        with self._database.writing() as session:
            if owner_id is not None:
                _require_here(session, owner_id)
            return _project(add_row(session, clean_name(name), owner_id))

    def rename(self, project_id: str, name: str) -> None:
        """Give a project another name.

        Raises
        ------
        InputError
            If it is not there, or the name is taken, or none.
        """
        with self._database.writing() as session:
            row, wanted = _find(session, project_id), clean_name(name)
            if row.name != wanted:
                _refuse_taken(session, wanted)
                row.name = wanted

    def remove(self, project_id: str, root: Path) -> None:
        """Remove a project with everything in its library.

        Parameters
        ----------
        project_id
            Of the project; the first one stays.
        root
            Folder of the server's first library.

        Raises
        ------
        InputError
            If it is not there, jobs of it are open, or its files cannot be removed: nobody can open them
            any more.
        """
        if project_id == FIRST:
            raise InputError("The first project cannot be removed: the server's own records lie in it.")
        home = place.project_home(root, project_id)
        if home.is_dir() and Jobs(database(home)).open():
            raise InputError("Something is being worked on in this project. Wait, or cancel it first.")
        with self._database.writing() as session:
            session.delete(_find(session, project_id))
        removing.remove(root, project_id)

    def add_member(self, project_id: str, person_id: int, role: str = MEMBER) -> None:
        """Let somebody into a project, or change what they are in it.

        Raises
        ------
        InputError
            If there is no such project, person or role, or no owner would be left.
        """
        if role not in (OWNER, MEMBER):
            raise InputError(f"In a project one is {OWNER} or {MEMBER}.")
        with self._database.writing() as session:
            row = _find(session, project_id)
            _require_here(session, person_id)
            known = session.get(Share, (row.id, person_id))
            if known is None:
                session.add(Share(project_id=row.id, user_id=person_id, role=role))
            elif role != OWNER:
                _keep_an_owner(session, known)
                known.role = role
            else:
                known.role = role

    def remove_member(self, project_id: str, person_id: int) -> None:
        """Take somebody out of a project.

        Raises
        ------
        InputError
            If there is no such project or member, or no owner would be left.
        """
        with self._database.writing() as session:
            row = _find(session, project_id)
            known = session.get(Share, (row.id, person_id))
            if known is None:
                raise InputError("They are not in this project.")
            _keep_an_owner(session, known)
            session.delete(known)


def add_row(session: Session, name: str, owner_id: int | None) -> Row:
    """Add a project in a session, and its owner."""
    _refuse_taken(session, name)
    row = Row(folder=place.new_project(), name=name, owner_id=owner_id, added=_now())
    session.add(row)
    session.flush()
    if owner_id is not None:
        session.add(Share(project_id=row.id, user_id=owner_id, role=OWNER))
    return row


def own_name(session: Session, name: str) -> str:
    """Find a free name for the project that somebody begins with."""
    base = clean_name(f"Project of {name}"[: _MAX_NAME - 6])
    taken = set(session.scalars(sa.select(Row.name)))
    return next(tried for tried in (base, *(f"{base} ({n})" for n in range(2, 9999))) if tried not in taken)


def join_first(session: Session, person_id: int) -> None:
    """Let somebody own the first project."""
    row = _find(session, FIRST)
    if session.get(Share, (row.id, person_id)) is None:
        session.add(Share(project_id=row.id, user_id=person_id, role=OWNER))


def clean_name(name: str) -> str:
    """Give a name without control characters and needless blanks.

    Raises
    ------
    InputError
        If nothing is left.
    """
    cleaned = re.sub(r"\s+", " ", re.sub(r"[\x00-\x1f\x7f]", " ", name)).strip()[:_MAX_NAME]
    if not cleaned:
        raise InputError("Give the project a name.")
    return cleaned


def _find(session: Session, project_id: str) -> Row:
    row = session.scalar(sa.select(Row).where(Row.folder == project_id).with_for_update())
    if row is None and project_id == FIRST:
        row = Row(folder=FIRST, name=_FIRST_NAME, owner_id=None, added=_now())
        session.add(row)
        session.flush()
    if row is None:
        raise InputError(GONE)
    return row


def _require_here(session: Session, person_id: int) -> None:
    user = session.get(User, person_id)
    if user is None:
        raise InputError(f"Nobody has the number {person_id}. Look at: squint people list.")
    if user.removed:
        raise InputError("They were removed from this server. Give them a role first.")


def _refuse_taken(session: Session, name: str) -> None:
    if session.scalar(sa.select(Row.id).where(Row.name == name)) is not None:
        raise InputError(f"There is a project of the name {name!r} already. Choose another name.")


def _keep_an_owner(session: Session, known: Share) -> None:
    if known.role != OWNER:
        return
    others = sa.select(Share.user_id).where(
        Share.project_id == known.project_id, Share.role == OWNER, Share.user_id != known.user_id
    )
    if session.scalars(others.with_for_update()).first() is None:
        raise InputError("This is the project's last owner. Make somebody else one first.")


def _project(row: Row) -> Project:
    return Project(row.folder, row.name, row.added)


def _place(project: Project) -> tuple[bool, str, str]:
    return project.id != FIRST, project.name.casefold(), project.id


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
