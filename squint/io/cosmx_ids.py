"""How CosMx names cells: a field of view, and a number that is unique in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError

Ints = NDArray[np.int64]
FOV, CELL = "fov", "cell_ID"
CELL_NAMES = ("cell_ID", "cellID", "cell_id")  # what files call the number
MAX_ID = 2**31
NO_ROW = -1


def find_column(columns: Sequence[str], names: Sequence[str], file: str) -> str:
    """Find a column: as it is called, or else in letters of any case.

    Raises
    ------
    InputError
        If there is none of these names.
    """
    by_name = {str(column).lower(): column for column in reversed(list(columns))}
    exact = next((name for name in names if name in columns), None)
    found = exact or next((by_name[name.lower()] for name in names if name.lower() in by_name), None)
    if found is None:
        raise InputError(f"{file} has no column {names[0]!r}; it begins with {', '.join(list(columns)[:5])}.")
    return found


def cell_numbers(table: pd.DataFrame, columns: Sequence[str], file: str) -> Ints:
    """Give fields and numbers of cells (n, 2).

    Raises
    ------
    InputError
        If they are no whole numbers, or two cells share both.
    """
    values = table[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~((values >= 0) & (values < MAX_ID) & (values % 1 == 0)).all(axis=1))
    if len(bad):
        raise InputError(
            f"{file}: {', '.join(map(repr, columns))} of row {bad[0] + 1:,} are no whole numbers. Export it "
            "again."
        )
    ids: Ints = values.astype(np.int64)
    n_repeated = len(ids) - len(np.unique(key(ids)))
    if n_repeated:
        raise InputError(
            f"{file}: {n_repeated:,} cells have the field and number of another. Export each slide by itself."
        )
    return ids


def key(ids: Ints) -> Ints:
    """Give one number for field and number (n, 2)."""
    return ids[:, 0] * MAX_ID + ids[:, 1]


def rows_of(wanted: Ints, among: Ints) -> Ints:
    """Give the row of each key among others, or ``NO_ROW``."""
    if not len(among):
        return np.full(len(wanted), NO_ROW)
    order = np.argsort(among, kind="stable")
    rows = order[np.minimum(np.searchsorted(among[order], wanted), len(among) - 1)]
    return np.where(among[rows] == wanted, rows, NO_ROW)
