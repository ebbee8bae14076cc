"""Whether two copies of a section have their cells in the same order, of which its hash says nothing."""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.library.folders import Folders
from squint.library.records import StoredFile
from squint.library.stored import CELLS, GRAPH, Hashed
from squint.library.tables import read_table


def is_kept(library: Folders, session: Session, section_id: str, copy: Path, files: Sequence[Hashed]) -> bool:
    """Say whether a copy of a section is sure to have its cells where the library's has them.

    Tokens, names, sets of cells and results are kept by the place of a cell, so that no copy in another order
    may take the place of the section. What the library's files held is known by their hashes even where they
    are damaged.

    Parameters
    ----------
    library, session, section_id
        Whose section it is.
    copy
        Folder of the copy, complete.
    files
        What is in it.
    """
    place = library.folder(section_id)
    asked = sa.select(StoredFile.path, StoredFile.sha256).where(StoredFile.section_id == section_id)
    known = {library.home / path: sha256 for path, sha256 in session.execute(asked)}
    same = {one.name for one in files if known.get(place / one.name) == one.sha256}
    if CELLS in same:
        return True
    # Another study code gives cells other names but the same graph, unless two lie in one place.
    return GRAPH in same and not read_table(copy / CELLS, ["x", "y"]).duplicated().any()
