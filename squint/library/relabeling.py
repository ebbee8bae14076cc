"""Labelings changed by hand, and changed back: each change is a version, beside those before."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.files import Moves
from squint.library import keeping
from squint.library.access import changing
from squint.library.labeling_rows import CHANGED, check_words, new_version, row_of, sound, versions_of
from squint.library.labelings import KnownLabeling, draw, read, write_names
from squint.library.records import Labeling as Row
from squint.library.records import LabelingVersion
from squint.library.store import Library
from squint.library.stored import LABELINGS, hashed
from squint.library.types_in_use import file_of
from squint.stats.labelings import Labeling

MOST_VERSIONS = 50  # of a labeling: its first, and the last ones


@changing
def change(library: Library, labeling: KnownLabeling, what: str, names: Labeling) -> None:
    """Give a labeling other names; what was undone before is dropped.

    Parameters
    ----------
    library
        Whose labeling it is.
    labeling
        As it was when the change was made of it.
    what
        The change, in words.
    names
        Of all cells of the section. A cell that has no name any more has no confidence either.

    Raises
    ------
    InputError
        If the labeling is gone, damaged, or was changed meanwhile; if no cell has a name, or one
        tells of a person.
    """
    if not names.names:
        raise InputError("No cell would have a name. Delete the labeling instead.")
    check_words(names)
    _, confidence = read(library, labeling)
    confidence = np.where(names.codes >= 0, confidence, np.nan).astype(np.float32)
    place = library.folder(labeling.section_id) / LABELINGS / labeling.id
    number = labeling.versions[-1].number + 1
    with library.staged() as folder:
        write_names(folder / f"{number}.parquet", names, confidence)
        files = hashed(folder)

        def keep(session: Session, moves: Moves) -> None:
            row = sound(row_of(session, labeling.section_id, labeling.id))
            versions = versions_of(session, row)
            _check_same(row, versions, labeling)
            kept = [one for one in versions if one.number <= row.at]
            dropped = [*versions[len(kept) :], *kept[1 : max(len(kept) - MOST_VERSIONS + 2, 1)]]
            for one in dropped:
                library.files.forget(session, place / f"{one.number}.parquet")
                moves.discard(place / f"{one.number}.parquet")
                session.delete(one)
            (file,) = files
            done = labeling.now.n_changes + 1
            session.add(new_version(row.id, row.section_id, number, what, file.sha256, names, done))
            row.at = number
            session.flush()
            library.files.record(session, place, files, section_id=row.section_id)
            moves.replace(folder / file.name, place / file.name)

        keeping.once(library, keep)
    if labeling.in_use:
        draw(library, labeling.section_id)


@changing
def undo(library: Library, labeling: KnownLabeling) -> None:
    """Go back by one version, or stay at the first.

    Raises
    ------
    InputError
        If the labeling is gone, or was changed meanwhile, or the version to go to is damaged.
    """
    _go(library, labeling, -1)


@changing
def redo(library: Library, labeling: KnownLabeling) -> None:
    """Go forward by one version, or stay at the last.

    Raises
    ------
    InputError
        If the labeling is gone, or was changed meanwhile, or the version to go to is damaged.
    """
    _go(library, labeling, 1)


def _go(library: Library, labeling: KnownLabeling, by: int) -> None:
    numbers = [one.number for one in labeling.versions]
    target = numbers[min(max(numbers.index(labeling.at) + by, 0), len(numbers) - 1)]
    library.path(labeling.section_id, file_of(labeling.id, target))  # a damaged one is not gone to
    with library.database.writing() as session:
        row = sound(row_of(session, labeling.section_id, labeling.id))
        _check_same(row, versions_of(session, row), labeling)
        row.at = target
    if labeling.in_use:
        draw(library, labeling.section_id)


def _check_same(row: Row, versions: Sequence[LabelingVersion], labeling: KnownLabeling) -> None:
    """Refuse to change what somebody changed since it was read."""
    if row.at != labeling.at or versions[-1].number != labeling.versions[-1].number:
        raise InputError(CHANGED)
