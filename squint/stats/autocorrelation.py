"""How alike tissue is over distance, and how much less a section of it says for that: arrays only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.distance import pdist

Floats = NDArray[np.float64]
N_CELLS = 800  # of a section that are looked at, in all pairs
_RAREST = 0.005  # share below which a kind counts no more
_EDGES = np.concatenate([[0], np.geomspace(0.03, 1, 16)])  # of distances, as shares of the section's side
_REACHES = np.geomspace(0.01, 1, 17)  # likewise; beyond a side nothing can be told
_AS_WELL = 1.15  # times the least residual: of fits alike the one of shortest reach, or noise makes long ones
_LEAST_PAIRS = 20  # of a bin of distances


class Alike(NamedTuple):
    """Blocks of a section: how much their usage of kinds varies, and how much of that they share."""

    variance: float  # of the usage of one block, each kind by one over its share
    covariance: float  # of two blocks of the section, likewise, in the mean over pairs
    reach: float  # distance at which likeness has fallen to 1/e, as a share of the section's side


def alike(
    positions: Floats, kinds: NDArray[np.integer], blocks: NDArray[np.integer], n_kinds: int, seed: int = 0
) -> Alike:
    """Fit how likeness of cells falls with distance, and give what follows for blocks.

    Parameters
    ----------
    positions
        Of the cells (n, 2).
    kinds
        Of the cells (n,) in 0 ... K - 1.
    blocks
        Block of each cell (n,); all of about as many cells.
    n_kinds
        K.
    seed
        Which cells are looked at, where there are more than 800; not dependent on their order.

    Returns
    -------
    Of an exponential variogram with a nugget, the one of shortest reach that fits about as well as the best.
    A variogram compares cells of one section alone, so that it does not matter what others hold.

    References
    ----------
    Cressie (1993), Statistics for spatial data, chapter 2.
    """
    order = np.lexsort((kinds, positions[:, 1], positions[:, 0]))
    taken = order[np.sort(np.random.default_rng(seed).permutation(len(order))[:N_CELLS])]
    share = np.bincount(kinds, minlength=n_kinds) / len(kinds)
    weight = (1 / np.maximum(share, _RAREST))[kinds[taken]]
    apart = pdist(positions[taken])
    first, second = np.triu_indices(len(taken), 1)
    differ = kinds[taken][first] != kinds[taken][second]
    unlike = np.where(differ, (weight[first] + weight[second]) / 2, 0)
    side = float(np.sqrt(np.prod(np.ptp(positions, axis=0)))) or 1.0
    nugget, sill, reach = _fit(apart / side, unlike)
    likeness = sill * np.exp(-apart / (side * reach))
    together = blocks[taken][first] == blocks[taken][second]
    of_block = len(kinds) / len(np.unique(blocks))
    return Alike(
        variance=float(likeness[together].mean() if together.any() else sill) + nugget / of_block,
        covariance=float(likeness[~together].mean()) if not together.all() else 0.0,
        reach=reach,
    )


def _fit(apart: Floats, unlike: Floats) -> tuple[float, float, float]:
    """Fit nugget, sill and reach to pairs of cells, by least squares over bins of distance."""
    bins = np.digitize(apart, _EDGES) - 1
    inside = bins < len(_EDGES) - 1
    n_pairs = np.bincount(bins[inside], minlength=len(_EDGES) - 1)
    used = n_pairs >= _LEAST_PAIRS
    if used.sum() < 3:
        return float(unlike.mean()) if len(unlike) else 0.0, 0.0, float(_REACHES[0])
    mean, middle = (
        np.bincount(bins[inside], of[inside], len(_EDGES) - 1)[used] / n_pairs[used] for of in (unlike, apart)
    )
    # Far pairs are many, but of the same few structures: they count no more than a bin of middling size.
    weight = np.sqrt(np.minimum(n_pairs[used], np.median(n_pairs[used])))
    fits = []
    for reach in _REACHES:
        terms = np.column_stack([np.ones(len(middle)), 1 - np.exp(-middle / reach)])
        (nugget, sill), left = nnls(terms * weight[:, None], mean * weight)
        fits.append((left, float(nugget), float(sill), float(reach)))
    enough = _AS_WELL * min(fits)[0]
    return next(fit for fit in fits if fit[0] <= enough)[1:]


def widening(one: Alike, other: Alike, n_one: int, n_other: int) -> float:
    """Say how much farther two sections of one tissue lie apart than their blocks, dealt anew, do.

    Parameters
    ----------
    one, other
        Of the two sections.
    n_one, n_other
        Their blocks.

    Returns
    -------
    A factor for distances: 1 where blocks are independent, and more where those beside each other are alike.
    """
    n_all = n_one + n_other
    parts = ((one, n_one), (other, n_other))
    true = sum(part.variance / n + (n - 1) / n * part.covariance for part, n in parts)
    spread = sum(n * part.variance for part, n in parts) / n_all
    shared = sum(n * (n - 1) * part.covariance for part, n in parts) / (n_all * (n_all - 1))
    dealt = (1 / n_one + 1 / n_other) * (spread - shared)
    return float(np.sqrt(max(true / dealt, 1))) if dealt > 0 else 1.0
