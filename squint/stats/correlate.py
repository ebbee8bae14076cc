"""Correlation of profiles over few groups, and what chance gives: pure functions of arrays."""

from collections.abc import Iterator
from itertools import permutations
from math import factorial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
NULL_SHARE = 0.95
VALUES_AT_ONCE = 4_000_000  # of all draws in memory at once
N_BINS = 10_000  # of |r| in [0, 1]: the null's quantile is right to 0.0001
ROUNDING = 1e-9  # a shuffled |r| that falls short of the true one by so little has reached it


class Correlated(NamedTuple):
    """How t profiles correlate, and what chance gives."""

    correlation: Floats  # (t, t), 1 on the diagonal
    p: Floats  # (t, t), NaN on the diagonal
    q: Floats  # (t, t), NaN on the diagonal
    null_quantile: float  # the |r| that 95 % of the shuffled pairs stay below
    n_draws: int
    exact: bool  # the draws are all orders that the groups can have, not a sample of them

    def facts(self) -> dict[str, Any]:
        """Say how the null was drawn, and the smallest p that it can give."""
        return {
            "null_quantile": self.null_quantile,
            "n_draws": self.n_draws,
            "exact": self.exact,
            "smallest_p": 1 / (self.n_draws + (not self.exact)),
        }


def correlate(profiles: Floats, *, n_permutations: int = 1000, seed: int = 0) -> Correlated:
    """Correlate profiles, and compare with profiles whose groups are shuffled.

    Parameters
    ----------
    profiles
        Columns (G, t) over G groups.
    n_permutations
        Draws; in each, the groups are shuffled for every profile by itself. All orders of the groups are
        taken instead where there are no more than that.
    seed
        Seed of the draws.

    Returns
    -------
    Pearson's r, the two-sided permutation p of Phipson and Smyth, q over pairs, and the null. A flat profile
    correlates with none: 0, with p 1.
    """
    standard = _standardise(profiles)
    correlation = np.clip(standard.T @ standard, -1, 1)
    pairs = np.triu_indices(len(correlation), 1)
    reached = np.zeros(correlation.shape)
    seen = np.zeros(N_BINS + 1)
    n_draws = 0
    for null in _draws(standard, n_permutations, seed):
        reached += (null >= np.abs(correlation) - ROUNDING).sum(axis=0)
        bins = (np.minimum(null[:, *pairs], 1) * N_BINS).astype(np.int64)
        seen += np.bincount(bins.ravel(), minlength=N_BINS + 1)
        n_draws += len(null)
    exact = factorial(len(profiles)) <= n_permutations
    one = 0 if exact else 1  # the order that was observed is among all orders, but not among drawn ones
    p = (reached[pairs] + one) / (n_draws + one)
    np.fill_diagonal(correlation, 1)
    return Correlated(
        correlation=correlation,
        p=_mirrored(p, pairs),
        q=_mirrored(stats.false_discovery_control(p), pairs),
        null_quantile=float(np.searchsorted(seen.cumsum(), NULL_SHARE * seen.sum()) / N_BINS),
        n_draws=n_draws,
        exact=exact,
    )


def _standardise(profiles: Floats) -> Floats:
    """Give profiles (G, t) mean 0 and length 1; flat ones stay 0."""
    centred = profiles - profiles.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    varies = length > ROUNDING * np.abs(profiles).max(axis=0)
    standard: Floats = np.divide(centred, length, out=np.zeros_like(centred), where=varies)
    return standard


def _draws(standard: Floats, n_permutations: int, seed: int) -> Iterator[Floats]:
    """Yield the absolute r (draws, t, t) of shuffled profiles (G, t), some draws at a time."""
    n_groups, n_tokens = standard.shape
    at_once = max(1, VALUES_AT_ONCE // (n_tokens * max(n_tokens, n_groups)))
    if factorial(n_groups) <= n_permutations:
        # One profile in all orders against the other as it is: shuffling both would only repeat these.
        orders = np.array(list(permutations(range(n_groups))))
        for start in range(0, len(orders), at_once):
            yield np.abs(standard.T @ standard[orders[start : start + at_once]])
        return
    rng = np.random.default_rng(seed)
    for start in range(0, n_permutations, at_once):
        n_draws = min(at_once, n_permutations - start)
        shuffled = rng.permuted(np.broadcast_to(standard.T, (n_draws, n_tokens, n_groups)), axis=2)
        yield np.abs(shuffled @ shuffled.transpose(0, 2, 1))


def _mirrored(values: Floats, pairs: tuple[NDArray[np.intp], ...]) -> Floats:
    """Put the values of pairs into both halves of a table (t, t), NaN on the diagonal."""
    n_tokens = round((1 + np.sqrt(1 + 8 * len(values))) / 2)
    table = np.full((n_tokens, n_tokens), np.nan)
    table[pairs] = values
    table.T[pairs] = values
    return table
