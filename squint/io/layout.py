"""The layout of a section held against its positions: groups that lie on top of each other are several.

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
FOURTH = 1.13  # mean spacings to the fourth neighbour, where points are scattered without order
MANY_CLOSE = 0.05  # share of cells with another that close, from which groups are looked at
WITHIN = 0.3  # of the close pairs that chance would put within groups, at most so many are
MIN_PAIRS = 20  # close pairs from which their groups say something
MAX_GROUPS = 1_000
MEASURED = {"control_counts", "in_tissue", "cell_area", "nucleus_area"}  # of cells, and never of sections
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
        first, counts = _places(spatial[rows])
        n_repeated += int(counts[counts > 1].sum())
        column = None if chosen else _overlaid(obs.iloc[rows], spatial[rows], first)
        if column is not None:
            n = obs[column].iloc[rows].nunique()
            words = (
                f"Cells of the {n:,} groups of obs[{column!r}] lie on top of each other, so they are "
                "not one section. Name the column that tells sections apart (an empty one: none does)."
            )
            choices = (column, *(c for c in candidates(obs.iloc[rows]) if c != column))
            raise AskedError(Question(f"column {keys.SECTION}", words, choices, ""))
    if n_repeated:
        findings.note(f"{n_repeated:,} cells share their position with another.")


def candidates(obs: pd.DataFrame) -> list[str]:
    """Name the columns whose groups may be pieces of tissue: two groups or more, of some cells each."""
    names = [str(name) for name in obs.columns if name != keys.SECTION and name not in MEASURED]
    return [name for name in names if _groups(obs[name]) is not None]


def _groups(column: pd.Series) -> NDArray[np.integer] | None:
    if pd.api.types.is_float_dtype(column.dtype) and not (column.dropna() % 1 == 0).all():
        return None
    try:
        codes, groups = pd.factorize(column)
    except TypeError:
        return None
    return codes if 2 <= len(groups) <= min(MAX_GROUPS, len(column) / 5) else None


def _places(spatial: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the first cell at each position, and how many are there."""
    flat = spatial[:, 0] + 1j * spatial[:, 1]  # sorted much faster than rows of a table
    if spatial.shape[1] == 2:
        _, first, counts = np.unique(flat, return_index=True, return_counts=True)
    else:
        _, first, counts = np.unique(spatial, axis=0, return_index=True, return_counts=True)
    return first, counts


def _overlaid(obs: pd.DataFrame, spatial: NDArray[np.float64], first: NDArray[np.int64]) -> str | None:
    """Name the column whose groups lie on top of each other, if there is one: the one with fewest groups."""
    if len(first) < MIN_CELLS or not candidates(obs):
        return None
    places = spatial[first]
    tree = cKDTree(places)
    looked = np.linspace(0, len(places) - 1, min(len(places), MAX_LOOKED_AT)).astype(int)
    distances, neighbours = tree.query(places[looked], k=5)
    close = distances[:, 1] < CLOSE / FOURTH * np.median(distances[:, 4])
    if close.mean() < MANY_CLOSE:
        return None
    if close.sum() < MIN_PAIRS:
        return None
    pairs = np.column_stack([looked[close], neighbours[close, 1]])
    rows = first[pairs]
    found: list[tuple[int, str]] = []
    for name in candidates(obs):
        codes: Any = _groups(obs[name])
        shares = np.bincount(codes[codes >= 0]) / max(1, (codes >= 0).sum())
        within = float((codes[rows[:, 0]] == codes[rows[:, 1]]).mean())
        if within < WITHIN * float((shares**2).sum()):
            found.append((len(shares), name))
    return min(found)[1] if found else None
