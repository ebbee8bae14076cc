"""Measures of a model: pure functions of arrays."""

import numpy as np
from numpy.typing import NDArray


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
