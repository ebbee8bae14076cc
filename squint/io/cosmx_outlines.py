"""Outlines of a CosMx run, placed as its cells are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io import cosmx_places, packed
from squint.io.boundaries import Boundaries, from_corners
from squint.io.cosmx_ids import CELL, CELL_NAMES, FOV, MAX_ID, NO_ROW, Ints, find_column, key, rows_of
from squint.io.cosmx_places import Fields, Places
from squint.io.counts_csv import columns_of
from squint.io.delimited import read_numbers
from squint.io.findings import Findings

AT_THEIR_CELLS = 0.9  # share of cells that lie within the box around their outline
EDGE = 2.0  # pixels that a cell may lie outside of it


class Corners:
    """Corners of outlines, one row each.

    Parameters
    ----------
    path
        The file.
    in_fields
        Whether their pixels in fields are enough, where the file has them: cells show where fields lie.
    """

    def __init__(self, path: Path, *, in_fields: bool) -> None:
        packed.check_file(path)
        columns = columns_of(path)
        ids = [find_column(columns, (FOV,), path.name), find_column(columns, CELL_NAMES, path.name)]
        table = pd.DataFrame(columns=columns)
        pairs = {kind: cosmx_places.columns_of(table, kind) for kind in ("local", "px")}
        if in_fields and pairs["local"] is not None:
            pairs["px"] = None
        wanted = [column for pair in pairs.values() if pair for column in pair]
        if not wanted:
            raise InputError(f"{path.name} has no columns of corners.")
        types = dict.fromkeys(ids, "int64") | dict.fromkeys(wanted, "float64")
        found = read_numbers(path, types)
        self.file = path.name
        self.ids = np.column_stack([_whole(found[column].to_numpy(), path.name) for column in ids])
        self.local, self.px = (
            None if pair is None else np.column_stack([found[column].to_numpy() for column in pair])
            for pair in pairs.values()
        )

    def fields(self) -> Fields | None:
        """Find where fields lie, from corners that have both kinds of positions."""
        if self.local is None or self.px is None:
            return None
        return cosmx_places.fit_fields(self.ids[:, 0], self.local, self.px)

    def outlines(self, cells: pd.DataFrame, places: Places, findings: Findings) -> Boundaries | None:
        """Place the corners as cells were; None, and said, where they do not lie at their cells."""
        if self.local is not None and places.fields is not None:
            corners = places.fields.place(self.ids[:, 0], self.local)
        elif self.px is not None and places.in_pixels:
            corners = self.px * (1, places.y_sign)
        else:
            findings.leave_out(
                "outlines", None, "how their positions relate to the cells' is not shown", self.file
            )
            return None
        rows = rows_of(key(self.ids), key(cells[[FOV, CELL]].to_numpy(np.int64)))
        order = np.argsort(rows, kind="stable")
        order = order[rows[order] != NO_ROW]
        rows, corners = rows[order], corners[order]
        if not len(rows) or not self._lie_at(rows, corners, places):
            findings.leave_out("outlines", None, "they do not lie at their cells", self.file)
            return None
        boundaries = from_corners(rows, corners[:, 0], corners[:, 1])
        findings.find("outlines", len(boundaries.cells), self.file)
        return boundaries

    @staticmethod
    def _lie_at(rows: Ints, corners: NDArray[np.float64], places: Places) -> bool:
        starts = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
        edge = EDGE * (abs(places.fields.slope[0]) if places.fields is not None else 1.0)
        xy = places.xy[rows[starts]]
        inside = (xy >= np.minimum.reduceat(corners, starts) - edge) & (
            xy <= np.maximum.reduceat(corners, starts) + edge
        )
        return bool(inside.all(axis=1).mean() >= AT_THEIR_CELLS)


def _whole(values: NDArray[Any], file: str) -> Ints:
    if values.dtype.kind not in "iu" or bool(((values < 0) | (values >= MAX_ID)).any()):
        raise InputError(f"{file}: fields or numbers of cells are missing or out of range.")
    return values.astype(np.int64)
