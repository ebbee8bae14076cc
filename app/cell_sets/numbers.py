"""Numbers of a cell set, over the sections shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.cell_sets.store import CellSet, CellSets
from app.exports.stamp import many
from squint.geometry import outlines as shapes
from squint.library.store import LIBRARY_ID, Library, Section

REST, MISSING = "all others", "without one"
_MOST = 8
_UM2_PER_MM2 = 1e6


@dataclass(frozen=True)
class Numbers:
    """How many cells are in a set, and on how much tissue."""

    n_cells: int
    n_sections: int
    n_patients: int
    area_mm2: float | None  # of the sections with cells of the set; ``None`` where it cannot be known
    area_is: str  # what it is the area of, or why there is none, in words

    @property
    def density(self) -> float | None:
        """Cells per mm2."""
        return self.n_cells / self.area_mm2 if self.area_mm2 else None


def numbers(library: Library, cell_set: CellSet, sections: Sequence[Section]) -> Numbers:
    """Count the cells of a set in some sections, and measure the tissue that they are on."""
    sets = CellSets(library)
    here = [section for section in sections if section.id in cell_set.members]
    n_cells = sum(sets.n_cells(cell_set, section.id) for section in here)
    area, words = _area(library, cell_set, here)
    return Numbers(n_cells, len(here), len({section.patient for section in here}), area, words)


def _area(library: Library, cell_set: CellSet, sections: Sequence[Section]) -> tuple[float | None, str]:
    unknown = [section.title for section in sections if section.unit == "unknown"]
    if not sections:
        return None, "no cell of this set is in the sections shown"
    if unknown:
        return None, f"no area and no density: units unknown in {', '.join(unknown)}"
    sets, area, n_drawn = CellSets(library), 0.0, 0
    for section in sections:
        drawn = sets.area(cell_set, section.id)
        if drawn is not None:
            n_drawn += 1
            area += drawn
        else:
            cells = library.cells(section.id)[["x", "y"]].to_numpy(dtype=np.float64)
            area += shapes.hull_area(cells[sets.rows(cell_set, section.id)])
    hull = "the convex hull of its cells, which other cells may lie in too"
    if n_drawn == len(sections):
        words = "of the outline drawn, overlaps counted once"
    elif n_drawn:
        words = f"of the outline in {many(n_drawn, 'section')}, elsewhere of {hull}"
    else:
        words = f"of {hull}: it was not drawn as an area"
    return area / _UM2_PER_MM2 if area else None, words


def in_set(
    library: Library, cell_set: CellSet, sections: Sequence[Section], cells: pd.DataFrame
) -> NDArray[np.bool_]:
    """Mark the rows (n,) of a table of cells, sections whole and in their order, that are in a set."""
    sets, mask = CellSets(library), np.zeros(len(cells), dtype=bool)
    ids = cells[LIBRARY_ID].to_numpy()
    for section in sections:
        mask[np.flatnonzero(ids == section.id)[sets.rows(cell_set, section.id)]] = True
    return mask


def composition(cells: pd.DataFrame, inside: NDArray[np.bool_], column: str) -> pd.DataFrame:
    """Count the labels of the cells in a set beside those of all cells.

    Parameters
    ----------
    cells
        One row per cell.
    inside
        Which are in the set (n,).
    column
        Of the labels, such as cell types or tokens.

    Returns
    -------
    One row per label, the 8 most frequent in the set first, then all others, then cells without a label:
    ``n`` and ``share`` of the set, ``n_all`` and ``share_all`` of all cells. Indexed by label.
    """
    labels = cells[column].astype(object)
    labels = labels.where(labels.notna(), MISSING).astype(str)
    every, mine = labels.value_counts(), labels[inside].value_counts()
    ranked = [label for label in mine.index if label != MISSING]
    order = ranked + [label for label in every.index if label not in mine.index and label != MISSING]
    table = pd.DataFrame({"n": mine.reindex(order, fill_value=0), "n_all": every.reindex(order)})
    top, rest = table.iloc[:_MOST], table.iloc[_MOST:].sum()
    rows = [top]
    if len(table) > _MOST:
        rows.append(pd.DataFrame([rest], index=[REST]))
    if MISSING in every.index:
        rows.append(pd.DataFrame({"n": mine.get(MISSING, 0), "n_all": every[MISSING]}, index=[MISSING]))
    table = pd.concat(rows).astype(int)
    table["share"] = table["n"] / max(1, int(inside.sum()))
    table["share_all"] = table["n_all"] / max(1, len(cells))
    return table.rename_axis("label")
