"""How many kinds a section holds, as effective numbers, at an equal number of cells: arrays only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy
from scipy.stats import t

Floats = NDArray[np.float64]
_WIDTH = 12.0  # standard deviations around the expected number that count; beyond lies less than 1e-16


class Diversity(NamedTuple):
    """Effective numbers of kinds, after Hill (1973)."""

    richness: float  # order 0: kinds that are there
    shannon: float  # order 1: exponential of Shannon's entropy
    simpson: float  # order 2: one over the probability that two cells are of one kind


def hill(counts: NDArray[np.integer]) -> Diversity:
    """Give the effective numbers of kinds.

    Parameters
    ----------
    counts
        Cells of each kind (K,).

    Returns
    -------
    The numbers: K of each order if all kinds are as common as each other; 0 without any cell.
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    if not len(present):
        return Diversity(0.0, 0.0, 0.0)
    share = present / present.sum()
    return Diversity(
        float(len(present)), float(np.exp(-xlogy(share, share).sum())), float(1 / (share**2).sum())
    )


def rarefied(counts: NDArray[np.integer], n_cells: int) -> Diversity:
    """Give the effective numbers of kinds that are expected among some of the cells, drawn at random.

    A larger section holds more kinds only because it is larger. Sections are compared at one number of cells,
    which no draw is needed for: the expected number of kinds with k of the drawn cells is known.

    Parameters
    ----------
    counts
        Cells of each kind (K,).
    n_cells
        Cells that are drawn without putting back, at most all of them.

    Returns
    -------
    The numbers; NaN where there are fewer cells than that, or none is drawn.

    References
    ----------
    Chao et al. (2014), Rarefaction and extrapolation with Hill numbers, equations 6 to 9.
    """
    present = np.asarray(counts, dtype=np.float64)
    present = present[present > 0]
    total = present.sum()
    if n_cells < 1 or n_cells > total:
        return Diversity(np.nan, np.nan, np.nan)
    if n_cells == total:
        return hill(counts)
    share = present / total
    mean = n_cells * share
    variance = mean * (1 - share) * (total - n_cells) / max(total - 1, 1)
    absent = _log_choose(total - present, n_cells) - _log_choose(total, n_cells)
    entropy = sum(
        _expected_entropy(count, total, n_cells, expected, np.sqrt(spread))
        for count, expected, spread in zip(present, mean, variance, strict=True)
    )
    return Diversity(
        float((1 - np.exp(absent)).sum()),
        float(np.exp(entropy)),
        float(n_cells**2 / (variance + mean**2).sum()),
    )


def half_widths(counts: NDArray[np.integer], n_cells: int, *, level: float = 0.95) -> Diversity:
    """Say how far the numbers of :func:`rarefied` may be off, as they differ over a section.

    Each block of tissue is left out in turn (a jackknife): cells beside each other are alike, so that single
    cells would make the interval far too narrow. Where blocks beside each other are alike too, it still is.

    Parameters
    ----------
    counts
        Cells of each kind in each of b blocks of as many cells (b, K).
    n_cells
        As for :func:`rarefied` of the whole section; fewer where there are fewer without a block.
    level
        Of the interval.

    Returns
    -------
    What to go to either side, by Student's t of b - 1 degrees of freedom; NaN with fewer than three blocks.

    References
    ----------
    Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 11.
    """
    n_blocks, total = len(counts), counts.sum(axis=0)
    if n_blocks < 3:
        return Diversity(np.nan, np.nan, np.nan)
    fewest = int(counts.sum() - counts.sum(axis=1).max())
    without = np.array([rarefied(total - block, min(n_cells, fewest)) for block in counts])
    error = np.sqrt((n_blocks - 1) * without.var(axis=0))
    return Diversity(*(float(t.ppf((1 + level) / 2, n_blocks - 1) * one) for one in error))


def interval(value: Diversity, half_width: Diversity, n_kinds: int) -> tuple[Diversity, Diversity]:
    """Give the ends of an interval, cut off where a number of ``n_kinds`` kinds cannot be; NaN stays NaN."""
    low, high = np.subtract(value, half_width), np.add(value, half_width)
    return Diversity(*np.maximum(low, 1.0).tolist()), Diversity(*np.minimum(high, n_kinds).tolist())


def _expected_entropy(count: float, total: float, n_cells: int, mean: float, spread: float) -> float:
    """Sum -k/n log(k/n) over the numbers k of drawn cells of a kind, each by its probability."""
    reach = _WIDTH * spread + _WIDTH
    low = max(1, int(mean - reach), int(n_cells - (total - count)))
    high = min(int(count), n_cells, int(mean + reach))
    drawn = np.arange(low, high + 1, dtype=np.float64)
    log_p = _log_choose(count, drawn) + _log_choose(total - count, n_cells - drawn)
    p = np.exp(log_p - _log_choose(total, n_cells))
    return float(-(p * xlogy(drawn / n_cells, drawn / n_cells)).sum())


def _log_choose(n: Floats | float, k: Floats | float) -> Floats:
    """Logarithm of n over k; minus infinity where k is larger than n."""
    n, k = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64))
    possible = k <= n
    left = np.where(possible, n - k, 0)
    found = gammaln(n + 1) - gammaln(k + 1) - gammaln(left + 1)
    chosen: Floats = np.where(possible, found, -np.inf)
    return chosen
