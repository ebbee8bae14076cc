"""Measures of a model: pure functions of arrays."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

MMD3_WIDTHS = (2.0, 1.0, 0.5)
MMD_WIDTHS = (*MMD3_WIDTHS, 0.01, 0.005)
MOST_CELLS = 3_000  # that distributions are compared on
BLOCK = 1_000  # rows whose distances are in memory at once


def perplexity(use: NDArray[np.int64]) -> float:
    """Exponential of the entropy of code use (K,): K if all are used alike, 1 if only one is; 0 if none."""
    total = int(use.sum())
    if total == 0:
        return 0.0
    share = use[use > 0] / total
    return float(np.exp(-(share * np.log(share)).sum()))


def row_pearson(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson correlation of each row (n, g) with the same row of the other: (n,); 0 where one is flat."""
    one = one - one.mean(axis=1, keepdims=True, dtype=np.float64)
    other = other - other.mean(axis=1, keepdims=True, dtype=np.float64)
    scale = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    product: NDArray[np.float64] = (one * other).sum(axis=1)
    pearson: NDArray[np.float64] = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    return pearson


def column_pearson(truth: NDArray[np.floating], predicted: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson correlation of each gene across cells (n, g), between truth and prediction.

    Returns
    -------
    Correlations (g,): NaN where the truth is flat, for there is nothing to predict; 0 where only the
    prediction is.
    """
    if len(truth) == 0:
        return np.full(truth.shape[1], np.nan)
    flat = np.ptp(truth, axis=0) == 0
    # Asked of the values themselves: what centring leaves of equal values need not be zero.
    said = np.ptp(predicted, axis=0) > 0
    truth = truth - truth.mean(axis=0, dtype=np.float64)
    predicted = predicted - predicted.mean(axis=0, dtype=np.float64)
    scale = np.sqrt((truth**2).sum(axis=0) * (predicted**2).sum(axis=0))
    pearson = np.zeros(truth.shape[1])
    np.divide((truth * predicted).sum(axis=0), scale, out=pearson, where=said & ~flat & (scale > 0))
    return np.where(flat, np.nan, pearson)


def shares(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale rows (n, g) to sum 1; a row without any count stays empty."""
    values = np.asarray(values, dtype=np.float64)
    total = values.sum(axis=1, keepdims=True)
    share: NDArray[np.float64] = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    return share


def kernel_means(
    one: NDArray[np.floating], other: NDArray[np.floating], widths: Sequence[float] = MMD_WIDTHS
) -> NDArray[np.float64]:
    """Average exp(-d^2 / 2 s^2) over all pairs of rows, with d the L1 distance.

    Parameters
    ----------
    one, other
        Rows (n, g) and (m, g). Given the same array twice, each pair is looked at once.
    widths
        The s to try, (w,).

    Returns
    -------
    Mean kernel (w,), the pairs of a row with itself among them.
    """
    total = np.zeros(len(widths))
    for distance, weight in _distances(one, other, "cityblock"):
        square = distance * distance
        for i, width in enumerate(widths):
            total[i] += weight * np.exp(square / (-2 * width**2)).sum()
    return total / (len(one) * len(other))


def mean_distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Average the Euclidean distance over all pairs of rows (n, g) and (m, g), each with itself included."""
    total = sum(weight * float(distance.sum()) for distance, weight in _distances(one, other, "euclidean"))
    return total / (len(one) * len(other))


def mmd(
    one: NDArray[np.floating], other: NDArray[np.floating], widths: Sequence[float] = MMD_WIDTHS
) -> float:
    """Measure the maximum mean discrepancy of two samples: V-statistic, mean over widths, not square-rooted.

    Parameters
    ----------
    one, other
        Samples (n, g) and (m, g), taken as they are; `shares` brings counts to one depth.
    widths
        Of the Gaussian kernels of the L1 distance. The two smallest of the default act as an identity kernel;
        the first three alone are MMD3.

    Returns
    -------
    At least 0, and 0 for equal samples.
    """
    within = kernel_means(one, one, widths) + kernel_means(other, other, widths)
    return max(0.0, float((within - 2 * kernel_means(one, other, widths)).mean()))


class Scores(NamedTuple):
    """How a prediction compares with the truth."""

    pc: float  # mean over cells of the Pearson correlation across genes
    pg: float  # mean over genes that vary of the Pearson correlation across cells
    mmd: float  # of the distributions of shares, widths 2 to 0.005
    mmd3: float  # the same with widths 2, 1 and 0.5
    energy: float  # energy distance of the same distributions: 2 E|x-y| - E|x-x'| - E|y-y'|, Euclidean


class Judge:
    """The truth of some cells, and what any prediction of them scores.

    Parameters
    ----------
    truth
        True values (n, g).
    """

    def __init__(self, truth: NDArray[np.floating]) -> None:
        self.truth = truth
        self.rows = np.random.default_rng(0).permutation(len(truth))[:MOST_CELLS]
        self.shares = shares(truth[self.rows])
        self.kernel = kernel_means(self.shares, self.shares)
        self.distance = mean_distance(self.shares, self.shares)

    def score(self, predicted: NDArray[np.floating]) -> Scores:
        """Score a prediction (n, g), MMD and E on 3,000 cells at most."""
        pearson = column_pearson(self.truth, predicted)
        said = shares(predicted[self.rows])
        kernel = self.kernel + kernel_means(said, said) - 2 * kernel_means(self.shares, said)
        distance = self.distance + mean_distance(said, said) - 2 * mean_distance(self.shares, said)
        return Scores(
            pc=float(row_pearson(self.truth, predicted).mean()),
            pg=float(pearson[np.isfinite(pearson)].mean()) if np.isfinite(pearson).any() else float("nan"),
            mmd=max(0.0, float(kernel.mean())),
            mmd3=max(0.0, float(kernel[: len(MMD3_WIDTHS)].mean())),
            energy=max(0.0, -distance),
        )


def _distances(
    one: NDArray[np.floating], other: NDArray[np.floating], metric: Literal["cityblock", "euclidean"]
) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Give distances between rows block by block, with the times that each block counts."""
    same = one is other
    for start in range(0, len(one), BLOCK):
        for second in range(start if same else 0, len(other), BLOCK):
            block = cdist(one[start : start + BLOCK], other[second : second + BLOCK], metric)
            yield block, 2 if same and second > start else 1
