"""Rings cut into triangles, and rings with fewer corners: what a map needs to fill many cells quickly.

Rings come as corners (k, 2), one ring after the other, and offsets (p + 1,) where each begins.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DIRECTIONS = 8
_AT_ONCE = 100_000  # rings that are polygons of shapely at a time, which take much memory


class Rings(NamedTuple):
    """Rings, each ready to be filled."""

    offsets: Ints  # (p + 1,)
    corners: Floats  # (k, 2)
    fan: NDArray[np.bool_]  # (p,) whether triangles from the first corner to each edge fill it exactly
    triangles: Ints  # (t, 3) corners, of all rings that these do not fill, one ring after the other


def simple_rings(offsets: Ints, corners: Floats) -> tuple[Ints, Floats]:
    """Give rings that do not cross themselves: of one that does, the border of its largest part.

    Which parts there are is decided by the even-odd rule. A ring without area stays as it is: it has nothing
    to fill.
    """
    import shapely  # noqa: PLC0415 - only where a section is kept

    sizes = np.diff(offsets)
    crossed = np.concatenate(
        [
            first + np.flatnonzero(~shapely.is_valid(_polygons(*_part(offsets, corners, first))))
            for first in range(0, len(sizes), _AT_ONCE)
        ]
        or [np.empty(0, np.int64)]
    )
    if not len(crossed):
        return offsets, corners
    pieces = np.split(corners, offsets[1:-1])
    for i in crossed.tolist():
        parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(pieces[i])))
        parts = parts[shapely.area(parts) > 0]
        if len(parts):
            largest = parts[int(np.argmax(shapely.area(parts)))]
            pieces[i] = shapely.get_coordinates(shapely.get_exterior_ring(largest))[:-1]
            sizes[i] = len(pieces[i])
    return np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(pieces)


def triangulated(offsets: Ints, corners: Floats) -> Rings:
    """Cut simple rings into triangles.

    Most cells are filled by triangles from one of their corners to each edge; such a ring is turned, so that
    this corner is its first, and needs no list. The others are cut by a constrained Delaunay triangulation.
    """
    corners = corners.copy()
    sizes = np.diff(offsets)
    fan = np.zeros(len(sizes), bool)
    for size in np.unique(sizes).tolist():
        same = np.flatnonzero(sizes == size)
        at = offsets[same][:, None] + np.arange(size)
        open_ = np.arange(len(same))
        for turn in range(size):
            if not len(open_):
                break
            turned = (np.arange(size) + turn) % size
            good = _fills(corners[at[open_]][:, turned])
            done = open_[good]
            corners[at[done]] = corners[at[done]][:, turned]
            fan[same[done]] = True
            open_ = open_[~good]
    return Rings(offsets, corners, fan, _delaunay(offsets, corners, np.flatnonzero(~fan)))


def _fills(rings: Floats) -> NDArray[np.bool_]:
    """Say of rings (m, k, 2) whether triangles from the first corner fill them: none turns the other way."""
    spokes = rings[:, 1:] - rings[:, :1]
    before, after = spokes[:, :-1], spokes[:, 1:]
    cross = before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0]
    same: NDArray[np.bool_] = np.asarray((cross >= 0).all(axis=1) | (cross <= 0).all(axis=1))
    around = np.abs(np.arctan2(cross[same], (before[same] * after[same]).sum(axis=-1))).sum(axis=1)
    same[same] = around < 2 * np.pi - 1e-6  # a spiral is not simple
    return same


def _delaunay(offsets: Ints, corners: Floats, which: Ints) -> Ints:
    import shapely  # noqa: PLC0415 - only where a section is kept

    if not len(which):
        return np.empty((0, 3), np.int64)
    sizes = np.diff(offsets)[which]
    own = np.concatenate([[0], np.cumsum(sizes)])
    at = np.repeat(offsets[which] - own[:-1], sizes) + np.arange(own[-1])
    cut = shapely.constrained_delaunay_triangles(_polygons(own, corners[at]))
    parts, of = shapely.get_parts(cut, return_index=True)
    points = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3].reshape(-1, 2)
    owner = np.concatenate([np.repeat(np.arange(len(which)), sizes), np.repeat(of, 3)])
    place = np.concatenate([corners[at], points])
    order = np.lexsort((place[:, 1], place[:, 0], owner))  # stable: the ring's own corner comes first
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(owner[order]) != 0) | (np.diff(place[order], axis=0) != 0).any(axis=1)
    group = np.empty(len(order), np.int64)
    group[order] = order[new][np.cumsum(new) - 1]
    return at[group[len(at) :]].reshape(-1, 3)


def _part(offsets: Ints, corners: Floats, first: int) -> tuple[Ints, Floats]:
    part = offsets[first : first + _AT_ONCE + 1]
    return part - part[0], corners[part[0] : part[-1]]


def _polygons(offsets: Ints, corners: Floats) -> NDArray[np.object_]:
    import shapely  # noqa: PLC0415 - only where a section is kept

    sizes = np.diff(offsets)
    rings = np.repeat(np.arange(len(sizes)), sizes)
    return np.asarray(shapely.polygons(shapely.linearrings(corners, indices=rings)))


def octagons(offsets: Ints, corners: Floats) -> tuple[Ints, Floats]:
    """Give of each simple ring the corners that lie farthest in eight directions, in their order.

    They make a convex ring of at most eight corners, which cannot be told from the whole one where a cell is
    a few pixels wide.
    """
    if len(offsets) < 2:
        return offsets, corners
    sizes = np.diff(offsets)
    kept = np.zeros(len(corners), bool)
    for angle in np.arange(_DIRECTIONS) * 2 * np.pi / _DIRECTIONS + 0.1:  # no edge of a pixel is at this one
        along = corners @ [np.cos(angle), np.sin(angle)]
        farthest = np.flatnonzero(along == np.repeat(np.maximum.reduceat(along, offsets[:-1]), sizes))
        ring = np.searchsorted(offsets, farthest, side="right")
        kept[farthest[np.concatenate([[True], ring[1:] != ring[:-1]])]] = True
    left = np.add.reduceat(kept, offsets[:-1], dtype=np.int64)
    return np.concatenate([[0], np.cumsum(left)]), corners[kept]
