"""The chain of the audit log: rows are added at its end, each with a hash over itself and the row before.

The hash has no secret. It shows that a row was edited, taken out, put in or moved by whoever did not write
all rows after it anew; whoever does that as well is found out by a copy of the head that is kept elsewhere.
"""

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from squint.library.acting import Actor
from squint.library.records import Audit, AuditHead

# What was done.
SEEN, ADDED, CHANGED, DELETED, EXPORTED = "seen", "added", "changed", "deleted", "exported"
QUARANTINED, REFUSED, RESTORED = "quarantined", "refused", "restored"
SIGNED_IN, SIGNED_OUT = "signed in", "signed out"
ACTIONS = (
    *(SEEN, ADDED, CHANGED, DELETED, EXPORTED, QUARANTINED),
    *(REFUSED, RESTORED, SIGNED_IN, SIGNED_OUT),
)

# What it was done with.
CELLS, SECTION, PICTURE, LABELING, CELL_SET = "cells", "section", "picture", "labeling", "cell set"
GENE_SETS, TOKEN_NAME, NOTE, PATIENT_FACTS = "gene sets", "token name", "note", "patient facts"
MODEL, PERSON, PROJECT, MEMBER, SESSION = "model", "person", "project", "member", "session"
ORIGINAL = "original"
FIGURE, TABLE, REPORT, REGIONS, TOKENS, LINK = "figure", "table", "report", "regions", "tokens", "link"
ADDRESS, BACKUP, LIBRARY, RESULTS, LOG = "address", "backup", "library", "results", "audit log"
KINDS = (
    *(CELLS, SECTION, PICTURE, LABELING, CELL_SET, GENE_SETS, TOKEN_NAME, NOTE, PATIENT_FACTS, MODEL),
    ORIGINAL,
    *(PERSON, PROJECT, MEMBER, SESSION, FIGURE, TABLE, REPORT, REGIONS, TOKENS, LINK),
    *(ADDRESS, BACKUP, LIBRARY, RESULTS, LOG),
)

DONE, NOT_DONE = "done", "refused"
START = "0" * 64  # stands for the row before the first
TELL_EVERY = 1_000  # rows; then the head goes to the server's log as well

_ID = re.compile(r"[0-9a-f:]{0,120}")  # hashes and numbers: no name, title or path looks like that
_PLACE = re.compile(r"[a-z_ -]{0,40}")
_ONE = 1  # id of the only row of heads
_LOG = logging.getLogger("squint.audit")


@dataclass(frozen=True)
class Entry:
    """What the log is to hold of something that was done."""

    action: str  # one of ACTIONS
    kind: str  # one of KINDS
    id: str = ""  # of the object: hexadecimal digits and colons
    section: str = ""  # id of the section that the object is of
    n: int = 1  # how often
    outcome: str = DONE

    def __post_init__(self) -> None:
        if self.action not in ACTIONS or self.kind not in KINDS:
            raise ValueError(f"The audit log knows no {self.action} {self.kind}")
        if not (_ID.fullmatch(self.id) and _ID.fullmatch(self.section)):
            raise ValueError("The audit log holds ids alone: nothing that a user wrote")


class Head(NamedTuple):
    """The end of the log."""

    n: int  # number of the last row; 0: there is none
    chain: str  # its hash


def harmless_id(given: object) -> str:
    """Give what somebody asked for as an id, or nothing where it is none: it may be a name."""
    text = str(given)
    return text if _ID.fullmatch(text) and len(text) <= 64 else ""


def digest(before: str, values: Sequence[Any]) -> str:
    """Hash the values of a row, in the order of :data:`COLUMNS`, and the hash of the row before (sha256)."""
    return hashlib.sha256(_encode([before, *values]).encode()).hexdigest()


_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode
COLUMNS = [column.key for column in Audit.__table__.columns if column.key != "chain"]  # those hashed


def head(session: Session, *, hold: bool = False) -> Head:
    """Give the end of the log; with ``hold`` nobody else adds a row until the session ends."""
    asked = sa.select(AuditHead.n, AuditHead.chain).where(AuditHead.id == _ONE)
    found = session.execute(asked.with_for_update() if hold else asked).first()
    return Head(0, START) if found is None else Head(*found)


def append(session: Session, entries: Sequence[Entry], who: Actor, project: str = "") -> Head:
    """Add rows to the end of the log, in a session that writes to the database of the server's first library.

    Whoever else adds some waits until that session ends, so that it should do nothing more.

    Parameters
    ----------
    session
        Of :meth:`squint.library.database.Database.writing`.
    entries
        What was done.
    who
        Who did it, and where.
    project
        Id of the project whose library it was done in.
    """
    connection = session.connection()
    connection.execute(  # the first row of all: two may come at once
        sa.text("INSERT INTO audit_head (id, n, chain) VALUES (1, 0, :start) ON CONFLICT DO NOTHING"),
        {"start": START},
    )
    n, before = first = head(session, hold=True)
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    place = who.place if _PLACE.fullmatch(who.place) else ""
    rows = []
    for entry in entries:
        n += 1
        row = {
            "id": n,
            "time": time,
            "person": who.person,
            "project": project,
            "place": place,
            "action": entry.action,
            "kind": entry.kind,
            "object": entry.id,
            "section": entry.section,
            "n": entry.n,
            "outcome": entry.outcome,
        }
        before = digest(before, [row[name] for name in COLUMNS])
        rows.append({**row, "chain": before})
    if rows:
        connection.execute(sa.insert(Audit.__table__), rows)  # type: ignore[arg-type]
        connection.execute(sa.update(AuditHead.__table__).values(n=n, chain=before))  # type: ignore[arg-type]
    end = Head(n, before)
    if end.n // TELL_EVERY != first.n // TELL_EVERY:
        event.listen(session, "after_commit", lambda _: tell(end), once=True)
    return end


def tell(end: Head) -> None:
    """Write the end of the log to the server's log, whose keeper can hold the database to it."""
    _LOG.warning("Audit log: row %d has chain %s", end.n, end.chain)
