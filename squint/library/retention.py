"""Results that nobody has looked at for long are deleted: they are computed again when they are asked for.

Sections, originals, tokens and their names, models, cell sets, gene sets and notes stay. Clocks jump, so a
server deletes only what is old by two counts: by the clock, and by the days on which the library was swept. A
clock that jumps ahead adds one to the second; a use in the future, of a clock that was set back since, is
taken for one of now.
"""

import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library import keeping
from squint.library.folders import Folders
from squint.library.records import DayCount, ResultRow, ResultUse, StoredFile

KEEP_DAYS = 90.0  # where SQUINT_KEEP_DAYS does not say otherwise
_DAY_S = 86_400.0
_FRESH_S = _DAY_S / 2  # a use is written no more often: reading a page must not cost a write


@dataclass(frozen=True)
class Unused:
    """A result that nobody has looked at for long."""

    name: str
    n_bytes: int
    used: float  # when it was last, seconds since 1970


def keep_days() -> float:
    """Read ``SQUINT_KEEP_DAYS``: how many days a result stays that nobody looks at; ``inf``: for ever.

    Raises
    ------
    InputError
        If it is no number of days.
    """
    given = os.environ.get("SQUINT_KEEP_DAYS")
    return check_days(given, "SQUINT_KEEP_DAYS") if given else KEEP_DAYS


def check_days(given: str, name: str, least: float = 1.0) -> float:
    """Read a number of days that is called by a name."""
    try:
        days = float(given)
    except ValueError:
        days = math.nan
    if not days >= least:
        raise InputError(f"{name} must be a number of days, {least:g} or more, not {given!r}.")
    return days


def note_use(library: Folders, name: str, before: ResultUse | None) -> bool:
    """Note that a result is used now, where that was not noted lately.

    Parameters
    ----------
    library
        Where it is.
    name
        The result.
    before
        What was noted last, if anything.

    Returns
    -------
    Whether the result is there: it may have been deleted just now.
    """
    now = _now()
    if before is not None and 0 <= now - before.used < _FRESH_S:
        return True
    # A disk that is full, or another process that noted it just now, keeps nobody from reading.
    with suppress(InputError, sa.exc.IntegrityError), library.database.writing() as session:
        if session.get(ResultRow, name, with_for_update={"read": True, "key_share": True}) is None:
            return False
        session.merge(ResultUse(name=name, used=now, day=_day(session)))
    return True


def sweep(library: Folders) -> list[Unused]:
    """Delete the results that nobody looked at for ``SQUINT_KEEP_DAYS``; return what was deleted."""
    days, now = keep_days(), _now()
    with library.database.reading() as session:
        is_settled = _is_noted(session, now) and not _unused(session, days, now, _day(session))
    if is_settled:
        return []
    found = _delete(library, days, now, counted=True)  # first: it makes room, and the rest takes some
    with suppress(sa.exc.IntegrityError), library.database.writing() as session:  # another was faster
        _note(session, now)
    return found


def prune(library: Folders, days: float, *, dry_run: bool = False) -> list[Unused]:
    """Delete the results that nobody looked at for so many days, by the clock alone.

    Parameters
    ----------
    library
        Whose results they are.
    days
        How long ago they were used last.
    dry_run
        Delete nothing.

    Returns
    -------
    What was deleted, or would be.
    """
    now = _now()
    if dry_run:
        with library.database.reading() as session:
            return _unused(session, days, now)
    return _delete(library, days, now, counted=False)


def _delete(library: Folders, days: float, now: float, *, counted: bool) -> list[Unused]:
    found: list[Unused] = []

    def choose(session: Session) -> list[str]:
        day = _day(session) if counted else None
        names = [one.name for one in _unused(session, days, now, day)]
        session.execute(sa.select(ResultRow.name).where(ResultRow.name.in_(names)).with_for_update())
        found[:] = _unused(session, days, now, day)  # but for those of which a use was noted just now
        found[:] = [one for one in found if one.name in names]
        return [one.name for one in found]

    keeping.drop_results(library, choose)
    return found


def _unused(session: Session, days: float, now: float, day: int | None = None) -> list[Unused]:
    """List what was not used for so many days by the clock, and by the count of days if ``day`` is given."""
    size = sa.select(sa.func.coalesce(sa.func.sum(StoredFile.n_bytes), 0)).where(
        StoredFile.result == ResultRow.name
    )
    asked = (
        sa.select(ResultRow.name, ResultRow.added, ResultUse.used, ResultUse.day, size.scalar_subquery())
        .outerjoin(ResultUse, ResultUse.name == ResultRow.name)
        .order_by(ResultRow.name)
    )
    found = []
    for name, added, used, used_on, n_bytes in session.execute(asked):
        last = _seconds(added, now) if used is None else used
        counted = day is None or (used_on is not None and day - used_on >= days)
        if counted and now - last >= days * _DAY_S:
            found.append(Unused(name, int(n_bytes), last))
    return found


def _is_noted(session: Session, now: float) -> bool:
    """Say whether this day was counted, and each result has a use that may be true."""
    count = session.get(DayCount, 1)
    return count is not None and count.date == _date(now) and not _doubtful(session, now)


def _note(session: Session, now: float) -> None:
    """Count this day, and take uses that are not known, or cannot be true, for one of now."""
    count = session.get(DayCount, 1, with_for_update=True)
    if count is None:
        session.add(DayCount(id=1, day=0, date=_date(now)))
    elif count.date != _date(now):
        count.day, count.date = count.day + 1, _date(now)
    session.flush()
    for name in _doubtful(session, now):
        session.merge(ResultUse(name=name, used=now, day=_day(session)))


def _doubtful(session: Session, now: float) -> list[str]:
    asked = sa.select(ResultRow.name).outerjoin(ResultUse, ResultUse.name == ResultRow.name)
    return list(session.scalars(asked.where(sa.or_(ResultUse.used.is_(None), ResultUse.used > now))))


def _day(session: Session) -> int:
    count = session.get(DayCount, 1)
    return 0 if count is None else count.day


def _date(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _seconds(added: str, now: float) -> float:
    """Read when a result was added, of which no use is known; now, if that cannot be read."""
    try:
        return datetime.fromisoformat(added).timestamp()
    except ValueError:
        return now


def _now() -> float:
    return time.time()
