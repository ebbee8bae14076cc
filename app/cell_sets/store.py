"""Cell sets: named sets of cells, kept in the library with a history to go back in.

Which cells are in a set, and the outline it was drawn with, lie in the folder of their section, named by
content, and go with it. What the sets are is kept as :mod:`squint.library.history` keeps versions.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.cell_sets.content import (
    count_rows,
    name_of,
    outline_path,
    read_outline,
    read_rows,
    rows_path,
)
from app.cell_sets.names import clean_how, clean_name, free_name
from squint.errors import InputError
from squint.files import whole
from squint.geometry import outlines as shapes
from squint.geometry.outlines import Polygon, Rows
from squint.library.access import Access, changing
from squint.library.history import History
from squint.library.store import Library, Section
from squint.pl import LIGHT

REPLACE, ADD, SUBTRACT = "replace", "add", "subtract"
MAX_SETS = 100
_SWEEP_EVERY = 50  # versions; then cells that no version names are removed


@dataclass(frozen=True)
class CellSet:
    """A named set of cells."""

    id: str
    name: str
    colour: str  # "#rrggbb"
    members: Mapping[str, str]  # section -> name of the file of its rows, which is their hash
    outlines: Mapping[str, str]  # section -> likewise of its outline, where that says who is in
    how: str  # it was made, in words
    created: str  # UTC


class Draft(NamedTuple):
    """A set to be made."""

    name: str
    members: Mapping[str, ArrayLike]  # section -> rows
    outlines: Mapping[str, Sequence[Polygon]]  # section -> where drawn
    how: str
    colour: str = ""  # "#rrggbb"; else one that is free


class CellSets:
    """The cell sets of a library. Each change is made on what is there by then, whoever made it."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.history = History(library.home, "cell_sets")

    @property
    def access(self) -> Access:
        """What whoever holds this may do."""
        return self.library.access

    # --- look ---------------------------------------------------------------------------------------------

    def all(self) -> list[CellSet]:
        """List the sets in the order they were made, without what was of sections that are gone.

        Raises
        ------
        InputError
            If what was last changed is damaged; going back by that change is possible then.
        """
        now = self.history.now()
        if now.damage:
            raise InputError(now.damage)
        return self._sets(now.content)

    def get(self, set_id: object) -> CellSet:
        """Give one set."""
        return _find(self.all(), set_id)

    @property
    def version(self) -> int:
        """Number of the version that counts, to notice that somebody made another."""
        return self.history.now().version

    def rows(self, cell_set: CellSet, section_id: str) -> Rows:
        """Give the rows (k,) of a section's cells in a set, sorted."""
        return read_rows(self.library, section_id, cell_set.members.get(section_id, ""))

    def mask(self, cell_set: CellSet, section: Section) -> NDArray[np.bool_]:
        """Mark a section's cells in a set (n,)."""
        mask = np.zeros(section.n_cells, dtype=bool)
        mask[self.rows(cell_set, section.id)] = True
        return mask

    def n_cells(self, cell_set: CellSet, section_id: str) -> int:
        """Count a section's cells in a set; their file is read once."""
        name = cell_set.members.get(section_id)
        return count_rows(rows_path(self.library, section_id, name)) if name else 0

    def within(self, sections: Sequence[Section]) -> list[tuple[CellSet, int]]:
        """List the sets with cells in some sections, and how many those are, without damaged ones."""
        whole = [one for one in self.all() if not self.damage(one, sections)]
        counted = [(one, sum(self.n_cells(one, section.id) for section in sections)) for one in whole]
        return [(one, n) for one, n in counted if n]

    def damage(self, cell_set: CellSet, sections: Sequence[Section]) -> str:
        """Say what is damaged of a set in some sections; nothing if nothing is."""
        try:
            for section in sections:
                self.n_cells(cell_set, section.id)
                self._outline_text(cell_set, section.id)
        except InputError as error:
            return str(error)
        return ""

    def outline(self, cell_set: CellSet, section_id: str) -> tuple[Polygon, ...]:
        """Give the outline of a set in a section, in the section's unit; nothing if none says who is in."""
        kept = self._outline(cell_set, section_id)
        return tuple(tuple(np.array(ring) for ring in rings) for rings in kept["polygons"])

    def area(self, cell_set: CellSet, section_id: str) -> float | None:
        """Give the area of the outline of a set in a section, in the square of the section's unit."""
        kept: float | None = self._outline(cell_set, section_id)["area"]
        return kept

    def _outline(self, cell_set: CellSet, section_id: str) -> dict[str, Any]:
        text = self._outline_text(cell_set, section_id)
        if not text:
            return {"polygons": [], "area": None}
        kept: Any = json.loads(text)
        if isinstance(kept, list):  # once the polygons alone were kept
            rings = [tuple(np.array(ring) for ring in polygon) for polygon in kept]
            return {"polygons": kept, "area": shapes.area(rings)}
        return dict(kept)

    def _outline_text(self, cell_set: CellSet, section_id: str) -> bytes:
        name = cell_set.outlines.get(section_id)
        return read_outline(self.library, section_id, name) if name else b""

    # --- change -------------------------------------------------------------------------------------------

    @changing
    def make(
        self,
        name: str,
        members: Mapping[str, ArrayLike],
        outlines: Mapping[str, Sequence[Polygon]] | None = None,
        how: str = "",
    ) -> CellSet:
        """Make a set of rows by section, with its outlines where it was drawn."""
        return self.make_all([Draft(name, members, outlines or {}, how)])[0]

    @changing
    def make_all(self, drafts: Sequence[Draft]) -> list[CellSet]:
        """Make sets in one change."""

        def change(sets: dict[str, CellSet]) -> str:
            if len(sets) + len(drafts) > MAX_SETS:
                raise InputError(f"There would be more than {MAX_SETS} cell sets. Delete some first.")
            for draft in drafts:
                made.append(self._new(draft, list(sets.values())))
                sets[made[-1].id] = made[-1]
            names = ", ".join(one.name for one in made[:3])
            return f"made {names}" + (f" and {len(made) - 3} more" if len(made) > 3 else "")

        made: list[CellSet] = []
        self._commit(change)
        return made

    @changing
    def change(
        self,
        set_id: object,
        members: Mapping[str, ArrayLike],
        outlines: Mapping[str, Sequence[Polygon]] | None = None,
        how: str = "",
        mode: str = REPLACE,
    ) -> CellSet:
        """Replace the cells of a set, or add or subtract some; returns the set as it is then.

        Parameters
        ----------
        set_id
            Of the set.
        members
            Rows by section.
        outlines
            Polygons by section, where the rows are the cells inside. A set whose outline no longer says who
            is in has none.
        how
            It is changed, in words.
        mode
            ``"replace"``, ``"add"`` or ``"subtract"``.
        """

        def change(sets: dict[str, CellSet]) -> str:
            old = _find(list(sets.values()), set_id)
            kept = {} if mode == REPLACE else dict(old.members)
            drawn = {} if mode == REPLACE else dict(old.outlines)
            for section_id, rows in members.items():
                before = self.rows(old, section_id)
                rings = self._redraw(old, section_id, mode, (outlines or {}).get(section_id, ()))
                kept[section_id] = self._keep_rows(section_id, combine(before, rows, mode))
                drawn[section_id] = self._keep_outline(section_id, rings)
            new = replace(
                old,
                members={key: name for key, name in kept.items() if name},
                outlines={key: name for key, name in drawn.items() if name},
                how=clean_how(how if mode == REPLACE else f"{old.how}; {how}"),
            )
            sets[new.id] = changed["set"] = new
            return {REPLACE: "replaced", ADD: "added to", SUBTRACT: "subtracted from"}[mode] + f" {new.name}"

        changed: dict[str, CellSet] = {}
        self._commit(change)
        return changed["set"]

    @changing
    def rename(self, set_id: object, name: str) -> None:
        """Give a set another name."""

        def change(sets: dict[str, CellSet]) -> str:
            old = _find(list(sets.values()), set_id)
            taken = [other.name for other in sets.values() if other.id != old.id]
            sets[old.id] = replace(old, name=free_name(clean_name(name), taken))
            return f"renamed {old.name} to {sets[old.id].name}"

        self._commit(change)

    @changing
    def recolour(self, set_id: object, colour: str) -> None:
        """Give a set another colour, ``"#rrggbb"``."""

        def change(sets: dict[str, CellSet]) -> str:
            old = _find(list(sets.values()), set_id)
            if not re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
                raise InputError("This is no colour. Choose one that is offered.")
            sets[old.id] = replace(old, colour=colour)
            return f"coloured {old.name}"

        self._commit(change)

    @changing
    def delete(self, set_id: object) -> None:
        """Remove a set; undo brings it back."""

        def change(sets: dict[str, CellSet]) -> str:
            return f"deleted {sets.pop(_find(list(sets.values()), set_id).id).name}"

        self._commit(change)

    @changing
    def carry(self, section_id: str, to: str, places: NDArray[np.integer]) -> None:
        """Put the cells of a section that are in sets into them as cells of another section.

        Parameters
        ----------
        section_id
            The section.
        to
            The other one, which holds its cells and more. Outlines would take in others, and stay behind.
        places
            (n,) row in the other section of each cell.
        """

        def change(sets: dict[str, CellSet]) -> str:
            for one in sets.values():
                if section_id in one.members:
                    rows = combine(self.rows(one, to), places[self.rows(one, section_id)], ADD)
                    members = {**one.members, to: self._keep_rows(to, rows)}
                    del members[section_id]
                    outlines = {k: v for k, v in one.outlines.items() if k not in {section_id, to}}
                    sets[one.id] = replace(one, members=members, outlines=outlines)
            return f"took cells back into {self.library.get(to).title}"

        if any(section_id in one.members for one in self.all()):
            self._commit(change)

    @changing
    def undo(self, seen: int | None = None) -> str:
        """Go back by one change; returns what is undone. ``seen`` is the version that the user looks at."""
        return self.history.step(-1, seen)

    @changing
    def redo(self, seen: int | None = None) -> str:
        """Go forward by one change that was undone; returns what is done again."""
        return self.history.step(1, seen)

    # --- keep ---------------------------------------------------------------------------------------------

    def _new(self, draft: Draft, others: Sequence[CellSet]) -> CellSet:
        members = {key: self._keep_rows(key, rows) for key, rows in draft.members.items()}
        drawn = {key: self._keep_outline(key, rings) for key, rings in draft.outlines.items()}
        used = [other.colour for other in others]
        return CellSet(
            id=uuid.uuid4().hex[:12],
            name=free_name(clean_name(draft.name), [other.name for other in others]),
            colour=draft.colour or min(LIGHT.categories, key=used.count),  # the first of those used least
            members={key: name for key, name in members.items() if name},
            outlines={key: name for key, name in drawn.items() if name and members.get(key)},
            how=clean_how(draft.how),
            created=_utc(),
        )

    def _redraw(self, old: CellSet, section_id: str, mode: str, new: Sequence[Polygon]) -> Sequence[Polygon]:
        """Give the outline after a change; nothing if none says any longer who is in."""
        before = self.outline(old, section_id)
        if mode == REPLACE or (mode == ADD and section_id not in old.members):
            return new
        if not before or not new:
            return ()
        if mode == SUBTRACT:
            return shapes.subtract(before, new)
        shapes.check_outline((*before, *new), "The outline, with what is added,")
        return (*before, *new)

    def _keep_rows(self, section_id: str, rows: ArrayLike) -> str:
        """Write rows into the folder of their section; returns the name of the file, or nothing if none."""
        section = self.library.get(section_id)
        array = _distinct(rows)
        if not len(array):
            return ""
        if array[0] < 0 or array[-1] >= section.n_cells:
            raise InputError(f"Section {section.title} has no such cells. Load the page again.")
        kept: Rows = array.astype("<u4")
        name = name_of(kept.tobytes())
        with (
            self._place(section_id, rows_path(self.library, section_id, name)) as path,
            path.open("wb") as file,
        ):
            np.save(file, kept, allow_pickle=False)
        return name

    def _keep_outline(self, section_id: str, polygons: Sequence[Polygon]) -> str:
        """Write an outline into the folder of its section; returns the name of the file, or nothing."""
        if not polygons:
            return ""
        rings = [[ring.tolist() for ring in polygon] for polygon in polygons]
        text = json.dumps({"area": shapes.area(polygons), "polygons": rings})  # a page measures nothing
        name = name_of(text.encode())
        with self._place(section_id, outline_path(self.library, section_id, name)) as path:
            path.write_text(text)
        return name

    @contextmanager
    def _place(self, section_id: str, path: Path) -> Iterator[Path]:
        """Give a path to write to, which becomes a file of the section when it is whole."""
        try:
            path.parent.mkdir(exist_ok=True)
            with whole(path) as temporary:
                yield temporary
        except (FileNotFoundError, InputError):
            self.library.get(section_id)  # says so, if the section was deleted meanwhile
            raise

    def _commit(self, change: Callable[[dict[str, CellSet]], str]) -> None:
        """Change the sets that are there by now."""

        def commit(content: Any) -> tuple[str, Any]:
            sets = {one.id: one for one in self._sets(content)}
            what = change(sets)
            return what, [asdict(one) for one in sets.values()]

        version = self.history.commit(commit)
        if version % _SWEEP_EVERY == 0:
            with suppress(InputError):  # the change is made; what nobody names can go another time
                self._sweep()

    def _sweep(self) -> None:
        """Remove rows and outlines that no version names."""
        with self.history.held() as versions:
            if versions is None:
                return
            sets = [one for content in versions for one in self._sets(content)]
            named = {name for one in sets for name in (*one.members.values(), *one.outlines.values())}
            for path in self.library.sections_folder.glob("*/sets/*"):
                if path.stem not in named:
                    path.unlink(missing_ok=True)

    def _sets(self, content: Any) -> list[CellSet]:
        try:
            return [self._present(CellSet(**one)) for one in content or []]
        except (TypeError, AttributeError) as error:
            raise InputError("The cell sets are damaged in the library. Restore a backup.") from error

    def _present(self, one: CellSet) -> CellSet:
        """Leave out what was of sections that are gone; one that came back has no sets."""
        members = {k: v for k, v in one.members.items() if rows_path(self.library, k, v).exists()}
        return replace(one, members=members, outlines={k: v for k, v in one.outlines.items() if k in members})


def combine(rows: ArrayLike, new: ArrayLike, mode: str) -> Rows:
    """Replace rows by new ones, or add these to them, or subtract these from them."""
    old, other = _distinct(rows), _distinct(new)
    if mode == ADD:
        other = _distinct(np.concatenate([old, other]))
    elif mode == SUBTRACT:
        other = np.setdiff1d(old, other, assume_unique=True)
    elif mode != REPLACE:
        raise InputError("An area can replace a set, be added to it, or be subtracted from it.")
    return other.astype(np.uint32)


def _distinct(rows: ArrayLike) -> NDArray[np.int64]:
    """Sort rows and drop repetitions; `np.unique` takes half a second for half a million."""
    array: NDArray[np.int64] = np.sort(np.asarray(rows, dtype=np.int64).ravel())
    return array[np.diff(array, prepend=-np.inf) > 0]


def _find(sets: Sequence[CellSet], set_id: object) -> CellSet:
    found = next((one for one in sets if one.id == set_id), None)
    if found is None:
        raise InputError("This cell set is no longer there. Choose another, or undo its deletion.")
    return found


def _utc() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
