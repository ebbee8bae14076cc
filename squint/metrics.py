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
