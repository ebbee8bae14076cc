"""Outlines of MERSCOPE's cells as its first versions wrote them: an HDF5 file for each field of view.

They lie in ``featuredata/CELL/zIndex_PLANE/p_PART/coordinates``. A run has millions of such objects, so each
is checked as it is opened, and none is opened that is not used.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io.boundaries import Boundaries, from_rings
from squint.io.findings import Findings
from squint.io.hdf5 import open_inside, open_unwalked

ENDINGS = {".hdf5", ".h5"}
PLANE, PART = re.compile(r"zIndex_(\d+)"), re.compile(r"p_\d+")
MAX_CORNERS = 1_000_000


def read_folder(folder: Path, name: str, ids: pd.Index, findings: Findings) -> tuple[Boundaries, str]:
    """Read the outline of each cell in the middle one of its planes.

    Parameters
    ----------
    folder
        With a file for each field of view.
    name
        Of the folder, for the report.
    ids
        Of the cells (n,), as text.
    findings
        Added to: files that are damaged.

    Returns
    -------
    Outlines in the unit of the files, and of which planes they are, in words.
    """
    rows = {cell: row for row, cell in enumerate(ids)}
    cells: list[int] = []
    corners: list[NDArray[np.float64]] = []
    planes: Counter[int] = Counter()
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS):
        if path.is_symlink():
            findings.leave_out("outlines", None, "it is a link", f"{name}/{path.name}")
            continue
        try:
            found = list(_read_file(path, rows))
        except InputError as error:
            findings.leave_out("outlines", None, str(error).rstrip("."), f"{name}/{path.name}")
            continue
        for row, plane, ring in found:
            cells.append(row)
            corners.append(ring)
            planes[plane] += 1
    offsets = np.concatenate([[0], np.cumsum([len(ring) for ring in corners])]).astype(np.int64)
    outlines = from_rings(np.array(cells, np.int64), offsets, np.concatenate([np.empty((0, 2)), *corners]))
    used = ", ".join(f"{plane} ({n:,})" for plane, n in sorted(planes.items()))
    return outlines, f"of each cell the middle one of its planes: {used}"


def _read_file(path: Path, rows: dict[str, int]) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Give row, plane and largest ring of each cell in a file."""
    with open_unwalked(path) as file:
        features = open_inside(file, "featuredata", h5py.Group)
        for cell in features:
            if (row := rows.get(cell)) is not None:
                group = open_inside(features, cell, h5py.Group)
                for plane in _from_the_middle(group):
                    if (ring := _largest(open_inside(group, f"zIndex_{plane}", h5py.Group))) is not None:
                        yield row, plane, ring
                        break


def _from_the_middle(cell: h5py.Group) -> list[int]:
    planes = sorted(int(found[1]) for name in cell if (found := PLANE.fullmatch(name)))
    middle = planes[len(planes) // 2] if planes else 0
    return sorted(planes, key=lambda plane: (abs(plane - middle), plane))


def _largest(plane: h5py.Group) -> NDArray[np.float64] | None:
    """Give the corners (n, 2) of the largest part in a plane; None if there is none."""
    rings = []
    for name in plane:
        if PART.fullmatch(name):
            part = open_inside(plane, name, h5py.Group)
            stored = open_inside(part, "coordinates", h5py.Dataset)
            if stored.shape[-1:] != (2,) or stored.size > 2 * MAX_CORNERS or stored.dtype.kind != "f":
                raise InputError(f"{stored.name} holds no corners")
            rings.append(np.asarray(stored[()], np.float64).reshape(-1, 2))
    rings = [ring for ring in rings if len(ring)]
    if len(rings) == 1:
        return rings[0]
    return max(rings, key=_area) if rings else None


def _area(ring: NDArray[np.float64]) -> float:
    x, y = (ring - ring[0]).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
