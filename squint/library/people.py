"""Who uses a server: those who signed in, each with a role, as rows of the server's first library."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library.database import Database
from squint.library.records import Share, User

NONE, VIEWER, ANALYST, ADMIN = "none", "viewer", "analyst", "admin"
ROLES = (NONE, VIEWER, ANALYST, ADMIN)  # each may do what those before it may
_LAST = "This is the last admin. Make somebody else one first: squint people role ID admin."


@dataclass(frozen=True)
class Person:
    """Somebody who uses a server."""

    id: int  # 0 where nobody has to sign in
    name: str  # to be shown to colleagues, and written to no log
    role: str  # VIEWER, ANALYST or ADMIN

    def may(self, role: str) -> bool:
        """Say whether somebody may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Person(0, "whoever uses this machine", ADMIN)


@dataclass(frozen=True)
class Known:
    """Somebody who signed in at some time."""

    id: int
    name: str
    email: str  # empty where the identity provider does not vouch for one
    role: str  # one of ROLES; NONE may not use the server
    seen: float  # seconds since 1970
    removed: bool

    @property
    def role_now(self) -> str:
        """What they may do: nothing once they were removed."""
        return NONE if self.removed else self.role


class People:
    """Those who signed in.

    Parameters
    ----------
    database
        Of the server's first library. Every method raises :class:`squint.errors.InputError` if it does not
        answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Sequence[Known]:
        """List everybody, by name; those who were removed last."""
        with self._database.reading() as session:
            found = [known_of(user) for user in session.scalars(sa.select(User))]
        return sorted(found, key=lambda one: (one.removed, one.name.casefold(), one.id))

    def get(self, person_id: int) -> Known:
        """Give one.

        Raises
        ------
        InputError
            If nobody has this number.
        """
        with self._database.reading() as session:
            return known_of(_find(session, person_id))

    def by_email(self, email: str) -> Known:
        """Give the one with an e-mail address.

        Raises
        ------
        InputError
            If nobody of this address has signed in, or several have.
        """
        wanted = email.strip().casefold()
        found = [one for one in self.all() if one.email.casefold() == wanted and not one.removed]
        if not wanted or len(found) != 1:
            raise InputError(
                "Nobody with this e-mail address has signed in here. Ask them to do so once; if they have, "
                "the identity provider does not vouch for their address, and an admin can add them."
            )
        return found[0]

    def set_role(self, person_id: int, role: str) -> None:
        """Give somebody a role; whoever was removed may sign in again.

        Raises
        ------
        InputError
            If there is no such person or role, or no admin would be left.
        """
        if role not in ROLES:
            raise InputError(f"There is no role {role!r}. Choose one of: {', '.join(ROLES)}.")
        with self._database.writing() as session:
            user = _find(session, person_id)
            if role != ADMIN:
                _keep_an_admin(session, user)
            user.role, user.removed = role, False

    def remove(self, person_id: int) -> None:
        """Take from somebody all they may do, and all projects; signing in again changes nothing.

        The number stays theirs: what is logged names it.

        Raises
        ------
        InputError
            If there is no such person, or no admin would be left.
        """
        with self._database.writing() as session:
            user = _find(session, person_id)
            _keep_an_admin(session, user)
            user.role, user.removed, user.email = NONE, True, ""
            session.execute(sa.delete(Share).where(Share.user_id == person_id))


def known_of(user: User) -> Known:
    """Give what is known of somebody."""
    return Known(user.id, user.name, user.email, user.role, user.seen, user.removed)


def _find(session: Session, person_id: int) -> User:
    user = session.get(User, person_id, with_for_update=True)
    if user is None:
        raise InputError(f"Nobody has the number {person_id}. Look at: squint people list.")
    return user


def _keep_an_admin(session: Session, user: User) -> None:
    if user.role != ADMIN or user.removed:
        return
    others = sa.select(User.id).where(User.role == ADMIN, User.removed.is_(False), User.id != user.id)
    if session.scalars(others.with_for_update()).first() is None:
        raise InputError(_LAST)
