"""Outlines of cells from a table with a row for each corner."""

from pathlib import Path

import numpy as np
import pandas as pd

from squint.errors import DAMAGED, InputError
from squint.io.arrow import read_columns, texts
from squint.io.boundaries import Boundaries, from_rings
from squint.io.packed import damaged

X, Y = "vertex_x", "vertex_y"


def read_outlines(path: Path, cells: pd.Index, name: str) -> Boundaries:
    """Read the outlines of cells; those of others are left out.

    Parameters
    ----------
    path
        Parquet, or CSV that may be gzipped: a row for each corner, those of a cell one after the other.
    cells
        Names of the section's cells, no two the same.
    name
        The column that names the cell of a corner; its corner lies in ``vertex_x`` and ``vertex_y``.

    Returns
    -------
    The rings, in the file's unit.

    Raises
    ------
    InputError
        If the file is missing, damaged or too large, lacks a column, or holds no outline of these cells.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read

    table = read_columns(path, [name, X, Y], text={name})
    try:
        column = table[name]
        if pa.types.is_string(column.type):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
            codes = np.concatenate(
                [chunk.indices.to_numpy() for chunk in column.chunks] or [np.empty(0, int)]
            )
        else:
            codes = column.to_numpy()
        starts = (
            np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
            if len(codes)
            else np.empty(0, int)
        )
        owners = cells.get_indexer(pd.Index(texts(column.take(starts))))
        del codes, column
        corners = np.empty((len(table), 2), np.result_type(table[X].type.to_pandas_dtype(), np.float32))
        for axis, key in enumerate((X, Y)):
            corners[:, axis] = table[key].to_numpy()
    except DAMAGED as error:  # Arrow's are among them
        raise damaged(path.name) from error
    del table
    if not (owners >= 0).any():
        raise InputError(f"{path.name} holds no outline of these cells: it is of another run.")
    return from_rings(owners, np.append(starts, len(corners)), corners)
