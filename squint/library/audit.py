"""The audit log of a server: who saw, added, changed, exported and deleted what, in all of its projects.

It is one table in the database of the server's first library, to which rows are only ever added; the database
refuses to change or delete any. Each has a number, one more than the one before, and a hash over itself and
the row before (:mod:`squint.library.chain`). Rows hold ids alone: no name, no title, no path, and nothing of
a patient. What is changed is noted by :mod:`squint.library.noting`, all else by :func:`note`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import sqlalchemy as sa

from squint.errors import InputError
from squint.library import chain
from squint.library.acting import Actor, actor
from squint.library.chain import COLUMNS, START, Entry, Head
from squint.library.database import Database, database
from squint.library.place import project_of, root_of
from squint.library.records import Audit, AuditHead

PAGE = 100  # rows
NOBODY = "server"  # whom a filter calls what squint did by itself
_BLOCK = 5_000  # rows read at once

Report = Callable[[float, str], None]


class Row(NamedTuple):
    """What the log says of something that was done."""

    id: int  # counts upwards: clocks may jump
    time: str  # UTC
    person: int | None  # ``None``: squint by itself
    project: str
    place: str  # name of the page or command
    action: str
    kind: str
    object: str  # its id
    section: str  # id of the section that the object is of
    n: int  # how often
    outcome: str
    chain: str


@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; what is empty or ``None`` leaves out none."""

    person: str = ""  # number of a person, or NOBODY
    action: str = ""
    section: str = ""  # start of its id
    since: str = ""  # UTC, as the rows have it: "2026-11-28" or "2026-11-28T09:00"
    until: str = ""  # likewise; not included
    after: int = 0  # rows with a higher number alone

    def __post_init__(self) -> None:
        if self.person and self.person != NOBODY and not self.person.isdecimal():
            raise InputError(f"A person is named by a number, or {NOBODY}.")
        if self.action and self.action not in chain.ACTIONS:
            raise InputError(f"{self.action} is no action. There are: {', '.join(chain.ACTIONS)}.")


@dataclass(frozen=True)
class Verdict:
    """What was found of the chain."""

    n_rows: int  # that the log says it has
    n_checked: int  # that fit, from the first on
    row: int | None  # number of the first row that does not fit
    problem: str  # what is wrong with it; nothing if all fit
    chain: str  # of the last row


def note(home: Path, *entries: Entry, who: Actor | None = None) -> None:
    """Write into the log of a library's server that something is about to be done.

    Parameters
    ----------
    home
        Folder of the library.
    entries
        What is done.
    who
        Who does it; by default whoever :func:`squint.library.acting.actor` says.

    Raises
    ------
    InputError
        If it could not be written: then it must not be done.
    """
    try:
        who = who or actor()  # before anything is locked
        with log_of(home).writing() as session:
            chain.append(session, entries, who, project_of(home))
    except InputError as error:
        raise InputError(f"This was not done, as the audit log could not be written. {error}") from error


def log_of(home: Path) -> Database:
    """Give the database that holds the log of a library's server."""
    return database(root_of(home))


def head(log: Database) -> Head:
    """Give the end of the log."""
    with log.reading() as session:
        return chain.head(session)


def rows(log: Database, wanted: Filter, *, before: int | None = None, n: int = PAGE) -> list[Row]:
    """Give the last ``n`` rows that are wanted, the newest first; of those before a number, if one is given.

    However long the log is, only as much of it is read as is needed to find them.
    """
    asked = _chosen(wanted).order_by(Audit.id.desc()).limit(n)
    if before is not None:
        asked = asked.where(Audit.id < before)
    with log.reading() as session:
        return [Row(*row) for row in session.execute(asked)]


def every(log: Database, wanted: Filter, most: int | None = None) -> Iterator[Row]:
    """Give all rows that are wanted, or so many, the newest first."""
    before, left = None, most
    while left is None or left > 0:
        found = rows(log, wanted, before=before, n=_BLOCK if left is None else min(_BLOCK, left))
        yield from found
        if not found:
            return
        before = found[-1].id
        left = None if left is None else left - len(found)


def write_csv(log: Database, wanted: Filter, file: TextIO, most: int | None = None) -> int:
    """Write rows as CSV with ids, the newest first; return how many those are."""
    import csv  # noqa: PLC0415 - where a file is written

    from squint.spreadsheet import neutral  # noqa: PLC0415

    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(Row._fields)
    n = 0
    for n, row in enumerate(every(log, wanted, most), 1):  # noqa: B007 - counts
        writer.writerow([neutral(value) if isinstance(value, str) else value for value in row])
    return n


