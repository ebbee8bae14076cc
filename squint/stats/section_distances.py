"""How far sections lie from each other by what their cells are, and how far chance puts them: arrays only."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from scipy.special import xlogy

from squint.stats.autocorrelation import Alike, alike, widening

Floats = NDArray[np.float64]
N_BLOCKS = 8  # of a section: more are smaller, and those beside each other less independent
LEAST_CELLS = 20  # of a block: sections of fewer cells have fewer blocks
LEAST_BLOCKS = 4
_TIE = 1e-12  # by so little a draw may fall short of what was observed, and has reached it
_HIGH = 0.95


class Tissue(NamedTuple):
    """The cells of a section that have a kind."""

    positions: Floats  # (n, 2)
    kinds: NDArray[np.integer]  # (n,) in 0 ... K - 1


class Compared(NamedTuple):
    """Distances of S sections, and what chance gives of each pair."""

    distance: Floats  # (S, S) in [0, 1]; 0 on the diagonal
    halves: Floats  # (S,) of two halves of one section, mean over two cuts; NaN with fewer than two blocks
    expected: Floats  # (S, S) median over blocks of both sections dealt anew; NaN where there are too few
    high: Floats  # (S, S) that 95 % of these stay below
    p: Floats  # (S, S) share of these that reach the distance; NaN on the diagonal
    q: Floats  # (S, S) Benjamini and Hochberg's, over pairs
    n_blocks: NDArray[np.int64]  # (S,)
    reach: Floats  # (S,) of likeness within a section, as a share of its side; NaN with too few blocks


def js_distance(one: Floats, other: Floats) -> Floats:
    """Give the Jensen-Shannon distance of usages.

    Parameters
    ----------
    one, other
        Shares (..., K), each row of which adds up to 1.

    Returns
    -------
    The square root of the divergence in bits (...,): 0 for the same, 1 for such as share no kind.
    """
    middle = (one + other) / 2
    bits = (xlogy(one, one) + xlogy(other, other)).sum(axis=-1) / 2 - xlogy(middle, middle).sum(axis=-1)
    distance: Floats = np.sqrt(np.clip(bits / np.log(2), 0, 1))
    return distance


def cut_blocks(positions: Floats, n_blocks: int) -> NDArray[np.int64]:
    """Cut tissue into blocks of as many cells as each other, each time across the longer side.

    Parameters
    ----------
    positions
        (n, 2).
    n_blocks
        A power of two.

    Returns
    -------
    The block of each cell (n,).
    """
    blocks = np.zeros(len(positions), dtype=np.int64)
    parts = [np.arange(len(positions))]
    while len(parts) < n_blocks:
        halves = []
        for rows in parts:
            here = positions[rows]
            axis = int(np.argmax(np.ptp(here, axis=0))) if len(rows) else 0
            order = rows[np.lexsort((here[:, 1 - axis], here[:, axis]))]
            halves += [order[: len(order) // 2], order[len(order) // 2 :]]
        parts = halves
    for number, rows in enumerate(parts):
        blocks[rows] = number
    return blocks


def compare(
    sections: Sequence[Tissue],
    n_kinds: int,
    *,
    n_draws: int = 999,
    seed: int = 0,
    independent: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> Compared:
    """Compare the usage of kinds between sections, with blocks of tissue dealt anew as the measure of chance.

    Cells beside each other are alike, so that cells dealt anew would make any two sections differ. Each
    section is cut into up to 8 blocks of tissue. Of a pair, the blocks of both are put together and dealt
    into two groups, as many each as the sections have: how far apart these are is what chance gives, were
    blocks independent. Where structures are as large as blocks, those beside each other are alike, and two
    sections of one tissue lie farther apart. By how much follows from how likeness falls with distance within
    each section (:mod:`squint.stats.autocorrelation`): distances that chance gives are widened so.

    Parameters
    ----------
    sections
        Their cells.
    n_kinds
        K.
    n_draws
        Of each pair; all ways to deal where there are no more than that.
    seed
        Of the draws of each pair, which do not depend on the order of sections or cells.
    independent
        Take the blocks of a section for independent, as they are not: to see what the widening is good for.
    report
        Is told how many pairs are done, and of how many.

    Returns
    -------
    Distances, and what chance gives. Sections of fewer than 80 cells have no blocks to deal.
    """
    usage = np.stack([_usage(one.kinds, n_kinds) for one in sections])
    blocks = [_blocks(one, n_kinds) for one in sections]
    within = [_alike(one, n_kinds, len(own)) for one, own in zip(sections, blocks, strict=True)]
    n_sections = len(sections)
    distance, expected, high, p = (np.full((n_sections, n_sections), np.nan) for _ in range(4))
    np.fill_diagonal(distance, 0)
    pairs = list(combinations(range(n_sections), 2))
    for done, (i, j) in enumerate(pairs, 1):
        distance[i, j] = distance[j, i] = js_distance(usage[i], usage[j])
        one_alike, other_alike = within[i], within[j]
        if one_alike is not None and other_alike is not None:
            null, is_exact = _deal(blocks[i], blocks[j], n_draws, seed)
            if not independent:
                null *= widening(one_alike, other_alike, len(blocks[i]), len(blocks[j]))
                null = np.minimum(null, 1)  # no distance is larger
            one = 0 if is_exact else 1  # what was observed is among all ways to deal, not among drawn ones
            reached = (null >= distance[i, j] - _TIE).sum()
            expected[i, j] = expected[j, i] = np.median(null)
            high[i, j] = high[j, i] = np.quantile(null, _HIGH)
            p[i, j] = p[j, i] = (reached + one) / (len(null) + one)
        if report is not None:
            report(done, len(pairs))
    return Compared(
        distance=distance,
        halves=np.array([_halves(one, n_kinds) for one in sections]),
        expected=expected,
        high=high,
        p=p,
        q=_correct(p),
        n_blocks=np.array([len(one) for one in blocks]),
        reach=np.array([nan if one is None else one.reach for one in within]),
    )


def _usage(kinds: NDArray[np.integer], n_kinds: int) -> Floats:
    counts = np.bincount(kinds, minlength=n_kinds).astype(np.float64)
    share: Floats = counts / max(counts.sum(), 1)
    return share


def count_blocks(tissue: Tissue, n_kinds: int) -> NDArray[np.int64]:
    """Count the cells of each kind in each block of a section (b, K): up to 8, of 20 cells or more."""
    n_blocks = N_BLOCKS
    while n_blocks > 1 and len(tissue.kinds) // n_blocks < LEAST_CELLS:
        n_blocks //= 2
    label = cut_blocks(tissue.positions, n_blocks)
    counts = np.bincount(label * n_kinds + tissue.kinds, minlength=n_blocks * n_kinds)
    return counts.reshape(n_blocks, n_kinds)


def _alike(tissue: Tissue, n_kinds: int, n_blocks: int) -> Alike | None:
    """Say how alike the blocks of a section are; nothing where there are too few to deal."""
    if n_blocks < LEAST_BLOCKS:
        return None
    return alike(tissue.positions, tissue.kinds, cut_blocks(tissue.positions, n_blocks), n_kinds)


def _blocks(tissue: Tissue, n_kinds: int) -> Floats:
    """Give what each block adds to the usage of its section (b, K)."""
    return count_blocks(tissue, n_kinds) / max(len(tissue.kinds), 1)


def _deal(one: Floats, other: Floats, n_draws: int, seed: int) -> tuple[Floats, bool]:
    """Deal the blocks (b, K) of both sections into two groups, again and again: distances, and if all are."""
    together = np.concatenate([one, other])
    together = together[np.lexsort(together.T)]
    n_first, n_all = min(len(one), len(other)), len(together)
    is_exact = comb(n_all, n_first) <= n_draws
    if is_exact:
        chosen = np.array(list(combinations(range(n_all), n_first)))
    else:
        rng = np.random.default_rng(seed)
        chosen = np.argsort(rng.random((n_draws, n_all)), axis=1)[:, :n_first]
    member = np.zeros((len(chosen), n_all))
    np.put_along_axis(member, chosen, 1, axis=1)
    first = member @ together
    second = together.sum(axis=0) - first
    first, second = (np.clip(group, 0, None) for group in (first, second))  # of rounding
    return js_distance(
        first / first.sum(axis=1, keepdims=True), second / second.sum(axis=1, keepdims=True)
    ), is_exact


def _halves(tissue: Tissue, n_kinds: int) -> float:
    """Give the distance of two halves of a section, cut along x and along y; NaN of too few cells."""
    n_cells = len(tissue.kinds)
    if n_cells < 2 * LEAST_CELLS:
        return nan
    found = []
    for axis in (0, 1):
        order = np.lexsort((tissue.positions[:, 1 - axis], tissue.positions[:, axis]))
        parts = order[: n_cells // 2], order[n_cells // 2 :]
        found.append(js_distance(*(_usage(tissue.kinds[part], n_kinds) for part in parts)))
    return float(np.mean(found))


def _correct(p: Floats) -> Floats:
    q = np.full(p.shape, np.nan)
    rows, columns = np.nonzero(np.triu(~np.isnan(p), 1))
    if len(rows):
        q[rows, columns] = q[columns, rows] = stats.false_discovery_control(p[rows, columns])
    return q


# --- which lie near which ---------------------------------------------------------------------------------


class Overview(NamedTuple):
    """Sections as leaves of a tree, and as points of a plane."""

    linkage: Floats  # (S - 1, 4), average linkage, as scipy's
    order: NDArray[np.int64]  # (S,) numbers of the sections along the leaves, those alike side by side
    points: Floats  # (S, 2) by classical scaling
    stress: float  # Kruskal's first: what the plane misses of the distances, 0 for nothing


def overview(distance: Floats) -> Overview:
    """Order sections by a tree of their distances, and lay them into a plane.

    Parameters
    ----------
    distance
        (S, S), symmetric; S at least 2.

    Returns
    -------
    Tree of average linkage; points by classical multidimensional scaling (Torgerson, 1952), the largest
    coordinate of each axis positive.
    """
    tree: Floats = hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    points = scale_to_plane(distance)
    return Overview(tree, hierarchy.leaves_list(tree).astype(np.int64), points, stress(distance, points))


def scale_to_plane(distance: Floats) -> Floats:
    """Give points (S, 2) whose distances are like those given (S, S), by classical scaling."""
    n_points = len(distance)
    centre = np.eye(n_points) - 1 / n_points
    values, vectors = np.linalg.eigh(-centre @ distance**2 @ centre / 2)
    points = np.zeros((n_points, 2))
    for axis in range(min(2, n_points)):
        vector = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0))
        points[:, axis] = vector * (np.sign(vector[np.argmax(np.abs(np.round(vector, 9)))]) or 1)
    return points


def stress(distance: Floats, points: Floats) -> float:
    """Give Kruskal's stress 1 of points (S, 2): the share of the distances (S, S) that they miss."""
    pairs = np.triu_indices(len(distance), 1)
    drawn = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    total = (distance[pairs] ** 2).sum()
    return float(np.sqrt(((drawn - distance[pairs]) ** 2).sum() / total)) if total > 0 else 0.0


