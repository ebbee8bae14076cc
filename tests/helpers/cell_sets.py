"""A library of cells on lattices, and areas drawn on them."""

import numpy as np
import pandas as pd

from app.cell_sets.drawn import take_area
from app.cell_sets.store import CellSet, CellSets
from squint import keys
from squint.library.keeping import Ready
from squint.library.store import CELLS, Library, Section
from squint.library.tables import write_table

A, B, C = "a" * 16, "b" * 16, "c" * 16
SQUARE = [[-0.5, -0.5], [3.5, -0.5], [3.5, 3.5], [-0.5, 3.5]]  # 16 cells, 16 um2
CORNER = [[1.5, 1.5], [9.5, 1.5], [9.5, 9.5], [1.5, 9.5]]  # 64 cells, 4 of them in the square


def put(library: Library, section_id: str, patient: str = "P1", unit: str = "um", side: int = 10) -> Section:
    """Put a section of cells on a square lattice into a library, without its counts."""
    folder = library.workspace()
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    cells = pd.DataFrame(grid.astype(float), columns=["x", "y"])
    cells.index = pd.Index([f"{section_id[0]}{i}" for i in range(len(cells))], name="cell")
    cells[keys.CELL_TYPE] = np.where(grid[:, 0] < 2, "tumour", "stroma")
    write_table(cells, folder / CELLS)
    section = Section(
        section_id, section_id * 4, section_id[0].upper(), patient, "kidney", "Xenium", "2026-01-01",
        len(cells), 5, 2, unit, "counts", 10.0, simulated=False,
    )  # fmt: skip
    library.keep([Ready(folder, section, {})])
    return section


def draw(library: Library, polygon, section=A, mode="new", chosen=None, name="") -> CellSet:
    """Draw an area on a section as a reader does, and rename the set if it is to have a name."""
    coordinates = library.cells(section)[["x", "y"]].to_numpy()
    made = take_area(library, library.get(section), coordinates, polygon, mode=mode, chosen=chosen)
    if name:
        CellSets(library).rename(made.id, name)
    return CellSets(library).get(made.id)
