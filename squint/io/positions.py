"""Positions of cells in a table: by the names of its columns, never by their order alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from squint.errors import InputError

NAMES: Mapping[str, tuple[str, ...]] = {  # in small letters; the first that is there counts
    "x": (
        *("x", "x_centroid", "center_x", "centroid_x", "x_um", "x_location", "x_coord", "coord_x", "xcoord"),
        *("pos_x", "centerx_global_px", "x_global_px", "pxl_col_in_fullres", "imagecol", "spatial_x"),
        *("x_slide_mm", "col"),
    ),
    "y": (
        *("y", "y_centroid", "center_y", "centroid_y", "y_um", "y_location", "y_coord", "coord_y", "ycoord"),
        *("pos_y", "centery_global_px", "y_global_px", "pxl_row_in_fullres", "imagerow", "spatial_y"),
        *("y_slide_mm", "row"),
    ),
    "z": ("z", "z_centroid", "center_z", "centroid_z", "z_um", "z_coord", "spatial_z"),
}


def find_columns(columns: Sequence[Any], chosen: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Find the columns of x, y and perhaps z.

    Parameters
    ----------
    columns
        Names of the table's columns.
    chosen
        What the user says: ``{"x": "col_a", "y": "col_b"}``.

    Returns
    -------
    ``{"x": column, "y": column}``, with ``"z"`` where there is one; and the names of the others.

    Raises
    ------
    InputError
        If x or y is not found, with what there is.
    """
    listed = ", ".join(map(str, columns))
    by_name = {str(column).strip().lower(): column for column in columns}
    by_name |= {str(column): column for column in columns}  # of x and X, x
    found: dict[str, Any] = {}
    for axis, names in NAMES.items():
        if axis in chosen:
            if chosen[axis] not in {str(column) for column in columns}:
                raise InputError(
                    f"There is no column {chosen[axis]!r}; there are {', '.join(map(str, columns))}."
                )
            found[axis] = next(column for column in columns if str(column) == chosen[axis])
        elif (name := next((name for name in names if name in by_name), None)) is not None:
            found[axis] = by_name[name]
    missing = [axis for axis in ("x", "y") if axis not in found]
    if missing:
        raise InputError(
            f"No column is known to be {' or '.join(missing)}; there are {listed}. Name them with "
            "--column x=COLUMN and --column y=COLUMN."
        )
    return found, [str(column) for column in columns if column not in found.values()]


def xy_of(value: Any, where: str, chosen: Mapping[str, str]) -> tuple[Any, list[str]]:
    """Give positions as an array (n, 2 | 3) in the order x, y, z, from an array or a table.

    Parameters
    ----------
    value
        An array is given back as it is; of a table the columns are found by name.
    where
        For messages.
    chosen
        As for :func:`find_columns`.

    Returns
    -------
    The array, and the names of a table's other columns.

    Raises
    ------
    InputError
        If a table has no columns of x and y.
    """
    if not isinstance(value, pd.DataFrame):
        return value, []
    try:
        found, others = find_columns(list(value.columns), chosen)
    except InputError as error:
        raise InputError(f"{where} is a table. {error}") from error
    return np.column_stack([value[column].to_numpy() for column in found.values()]), others
