"""What a crash left of a library is removed when a server starts, once its database was found to be whole."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.files import Moves
from squint.library.records import Model, Original, Picture, ResultRow, SectionRow
from squint.library.store import Library
from squint.library.stored import IMAGES

# Whoever adds rows to these holds a lock on them until the folder is in its place.
_LOCK = "LOCK TABLE sections, pictures, models, results, originals IN SHARE MODE"


def recover(library: Library) -> None:
    """Check the database, and remove folders that no row names: their rows were never written.

    Raises
    ------
    InputError
        If the database is damaged; nothing is removed then.
    """
    library.database.check()
    with Moves(library.workspace()) as moves, library.database.writing() as session:
        if not library.database.is_sqlite:  # where nobody else writes anyway
            session.execute(sa.text(_LOCK))
        named = sa.select(SectionRow.original).where(SectionRow.original.is_not(None))
        session.execute(sa.delete(Original).where(Original.sha256.not_in(named)))
        for folder, key in (
            (library.sections_folder, SectionRow.id),
            (library.models, Model.folder),
            (library.results, ResultRow.name),
            (library.originals, Original.sha256),
        ):
            for orphan in _orphans(session, folder, key):
                moves.discard(orphan)
        known = {tuple(key) for key in session.execute(sa.select(Picture.section_id, Picture.id))}
        for picture in library.sections_folder.glob(f"*/{IMAGES}/*"):
            if (picture.parent.parent.name, picture.name) not in known:
                moves.discard(picture)
    library.database.scrub()


def _orphans(session: Session, folder: Path, key: Any) -> list[Path]:
    known = set(session.scalars(sa.select(key)))
    return [path for path in folder.iterdir() if path.name not in known]
