"""Groups of patients compared, a patient being one observation: arrays only."""

from collections.abc import Sequence
from itertools import combinations, permutations
from math import comb, factorial, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
LEAST_PATIENTS = 3  # of a group: of two, nothing is known of how much patients of a group differ
LEAST_RANKED = 5  # for a correlation of ranks: four have 24 orders, and no p below 0.08
N_DRAWS = 9_999
_MOST_WAYS = 20_000  # that are all looked at; of more, some are drawn
_TIE = 1e-12
_LEVEL = 0.95


class Difference(NamedTuple):
    """How two groups of patients differ in one measure."""

    n: tuple[int, int]  # patients
    means: tuple[float, float]
    difference: float  # of the first from the second
    low: float  # of Welch's interval, 95 %
    high: float
    hedges_g: float  # difference in standard deviations, corrected for few patients
    cliffs_delta: float  # in [-1, 1]: how much more often one of the first is larger than smaller
    p: float  # exact permutation of the patients, two-sided
    smallest_p: float  # that so few patients can reach
    exact: bool  # all ways to part the patients were looked at
    problem: str = ""  # why nothing is compared; empty if it is


class Correlation(NamedTuple):
    """How a measure goes with a number, over patients."""

    n: int
    rho: float  # Spearman's
    low: float  # of the interval, 95 %
    high: float
    p: float  # permutation, two-sided
    smallest_p: float
    exact: bool
    problem: str = ""


def too_few(n: Sequence[int], least: int = LEAST_PATIENTS) -> str:
    """Say that there are too few patients, if there are."""
    if min(n) >= least:
        return ""
    return f"too few patients to compare: n = {' and '.join(map(str, n))}, and {least} are needed" + (
        " in each group" if len(n) > 1 else ""
    )


def compare(group: Floats, reference: Floats, *, seed: int = 0) -> Difference:
    """Compare a measure between two groups of patients.

    Parameters
    ----------
    group, reference
        The measure of each patient; NaN is left out.
    seed
        Of the draws, where there are too many ways to part the patients to look at all.

    Returns
    -------
    Effects, Welch's interval and p; all NaN with the reason where a group has fewer than 3 patients.

    References
    ----------
    Hedges (1981), Distribution theory for Glass's estimator of effect size. Cliff (1993), Dominance
    statistics.
    """
    one, other = (np.sort(part[~np.isnan(part)]) for part in (group, reference))
    n = (len(one), len(other))
    means = (float(one.mean()) if n[0] else nan, float(other.mean()) if n[1] else nan)
    if problem := too_few(n):
        return Difference(n, means, nan, nan, nan, nan, nan, nan, nan, exact=False, problem=problem)
    spread = one.var(ddof=1) / n[0], other.var(ddof=1) / n[1]
    difference = means[0] - means[1]
    low, high = _welch(difference, spread, n)
    p, exact = _part(one, other, seed)
    n_ways = comb(sum(n), n[0])
    return Difference(
        n=n,
        means=means,
        difference=difference,
        low=low,
        high=high,
        hedges_g=_hedges(one, other, difference),
        cliffs_delta=float(np.sign(one[:, None] - other).mean()),
        p=p,
        smallest_p=(2 if n[0] == n[1] else 1) / n_ways if exact else 1 / (N_DRAWS + 1),
        exact=exact,
    )


def _welch(difference: float, spread: tuple[float, float], n: tuple[int, int]) -> tuple[float, float]:
    """Give the 95 % interval of a difference of means; NaN where neither group has any spread."""
    error = sqrt(sum(spread))
    if error == 0:
        return nan, nan
    freedom = sum(spread) ** 2 / sum(part**2 / (size - 1) for part, size in zip(spread, n, strict=True))
    reach = float(stats.t.ppf((1 + _LEVEL) / 2, freedom)) * error
    return difference - reach, difference + reach


