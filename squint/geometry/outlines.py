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
MAX_OUTLINE = 100_000  # corners of one name: a page draws them, and measures their area
MAX_CROSSED = 20_000  # corners of lines that cross, which are cut at each other
MAX_CROSSINGS = 3_000  # of lines: what a hand draws crosses itself a few times
MAX_COMPARED = 100_000_000  # pairs of an edge and a cell beside it: 2 s
_GRID = 1e-10  # of the farthest corner: 1 pm on a slide of 1 cm
_LISTED = 5

_FINE = 1 / 4_096  # of an outline's extent, below which nobody sees a corner
_FEW = 1_000  # corners, below which none is left out

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.uint32]  # sorted, each once
Polygon = tuple[Floats, ...]  # a ring and its holes


class LaboriousError(InputError):
    """Which cells lie inside takes longer to find than was allowed."""


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


def inside(polygons: Sequence[Polygon], coordinates: Floats, *, most: int = MAX_COMPARED) -> Mask:
    """Mark the cells in any of some polygons, borders included.

    Where rings of one polygon cross themselves or each other, the even-odd rule holds, as it does in the
    browser; so a hole is a ring within a ring, whichever way it runs.

    Parameters
    ----------
    polygons
        In the unit of the coordinates.
    coordinates
        Of the cells (n, 2 | 3); the third is not looked at.
    most
        Pairs of an edge and a cell beside it that are compared; 50 million take a second.

    Raises
    ------
    LaboriousError
        If the outlines run up and down past more cells than that.
    """
    mask = np.zeros(len(coordinates), dtype=bool)
    order = np.argsort(coordinates[:, 1], kind="stable")
    x, y = coordinates[order, 0], coordinates[order, 1]
    n_left = most
    for polygon in polygons:
        corners = np.concatenate(polygon)
        (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
        start, end = np.searchsorted(y, low, side="left"), np.searchsorted(y, high, side="right")
        near = start + np.flatnonzero((x[start:end] >= left) & (x[start:end] <= right))
        n_left -= (end - start) // 10 + _n_compared(polygon, y[near])
        if n_left < 0:
            raise LaboriousError(
                "The outline runs up and down past too many cells. Draw it more simply, or in several parts."
            )
        mask[order[near[_even_odd(polygon, x[near], y[near])]]] = True
    return mask


def _n_compared(polygon: Polygon, y: Floats) -> int:
    """Count the pairs of an edge and a point beside it; points are sorted by ``y``."""
    return sum(
        int(
            np.searchsorted(y, np.maximum(own, other), side="right").sum()
            - np.searchsorted(y, np.minimum(own, other), side="left").sum()
        )
        for own, other in ((ring[:, 1], np.roll(ring[:, 1], -1)) for ring in polygon)
    )


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
    """Give the area of the union of polygons, in the square of their unit.

    Raises
    ------
    InputError
        If they cross themselves or each other too often.
    """
    import shapely  # noqa: PLC0415 - only where an area is asked for

    shapes = _as_shapes(polygons)
    if _are_apart(shapes):
        return float(shapely.area(shapes).sum())
    faces, within = _faces(polygons)
    return float(sum(face.area for face in faces[inside(polygons, within)]))


def hull_area(coordinates: Floats) -> float:
    """Give the area of the convex hull of cells (n, 2 | 3), in the square of their unit."""
    import shapely  # noqa: PLC0415 - only where an area is asked for

    if len(coordinates) < 3:
        return 0.0
    return float(shapely.convex_hull(shapely.linestrings(coordinates[:, :2])).area)


def subtract(polygons: Sequence[Polygon], others: Sequence[Polygon]) -> tuple[Polygon, ...]:
    """Cut polygons out of polygons; what is left has no crossings.

    Raises
    ------
    InputError
        If they cross themselves or each other too often.
    """
    import shapely  # noqa: PLC0415 - only where an area is cut

    faces, within = _faces([*polygons, *others])
    rest = shapely.coverage_union_all(faces[inside(polygons, within) & ~inside(others, within)])
    lines = [[part.exterior, *part.interiors] for part in shapely.get_parts(rest)]
    return tuple(tuple(np.array(ring.coords)[:-1, :2] for ring in rings) for rings in lines)


def check_outline(polygons: Sequence[Polygon], where: str) -> None:
    """Refuse an outline of which no area could be measured in a few seconds.

    Parameters
    ----------
    polygons
        Of the outline.
    where
        Which one it is, for the message.

    Raises
    ------
    InputError
        If it has too many corners, or crosses itself too often.
    """
    n_corners = sum(len(ring) for polygon in polygons for ring in polygon)
    if n_corners > MAX_OUTLINE:
        raise InputError(
            f"{where} has {n_corners:,} corners, and at most {MAX_OUTLINE:,} are taken under one name. "
            "Simplify it first."
        )
    if not _are_apart(_as_shapes(polygons)):
        _check_crossings([ring for polygon in polygons for ring in polygon], where)


def simplified(ring: Floats) -> Floats:
    """Leave out the corners (k, 2) that nobody sees of a ring with many; a hand leaves one at each step.

    No point of the ring moves farther than a 4,096th of its extent.
    """
    import shapely  # noqa: PLC0415 - only where an area is drawn

    if len(ring) <= _FEW:
        return ring
    line = shapely.simplify(shapely.LinearRing(ring), float(np.ptp(ring, axis=0).max()) * _FINE)
    found: Floats = shapely.get_coordinates(line)[:-1]
    return found if len(np.unique(found, axis=0)) >= 3 else ring


def _as_shapes(polygons: Sequence[Polygon]) -> NDArray[np.object_]:
    import shapely  # noqa: PLC0415 - only where an area is asked for

    return np.array([shapely.Polygon(border, holes) for border, *holes in polygons], dtype=object)


def _are_apart(shapes: NDArray[np.object_]) -> bool:
    """Say whether no line of polygons crosses another, and no two polygons share more than their borders."""
    import shapely  # noqa: PLC0415 - only where an area is asked for

    if not shapely.is_valid(shapes).all():
        return False
    one, other = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = one[one < other], other[one < other]
    return bool(shapely.touches(shapes[one], shapes[other]).all())


def _check_crossings(rings: Sequence[Floats], where: str) -> None:
    """Count how often lines meet, a few at a time, until they are too many."""
    import shapely  # noqa: PLC0415 - only where an area is asked for

    n_corners = sum(map(len, rings))
    if n_corners > MAX_CROSSED:
        raise InputError(
            f"{where} crosses itself and has {n_corners:,} corners, and at most {MAX_CROSSED:,} are taken. "
            "Draw it without crossings, or simplify it first."
        )
    ends = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings]
    lines = shapely.linestrings(np.concatenate(ends))
    tree, together = shapely.STRtree(lines), max(1, 200_000 // len(lines))
    n_met = 0
    for start in range(0, len(lines), together):
        some = lines[start : start + together]
        n_met += tree.query(some, predicate="intersects").shape[1] - 3 * len(
            some
        )  # itself and both beside it
        if n_met > 2 * MAX_CROSSINGS:
            raise InputError(
                f"{where} crosses itself more than {MAX_CROSSINGS:,} times. Draw it more simply."
            )


def _faces(polygons: Sequence[Polygon]) -> tuple[NDArray[np.object_], Floats]:
    """Cut the plane along all rings: the faces (k,), and a point in each (k, 2), which says if it is inside.

    So one rule decides on cells and areas. Corners are snapped to a grid, since an overlay of the very
    coordinates lost whole faces in trials (GEOS 3.14).
    """
    import shapely  # noqa: PLC0415 - only where an area is asked for

    rings = [ring for polygon in polygons for ring in polygon]
    _check_crossings(rings, "The outline")
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
