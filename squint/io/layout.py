"""The layout of a section held against its positions: groups of cells that lie on top of each other are several.

In one piece of tissue cells keep a distance from each other, whatever their labels. Where fields of view
count from their own corners, or slices from the same origin, each group keeps its distances and knows nothing
of the others: pairs of cells that nearly coincide are then nearly all of different groups.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from squint import keys
from squint.io.findings import AskedError, Findings, Question

CLOSE = 0.25  # of the mean spacing; in tissue few cells are nearer to another
MANY_CLOSE = 0.05  # share of cells with another that close, from which groups are looked at
WITHIN = 0.3  # of the close pairs that chance would put within groups, at most so many are: the groups know nothing
MAX_GROUPS = 1_000
MIN_CELLS = 50
MAX_LOOKED_AT = 50_000  # cells of a section
FEW, MANY_SECTIONS = 30, 20  # cells at the median from which so many sections are no sections


def check_layout(
    obs: pd.DataFrame, spatial: NDArray[np.float64], findings: Findings, *, chosen: bool
) -> None:
    """Ask which column tells sections apart, where the positions of one contradict that it is one.

    Parameters
    ----------
    obs
        Table of cells with ``section_id``.
    spatial
        Positions (n, 2 | 3).
    findings
        Added to: many cells at one position.
    chosen
        Whether the user named the column of sections, so that his word counts.

    Raises
    ------
    AskedError
        If cells of another column's groups lie on top of each other, or sections have hardly any cells.
    """
    codes = obs[keys.SECTION].cat.codes.to_numpy()
    sizes = np.bincount(codes)
    if not chosen and len(sizes) > MANY_SECTIONS and np.median(sizes) < FEW:
        words = f"{len(sizes):,} sections of {np.median(sizes):g} cells at the median are no sections."
        raise AskedError(Question(f"column {keys.SECTION}", words, (), ""))
    n_repeated = 0
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        _, counts = np.unique(spatial[rows], axis=0, return_counts=True)
        n_repeated += int(counts[counts > 1].sum())
        if not chosen and (column := _overlaid(obs.iloc[rows], spatial[rows])) is not None:
            n = obs[column].iloc[rows].nunique()
            words = f"Cells of the {n:,} groups of obs[{column!r}] lie on top of each other: they are no one section."
            choices = (column, *(c for c in candidates(obs.iloc[rows]) if c != column))
            raise AskedError(Question(f"column {keys.SECTION}", words, choices, ""))
    if n_repeated:
        findings.note(f"{n_repeated:,} cells share their position with another.")


def candidates(obs: pd.DataFrame) -> list[str]:
    """Name the columns whose groups may be pieces of tissue: two groups or more, of some cells each."""
    return [str(name) for name in obs.columns if name != keys.SECTION and _groups(obs[name]) is not None]


def _groups(column: pd.Series) -> NDArray[np.integer] | None:
    if pd.api.types.is_float_dtype(column.dtype) and not (column.dropna() % 1 == 0).all():
        return None
    try:
        codes, groups = pd.factorize(column)
    except TypeError:
        return None
    return codes if 2 <= len(groups) <= min(MAX_GROUPS, len(column) / 5) else None


def _overlaid(obs: pd.DataFrame, spatial: NDArray[np.float64]) -> str | None:
    """Name the column whose groups lie on top of each other, if there is one: the one with fewest groups."""
    n = len(spatial)
    if n < MIN_CELLS:
        return None
    places, first = np.unique(spatial, axis=0, return_index=True)
    tree = cKDTree(places)
    looked = np.linspace(0, len(places) - 1, min(len(places), MAX_LOOKED_AT)).astype(int)
    spacing = float(np.median(tree.query(places[looked], k=min(5, len(places)))[0][:, -1])) / 1.13
    # the fourth neighbour lies 1.13 mean spacings away where points are scattered without order
    pairs = (
        tree.query_pairs(CLOSE * spacing, output_type="ndarray")
        if n <= MAX_LOOKED_AT
        else _some_pairs(tree, places[looked], looked, CLOSE * spacing)
    )
    if len(np.unique(pairs)) < MANY_CLOSE * min(n, MAX_LOOKED_AT):
        return None
    rows = first[pairs]
    found: list[tuple[int, str]] = []
    for name in candidates(obs):
        codes: Any = _groups(obs[name])
        shares = np.bincount(codes[codes >= 0]) / max(1, (codes >= 0).sum())
        within = float((codes[rows[:, 0]] == codes[rows[:, 1]]).mean())
        if within < WITHIN * float((shares**2).sum()):
            found.append((len(shares), name))
    return min(found)[1] if found else None


def _some_pairs(
    tree: cKDTree, points: NDArray[np.float64], numbers: NDArray[np.integer], distance: float
) -> NDArray[np.integer]:
    """Give pairs of near places, of some places only."""
    found = tree.query(points, k=2, distance_upper_bound=distance)
    near = np.isfinite(found[0][:, 1])
    return np.column_stack([numbers[near], found[1][near, 1]])
