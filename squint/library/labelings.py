"""Names for the cells of a section: several labelings, of which one may be in use, each with its versions.

A section of whose labelings none is in use has the types that its file gives, if it gives any. A labeling is
never changed: a change makes a new version beside those before, to go back and forward to.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
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
from squint.library.records import Labeling as Row
from squint.library.records import LabelingVersion
from squint.library.store import CELLS, THUMBNAIL, Library
from squint.library.stored import LABELINGS, hashed
from squint.library.tables import column_names, read_table, write_table
from squint.library.thumbnail import thumbnail
from squint.library.types_in_use import file_of, words
from squint.sensitive import looks_like
from squint.stats.labelings import Labeling

CONFIDENCE = "confidence"  # column of a version's file, beside that of the types
EVIDENCE = "evidence.parquet"
MOST_VERSIONS = 50  # of a labeling: its first, and the last ones
MOST_LETTERS = 60  # of a name
OF_FILE = "From the file"  # what a copy of the types of the section's file is called
GONE = "This labeling is no longer in the library. Load the page again."
CHANGED = "Somebody changed these names meanwhile. Load the page again."


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
        return self.now.what if self._place else ""

    @property
    def redoes(self) -> str:
        """What would be done again, in words; nothing if there is nothing."""
        after = self.versions[self._place + 1 :]
        return after[0].what if after else ""

    @property
    def words(self) -> str:
        """How, by what and when the names were made, for stamps."""
        return words(self.name, self.how, self.added, self.facts, self.now.n_changes, self.now.made)

    @property
    def _place(self) -> int:
        return [one.number for one in self.versions].index(self.at)


def known(library: Library, section_id: str) -> list[KnownLabeling]:
    """List the labelings of a section, the newest first, damaged ones too."""
    with library.database.reading() as session:
        rows = session.scalars(
            sa.select(Row).where(Row.section_id == section_id).order_by(Row.added.desc(), Row.id)
        ).all()
        return [found for row in rows if (found := _known(session, row)) is not None]


def add(library: Library, section_id: str, made: Made) -> str:
    """Keep a labeling of a section, which is in use from then on; return its id.

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
    key = uuid4().hex
    with library.staged() as folder:
        _write(folder / "0.parquet", first, made.confidence)
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
                other.in_use = False
            facts = {"squint": __version__, **made.facts}
            session.add(
                Row(
                    id=key,
                    section_id=section_id,
                    name=name,
                    method=made.method,
                    how=made.how,
                    facts=json.dumps(facts),
                    added=keeping.now(),
                    in_use=True,
                    at=0,
                    damage="",
                )
            )
            session.flush()
            session.add(_version(key, section_id, 0, "", sha256, first, 0))
            library.files.record(session, place, files, section_id=section_id)
            moves.move(folder, place)

        keeping.once(library, change)
    _draw(library, section_id)
    return key


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
            _sound(next((row for row in rows if row.id == labeling), None))
        for row in rows:
            row.in_use = row.id == labeling
    _draw(library, section_id)


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
    taken = {one.name for one in known(library, section_id)}
    name = next(name for n in count(1) if (name := OF_FILE + (f" {n}" if n > 1 else "")) not in taken)
    sure = np.full(len(found.codes), np.nan, dtype=np.float32)
    key = add(library, section_id, Made(name, "own", "as in the section's file", found.column(), sure))
    return next(one for one in known(library, section_id) if one.id == key)


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
        If the labeling is gone, damaged, or was changed meanwhile; if no cell has a name.
    """
    if not names.names:
        raise InputError("No cell would have a name. Delete the labeling instead.")
    _, confidence = read(library, labeling)
    confidence = np.where(names.codes >= 0, confidence, np.nan).astype(np.float32)
    place = library.folder(labeling.section_id) / LABELINGS / labeling.id
    number = labeling.versions[-1].number + 1
    with library.staged() as folder:
        _write(folder / f"{number}.parquet", names, confidence)
        files = hashed(folder)

        def keep(session: Session, moves: Moves) -> None:
            row = _sound(_row(session, labeling))
            versions = _versions(session, row)
            _check_same(row, versions, labeling)
            kept = [one for one in versions if one.number <= row.at]
            dropped = [*versions[len(kept) :], *kept[1 : max(len(kept) - MOST_VERSIONS + 2, 1)]]
            for one in dropped:
                library.files.forget(session, place / f"{one.number}.parquet")
                moves.discard(place / f"{one.number}.parquet")
                session.delete(one)
            (file,) = files
            done = labeling.now.n_changes + 1
            session.add(_version(row.id, row.section_id, number, what, file.sha256, names, done))
            row.at = number
            session.flush()
            library.files.record(session, place, files, section_id=row.section_id)
            moves.replace(folder / file.name, place / file.name)

        keeping.once(library, keep)


def undo(library: Library, labeling: KnownLabeling) -> None:
    """Go back by one version, or stay at the first.

    Raises
    ------
    InputError
        If the labeling is gone, or was changed meanwhile.
    """
    _go(library, labeling, -1)


def redo(library: Library, labeling: KnownLabeling) -> None:
    """Go forward by one version, or stay at the last.

    Raises
    ------
    InputError
        If the labeling is gone, or was changed meanwhile.
    """
    _go(library, labeling, 1)


def rename(library: Library, labeling: KnownLabeling, name: str) -> None:
    """Call a labeling otherwise.

    Raises
    ------
    InputError
        If the name is none, is taken, or looks as if it named a person; if the labeling is gone.
    """
    name = fit_name(name)
    with library.database.writing() as session:
        row = _sound(_row(session, labeling))
        taken = sa.select(Row.id).where(
            Row.section_id == labeling.section_id, Row.name == name, Row.id != labeling.id
        )
        if session.scalar(taken.limit(1)):
            raise InputError(f"This section has a labeling {name!r} already. Choose another name.")
        row.name = name


def delete(library: Library, labeling: KnownLabeling) -> None:
    """Remove a labeling with all its versions, damaged or not; one that is in use leaves none in use.

    Raises
    ------
    InputError
        If it is gone.
    """
    place = library.folder(labeling.section_id) / LABELINGS / labeling.id

    def drop(session: Session, moves: Moves) -> None:
        if _row(session, labeling) is None:
            raise InputError(GONE)
        session.execute(sa.delete(Row).where(Row.section_id == labeling.section_id, Row.id == labeling.id))
        library.files.forget(session, place)
        moves.discard(place)

    keeping.freeing(library, drop)
    library.database.scrub()
    if labeling.in_use:
        _draw(library, labeling.section_id)


def carry(library: Library, old: str, new: str, places: NDArray[np.integer[Any]]) -> None:
    """Give a section the labelings of another, whose cells are among its own; the one in use stays in use.

    Parameters
    ----------
    library
        Whose sections they are.
    old, new
        Ids of the sections.
    places
        Place of each of the old section's cells among those of the new one. Cells beside them have no name.
    """
    n_cells = library.get(new).n_cells
    found = sorted(known(library, old), key=lambda one: (one.in_use, one.added))  # that in use last
    for one in found:
        if one.damage:
            continue
        names, confidence = read(library, one)
        codes = np.full(n_cells, -1, dtype=np.int64)
        codes[places] = names.codes
        sure = np.full(n_cells, np.nan, dtype=np.float32)
        sure[places] = confidence
        labels = pd.Categorical.from_codes(codes, pd.Index(names.names, dtype=object))
        how = one.how + (f", changed {one.now.n_changes} times by hand" if one.now.n_changes else "")
        evidence = read_evidence(library, one)
        add(library, new, Made(one.name, one.method, how, labels, sure, one.facts, evidence))
    if found and not found[-1].in_use:
        use(library, new, None)


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


def _draw(library: Library, section_id: str) -> None:
    """Draw the small picture of a section again, by the types in use."""
    cells = library.cells(section_id)
    types = cells[keys.CELL_TYPE].astype(object).to_numpy() if keys.CELL_TYPE in cells else None
    with library.staged() as folder:
        thumbnail(cells[["x", "y"]].to_numpy(dtype=np.float64), types).save(folder / THUMBNAIL)
        library.put(folder, library.folder(section_id), section_id)


def _go(library: Library, labeling: KnownLabeling, by: int) -> None:
    numbers = [one.number for one in labeling.versions]
    place = min(max(numbers.index(labeling.at) + by, 0), len(numbers) - 1)
    with library.database.writing() as session:
        row = _sound(_row(session, labeling))
        _check_same(row, _versions(session, row), labeling)
        row.at = numbers[place]


def _row(session: Session, labeling: KnownLabeling) -> Row | None:
    return session.get(Row, (labeling.section_id, labeling.id), with_for_update=True)


def _sound(row: Row | None) -> Row:
    """Give a row that is there and not damaged."""
    if row is None:
        raise InputError(GONE)
    if not row.intact or row.damage:
        raise InputError("This labeling is damaged. Delete it, and name the cells again.")
    return row


def _check_same(row: Row, versions: Sequence[LabelingVersion], labeling: KnownLabeling) -> None:
    """Refuse to change what somebody changed since it was read."""
    if row.at != labeling.at or versions[-1].number != labeling.versions[-1].number:
        raise InputError(CHANGED)


def _versions(session: Session, row: Row) -> Sequence[LabelingVersion]:
    of_it = sa.select(LabelingVersion).where(
        LabelingVersion.section_id == row.section_id, LabelingVersion.labeling_id == row.id
    )
    return session.scalars(of_it.order_by(LabelingVersion.number)).all()


def _known(session: Session, row: Row) -> KnownLabeling | None:
    versions = _versions(session, row)
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


def _version(
    key: str, section_id: str, number: int, what: str, sha256: str, names: Labeling, n_changes: int
) -> LabelingVersion:
    return LabelingVersion(
        labeling_id=key,
        number=number,
        section_id=section_id,
        what=what,
        sha256=sha256,
        n_types=len(names.names),
        n_named=int((names.codes >= 0).sum()),
        n_changes=n_changes,
        made=keeping.now(),
    )


def _write(path: Any, names: Labeling, confidence: NDArray[np.float32]) -> None:
    table = pd.DataFrame({keys.CELL_TYPE: names.column(), CONFIDENCE: np.asarray(confidence, np.float32)})
    write_table(table, path)
