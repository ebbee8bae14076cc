"""Outlines of tissue: which cells lie inside, and how large they are.

A *ring* is a closed line of corners (k, 2), the last joined to the first. A *polygon* is a list of rings: a
border and its holes. Several polygons are their union. Nothing here imports anndata; files are read and
written by :mod:`squint.formats.qupath` and :mod:`squint.formats.xenium_explorer`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.bounds import FARTHEST
from squint.errors import InputError

MAX_BYTES = 64_000_000  # of a file
MAX_CORNERS = 500_000  # of a file: the wand of QuPath leaves a corner every few pixels
MAX_FEATURES = 5_000
_GRID = 1e-10  # of the farthest corner: 1 pm on a slide of 1 cm
_LISTED = 5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.uint32]  # sorted, each once
Polygon = tuple[Floats, ...]  # a ring and its holes


@dataclass(frozen=True, eq=False)
class Outline:
    """What one name marks in a file: areas, or the positions of cells."""

    name: str
    polygons: tuple[Polygon, ...] = ()
    points: Floats = field(default_factory=lambda: np.empty((0, 2)))  # (k, 2)
    colour: str | None = None  # "#rrggbb"


@dataclass(frozen=True)
class Group:
    """Cells by name, as Xenium Explorer groups them."""

    name: str
    cells: tuple[str, ...]
    colour: str | None = None  # "#rrggbb"


def inside(polygons: Sequence[Polygon], coordinates: Floats) -> Mask:
    """Mark the cells in any of some polygons, borders included.

    Where rings of one polygon cross themselves or each other, the even-odd rule holds, as it does in the
    browser; so a hole is a ring within a ring, whichever way it runs.

    Parameters
    ----------
    polygons
        In the unit of the coordinates.
    coordinates
        Of the cells (n, 2 | 3); the third is not looked at.
    """
    mask = np.zeros(len(coordinates), dtype=bool)
    for polygon in polygons:
        corners = np.concatenate(polygon)
        low, high = corners.min(axis=0), corners.max(axis=0)
        near = np.flatnonzero(((coordinates[:, :2] >= low) & (coordinates[:, :2] <= high)).all(axis=1))
        near = near[np.argsort(coordinates[near, 1], kind="stable")]
        mask[near[_even_odd(polygon, coordinates[near, 0], coordinates[near, 1])]] = True
    return mask


def _even_odd(polygon: Polygon, x: Floats, y: Floats) -> Mask:
    """Mark points sorted by ``y`` (n,): each edge looks only at those beside it."""
    starts = np.concatenate(polygon)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in polygon])
    lows = np.searchsorted(y, np.minimum(starts[:, 1], ends[:, 1]), side="left")
    highs = np.searchsorted(y, np.maximum(starts[:, 1], ends[:, 1]), side="right")
    odd, border = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1), low, high in zip(starts.tolist(), ends.tolist(), lows, highs, strict=True):
        if low == high:
            continue
        beside = slice(low, high)
        px, py = x[beside], y[beside]
        side = (x1 - x0) * (py - y0) - (y1 - y0) * (px - x0)  # > 0 to the left of the edge
        odd[beside] ^= ((y0 > py) != (y1 > py)) & ((side > 0) == (y1 > y0)) & (side != 0)
        border[beside] |= (side == 0) & (px >= min(x0, x1)) & (px <= max(x0, x1))
    return odd | border


def area(polygons: Sequence[Polygon]) -> float:
    """Give the area of the union of polygons, in the square of their unit."""
    faces, within = _faces(polygons)
    return float(sum(face.area for face in faces[inside(polygons, within)]))


def hull_area(coordinates: Floats) -> float:
    """Give the area of the convex hull of cells (n, 2 | 3), in the square of their unit."""
    import shapely  # noqa: PLC0415 - only where an area is asked for

    if len(coordinates) < 3:
        return 0.0
    return float(shapely.convex_hull(shapely.linestrings(coordinates[:, :2])).area)


def subtract(polygons: Sequence[Polygon], others: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """Cut polygons out of polygons; what is left has no crossings."""
    import shapely  # noqa: PLC0415 - only where an area is cut

    faces, within = _faces([*polygons, *others])
    rest = shapely.coverage_union_all(faces[inside(polygons, within) & ~inside(others, within)])
    lines = [[part.exterior, *part.interiors] for part in shapely.get_parts(rest)]
    return tuple(tuple(np.array(ring.coords)[:-1, :2] for ring in rings) for rings in lines)


def _faces(polygons: Sequence[Polygon]) -> tuple[NDArray[np.object_], Floats]:
    """Cut the plane along all rings: the faces (k,), and a point in each (k, 2), which says if it is inside.

    So one rule decides on cells and areas. Corners are snapped to a grid, since an overlay of the very
    coordinates lost whole faces in trials (GEOS 3.14).
    """
    import shapely  # noqa: PLC0415 - only where an area is asked for

    rings = [ring for polygon in polygons for ring in polygon]
    reach = max((float(np.abs(ring).max()) for ring in rings), default=1.0) or 1.0
    lines = shapely.union_all([shapely.LinearRing(ring) for ring in rings], grid_size=_GRID * reach)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    return faces, shapely.get_coordinates(shapely.point_on_surface(faces))


def as_ring(corners: Any, where: str) -> Floats:
    """Check a list of corners from outside and give the ring, without a last corner that repeats the first.

    Parameters
    ----------
    corners
        Anything; should be a list of ``[x, y]`` with at least three different corners. It may cross itself.
    where
        Which one it is, for the message.

    Raises
    ------
    InputError
        If it is no such list.
    """
    ring = points_of(corners, where)
    if len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(np.unique(ring, axis=0)) < 3:
        raise InputError(f"{where} has fewer than three corners, so it holds no area. Draw it again.")
    return ring


def points_of(value: Any, where: str) -> Floats:
    """Check a list of positions and give them (k, 2); a height is dropped."""
    if not isinstance(value, list) or not all(isinstance(p, list) and len(p) in {2, 3} for p in value):
        raise InputError(f"{where} must be a list of positions [x, y]. Draw it again.")
    if len(value) > MAX_CORNERS:
        raise InputError(f"{where} has more than {MAX_CORNERS:,} corners. Simplify it first.")
    if not all(_is_number(number) for position in value for number in position[:2]):
        raise InputError(
            f"{where} has a position that is no finite number, or is out of all bounds. Draw it again."
        )
    return np.array([position[:2] for position in value], dtype=np.float64).reshape(-1, 2)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FARTHEST


def at_points(points: Floats, coordinates: Floats) -> tuple[Rows, int]:
    """Find the cells at positions.

    Parameters
    ----------
    points
        Positions (k, 2), such as clicks on cells.
    coordinates
        Of the cells (n, 2 | 3).

    Returns
    -------
    The nearest cell of each position, and of how many positions no cell is nearer than half the distance
    between neighbouring cells.
    """
    from scipy.spatial import KDTree  # noqa: PLC0415 - only where a file holds positions

    tree = KDTree(coordinates[:, :2])
    sample = coordinates[:: max(1, len(coordinates) // 2_000), :2]
    apart = tree.query(sample, k=2)[0][:, 1] if len(coordinates) > 1 else np.ones(1)
    reach = max(float(np.median(apart)) / 2, 1e-3)
    distance, nearest = tree.query(points)
    found = distance <= reach
    return np.unique(nearest[found]).astype(np.uint32), int((~found).sum())


def find_cells(wanted: Sequence[str], names: Sequence[str], where: str, *, skip: bool = False) -> Rows:
    """Find cells by name.

    Parameters
    ----------
    wanted
        Names of cells, from a file.
    names
        Of all cells of the section (n,).
    where
        Name of the file, for the message.
    skip
        Leave out names that the section does not have, unless it has none of them.

    Raises
    ------
    InputError
        If the section lacks some.
    """
    at = {name: row for row, name in enumerate(names)}
    unknown = [name for name in wanted if name not in at]
    if unknown and (not skip or len(unknown) == len(wanted)):
        first = ", ".join(repr(name[:40]) for name in unknown[:_LISTED])
        raise InputError(
            f"Of the {len(wanted):,} cells that {where} names, this section lacks {len(unknown):,}: {first}"
            f"{' ...' if len(unknown) > _LISTED else ''}. Choose the section that the file was made of"
            + ("." if len(unknown) == len(wanted) else ", or leave these cells out.")
        )
    return np.unique(np.array([at[name] for name in wanted if name in at], dtype=np.uint32))


def closed(ring: Floats) -> list[list[float]]:
    """List the corners of a ring, the first again at the end, as files want it."""
    corners: list[list[float]] = ring.tolist()
    return [*corners, corners[0]]


def hex_of(value: Any) -> str | None:
    """Read a colour: ``[r, g, b]``, Java's packed integer of QuPath 0.3, or ``"#rrggbb"``."""
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()):
        return value.strip().upper()
    if isinstance(value, int) and not isinstance(value, bool):
        return f"#{value & 0xFFFFFF:06X}"
    if isinstance(value, list) and len(value) == 3 and all(type(v) is int and 0 <= v < 256 for v in value):
        return "#{:02X}{:02X}{:02X}".format(*value)
    return None
