"""What measured levels of a stack say of a depth between them: means over the nearest cells, and draws.

A place (x, y) at depth z lies between two measured levels, the one below and the one above. Each says what
its cells nearest to the place hold, and the two are weighed by how near they are in z.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial import cKDTree

from squint.bounds import check_reach
from squint.errors import InputError

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)  # nearest cells of a level that are averaged
DRAWN_FROM = 64  # nearest cells of a level that one is drawn from
ROWS = 4096  # places at a time

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Level(NamedTuple):
    """The cells of one measured level."""

    name: str
    z: float  # um
    points: Floats  # (n, 2), laid onto the other levels
    values: csr_matrix  # (n, g): counts of cells, or means of their neighbourhoods


class Between(NamedTuple):
    """The two measured levels that a depth lies between."""

    below: Level
    above: Level
    share: float  # of the upper one, 0 to 1: how far the depth lies towards it

    @property
    def weighed(self) -> list[tuple[Level, float]]:
        """The levels that have any weight, with it."""
        pairs = ((self.below, 1 - self.share), (self.above, self.share))
        return [(level, weight) for level, weight in pairs if weight > 0]


def in_order(levels: Sequence[Level]) -> list[Level]:
    """Sort levels by height and their cells by position, so that the order in which they came is nothing.

    Raises
    ------
    InputError
        If two levels lie at one height, one has no cell, or a position lies where no tissue can.
    """
    ordered = sorted(levels, key=lambda level: level.z)
    for lower, upper in pairwise(ordered):
        if lower.z == upper.z:
            raise InputError(
                f"Levels {lower.name!r} and {upper.name!r} lie at one height, {lower.z:g} um. Leave one out."
            )
    found = []
    for level in ordered:
        if not len(level.points):
            raise InputError(f"Level {level.name!r} has no cell. Leave it out.")
        check_reach(level.points, "A position")
        order = np.lexsort(level.points.T[::-1])
        found.append(level._replace(points=level.points[order], values=csr_matrix(level.values[order])))
    return found


def find_between(levels: Sequence[Level], z: float) -> Between:
    """Find the levels that a depth lies between, of levels in order.

    Raises
    ------
    InputError
        If there are fewer than two, or the depth lies outside of them.
    """
    if len(levels) < 2:
        raise InputError("There is one level only: a section between levels needs two or more.")
    heights = np.array([level.z for level in levels])
    if not (np.isfinite(z) and heights[0] <= z <= heights[-1]):
        raise InputError(
            f"z = {z:g} um lies outside of the measured levels. Choose one from {heights[0]:g} to "
            f"{heights[-1]:g} um: nothing is told beyond them."
        )
    at = int(np.clip(np.searchsorted(heights, z, side="right") - 1, 0, len(levels) - 2))
    below, above = levels[at], levels[at + 1]
    return Between(below, above, (z - below.z) / (above.z - below.z))


def nearest_means(
    level: Level, points: Floats, values: csr_matrix | Floats, sizes: Sequence[int] = SIZES
) -> Iterator[tuple[slice, list[Floats]]]:
    """Average what the nearest cells of a level hold.

    Parameters
    ----------
    level
        Its positions are looked at.
    points
        Places asked about (m, 2).
    values
        Per cell of the level (n, c).
    sizes
        How many of the nearest cells, in rising order; all where the level has fewer.

    Yields
    ------
    Some rows of the places, and for each size their means (rows, c).
    """
    tree, most = cKDTree(level.points), len(level.points)
    k = min(max(sizes), most)
    for start in range(0, len(points), ROWS):
        rows = slice(start, min(start + ROWS, len(points)))
        _, nearest = tree.query(points[rows], np.arange(1, k + 1), workers=-1)
        total, done, means = np.zeros((len(nearest), values.shape[1])), 0, []
        for size in sizes:
            more = nearest[:, done : min(size, k)]
            if more.shape[1]:
                ends = np.arange(0, more.size + 1, more.shape[1])
                joined = csr_matrix((np.ones(more.size), more.ravel(), ends), (len(more), most))
                added = joined @ values
                total = total + (added.toarray() if isinstance(added, csr_matrix) else added)
                done += more.shape[1]
            means.append(total / done)
        yield rows, means


def weighed_means(between: Between, points: Floats, sizes: Sequence[int] = SIZES) -> list[Floats]:
    """Predict places (m, 2) by the nearest cells of both levels, weighed by z: (m, g) for each size."""
    total = [np.zeros((len(points), between.below.values.shape[1])) for _ in sizes]
    for level, weight in between.weighed:
        for rows, means in nearest_means(level, points, level.values, sizes):
            for one, mean in zip(total, means, strict=True):
                one[rows] += weight * mean
    return total


def draw_cells(between: Between, points: Floats, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Ints]:
    """Draw a real cell for each place (m, 2): the level by the weights of z, then one of its nearest cells.

    Returns
    -------
    Whether the cell is of the upper level (m,), and its row in its level (m,).
    """
    upper = rng.random(len(points)) < between.share
    which = rng.random(len(points))
    cell = np.zeros(len(points), dtype=np.int64)
    for level, rows in ((between.below, ~upper), (between.above, upper)):
        k = min(DRAWN_FROM, len(level.points))
        _, nearest = cKDTree(level.points).query(points[rows], np.arange(1, k + 1))
        at = np.minimum((which[rows] * k).astype(np.int64), k - 1)
        cell[rows] = nearest[np.arange(len(nearest)), at]
    return upper, cell


def vote(between: Between, points: Floats, tokens: tuple[Ints, Ints], size: int) -> tuple[Ints, Floats]:
    """Let the nearest cells of both levels vote on a label, weighed by z.

    Parameters
    ----------
    between
        The levels.
    points
        Places asked about (m, 2).
    tokens
        Label of each cell of the lower and of the upper level, -1 for none.
    size
        Nearest cells of each level.

    Returns
    -------
    The label with most votes (m,), the lowest of several; -1 where nobody has one. And its share (m,).
    """
    known = np.unique(np.concatenate(tokens))
    known = known[known >= 0]
    if not len(known):
        return np.full(len(points), -1), np.zeros(len(points))
    votes = np.zeros((len(points), len(known)))
    for level, weight, own in (
        (between.below, 1 - between.share, tokens[0]),
        (between.above, between.share, tokens[1]),
    ):
        if weight > 0:
            has = np.flatnonzero(own >= 0)
            marks = csr_matrix(
                (np.ones(len(has)), (has, np.searchsorted(known, own[has]))), (len(own), len(known))
            )
            for rows, (mean,) in nearest_means(level, points, marks, (size,)):
                votes[rows] += weight * mean
    share = votes.max(axis=1)
    return np.where(share > 0, known[votes.argmax(axis=1)], -1), share


def hood_means(counts: csr_matrix, graph: csr_matrix) -> csr_matrix:
    """Average counts (n, g) over closed neighbourhoods of a graph (n, n): CSR (n, g)."""
    rows = np.arange(len(graph.indptr) - 1)
    joined = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    closed = csr_matrix(joined + diags_array(np.ones(len(rows))))
    return csr_matrix(diags_array(1 / np.asarray(closed.sum(axis=1)).ravel()) @ closed @ counts)