def people(log: Database) -> list[int | None]:
    """List whoever is in the log, by jumps along an index."""
    with log.reading() as session:
        has_none = session.scalar(sa.select(Audit.id).where(Audit.person.is_(None)).limit(1)) is not None
        found: list[int | None] = [None] if has_none else []
        last = session.scalar(sa.select(sa.func.min(Audit.person)))
        while last is not None:
            found.append(last)
            last = session.scalar(sa.select(sa.func.min(Audit.person)).where(Audit.person > last))
    return found


def verify(log: Database, kept: Head | None = None, report: Report = lambda *_: None) -> Verdict:
    """Follow the chain from the first row to the last, and say which is the first that does not fit.

    Parameters
    ----------
    log
        Of :func:`log_of`.
    kept
        A head that somebody kept elsewhere: the log must have come by it.
    report
        Is told how far it is.

    Returns
    -------
    What was found. Rows that were added meanwhile are not looked at.
    """
    end, last = _end(log)
    number, before = 0, START
    kept_fits = kept is None or (kept.n == 0 and kept.chain == START)
    for block in _blocks(log, end.n):
        for row in block:
            problem = _problem(row, number, before)
            if problem:
                return Verdict(end.n, number, number + 1, problem, end.chain)
            number, before = row[0], row[-1]
            if kept is not None and number == kept.n:
                kept_fits = before == kept.chain
                if not kept_fits:
                    problem = f"Row {number:,} is not that of the head that was kept: the log was rewritten."
                    return Verdict(end.n, number - 1, number, problem, end.chain)
        report(number / max(end.n, 1), f"{number:,} of {end.n:,} rows")
    problem, first = _problem_at_end(Head(number, before), end, last)
    if not problem and not kept_fits and kept is not None:
        problem = f"The log has no row {kept.n:,}, of which the head was kept: its end was cut off."
        first = number + 1
    return Verdict(end.n, number, first if problem else None, problem, end.chain)


def _end(log: Database) -> tuple[Head, int]:
    """Give the end that the log says it has, and the number of the last row, both at one moment."""
    last = sa.select(sa.func.coalesce(sa.func.max(Audit.id), 0)).scalar_subquery()
    with log.reading() as session:
        found = session.execute(sa.select(AuditHead.n, AuditHead.chain, last)).first()
        if found is None:
            return Head(0, START), session.scalar(sa.select(last)) or 0
    return Head(found[0], found[1]), found[2]


def _blocks(log: Database, end: int) -> Iterator[Sequence[Any]]:
    """Read all rows up to the end, the oldest first, some at a time."""
    columns = [getattr(Audit, name) for name in (*COLUMNS, "chain")]
    last = -(1 << 62)  # a row that somebody put in may have any number
    while True:
        asked = sa.select(*columns).where(Audit.id > last, Audit.id <= end).order_by(Audit.id).limit(_BLOCK)
        with log.reading() as session:
            block = session.execute(asked).all()
        if not block:
            return
        yield block
        last = block[-1][0]


def _problem(row: Sequence[Any], number: int, before: str) -> str:
    """Say what is wrong with a row after the one of some number and hash."""
    if row[0] > number + 1:
        return f"Row {number + 1:,} is missing: it was taken out."
    if row[0] != number + 1:
        return f"There is a row {row[0]:,}, which was put in."
    if row[-1] != chain.digest(before, row[:-1]):
        return f"Row {row[0]:,} was changed, or was put in or moved there."
    return ""


def _problem_at_end(found: Head, said: Head, last: int) -> tuple[str, int]:
    if found.n < said.n:
        return f"The last {said.n - found.n:,} rows are missing, from row {found.n + 1:,} on.", found.n + 1
    if last > said.n:
        return f"Row {said.n + 1:,} was put in behind the last one that squint wrote.", said.n + 1
    if found.chain != said.chain:
        return f"Row {found.n:,} is not the last one that squint wrote.", found.n
    return "", 0


def _chosen(wanted: Filter) -> sa.Select[Any]:
    chosen = sa.select(*(getattr(Audit, name) for name in Row._fields))
    if wanted.person:
        who = None if wanted.person == NOBODY else int(wanted.person)
        chosen = chosen.where(Audit.person.is_(None) if who is None else Audit.person == who)
    if wanted.action:
        chosen = chosen.where(Audit.action == wanted.action)
    if len(wanted.section) == Audit.section.type.length:
        chosen = chosen.where(Audit.section == wanted.section)
    elif wanted.section:
        chosen = chosen.where(Audit.section.startswith(wanted.section, autoescape=True))
    if wanted.since:
        chosen = chosen.where(Audit.time >= wanted.since)
    if wanted.until:
        chosen = chosen.where(Audit.time < wanted.until)
    return chosen.where(Audit.id > wanted.after) if wanted.after else chosen
