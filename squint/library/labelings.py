"""Names for the cells of a section: several labelings, of which one may be in use, each with its versions.

A section of whose labelings none is in use has the types that its file gives, if it gives any. A labeling is
never changed: a change makes a new version beside those before, to go back and forward to.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from squint import keys
from squint._version import __version__
from squint.errors import InputError
from squint.files import Moves
from squint.library import keeping
from squint.library.access import changing
from squint.library.labeling_rows import CHANGED, GONE, check_words, new_version, row_of, sound, versions_of
from squint.library.records import Labeling as Row
from squint.library.store import CELLS, THUMBNAIL, Library
from squint.library.stored import LABELINGS, hashed
from squint.library.tables import column_names, read_table, write_table
from squint.library.thumbnail import thumbnail
from squint.library.types_in_use import file_of, words
from squint.sensitive import looks_like
from squint.stats.labelings import Labeling

_log = logging.getLogger(__name__)

CONFIDENCE = "confidence"  # column of a version's file, beside that of the types
EVIDENCE = "evidence.parquet"
MOST_LETTERS = 60  # of a name
OF_FILE = "From the file"  # what a copy of the types of the section's file is called


@dataclass(frozen=True)
class Made:
    """A labeling that can be kept."""

    name: str  # of the labeling
    method: str  # "clusters", "markers", "transfer", "file", "instrument" or "own"
    how: str  # in words, such as "clusters by Leiden, resolution 1, seed 0"
    labels: "pd.Categorical[str]"  # (n,) of the section's cells, missing where there is no name
    confidence: NDArray[np.float32]  # (n,) in [0, 1], NaN where none is stated
    facts: Mapping[str, Any] = field(default_factory=dict)  # for JSON
    evidence: pd.DataFrame | None = None
    added: str = ""  # UTC; empty: now


@dataclass(frozen=True)
class Version:
    """What a labeling is after a change."""

    number: int
    what: str  # the change, in words; empty of the first
    n_types: int
    n_named: int  # cells with a name
    n_changes: int
    made: str  # UTC
    sha256: str


@dataclass(frozen=True)
class KnownLabeling:
    """A labeling of a section."""

    id: str
    section_id: str
    name: str
    method: str
    how: str
    facts: Mapping[str, Any]
    added: str  # UTC
    in_use: bool
    damage: str  # in words; empty if nothing
    at: int  # number of the version that counts
    versions: tuple[Version, ...]  # those kept, in the order in which they were made

    @property
    def now(self) -> Version:
        """The version that counts."""
        return next(one for one in self.versions if one.number == self.at)

    @property
    def undoes(self) -> str:
        """What would be undone, in words; nothing if there is nothing."""
        return _together(self.versions[self._place - 1], self.now) if self._place else ""

    @property
    def redoes(self) -> str:
        """What would be done again, in words; nothing if there is nothing."""
        after = self.versions[self._place + 1 :]
        return _together(self.now, after[0]) if after else ""

    @property
    def words(self) -> str:
        """How, by what and when the names were made, for stamps."""
        return words(self.name, self.how, self.added, self.facts, self.now.n_changes, self.now.made)

    @property
    def _place(self) -> int:
        return [one.number for one in self.versions].index(self.at)


def _together(before: Version, after: Version) -> str:
    """Say what lies between two versions: one change, or those whose versions are not kept any more."""
    n_changes = after.n_changes - before.n_changes
    return after.what if n_changes == 1 else f"{n_changes} changes"


def known(library: Library, section_id: str) -> list[KnownLabeling]:
    """List the labelings of a section, the newest first, damaged ones too."""
    with library.database.reading() as session:
        rows = session.scalars(
            sa.select(Row).where(Row.section_id == section_id).order_by(Row.added.desc(), Row.id)
        ).all()
        return [found for row in rows if (found := _known(session, row)) is not None]


@changing
def add(library: Library, section_id: str, made: Made, *, in_use: bool = True) -> str:
    """Keep a labeling of a section, which is in use from then on unless it is not to be; return its id.

    Raises
    ------
    InputError
        If the section is gone, has another number of cells, or a labeling of this name; if the name is none
        or looks as if it named a person; if no cell has a name; if the library or the disk is full.
    """
    name = fit_name(made.name)
    if len(made.labels) != library.get(section_id).n_cells:
        raise InputError("The names are of other cells than the section's. Name the cells again.")
    first = Labeling.of(made.labels)
    if not first.names:
        raise InputError("No cell would have a name. Choose another way to name them.")
    check_words(first)
    key = uuid4().hex
    with library.staged() as folder:
        write_names(folder / "0.parquet", first, made.confidence)
        if made.evidence is not None:
            write_table(made.evidence, folder / EVIDENCE)
        files = hashed(folder)
        sha256 = next(one.sha256 for one in files if one.name == "0.parquet")
        place = library.folder(section_id) / LABELINGS / key

        def change(session: Session, moves: Moves) -> None:
            keeping.hold(session, [section_id])
            others = session.scalars(
                sa.select(Row).where(Row.section_id == section_id).with_for_update()
            ).all()
            if any(other.name == name for other in others):
                raise InputError(f"This section has a labeling {name!r} already. Choose another name.")
            for other in others:
                other.in_use = other.in_use and not in_use
            facts = {"squint": __version__, **made.facts}
            session.add(
                Row(
                    id=key,
                    section_id=section_id,
                    name=name,
                    method=made.method,
                    how=made.how,
                    facts=json.dumps(facts),
                    added=made.added or keeping.now(),
                    in_use=in_use,
                    at=0,
                    damage="",
                )
            )
            session.flush()
            session.add(new_version(key, section_id, 0, "", sha256, first, 0))
            library.files.record(session, place, files, section_id=section_id)
            moves.move(folder, place)

        keeping.once(library, change)
    draw(library, section_id)
    return key


@changing
def use(library: Library, section_id: str, labeling: str | None) -> None:
    """Use one of a section's labelings; ``None``: none, but the types that its file gives.

    Raises
    ------
    InputError
        If it is gone or damaged.
    """
    with library.database.writing() as session:
        rows = session.scalars(sa.select(Row).where(Row.section_id == section_id).with_for_update()).all()
        if labeling is not None:
            sound(next((row for row in rows if row.id == labeling), None))
        for row in rows:
            row.in_use = row.id == labeling
    draw(library, section_id)


def read(library: Library, labeling: KnownLabeling) -> tuple[Labeling, NDArray[np.float32]]:
    """Read the names (n,) that a labeling gives now, and how sure each is: NaN where that is not stated.

    Raises
    ------
    DamagedError
        If they are damaged; the labeling is marked.
    """
    path = library.path(labeling.section_id, file_of(labeling.id, labeling.at))
    table = read_table(path)
    confidence: NDArray[np.float32] = table[CONFIDENCE].to_numpy(dtype=np.float32)
    return Labeling.of(table[keys.CELL_TYPE]), confidence


def read_evidence(library: Library, labeling: KnownLabeling) -> pd.DataFrame | None:
    """Read what the names rest on, as :func:`squint.tl.cell_types` writes it; ``None`` if there is none."""
    path = library.folder(labeling.section_id) / LABELINGS / labeling.id / EVIDENCE
    return read_table(library.files.checked(path)) if library.files.is_recorded(path) else None


def of_file(library: Library, section_id: str) -> Labeling | None:
    """Read the names (n,) that the file of a section gives its cells; ``None`` if it gives none.

    Raises
    ------
    InputError
        If the section is gone or damaged.
    """
    path = library.path(section_id, CELLS)
    if keys.CELL_TYPE not in column_names(path):
        return None
    found = Labeling.of(read_table(path, [keys.CELL_TYPE])[keys.CELL_TYPE])
    return found if found.names else None


def copy_of_file(library: Library, section_id: str) -> KnownLabeling:
    """Make a labeling of the names that the file of a section gives, to be changed; it is in use then.

    Raises
    ------
    InputError
        If the file gives none, or another labeling is in use meanwhile.
    """
    found = of_file(library, section_id)
    if found is None:
        raise InputError("The file of this section names no cells. Name them first.")
    if library.get(section_id).named is not None:
        raise InputError(CHANGED)
    name = free_name(library, section_id, OF_FILE)
    sure = np.full(len(found.codes), np.nan, dtype=np.float32)
    key = add(library, section_id, Made(name, "own", "as in the section's file", found.column(), sure))
    return next(one for one in known(library, section_id) if one.id == key)


@changing
def rename(library: Library, labeling: KnownLabeling, name: str) -> None:
    """Call a labeling otherwise.

    Raises
    ------
    InputError
        If the name is none, is taken, or looks as if it named a person; if the labeling is gone.
    """
    name = fit_name(name)
    with library.database.writing() as session:
        row = sound(row_of(session, labeling.section_id, labeling.id))
        taken = sa.select(Row.id).where(
            Row.section_id == labeling.section_id, Row.name == name, Row.id != labeling.id
        )
        if session.scalar(taken.limit(1)):
            raise InputError(f"This section has a labeling {name!r} already. Choose another name.")
        row.name = name


@changing
def delete(library: Library, labeling: KnownLabeling) -> None:
    """Remove a labeling with all its versions, damaged or not; one that is in use leaves none in use.

    Raises
    ------
    InputError
        If it is gone.
    """
    place = library.folder(labeling.section_id) / LABELINGS / labeling.id

    def drop(session: Session, moves: Moves) -> None:
        if row_of(session, labeling.section_id, labeling.id) is None:
            raise InputError(GONE)
        session.execute(sa.delete(Row).where(Row.section_id == labeling.section_id, Row.id == labeling.id))
        library.files.forget(session, place)
        moves.discard(place)

    keeping.freeing(library, drop)
    library.database.scrub()
    if labeling.in_use:
        draw(library, labeling.section_id)


def free_name(library: Library, section_id: str, name: str) -> str:
    """Give a name that none of a section's labelings has: the one asked for, or that with a number."""
    taken = {one.name for one in known(library, section_id)}
    return next(free for n in count(1) if (free := f"{name} {n}" if n > 1 else name) not in taken)


