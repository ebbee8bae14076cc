"""Outer rings of many polygons in WKB: corners are taken as they lie, where a polygon is but one ring."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

POLYGON = 3  # number of the type in WKB
CORNER = 16  # bytes in WKB
_ONE_RING = (1, POLYGON, 0, 0, 0, 1, 0, 0, 0)  # little-endian, a polygon, of one ring
HEADERS = (  # of a multipolygon of one polygon, and of the polygon; then comes the number of corners
    np.array((1, 6, 0, 0, 0, 1, 0, 0, 0, *_ONE_RING), np.uint8),
    np.array(_ONE_RING, np.uint8),
)


class Rings(NamedTuple):
    """Outer rings of some cells."""

    cells: NDArray[np.int64]  # (p,), of each ring
    sizes: NDArray[np.int64]  # (p,), number of corners
    corners: NDArray[np.float64]  # (corners, 2)


def decode(parts: Iterable[Any], cells: NDArray[np.int64]) -> Iterator[Rings]:
    """Give the outer ring of each polygon; of several parts of a multipolygon, that of the largest.

    Parameters
    ----------
    parts
        Arrow's arrays of binaries, one after the other.
    cells
        int64 (n,), the cell of each polygon in all of them.

    Yields
    ------
    The rings, in no order. What is damaged, empty or no polygon is not among them.
    """
    import pyarrow as pa  # noqa: PLC0415

    start = 0
    for part in parts:
        owners = cells[start : start + len(part)]
        start += len(part)
        stored = part.cast(pa.large_binary())
        offsets = np.frombuffer(stored.buffers()[1], np.int64)[stored.offset :][: len(stored) + 1]
        content = np.frombuffer(stored.buffers()[2] or b"", np.uint8)
        simple = np.zeros(len(part), bool)
        for header in HEADERS:
            if not simple.all() and len(rows := np.flatnonzero(_are_like(content, offsets, header))):
                simple[rows] = True
                yield _as_they_lie(content, offsets, rows, len(header) + 4, owners)
        if not simple.all():
            rest = np.flatnonzero(~simple)
            yield _exteriors(stored.take(pa.array(rest)).to_numpy(zero_copy_only=False), owners[rest])


def _are_like(
    content: NDArray[np.uint8], offsets: NDArray[np.int64], header: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Say which shapes begin like this, and hold as many corners as they say, and nothing more."""
    sizes = np.diff(offsets)
    n_bytes = len(header) + 4
    long = np.flatnonzero((sizes > n_bytes) & ((sizes - n_bytes) % CORNER == 0))
    begin = content[offsets[long, None] + np.arange(n_bytes)]
    n_corners = np.ascontiguousarray(begin[:, -4:]).view("<u4")[:, 0]
    alike = (begin[:, :-4] == header).all(axis=1) & (n_corners == (sizes[long] - n_bytes) // CORNER)
    found = np.zeros(len(sizes), bool)
    found[long[alike]] = True
    return found


def _as_they_lie(
    content: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    rows: NDArray[np.int64],
    n_header: int,
    owners: NDArray[np.int64],
) -> Rings:
    """Take corners without what stands before them."""
    change = np.zeros(len(content) + 1, np.int8)
    change[offsets[rows] + n_header] = 1
    change[offsets[rows + 1]] = -1
    inside = np.cumsum(change[:-1], dtype=np.int8).view(bool)
    sizes = (offsets[rows + 1] - offsets[rows] - n_header) // CORNER
    return Rings(owners[rows], sizes, content[inside].view("<f8").reshape(-1, 2))


def _exteriors(stored: NDArray[np.object_], owners: NDArray[np.int64]) -> Rings:
    """Give the outer ring of each WKB (multi)polygon, of several parts of the largest."""
    import shapely  # noqa: PLC0415

    parts, of = shapely.get_parts(shapely.from_wkb(stored, on_invalid="ignore"), return_index=True)
    usable = (shapely.get_type_id(parts) == POLYGON) & ~shapely.is_empty(parts)
    parts, of = parts[usable], of[usable]
    if len(of) > len(np.unique(of)):
        largest_first = np.lexsort((-shapely.area(parts), of))
        first = np.concatenate([[True], np.diff(of[largest_first]) > 0])
        parts, of = parts[largest_first[first]], of[largest_first[first]]
    rings = shapely.get_exterior_ring(parts)
    sizes = shapely.get_num_coordinates(rings).astype(np.int64)
    return Rings(owners[of], sizes, shapely.get_coordinates(rings))
