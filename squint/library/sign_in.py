"""Who may come in: what an identity provider says of somebody, held against the rules of this server.

Asked at every run of a page and at every request, so that what was taken away is gone at once.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library import projects
from squint.library.database import Database
from squint.library.people import ADMIN, ANALYST, NONE, ROLES, VIEWER, Person
from squint.library.records import EndedSignIn, User

_SEEN_EVERY_S = 60.0  # between two notes that somebody is there
_MOST_LETTERS = 255  # of what tells people apart
_NAMELESS = "somebody without a name"
_TAKEN = "Your right to use this server was taken away."


class NotAdmittedError(InputError):
    """Somebody is signed in, and may not use this server."""


class OverError(NotAdmittedError):
    """A sign-in that counts no more: it ended by itself, or by signing out."""


@dataclass(frozen=True)
class Rules:
    """Who may come in, as what."""

    admins: frozenset[str]  # subjects, letter by letter, and e-mail addresses
    first: str  # role of whoever comes for the first time
    groups: Mapping[str, str]  # name of a group -> role that it gives; empty: it only lets in
    claim: str  # that lists groups
    hours: float | None  # that a sign-in lasts; None: as long as the provider's token

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Rules":
        """Read ``SQUINT_ADMINS``, ``SQUINT_FIRST_ROLE``, ``SQUINT_SIGN_IN_GROUPS`` and their kin.

        Raises
        ------
        InputError
            If one of them cannot be understood.
        """
        first = environ.get("SQUINT_FIRST_ROLE") or ANALYST
        if first not in (NONE, VIEWER, ANALYST):
            raise InputError(f"SQUINT_FIRST_ROLE must be analyst, viewer or none, not {first!r}.")
        groups: dict[str, str] = {}
        for item in _items(environ.get("SQUINT_SIGN_IN_GROUPS")):
            name, role = (part.strip() for part in (item if "=" in item else f"{item}=").rsplit("=", 1))
            if role not in ("", VIEWER, ANALYST, ADMIN) or not name:
                raise InputError(
                    f"SQUINT_SIGN_IN_GROUPS: {item!r} is not understood. Write names of groups, each alone "
                    "or with a role, as in: pathology=viewer, spatial=analyst."
                )
            groups[name] = role
        return cls(
            admins=frozenset(_items(environ.get("SQUINT_ADMINS"))),
            first=first,
            groups=groups,
            claim=environ.get("SQUINT_GROUPS_CLAIM") or "groups",
            hours=_hours(environ.get("SQUINT_SIGN_IN_HOURS")),
        )

    def role_of(self, groups: Sequence[str]) -> str:
        """Give the highest role that groups give; empty if none gives one.

        Raises
        ------
        NotAdmittedError
            If only members of certain groups may come in, and none of these is among them.
        """
        held = [self.groups[name] for name in groups if name in self.groups]
        if self.groups and not held:
            raise NotAdmittedError("You are in no group that may use this server.")
        return max(held, key=lambda role: ROLES.index(role) if role else -1, default="")


@dataclass(frozen=True)
class SignIn:
    """What an identity provider says of somebody who signed in."""

    key: str  # tells this sign-in from all others
    issuer: str
    subject: str
    name: str
    email: str  # empty where the provider does not vouch for it
    groups: tuple[str, ...]
    until: float  # seconds since 1970


def read_claims(claims: Mapping[str, Any], rules: Rules) -> SignIn:
    """Read the claims of a token that was verified.

    Raises
    ------
    NotAdmittedError
        If they do not say who it is, or until when.
    """
    issuer, subject = claims.get("iss"), claims.get("sub")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not (_is_name(issuer) and _is_name(subject)):
        raise NotAdmittedError("The identity provider does not say who you are.")
    until = expires if rules.hours is None or not _is_number(issued) else issued + rules.hours * 3600
    if not _is_number(until):
        raise NotAdmittedError("The identity provider does not say how long you are signed in.")
    told = {name: claims.get(name) for name in ("iss", "sub", "iat", "exp", "nonce", "at_hash", "sid", "jti")}
    groups, email = claims.get(rules.claim) or (), claims.get("email")
    return SignIn(
        key=hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest(),
        issuer=str(issuer),
        subject=str(subject),
        name=_name_of(claims),
        email=str(email) if _is_name(email) and claims.get("email_verified") is True else "",
        groups=tuple(map(str, [groups] if isinstance(groups, str) else groups)) if _is_listed(groups) else (),
        until=float(until),
    )


def admit(database: Database, claims: Mapping[str, Any], rules: Rules, now: float | None = None) -> Person:
    """Give the person that the claims of a verified token are about, if they may come in now.

    Whoever comes for the first time becomes a row and, unless they may only look, gets a project.

    Parameters
    ----------
    database
        Of the server's first library.
    claims
        Of the token that the identity provider gave.
    rules
        Who may come in.
    now
        Seconds since 1970.

    Raises
    ------
    OverError
        If the sign-in is over.
    NotAdmittedError
        If they may not come in; the words are for them.
    InputError
        If the database does not answer.
    """
    now = time.time() if now is None else now
    told = read_claims(claims, rules)
    if now >= told.until:
        raise OverError("You were signed out, because it was long ago that you signed in.")
    by_group = rules.role_of(told.groups)
    with database.reading() as session:
        if session.get(EndedSignIn, told.key) is not None:
            raise OverError("You signed out.")
        user = _find(session, told)
    if user is not None and user.removed:
        raise NotAdmittedError(_TAKEN)
    given = _role(told, rules, by_group)
    if user is None or _differs(user, told, given) or now - user.seen > _SEEN_EVERY_S:
        user = _note(database, told, given, rules.first, now)
    if user.removed:  # just now
        raise NotAdmittedError(_TAKEN)
    if user.role == NONE:
        raise NotAdmittedError("You may not use this server yet. Ask whoever runs it to let you in.")
    return Person(user.id, user.name, user.role)


def end(database: Database, claims: Mapping[str, Any], rules: Rules, now: float | None = None) -> None:
    """End a sign-in in all windows, at once."""
    now = time.time() if now is None else now
    told = read_claims(claims, rules)
    with database.writing() as session:
        session.execute(sa.delete(EndedSignIn).where(EndedSignIn.until < now))
        session.merge(EndedSignIn(id=told.key, until=told.until))


def _role(told: SignIn, rules: Rules, by_group: str) -> str:
    """Give the role that the rules give somebody; empty if they leave it to the row."""
    addresses = {one.casefold() for one in rules.admins}
    is_named = told.subject in rules.admins or told.email.casefold() in addresses
    return ADMIN if is_named else by_group


def _find(session: Session, told: SignIn) -> User | None:
    wanted = sa.select(User).where(User.issuer == told.issuer, User.subject == told.subject)
    return session.scalar(wanted)


def _differs(user: User, told: SignIn, given: str) -> bool:
    return bool(given and user.role != given) or (user.name, user.email) != (told.name, told.email)


def _note(database: Database, told: SignIn, given: str, first: str, now: float) -> User:
    """Write down what is known of somebody now."""
    try:
        return _write(database, told, given, first, now)
    except sa.exc.IntegrityError:  # two windows came for the first time at once
        return _write(database, told, given, first, now)


def _write(database: Database, told: SignIn, given: str, first: str, now: float) -> User:
    with database.writing() as session:
        user = _find(session, told)
        if user is None:
            user = User(
                issuer=told.issuer,
                subject=told.subject,
                name=told.name,
                email=told.email,
                role=given or first,
                removed=False,
                project=projects.FIRST,
                seen=now,
                added=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            )
            session.add(user)
            session.flush()
            if user.role == ADMIN:
                projects.join_first(session, user.id)
            elif user.role == ANALYST:
                projects.add_row(session, projects.own_name(session, user.name), user.id)
        elif not user.removed:
            user.name, user.email, user.seen = told.name, told.email, now
            user.role = given or user.role
        return user


def _name_of(claims: Mapping[str, Any]) -> str:
    for key in ("name", "preferred_username", "email"):
        text = str(claims.get(key) or "")
        clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:80]
        if clean:
            return clean
    return _NAMELESS


def _items(text: str | None) -> list[str]:
    return [item for one in (text or "").split(",") if (item := one.strip())]


def _hours(text: str | None) -> float | None:
    if not text:
        return None
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 0 < hours <= 24 * 30:
        raise InputError(f"SQUINT_SIGN_IN_HOURS must be a number of hours up to 720, not {text!r}.")
    return hours


def _is_name(value: object) -> bool:
    """Say whether something is a text that is kept as it is: whoever is told by less would be several."""
    return isinstance(value, str) and 0 < len(value) <= _MOST_LETTERS and value.isprintable()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_listed(value: object) -> bool:
    return isinstance(value, str | list | tuple)
