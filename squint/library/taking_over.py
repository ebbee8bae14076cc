"""What earlier versions of squint kept as files becomes rows, once, when it is first asked for."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.library.database import database
from squint.library.records import Mark

_LOG = logging.getLogger(__name__)


class Kept:
    """Rows of one kind in the database of a library.

    Parameters
    ----------
    home
        Folder of the library.
    mark
        Name of the mark that says that the files were taken over.
    take_over
        Is given a session, and adds rows of what lies in files. Returns the files that are not needed any
        more; what cannot be read it leaves where it is, and says so in the log.
    """

    def __init__(self, home: Path, mark: str, take_over: Callable[[Session], list[Path]]) -> None:
        self._home, self._mark, self._take_over = home, mark, take_over

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session in which nothing is written, as :meth:`squint.library.database.Database.reading`."""
        with database(self._home).reading() as session:
            if session.get(Mark, self._mark) is not None:
                yield session
                return
        with self.writing():
            pass
        with database(self._home).reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session that is committed at the end of the block; nobody else writes these rows then."""
        done: list[Path] = []
        with database(self._home).writing() as session:
            if alone(session, self._mark):
                done = self._take_over(session)
                session.flush()
            yield session
        for path in done:  # only now are they kept for certain
            path.unlink(missing_ok=True)


def alone(session: Session, mark: str) -> bool:
    """Set a mark, and keep others who ask for it waiting until the session ends; say whether it is new."""
    statement = sa.text("INSERT INTO marks (name, added) VALUES (:name, :added) ON CONFLICT DO NOTHING")
    made = session.connection().execute(statement, {"name": mark, "added": datetime.now(UTC).isoformat()})
    if made.rowcount == 1:
        return True
    session.execute(sa.select(Mark).where(Mark.name == mark).with_for_update())
    return False


def left_lying(path: Path, why: object) -> None:
    """Say in the log that a file could not be taken over."""
    _LOG.warning("%s was left as it is, and its content is not in the library: %s", path, why)
