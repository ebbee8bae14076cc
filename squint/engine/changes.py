"""How an engine notices soon that a row was written by somebody else."""

import threading
import time
from types import TracebackType

import sqlalchemy as sa

from squint.library.database import Database

_SQLITE_S, _OTHER_S = 0.01, 0.05  # between two looks


class Changes:
    """Waits for changes of a database.

    SQLite counts what others commit, and reading that count costs microseconds. Any other database is simply
    looked at again after a while.
    """

    def __init__(self, database: Database) -> None:
        self._connection: sa.PoolProxiedConnection | None = (
            database.engine.raw_connection() if database.is_sqlite else None
        )
        self._seen = self._count()

    def wait(self, woken: threading.Event, until: float) -> None:
        """Wait for a change, until somebody wakes us, or until a time of the monotonic clock."""
        pause = _OTHER_S if self._connection is None else _SQLITE_S
        while not woken.wait(max(0.0, min(pause, until - time.monotonic()))):
            seen = self._count()
            if seen != self._seen or self._connection is None or time.monotonic() >= until:
                self._seen = seen
                return

    def _count(self) -> int:
        if self._connection is None:
            return 0
        cursor = self._connection.cursor()
        try:
            return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()

    def __enter__(self) -> "Changes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
