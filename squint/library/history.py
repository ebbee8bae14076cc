"""Versions of something, as rows, with a head that says which one counts: undo, redo, no change lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from squint.errors import InputError
from squint.library.old_history import read_old
from squint.library.records import HistoryHead, HistoryVersion
from squint.library.taking_over import Kept

_VERSIONS = 200
_DAMAGED = "a change that is damaged"


@dataclass(frozen=True)
class Now:
    """What counts, and where one can go from there."""

    version: int = 0  # its number; 0 before the first change
    content: Any = None  # JSON; ``None`` before the first change, and where it is damaged
    saved: datetime | None = None  # when that was last changed
    undo: str = ""  # what going back would undo, in words; nothing if there is nothing
    redo: str = ""  # what going forward would do again, likewise
    damage: str = ""  # why there is no content, and what to do


class History:
    """Versions, at most 200, in the database of a library. Each change is made on what is there by then.

    Parameters
    ----------
    home
        Folder of the library.
    name
        Of what has a history, such as ``"cell_sets"``; older libraries kept it in the folder of that name.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._name = name
        self._kept = Kept(home, name, lambda session: self._take_over(session, home / name))

    def now(self) -> Now:
        """Say what counts."""
        with self._kept.reading() as session:
            return self._now(session)

    def commit(self, change: Callable[[Any], tuple[str, Any]]) -> int:
        """Change what is there by now, and keep it as a new version; what was undone is dropped.

        Parameters
        ----------
        change
            Is given the content that counts; returns what it does, in words, and the new content. Nothing is
            kept where it raises.

        Returns
        -------
        Number of the version.

        Raises
        ------
        InputError
            If what is there is damaged.
        """
        with self._kept.writing() as session:
            now = self._now(session)
            if now.damage:
                raise InputError(now.damage)
            if not now.version:  # the state before the first change, to go back to
                session.add(HistoryHead(name=self._name, at=1, saved=0.0))
                session.flush()
                session.add(HistoryVersion(name=self._name, number=1, what="", content=None))
                session.flush()
            what, content = change(now.content)
            numbers = self._numbers(session)
            new = numbers[-1] + 1
            kept = [number for number in numbers if number <= max(now.version, 1)][1 - _VERSIONS :]
            self._drop(session, set(numbers) - set(kept))
            session.add(HistoryVersion(name=self._name, number=new, what=what, content=content))
            self._move(session, new)
        return new

    def step(self, by: int, seen: int | None) -> str:
        """Go back (-1) or forward (1) by a change; returns which.

        Raises
        ------
        InputError
            If there is none, or another version than ``seen`` counts by now.
        """
        with self._kept.writing() as session:
            now = self._now(session)
            if seen is not None and seen != now.version:
                raise InputError("This was changed meanwhile. Look at what is there before you go on.")
            if not (now.undo if by < 0 else now.redo):
                raise InputError("There is nothing to undo." if by < 0 else "There is nothing to do again.")
            self._move(session, self._next(session, by))
        return now.undo if by < 0 else now.redo

    @contextmanager
    def held(self) -> Iterator[list[Any] | None]:
        """Give the contents of all versions, which nobody changes meanwhile; ``None`` if any is damaged."""
        with self._kept.writing() as session:
            rows = session.scalars(sa.select(HistoryVersion).where(HistoryVersion.name == self._name)).all()
            whole = all(row.intact for row in rows) and not self._now(session).damage
            yield [row.content for row in rows] if whole else None

    def clear(self) -> None:
        """Remove all versions: there is no way back."""
        with self._kept.writing() as session:
            session.execute(sa.delete(HistoryVersion).where(HistoryVersion.name == self._name))
            session.execute(sa.delete(HistoryHead).where(HistoryHead.name == self._name))

    def _now(self, session: Session) -> Now:
        """Look at the head, the version that counts and the next, all in one question: they go together."""
        older = aliased(HistoryVersion)
        before = sa.exists().where(older.name == HistoryHead.name, older.number < HistoryHead.at)
        here = sa.and_(HistoryVersion.name == HistoryHead.name, HistoryVersion.number >= HistoryHead.at)
        found = session.execute(
            sa.select(HistoryHead, HistoryVersion, before)
            .outerjoin(HistoryVersion, here)
            .where(HistoryHead.name == self._name)
            .order_by(HistoryVersion.number)
            .limit(2)
        ).all()
        if not found:
            return Now()
        head, is_first = found[0][0], not found[0][2]
        rows: list[HistoryVersion | None] = [row for _, row, _ in found]  # none, where the version is lost
        by_number = {row.number: row for row in rows if row is not None}
        if not head.intact:
            undo = "" if is_first and not by_number else _DAMAGED
            return Now(head.at, undo=undo, damage=self._damage())
        current = by_number.pop(head.at, None)
        redo = next((_words(row) for row in by_number.values()), "")
        saved = datetime.fromtimestamp(head.saved, UTC)
        if current is None or not current.intact:
            return Now(head.at, None, saved, "" if is_first else _DAMAGED, redo, self._damage())
        return Now(head.at, current.content, saved, "" if is_first else current.what, redo)

    def _next(self, session: Session, by: int) -> int:
        """Give the number of the version before or after the one that counts."""
        head = session.get_one(HistoryHead, self._name)
        numbers = self._numbers(session)
        if not head.intact:  # which one counts is not known, so the last one does
            return numbers[-1]
        return max(n for n in numbers if n < head.at) if by < 0 else min(n for n in numbers if n > head.at)

    def _numbers(self, session: Session) -> list[int]:
        query = sa.select(HistoryVersion.number).where(HistoryVersion.name == self._name)
        return list(session.scalars(query.order_by(HistoryVersion.number)))

    def _drop(self, session: Session, numbers: set[int]) -> None:
        gone = sa.and_(HistoryVersion.name == self._name, HistoryVersion.number.in_(numbers))
        session.execute(sa.delete(HistoryVersion).where(gone))

    def _move(self, session: Session, at: int) -> None:
        head = session.get_one(HistoryHead, self._name)
        head.at, head.saved = at, time.time()

    def _damage(self) -> str:
        what = self._name.replace("_", " ")
        return f"The {what} are damaged in the library. Undo the last change of them, or restore a backup."

    def _take_over(self, session: Session, folder: Path) -> list[Path]:
        """Make rows of the files of an older library; one that is damaged is said to be where it counts."""
        old = read_old(folder)
        if old.versions:
            session.add(HistoryHead(name=self._name, at=old.at, saved=old.saved))
            session.flush()
        for number, (what, content) in old.versions.items():
            session.add(HistoryVersion(name=self._name, number=number, what=what, content=content))
        return old.files


def _words(row: HistoryVersion) -> str:
    return row.what if row.intact else _DAMAGED
