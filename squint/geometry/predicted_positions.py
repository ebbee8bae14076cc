"""Positions in a hole, predicted: how many cells, where, and how far apart, told from the tissue around.

How many: the same shape is laid onto other places of the section, as holes that were measured, and regression
tells how the number of cells in such a hole follows from how dense cells lie around it. Where: by the density
interpolated from around. How far apart: by the distances between nearest cells around.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from squint.errors import InputError
from squint.geometry.positions import MOST_POINTS, lattice_spacing
from squint.geometry.regions import Polygon, Rectangle

WIDTHS = (2.0, 4.0, 8.0, 16.0)  # of the rings around a hole, in spacings
TISSUE = 2.5  # spacings: gaps that are no wider than twice this are tissue
N_TRIED, MOST_HOLES, LEAST_HOLES = 400, 80, 12  # places that a hole is laid onto, taken, and learned from
LEAST_TISSUE = 0.8  # of such a hole
RIDGE = 0.3  # for each hole
N_AROUND = 16  # cells that say how dense tissue is at a place
N_SPACING = 2_000  # cells nearest to the hole whose distances are learned from
TRIES = 60  # for each position, before it is given up
CORE = 0.05  # quantile of the distances, below which no two positions come

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Filling(NamedTuple):
    """A hole filled."""

    points: Floats  # (m, 2)
    expected: float  # cells in the whole area, those that are there already among them
    low: float  # 95 % of holes like this hold more than this ...
    high: float  # ... and less than this; both NaN where there were too few places to learn from
    n_learned: int  # places of the section that this was learned from
    least_gap: float  # between any two positions, and a position and a cell


def predict_positions(coordinates: Floats, area: Rectangle | Polygon, *, seed: int = 0) -> Filling:
    """Predict where cells would lie in an area without cells.

    Parameters
    ----------
    coordinates
        Positions of the section's cells (n, 2); those inside the area stay, and are not filled over.
    area
        The hole.
    seed
        Of the places that are learned from, and of the positions.

    Returns
    -------
    All positions lie in the area.

    Raises
    ------
    InputError
        If cells have a height, are too few to tell their density, or the area would take too many positions.
    """
    if coordinates.shape[1] != 2:
        raise InputError("Only sections in two dimensions can be filled: these cells have a height.")
    spacing = lattice_spacing(coordinates)
    coordinates = coordinates[np.lexsort(coordinates.T[::-1])]
    rng = np.random.default_rng(seed)
    outline = area.outline
    low, high = outline.min(axis=0), outline.max(axis=0)
    if np.prod((high - low) / spacing + 1) > MOST_POINTS:
        raise InputError(f"The area would take more than {MOST_POINTS:,} positions. Choose a smaller one.")
    pitch = min(spacing, float((high - low).min()) / 6 or spacing)
    if np.prod((high - low) / pitch + 1) > 4 * MOST_POINTS:
        raise InputError("The area is too thin to be filled. Draw a wider one.")
    shape = _Shape.of(area, spacing, pitch)
    tree = cKDTree(coordinates)
    inside = _inside(area, coordinates)
    around = coordinates[~inside]
    if len(around) < N_AROUND:
        raise InputError("Too few cells lie around the area to tell how dense they lie.")
    outer = cKDTree(around)
    bare = _bare(area, outer, around, spacing)
    expected, error, n_learned = _expect(area, shape, bare, outer, spacing, rng)
    n_cells = expected * shape.area
    wanted = round(n_cells) - int(inside.sum())
    distances = _distances(outer, around, shape)
    points = _place(area, shape, tree, outer, distances, max(wanted, 0), rng)
    spread = np.exp(1.96 * error)
    core = float(np.quantile(distances, CORE))
    return Filling(points, n_cells, n_cells / spread, n_cells * spread, n_learned, core)


class _Shape(NamedTuple):
    """An area and the rings around it, as sites of a fine grid."""

    inside: Floats  # (s, 2)
    around: Floats  # (r, 2)
    distance: Floats  # (r,) of those to the area, in spacings
    pitch: float

    @property
    def area(self) -> float:
        """Of the hole."""
        return len(self.inside) * self.pitch**2

    @classmethod
    def of(cls, area: Rectangle | Polygon, spacing: float, pitch: float) -> "_Shape":
        """Lay sites over an area and around it."""
        outline = area.outline
        low, high = outline.min(axis=0), outline.max(axis=0)
        inside = _sites(low, high, pitch)
        inside = inside[_inside(area, inside)]
        if not len(inside):
            raise InputError("The area has no room for a cell. Draw a larger one.")
        reach = max(WIDTHS) * spacing
        wide = _sites(low - reach, high + reach, spacing)
        wide = wide[~_inside(area, wide)]
        far, _ = cKDTree(inside).query(wide)
        near = far <= reach
        return cls(inside, wide[near], far[near] / spacing, pitch)


def _sites(low: Floats, high: Floats, pitch: float) -> Floats:
    axes = [np.arange(low[i] + pitch / 2, high[i] + pitch / 2, pitch) for i in (0, 1)]
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


def _inside(area: Rectangle | Polygon, points: Floats) -> Mask:
    return area.mask(pd.RangeIndex(len(points)), points, np.random.default_rng(0))


def _expect(
    area: Rectangle | Polygon,
    shape: _Shape,
    bare: cKDTree,
    tree: cKDTree,
    spacing: float,
    rng: np.random.Generator,
) -> tuple[float, float, int]:
    """Expect the density of cells in the hole.

    Returns
    -------
    Cells for an area of 1, the standard error of its logarithm, and the holes that it was learned from.
    """
    cells = tree.data
    centre = shape.inside.mean(axis=0)
    sites = np.concatenate([shape.inside, shape.around])
    reach = float(np.linalg.norm(sites - centre, axis=1).max()) + spacing
    own = _rings(shape, shape.around, bare, tree, cells, spacing)  # no cell is inside
    hole = cKDTree(shape.inside)
    features, densities = [], []
    for at in rng.choice(len(cells), min(N_TRIED, len(cells)), replace=False):
        move = cells[at] - centre
        moved = shape.inside + move
        # A place that reaches into the hole itself was not measured.
        if hole.query(moved)[0].min() <= shape.pitch:
            continue
        share = _is_tissue(moved, bare, tree, spacing).mean()
        if share < LEAST_TISSUE:
            continue
        near = cells[tree.query_ball_point(centre + move, reach)]
        within = _inside(area, near - move)
        features.append(_rings(shape, shape.around + move, bare, tree, near[~within], spacing))
        densities.append(within.sum() / (share * shape.area))
        if len(densities) == MOST_HOLES:
            break
    if len(densities) < LEAST_HOLES:
        return float(np.exp(own[2])), float("nan"), len(densities)
    given, truth = np.array(features), np.log(np.maximum(densities, 1 / shape.area))
    centre_of, mean = given.mean(axis=0), truth.mean()
    centred = given - centre_of
    scale = centred.std() or 1.0
    square = centred.T @ centred / scale**2 + RIDGE * len(given) * np.eye(given.shape[1]) / 4
    slopes = np.linalg.solve(square, centred.T @ (truth - mean) / scale**2)
    off = truth - mean - centred @ slopes
    return float(np.exp(mean + (own - centre_of) @ slopes)), float(off.std()), len(densities)


def _bare(area: Rectangle | Polygon, tree: cKDTree, cells: Floats, spacing: float) -> cKDTree:
    """Find sites on and around the section that no cell is near, the hole left out.

    A place is tissue if none of them is near it: so gaps between cells are closed, and borders stay in place.
    """
    margin = 2 * TISSUE * spacing
    sites = _sites(cells.min(axis=0) - margin, cells.max(axis=0) + margin, spacing)
    sites = sites[tree.query(sites)[0] > TISSUE * spacing]
    return cKDTree(sites[~_inside(area, sites)])


def _is_tissue(sites: Floats, bare: cKDTree, tree: cKDTree, spacing: float) -> Mask:
    """Mark the sites (s,) that are tissue: a cell is near, and no place without one."""
    reach = TISSUE * spacing
    return np.asarray((tree.query(sites)[0] <= reach) & (bare.query(sites)[0] > reach))


def _rings(
    shape: _Shape, sites: Floats, bare: cKDTree, tree: cKDTree, cells: Floats, spacing: float
) -> Floats:
    """Measure the log density of cells in each ring around a hole, at its sites, over what is tissue."""
    tissue = _is_tissue(sites, bare, tree, spacing)
    # A site stands for a square of tissue; the cells in it are those that have it for their nearest site.
    at = cKDTree(sites)
    far, nearest = at.query(cells, distance_upper_bound=spacing / np.sqrt(2) + 1e-9)
    own = np.isfinite(far)
    number = np.bincount(nearest[own], minlength=len(sites))
    found = []
    for width in WIDTHS:
        ring = (shape.distance <= width) & tissue
        found.append(np.log((number[ring].sum() + 0.5) / (max(ring.sum(), 1) * spacing**2)))
    return np.array(found)


def _distances(tree: cKDTree, cells: Floats, shape: _Shape) -> Floats:
    """Measure how far cells around the hole lie from their nearest one, sorted."""
    far = cKDTree(shape.inside).query(cells)[0]
    near = cells[np.argsort(far, kind="stable")[:N_SPACING]]
    return np.sort(tree.query(near, 2)[0][:, 1])


def _place(
    area: Rectangle | Polygon,
    shape: _Shape,
    taken: cKDTree,
    around: cKDTree,
    distances: Floats,
    wanted: int,
    rng: np.random.Generator,
) -> Floats:
    """Put positions one after the other, where tissue around is dense, none too near to another or a cell."""
    far = around.query(shape.inside, N_AROUND)[0]
    weight = 1 / np.maximum(far[:, -1], 1e-9)  # flatter than the density itself, which is not known inside
    weight /= weight.sum()
    core = float(np.quantile(distances, CORE))
    placed = np.empty((wanted, 2))
    cells: dict[tuple[int, int], list[int]] = {}
    size = max(float(distances[-1]), 1e-9)
    n = 0
    for _ in range(wanted):
        for _ in range(TRIES):
            site = shape.inside[rng.choice(len(weight), p=weight)]
            point = site + rng.uniform(-shape.pitch / 2, shape.pitch / 2, 2)
            gap = _gap(point, placed, cells, size, taken)
            if gap < core or rng.random() > np.searchsorted(distances, gap, side="right") / len(distances):
                continue
            if not _inside(area, point[None])[0]:
                continue
            placed[n] = point
            cells.setdefault(_box(point, size), []).append(n)
            n += 1
            break
    return placed[:n]


def _box(point: Floats, size: float) -> tuple[int, int]:
    return int(point[0] // size), int(point[1] // size)


def _gap(
    point: Floats, placed: Floats, cells: dict[tuple[int, int], list[int]], size: float, taken: cKDTree
) -> float:
    """Measure how far a point lies from the nearest cell or position, exactly up to the size of a box."""
    gap = float(taken.query(point)[0])
    x, y = _box(point, size)
    near = [n for i in (x - 1, x, x + 1) for j in (y - 1, y, y + 1) for n in cells.get((i, j), ())]
    if near:
        gap = min(gap, float(np.sqrt(((placed[near] - point) ** 2).sum(axis=1).min())))
    return gap