def _hedges(one: Floats, other: Floats, difference: float) -> float:
    freedom = len(one) + len(other) - 2
    pooled = sqrt(((len(one) - 1) * one.var(ddof=1) + (len(other) - 1) * other.var(ddof=1)) / freedom)
    return difference / pooled * (1 - 3 / (4 * freedom - 1)) if pooled > 0 else nan


def _part(one: Floats, other: Floats, seed: int) -> tuple[float, bool]:
    """Part the patients anew: the share whose means differ as much, and whether all ways were looked at."""
    together = np.sort(np.concatenate([one, other]))
    n_one, n_all = len(one), len(together)
    observed = abs(one.mean() - other.mean())
    exact = comb(n_all, n_one) <= _MOST_WAYS
    if exact:
        chosen = np.array(list(combinations(range(n_all), n_one)))
    else:
        rng = np.random.default_rng(seed)
        chosen = np.argsort(rng.random((N_DRAWS, n_all)), axis=1)[:, :n_one]
    first = together[chosen].sum(axis=1)
    apart = np.abs(first / n_one - (together.sum() - first) / (n_all - n_one))
    reached = int((apart >= observed - _TIE * max(1.0, observed)).sum())
    extra = 0 if exact else 1
    return (reached + extra) / (len(chosen) + extra), exact


def correlate(measure: Floats, number: Floats, *, seed: int = 0) -> Correlation:
    """Correlate the ranks of a measure with those of a number, over patients.

    Parameters
    ----------
    measure, number
        Of each patient (n,); patients without either are left out.
    seed
        Of the draws, where there are too many orders to look at all.

    Returns
    -------
    Spearman's rho, its interval and p; NaN with the reason where there are fewer than 5 patients, or all have
    one value.

    References
    ----------
    Bonett and Wright (2000), Sample size requirements for estimating Pearson, Kendall and Spearman
    correlations.
    """
    known = ~np.isnan(measure) & ~np.isnan(number)
    order = np.lexsort((measure[known], number[known]))
    one, other = (stats.rankdata(part[known][order]) for part in (measure, number))
    n = len(one)
    problem = too_few([n], LEAST_RANKED)
    if not problem and (np.ptp(one) == 0 or np.ptp(other) == 0):
        problem = "all patients have one value, so nothing can go with it"
    if problem:
        return Correlation(n, nan, nan, nan, nan, nan, exact=False, problem=problem)
    one, other = (part - part.mean() for part in (one, other))
    scale = sqrt((one**2).sum() * (other**2).sum())
    rho = float(one @ other / scale)
    exact = factorial(n) <= _MOST_WAYS
    if exact:
        drawn = one[np.array(list(permutations(range(n))))]
    else:
        rng = np.random.default_rng(seed)
        drawn = rng.permuted(np.broadcast_to(one, (N_DRAWS, n)), axis=1)
    null = np.abs(drawn @ other / scale)
    extra = 0 if exact else 1
    reached = int((null >= abs(rho) - 1e-9).sum())
    low, high = _bonett(rho, n)
    smallest = (int((null >= null.max() - 1e-9).sum()) if exact else 1) / (len(null) + extra)
    return Correlation(n, rho, low, high, (reached + extra) / (len(null) + extra), smallest, exact=exact)


def _bonett(rho: float, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a rank correlation; that of a perfect one is not known."""
    if abs(rho) >= 1 - 1e-9:
        return nan, nan
    reach = float(stats.norm.ppf((1 + _LEVEL) / 2)) * sqrt((1 + rho**2 / 2) / (n - 3))
    middle = np.arctanh(rho)
    return float(np.tanh(middle - reach)), float(np.tanh(middle + reach))


def correct(p: Sequence[float]) -> list[float]:
    """Correct the p of several measures after Benjamini and Hochberg; NaN stays so and does not count."""
    found = np.asarray(p, dtype=np.float64)
    known = ~np.isnan(found)
    if known.any():
        found[known] = stats.false_discovery_control(found[known])
    return [float(one) for one in found]