class Nearness(NamedTuple):
    """Whether sections of one patient lie nearer than those of different patients."""

    within: float  # mean distance of two sections of one patient
    between: float  # of two of different patients
    p: float  # share of orders of the patients whose difference is as large
    smallest_p: float  # that so few sections can reach
    n_draws: int
    exact: bool  # the draws are all there are


def nearness(distance: Floats, patients: Sequence[str], *, n_draws: int = 9_999, seed: int = 0) -> Nearness:
    """Deal the patients to the sections anew, and see how often theirs lie nearer to each other.

    Parameters
    ----------
    distance
        (S, S).
    patients
        Of each section (S,).
    n_draws
        Draws; all ways to deal are taken instead where there are no more than that.
    seed
        Of the draws, which do not depend on the order of the sections.

    Returns
    -------
    Mean distances and p, one-sided; all NaN where no patient has two sections, or there is one patient only.
    """
    order = np.lexsort((np.sort(distance, axis=1).sum(axis=1), np.asarray(patients, dtype=str)))
    codes = np.unique(np.asarray(patients, dtype=str)[order], return_inverse=True)[1]
    sizes = np.bincount(codes)
    if len(sizes) < 2 or sizes.max() < 2:
        return Nearness(nan, nan, nan, nan, 0, exact=False)
    pairs = np.triu_indices(len(codes), 1)
    own = distance[np.ix_(order, order)][pairs]

    def gap(labels: NDArray[np.integer]) -> Floats:
        same = labels[..., pairs[0]] == labels[..., pairs[1]]
        found: Floats = (own * ~same).sum(-1) / (~same).sum(-1) - (own * same).sum(-1) / same.sum(-1)
        return found

    n_ways = _n_ways(sizes)
    exact = n_ways <= n_draws
    if exact:
        labels = np.array(_all_ways(list(sizes)))
    else:
        rng = np.random.default_rng(seed)
        labels = rng.permuted(np.broadcast_to(codes, (n_draws, len(codes))), axis=1)
    observed = float(gap(codes))
    reached = int((gap(labels) >= observed - _TIE).sum())
    one = 0 if exact else 1
    same = codes[pairs[0]] == codes[pairs[1]]
    alike = np.prod([_factorial(n) for n in np.bincount(sizes)[1:]])  # patients of as many sections
    return Nearness(
        within=float(own[same].mean()),
        between=float(own[~same].mean()),
        p=(reached + one) / (len(labels) + one),
        smallest_p=float(alike / n_ways) if exact else 1 / (n_draws + 1),
        n_draws=len(labels),
        exact=exact,
    )


def _factorial(n: int) -> int:
    return int(np.prod(np.arange(1, n + 1), dtype=object)) if n else 1


def _n_ways(sizes: NDArray[np.integer]) -> int:
    left, ways = int(sizes.sum()), 1
    for size in sizes:
        ways *= comb(left, int(size))
        left -= int(size)
    return ways


def _all_ways(sizes: list[int]) -> list[tuple[int, ...]]:
    """List all ways to give groups of these sizes to as many places."""
    if not any(sizes):
        return [()]
    found = []
    for code, size in enumerate(sizes):
        if size:
            rest = [*sizes[:code], size - 1, *sizes[code + 1 :]]
            found += [(code, *way) for way in _all_ways(rest)]
    return found
