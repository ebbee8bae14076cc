"""Groups of prototypes: arrays only, so that their number can be chosen wherever prototypes are known."""

import numpy as np
from numpy.typing import NDArray


def group_prototypes(
    prototypes: NDArray[np.floating], use: NDArray[np.floating], n_groups: int
) -> NDArray[np.int64]:
    """Group prototypes by weighted k-means, the same way at every call.

    Parameters
    ----------
    prototypes
        (m, d).
    use
        Share of the cells nearest to each (m,). Its square root is the weight: a kind of place that is rare
        counts for more than its cells, and less than a common one.
    n_groups
        How many groups, at most m.

    Returns
    -------
    Group of each prototype (m,), from 0; the one with most cells first.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415 - slow to import

    found = KMeans(n_groups, n_init=30, random_state=0).fit(prototypes, sample_weight=np.sqrt(use)).labels_
    order = np.argsort(-np.bincount(found, use, minlength=n_groups), kind="stable")
    rank = np.empty(n_groups, dtype=np.int64)
    rank[order] = np.arange(n_groups)
    groups: NDArray[np.int64] = rank[found]
    return groups
