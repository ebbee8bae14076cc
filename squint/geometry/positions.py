"""Positions without cells: put into a section, and made up where tissue is missing."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import count
from typing import cast

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from squint import keys
from squint.errors import InputError
from squint.geometry.regions import Points, Polygon, Rectangle, Region

NAME = "point-{}"
N_AROUND = 8  # the density at a cell is that of as many nearest cells
JITTER = 0.15  # of the lattice's spacing, at most, away from its site
LEAST_GAP = 1 - 2 * JITTER  # of the spacing, between any two positions of a jittered lattice
MOST_POINTS = 200_000  # in one area, or one grid
N_SPACINGS = 2  # from a cell, within which there is tissue
SHARED = (keys.SECTION, keys.PATIENT, keys.Z)  # columns of obs that a section's cells and positions share

Floats = NDArray[np.float64]


def append_points(adata: AnnData, regions: Sequence[Region]) -> AnnData:
    """Put the positions that regions list into their sections, as cells without counts.

    Parameters
    ----------
    adata
        Sections of raw counts, as `squint.read` gives them.
    regions
        Those that list no points are left alone.

    Returns
    -------
    A new object: the cells of ``adata``, then the positions. They are named ``point-1``, ``point-2``, ... and
    true in ``obs["squint_simulated_position"]``; they share the section's id, patient and height, as far as
    these are one. Graph, other ``obsm`` and ``layers`` are left out, for they know nothing of the positions.

    Raises
    ------
    InputError
        If a section is not in the data, or a position has a height and the section none.
    """
    lists = [region for region in regions if isinstance(region, Points)]
    cells = cast("pd.DataFrame", adata.obs)
    section = cells[keys.SECTION].to_numpy(dtype=str)
    spatial: Floats = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
    places = [spatial, *(_places(spatial[section == region.section], region) for region in lists)]
    of_point = [region.section for region in lists for _ in region.points]
    names = _new_names(adata.obs_names, len(of_point))
    obs = _obs(cells, section, of_point, names)
    obs[keys.SIMULATED_POSITION] = np.arange(len(obs)) >= adata.n_obs
    counts = csr_matrix(adata.X)
    joined = AnnData(
        X=vstack([counts, csr_matrix((len(of_point), adata.n_vars), dtype=counts.dtype)], format="csr"),
        obs=obs,
        var=cast("pd.DataFrame", adata.var).copy(),
        uns=deepcopy(dict(adata.uns)),
    )
    joined.obsm[keys.SPATIAL] = np.concatenate(places)
    return joined


def fill_area(coordinates: Floats, area: Rectangle | Polygon, *, seed: int = 0) -> Floats:
    """Fill an area with positions as dense as the section's cells.

    A hexagonal lattice of the section's own density (`lattice_spacing`), each position moved at random by at
    most 15 % of its spacing. No two positions come nearer to one another, nor to a cell, than 70 % of it. So
    an area that holds cells already is filled in its gaps only.

    Parameters
    ----------
    coordinates
        Positions of the section's cells (n, 2).
    area
        Where to put positions.
    seed
        Of the random movement.

    Returns
    -------
    Positions (m, 2), row by row.

    Raises
    ------
    InputError
        If cells have a height, are too few to tell their density, or the area would take too many positions.
    """
    if coordinates.shape[1] != 2:
        raise InputError("Only sections in two dimensions can be filled: these cells have a height.")
    spacing = lattice_spacing(coordinates)
    corners = _corners(area)
    low, high = corners.min(axis=0) - spacing, corners.max(axis=0) + spacing
    if np.prod((high - low) / spacing) > MOST_POINTS:
        raise InputError(f"The area would take more than {MOST_POINTS:,} positions. Choose a smaller one.")
    sites = _lattice(low, high, spacing)
    rng = np.random.default_rng(seed)
    angle, length = rng.uniform(0, 2 * np.pi, len(sites)), JITTER * np.sqrt(rng.random(len(sites)))
    sites += spacing * length[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    sites = sites[area.mask(pd.RangeIndex(len(sites)), sites, rng)]
    gap, _ = cKDTree(coordinates).query(sites)
    free: Floats = sites[gap >= LEAST_GAP * spacing]
    return free


def grid_within(levels: Sequence[Floats], step: float) -> Floats:
    """Lay a square grid over where all of some levels have tissue: a cell within two of its spacings.

    Parameters
    ----------
    levels
        Positions of each level's cells (n, 2).
    step
        Between neighbouring positions, in the unit of the coordinates.

    Returns
    -------
    Positions (m, 2), row by row.

    Raises
    ------
    InputError
        If the step is not positive, no tissue lies on tissue, or it would take too many positions.
    """
    if not (np.isfinite(step) and step > 0):
        raise InputError(f"A grid needs a step above 0, not {step:g}.")
    low = np.max([points.min(axis=0) for points in levels], axis=0)
    high = np.min([points.max(axis=0) for points in levels], axis=0)
    if (high < low).any():
        raise InputError("The levels do not lie on each other, so nothing lies between them. Align them.")
    if np.prod((high - low) / step + 1) > MOST_POINTS:
        raise InputError(f"The grid would take more than {MOST_POINTS:,} positions. Choose a larger step.")
    x, y = (low[i] + step * np.arange(int((high[i] - low[i]) / step + 1e-9) + 1) for i in (0, 1))
    sites = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    for points in levels:
        far, _ = cKDTree(points).query(sites)
        sites = sites[far <= N_SPACINGS * lattice_spacing(points)]
    if not len(sites):
        raise InputError("No position of the grid lies on tissue of both levels. Choose a smaller step.")
    return sites


def lattice_spacing(coordinates: Floats) -> float:
    """Find the spacing of the hexagonal lattice that is as dense as cells (n, 2) typically are.

    The density at a cell is that of its eight nearest cells; the median over cells counts.

    Raises
    ------
    InputError
        If there are too few cells, or most lie on one another.
    """
    k = min(N_AROUND, len(coordinates) - 1)
    if k < 1:
        raise InputError("The section has too few cells to tell how dense they lie.")
    reach = float(np.median(cKDTree(coordinates).query(coordinates, k + 1)[0][:, -1]))
    if reach == 0:
        raise InputError("Most cells lie on one another: how dense they lie cannot be told.")
    return reach * float(np.sqrt(2 * np.pi / (np.sqrt(3) * k)))


def _lattice(low: Floats, high: Floats, spacing: float) -> Floats:
    """Give the sites of a hexagonal lattice in a box, row by row: (m, 2)."""
    height = spacing * np.sqrt(3) / 2
    y = np.arange(low[1], high[1], height)
    x = np.arange(low[0], high[0], spacing)
    shift = np.where(np.arange(len(y)) % 2, spacing / 2, 0)
    sites = np.stack([x[None] + shift[:, None], np.broadcast_to(y[:, None], (len(y), len(x)))], axis=-1)
    return sites.reshape(-1, 2)


def _corners(area: Rectangle | Polygon) -> Floats:
    if isinstance(area, Rectangle):
        return np.array([[area.x0, area.y0], [area.x1, area.y1]])
    return np.array(area.polygon)


def _places(cells: Floats, region: Points) -> Floats:
    """Give the positions of a region as many coordinates as the section's cells (n, 2 | 3) have."""
    if not len(cells):
        raise InputError(f"Points lie in section {region.section!r}, which the data do not hold.")
    dimensions = {len(point) for point in region.points}
    if max(dimensions) > cells.shape[1]:
        raise InputError(f"Points of section {region.section!r} have a height, but its cells have none.")
    if cells.shape[1] == 2 or dimensions == {3}:
        return np.array(region.points)
    flat = np.array([point[:2] for point in region.points])
    height = cells[cKDTree(cells[:, :2]).query(flat)[1], 2]
    said = [point[2] if len(point) == 3 else z for point, z in zip(region.points, height, strict=True)]
    return np.column_stack([flat, said])


def _new_names(taken: pd.Index, n_names: int) -> list[str]:
    known = set(taken)
    names: Iterable[str] = (NAME.format(number) for number in count(1))
    new = (name for name in names if name not in known)
    return [next(new) for _ in range(n_names)]


def _obs(obs: pd.DataFrame, section: NDArray[np.str_], of_point: list[str], names: list[str]) -> pd.DataFrame:
    """Add a row per position to the table of cells, with what all cells of its section share."""
    joined = obs.reindex([*obs.index, *names])
    for column in obs:
        if obs[column].dtype == bool:
            joined[column] = [*obs[column], *([False] * len(names))]
    for column in [name for name in SHARED if name in obs]:
        for name in set(of_point):
            values = obs.loc[section == name, column].dropna().unique()
            if len(values) == 1:
                rows = [point for point, of in zip(names, of_point, strict=True) if of == name]
                joined.loc[rows, column] = values[0]
    return joined
