"""That a library's folder and its database belong together: both hold the same mark.

A folder beside another database, or the other way round, would look like sections without rows, which are
removed, or rows without sections.
"""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from squint.errors import InputError
from squint.files import write_text
from squint.library import place
from squint.library.database import Database, url_of
from squint.library.records import Mark, SectionRow

FILE = place.MARK
_MARK = "library"

_seen: dict[tuple[Path, str], str] = {}  # by this process


def check_folder(home: Path) -> None:
    """See that a folder which this process has used is still the one that it was.

    Raises
    ------
    InputError
        If it is not.
    """
    known = _seen.get((home, url_of(home)))
    if known is not None and _read(home) != known:
        raise InputError(
            f"The library folder {home} was deleted or replaced while squint was running. "
            "Put it back, or start squint again."
        )


def check(home: Path, database: Database) -> None:
    """See that a folder and a database belong together; those of a new library do from now on.

    Raises
    ------
    InputError
        If they do not.
    """
    place = home, url_of(home)
    if place in _seen:
        return
    try:
        found = _agree(home, database)
    except sa.exc.IntegrityError:  # another process began the same library at the same moment
        found = _agree(home, database)
    _seen[place] = found


def _agree(home: Path, database: Database) -> str:
    found = _read(home)  # first: it is written when the mark is there
    with database.reading() as session:
        mark = session.get(Mark, _MARK)
        is_empty = session.scalar(sa.select(SectionRow.id).limit(1)) is None
    known = mark.added if mark is not None else None
    if known is not None and known in (found, _read(home)):
        return known
    if known is None and found is None:
        return _begin(home, database)
    if known is None:
        raise InputError(
            f"The database knows nothing of the library in {home}. Name the one that it had "
            "(SQUINT_DATABASE_URL), or restore a backup of both."
        )
    if found is None and is_empty:  # whoever began it was interrupted
        write_text(home / FILE, known)
        return known
    raise InputError(
        f"The library folder {home} is not the one that the database knows of. Look whether its disk "
        "is there (SQUINT_HOME), or restore a backup of both."
    )


def _begin(home: Path, database: Database) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mark = f"{now} {uuid4().hex[:8]}"
    with database.writing() as session:
        known = session.get(Mark, _MARK)
        if known is not None:
            mark = known.added
        else:
            session.add(Mark(name=_MARK, added=mark))
    write_text(home / FILE, mark)
    return mark


def _read(home: Path) -> str | None:
    try:
        return (home / FILE).read_text(errors="replace")
    except OSError:
        return None
