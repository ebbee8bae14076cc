"""Which jobs of the libraries of a server are open, noticed soon after somebody else wrote them down.

Whoever wrote rings (:mod:`squint.engine.bell`); who did not, as a program of somebody's own, is noticed a
little later. SQLite counts what others commit, and reading that count costs microseconds: only a library in
which something was written is looked at. PostgreSQL is asked, once for all libraries.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from squint.engine.bell import Bell
from squint.errors import InputError
from squint.library import place
from squint.library.database import database, forget
from squint.library.jobs import OPEN, Jobs, JobState

_LOOK_S, _ALONE_S = 0.25, 0.02  # between two looks, and where nobody can ring
_REST_S = (1.0, 30.0)  # between two looks at a library that does not answer: at first, and at most

logger = logging.getLogger("squint.engine")


class OneLibrary:
    """A library whose jobs are done, as it was seen last.

    Parameters
    ----------
    home
        Its folder.
    engine
        Who does its jobs: what others began is to be done again.

    Raises
    ------
    InputError
        If its database does not answer.
    """

    def __init__(self, home: Path, engine: str) -> None:
        self.home = home
        self.database = database(home)
        self.jobs = Jobs(self.database)
        self.jobs.reconcile(engine)
        self.open: Mapping[int, JobState] = {}  # jobs, the oldest first
        self._connection = self.database.engine.raw_connection() if self.database.is_sqlite else None
        self._driver: Any = self._connection.driver_connection if self._connection else None
        self._seen: int | None = None

    def has_changed(self) -> bool:
        """Say whether something may have been written since it was looked at."""
        return self._seen is None or self._count() != self._seen

    def look(self) -> None:
        """Read which jobs are open."""
        seen = self._count()  # before: what is written meanwhile is looked at again
        self._seen = None
        self.open = {job.id: job for job in self.jobs.open()}
        self._seen = seen

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._connection.close()
        if not self.database.schema:  # else the connections are the others' too
            self.database.close()

    def _count(self) -> int | None:
        if self._driver is None:
            return None
        try:
            return int(self._driver.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:  # whoever reads the jobs says so in words
            return None


class Libraries:
    """All libraries of a server.

    Parameters
    ----------
    root
        Folder of the first.
    engine
        Who does their jobs.
    """

    def __init__(self, root: Path, engine: str) -> None:
        self._root, self._engine = root, engine
        self._known: dict[Path, OneLibrary] = {}
        self._failed: dict[Path, tuple[float, float]] = {}  # by home: until when it rests, and for how long

    def __iter__(self) -> Iterator[OneLibrary]:
        """List those that answered at least once."""
        return iter(list(self._known.values()))

    def get(self, home: Path) -> OneLibrary | None:
        """Give one, if it is there."""
        return self._known.get(home)

    @property
    def n_open(self) -> int:
        """How many jobs wait or run."""
        return sum(len(one.open) for one in self._known.values())

    def find(self) -> set[Path]:
        """Look which libraries there are; return which are gone."""
        homes = place.all_homes(self._root)
        gone = self._known.keys() - set(homes)
        for home in gone:
            self._known.pop(home).close()
            forget(home)
        for home in homes:
            if home not in self._known and self.answers(home):
                with self.trying(home):
                    self._known[home] = OneLibrary(home, self._engine)
        return gone

    def look(self) -> None:
        """Read which jobs are open, of those libraries in which something may have changed."""
        idle = self._idle_in_postgresql()
        for one in self:
            if one.home in idle:
                one.open = {}
            elif self.answers(one.home) and one.has_changed():
                with self.trying(one.home):
                    one.look()

    def wait(self, bell: Bell, until: float) -> None:
        """Wait for a change, until somebody rings, or until a time of the monotonic clock."""
        is_sqlite = all(one.database.is_sqlite for one in self._known.values())
        pause = _LOOK_S if bell.reaches_others else _ALONE_S
        while not bell.wait(min(pause, until - time.monotonic())):
            if not is_sqlite or time.monotonic() >= until or self._any_changed():
                return

    def answers(self, home: Path) -> bool:
        """Say whether the database of a library may be used: one that did not answer is let rest."""
        return time.monotonic() >= self._failed.get(home, (0.0, 0.0))[0]

    @contextmanager
    def trying(self, home: Path) -> Iterator[None]:
        """Use the database of a library; if it does not answer, that is logged now and then, and no more."""
        try:
            yield
        except InputError as error:
            until, rest = self._failed.get(home, (0.0, _REST_S[0] / 2))
            if time.monotonic() >= until:  # else it was said, and rests
                rest = min(2 * rest, _REST_S[1])
                self._failed[home] = time.monotonic() + rest, rest
                logger.warning("%s", error)
        else:
            self._failed.pop(home, None)

    def close(self) -> None:
        """Put jobs that run back into the queue, for the next engine, and let go of all."""
        for one in self:
            with suppress(InputError):
                one.jobs.reconcile("")
            one.close()
        self._known.clear()

    def _any_changed(self) -> bool:
        return any(one.has_changed() and self.answers(one.home) for one in self._known.values())

    def _idle_in_postgresql(self) -> set[Path]:
        """Ask once for all projects in which no job is open."""
        projects = [one for one in self if one.database.schema]
        root = self._known.get(self._root)
        if root is None or not projects:
            return set()
        with suppress(InputError, sa.exc.ProgrammingError), root.database.reading() as session:
            busy = set(session.scalars(_which_are_busy([one.database.schema for one in projects])))
            return {one.home for one in projects if one.database.schema not in busy}
        return set()  # one was removed just now: each is asked alone


def _which_are_busy(schemas: Sequence[str]) -> sa.CompoundSelect[str]:
    """Ask in which of some schemas a job is open."""
    asked = []
    for schema in schemas:
        jobs = sa.table("jobs", sa.column("state"), schema=schema)
        is_open = sa.exists().where(jobs.c.state.in_(OPEN))
        asked.append(sa.select(sa.literal(schema)).where(is_open))
    return sa.union_all(*asked)
