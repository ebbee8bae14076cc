"""How far cells are from a border: from an outline that was drawn, or from where cells of two kinds meet.

Distances are signed: negative inside, positive outside, in the unit of the coordinates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from squint.errors import InputError
from squint.geometry.outlines import Polygon, inside, subtract

MIN_PATCH = 20  # cells of a patch that has a border

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Patches(NamedTuple):
    """Cells inside a border, after what is too small for one was put to the other side."""

    inside: Mask  # (n,)
    n_left_out: int  # cells in patches too small, now outside
    n_filled: int  # cells in holes too small, now inside


def distance_to_outline(polygons: Sequence[Polygon], coordinates: Floats) -> Floats:
    """Give the signed distance of cells to the border of the union of polygons.

    Parameters
    ----------
    polygons
        In the unit of the coordinates; holes have borders too.
    coordinates
        Of the cells (n, 2 | 3); the third is not looked at.

    Returns
    -------
    Distances (n,), 0 on the border.

    Raises
    ------
    InputError
        If there is no polygon, or they cross themselves or each other too often.
    """
    import shapely  # noqa: PLC0415 - only where an outline was drawn

    if not polygons:
        raise InputError("There is no outline to measure the distance to.")
    rings = [ring for polygon in subtract(polygons, ()) for ring in polygon]  # without what lies in the union
    ends = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings]
    tree = shapely.STRtree(shapely.linestrings(np.concatenate(ends)))
    points = shapely.points(coordinates[:, :2])
    (which, _), length = tree.query_nearest(points, all_matches=False, return_distance=True)
    distance = np.empty(len(coordinates))
    distance[which] = length
    return np.where(inside(polygons, coordinates), -distance, distance)


def distance_to_others(members: Mask, coordinates: Floats) -> Floats:
    """Give the signed distance of cells to the border between those of a set and all others.

    The border runs halfway between a cell and the nearest one of the other kind, so that cells on both sides
    are equally far from it, whatever the spacing, and across a gap it runs in the middle. The edge of the
    tissue is no border. Around a circle of cells 10 um apart, distances were wrong by 2 um in the mean.

    Parameters
    ----------
    members
        Which cells (n,) are inside.
    coordinates
        Of the cells (n, 2 | 3).

    Returns
    -------
    Distances (n,): to the nearest cell of the other kind, less half of the way from that to its own nearest.
    All NaN where every cell or none is inside.
    """
    if members.all() or not members.any():
        return np.full(len(members), np.nan)
    within, beyond = coordinates[members], coordinates[~members]
    out, nearest_out = cKDTree(beyond).query(within)
    back, nearest_back = cKDTree(within).query(beyond)
    distance = np.empty(len(members))
    distance[members] = -(out - back[nearest_out] / 2)
    distance[~members] = back - out[nearest_back] / 2
    return distance


def by_majority(members: Mask, graph: csr_matrix) -> Mask:
    """Put each cell to the side of most of its closed neighbourhood; where both are equal, it stays.

    Tissue is mixed: a tumour with a quarter of other cells is one area, not an area of many holes.

    Parameters
    ----------
    members
        Which cells (n,) are in the set.
    graph
        Of neighbours (n, n); its weights do not count.
    """
    joined = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    n_inside = members + joined @ members.astype(np.float64)
    twice = 2 * n_inside - (1 + np.diff(joined.indptr))
    return np.where(twice == 0, members, twice > 0)


def without_small_patches(members: Mask, graph: csr_matrix, *, min_cells: int = MIN_PATCH) -> Patches:
    """Put patches of a few cells to the side that surrounds them: a stray cell makes no border.

    Patches of the set first, then holes in it.

    Parameters
    ----------
    members
        Which cells (n,) are in the set.
    graph
        Of neighbours (n, n): a patch is what hangs together by it.
    min_cells
        Cells that a patch, or a hole, has at least.
    """
    kept = members & ~_small(members, graph, min_cells)
    holes = _small(~kept, graph, min_cells)
    holes &= kept.any()
    return Patches(kept | holes, int((members & ~(kept | holes)).sum()), int((holes & ~members).sum()))


def _small(members: Mask, graph: csr_matrix, min_cells: int) -> Mask:
    """Mark the cells (n,) of patches with fewer than so many."""
    rows = np.flatnonzero(members)
    small = np.zeros(len(members), dtype=bool)
    if len(rows):
        _, patch = connected_components(graph[rows][:, rows], directed=False)
        small[rows] = np.bincount(patch)[patch] < min_cells
    return small