def fit_name(name: str) -> str:
    """Give a name as a labeling can have it.

    Raises
    ------
    InputError
        If it is empty, longer than 60 letters, or looks as if it named a person.
    """
    name = " ".join(name.split())
    if not name or len(name) > MOST_LETTERS or not name.isprintable():
        raise InputError(f"A labeling needs a name of 1 to {MOST_LETTERS} letters, in one line.")
    if kind := looks_like(name):
        raise InputError(f"The name looks like {kind}: call the labeling otherwise.")
    return name


def draw(library: Library, section_id: str) -> None:
    """Draw the small picture of a section again, by the types in use; nobody's names fail for it."""
    try:
        cells = library.cells(section_id)
        types = cells[keys.CELL_TYPE].astype(object).to_numpy() if keys.CELL_TYPE in cells else None
        with library.staged() as folder:
            thumbnail(cells[["x", "y"]].to_numpy(dtype=np.float64), types).save(folder / THUMBNAIL)
            library.put(folder, library.folder(section_id), section_id)
    except InputError as error:
        _log.warning("The small picture of section %s was not drawn again: %s", section_id, error)


def write_names(path: Path, names: Labeling, confidence: NDArray[np.float32]) -> None:
    """Write the names of cells (n,), and how sure each is, as a version's file."""
    table = pd.DataFrame({keys.CELL_TYPE: names.column(), CONFIDENCE: np.asarray(confidence, np.float32)})
    write_table(table, path)


def _known(session: Session, row: Row) -> KnownLabeling | None:
    versions = versions_of(session, row)
    if not versions:
        return None
    damage, at = row.damage, row.at
    if not row.intact or not all(one.intact for one in versions):
        damage = "What the library knows of this labeling is damaged."
        at = at if any(one.number == at for one in versions) else versions[-1].number
    return KnownLabeling(
        row.id,
        row.section_id,
        row.name,
        row.method,
        row.how,
        json.loads(row.facts) if row.intact else {},
        row.added,
        in_use=row.in_use,
        damage=damage,
        at=at,
        versions=tuple(
            Version(one.number, one.what, one.n_types, one.n_named, one.n_changes, one.made, one.sha256)
            for one in versions
        ),
    )
