"""Outlines of cells as polygons in columns: compact in memory, and a GeoParquet file on disk."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from squint.errors import InputError
from squint.files import whole

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "polygon", "geometry_types": ["Polygon"], "crs": None}},
}


@dataclass(frozen=True)
class Boundaries:
    """One outer ring for each of some cells.

    Attributes
    ----------
    cells
        int64 (p,), the row of each ring's cell in the section, ascending; no cell twice.
    offsets
        int64 (p + 1,), where the corners of each ring begin.
    corners
        float32 (corners, 2), x and y in the unit of the positions, relative to ``origin``; the first of a
        ring is not repeated at its end.
    origin
        x and y that the corners count from, so that float32 holds micrometres at any distance.
    what
        ``"cell"`` or ``"nucleus"``.
    """

    cells: Ints
    offsets: Ints
    corners: Floats
    origin: tuple[float, float] = (0.0, 0.0)
    what: str = "cell"

    def scaled(self, factor: float) -> "Boundaries":
        """Give the rings in another unit."""
        x, y = self.origin
        return replace(self, corners=self.corners * np.float32(factor), origin=(x * factor, y * factor))

    def of(self, rows: npt.NDArray[np.integer]) -> "Boundaries":
        """Give the rings of some cells of the section, renumbered by their place in ``rows``."""
        order = np.argsort(rows, kind="stable")
        wanted = np.asarray(rows)[order]
        at = np.searchsorted(wanted, self.cells)
        inside = (at < len(wanted)) & (wanted[np.minimum(at, len(wanted) - 1)] == self.cells)
        kept = np.flatnonzero(inside)
        place = order[at[kept]]
        kept = kept[np.argsort(place, kind="stable")]
        sizes = np.diff(self.offsets)[kept]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        starts = np.repeat(self.offsets[kept] - offsets[:-1], sizes)
        corners = self.corners[starts + np.arange(offsets[-1])]
        return replace(self, cells=np.sort(place).astype(np.int64), offsets=offsets, corners=corners)


def from_corners(
    cells: npt.NDArray[np.integer],
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.floating],
    what: str = "cell",
) -> Boundaries:
    """Gather rings from one row per corner, the corners of a ring one after the other.

    Parameters
    ----------
    cells
        (corners,) row of each corner's cell in the section; negative where it is none of its cells.
    x, y
        (corners,) in the unit of the positions.
    what
        ``"cell"`` or ``"nucleus"``.

    Returns
    -------
    The rings. Of a cell with several, the one with the most corners counts; rings of fewer than three corners
    are left out, and a last corner that repeats the first.
    """
    cells = np.asarray(cells)
    starts = (
        np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]])) if len(cells) else np.empty(0, int)
    )
    return from_rings(cells[starts], np.append(starts, len(cells)), np.column_stack([x, y]), what)


def from_rings(
    cells: npt.NDArray[np.integer],
    offsets: npt.NDArray[np.integer],
    corners: npt.NDArray[np.floating],
    what: str = "cell",
) -> Boundaries:
    """Gather rings from their corners (corners, 2) and where each begins; see :func:`from_corners`."""
    corners = np.asarray(corners)
    corners = corners if corners.dtype.kind == "f" else corners.astype(np.float64)
    finite = np.isfinite(corners).all(axis=1)
    known = corners if finite.all() else corners[finite]
    origin = known.mean(axis=0, dtype=np.float64).round() if len(known) else np.zeros(2)
    starts, stops = np.asarray(offsets[:-1], np.int64), np.asarray(offsets[1:], np.int64)
    filled = stops - starts > 1
    closed = np.zeros(len(starts), bool)
    closed[filled] = (corners[starts[filled]] == corners[stops[filled] - 1]).all(axis=1)
    sizes = stops - starts - closed
    broken = np.add.reduceat(~finite, starts) > 0 if len(starts) else np.zeros(0, bool)
    usable = np.flatnonzero((sizes >= 3) & (np.asarray(cells) >= 0) & ~broken)
    order = usable[np.lexsort((-sizes[usable], np.asarray(cells)[usable]))]
    owner = np.asarray(cells)[order]
    order = order[np.concatenate([[True], owner[1:] != owner[:-1]])] if len(order) else order
    taken = _gathered(corners, starts[order], sizes[order])
    taken -= origin.astype(taken.dtype)
    return Boundaries(
        np.asarray(cells)[order].astype(np.int64),
        np.concatenate([[0], np.cumsum(sizes[order])]).astype(np.int64),
        taken.astype(np.float32, copy=False),
        (float(origin[0]), float(origin[1])),
        what,
    )


def _gathered(
    corners: npt.NDArray[np.floating], starts: Ints, sizes: npt.NDArray[np.integer]
) -> npt.NDArray[np.floating]:
    """Copy the rings that begin at ``starts``, one after the other."""
    if (np.diff(starts) > 0).all():  # as instruments write them: a mark for each corner, and no number
        marks = np.zeros(len(corners) + 1, np.int8)
        marks[starts] = 1
        marks[starts + sizes] -= 1  # where the next one begins at once, nothing changes
        return cast("npt.NDArray[np.floating]", corners[np.cumsum(marks[:-1], dtype=np.int8).view(bool)])
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return cast(
        "npt.NDArray[np.floating]", corners[np.repeat(starts - begins[:-1], sizes) + np.arange(begins[-1])]
    )


def write_boundaries(boundaries: Boundaries, path: Path) -> None:
    """Write rings as GeoParquet 1.1: ``cell`` (row of the section) and ``geometry`` (native polygons).

    Raises
    ------
    InputError
        If the disk refuses.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where a section is kept
    import pyarrow.parquet as pq  # noqa: PLC0415

    sizes = np.diff(boundaries.offsets)
    offsets = np.concatenate([[0], np.cumsum(sizes + 1)]).astype(np.int32)
    order = np.empty(offsets[-1], np.int64)  # GeoParquet wants each ring closed
    order[offsets[1:] - 1] = boundaries.offsets[:-1]
    inner = np.ones(offsets[-1], bool)
    inner[offsets[1:] - 1] = False
    order[inner] = np.arange(len(boundaries.corners))
    corners = boundaries.corners[order].astype(np.float64) + boundaries.origin
    points = pa.StructArray.from_arrays([corners[:, 0], corners[:, 1]], ["x", "y"])
    rings = pa.ListArray.from_arrays(pa.array(offsets), points)
    polygons = pa.ListArray.from_arrays(pa.array(np.arange(len(sizes) + 1, dtype=np.int32)), rings)
    table = pa.table({"cell": boundaries.cells, "geometry": polygons})
    metadata = {"geo": json.dumps(_GEO), "squint": json.dumps({"what": boundaries.what})}
    with whole(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(metadata), temporary, compression="zstd", write_page_checksum=True
        )


def read_boundaries(path: Path) -> Boundaries:
    """Read rings that :func:`write_boundaries` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where boundaries are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path, page_checksum_verification=True).combine_chunks()
        what = json.loads((table.schema.metadata or {}).get(b"squint", b"{}")).get("what", "cell")
        cells = table["cell"].to_numpy()
        rings = table["geometry"].combine_chunks().flatten()
        sizes = rings.value_lengths().to_numpy()
        points = rings.flatten()
        corners = np.column_stack([points.field("x").to_numpy(), points.field("y").to_numpy()])
    except (pa.ArrowException, OSError, KeyError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path.name} is missing or damaged. Delete the section and add it again."
        ) from error
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return from_rings(cells, offsets, cast("Floats", corners), what)
