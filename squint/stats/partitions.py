"""How a partition of cells agrees with labels, with another partition, and with the tissue: arrays only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score, homogeneity_score, normalized_mutual_info_score

Labels = NDArray[np.generic]


class Agreement(NamedTuple):
    """How groups of cells agree with labels that are held to be true."""

    nmi: float  # mutual information over the mean of both entropies, 0 to 1
    ari: float  # adjusted Rand index: 0 is what chance gives, 1 the same partition
    homogeneity: float  # share of the labels' entropy that groups explain; grows with their number


def agreement(labels: Labels, groups: Labels) -> Agreement:
    """Compare groups of cells (n,) with labels of the same cells (n,)."""
    return Agreement(
        nmi=float(normalized_mutual_info_score(labels, groups)),
        ari=float(adjusted_rand_score(labels, groups)),
        homogeneity=float(homogeneity_score(labels, groups)),
    )


def coherence(groups: Labels, graph: csr_matrix) -> float:
    """Say how much more often neighbours share a group than chance would have it.

    Parameters
    ----------
    groups
        Of the cells (n,).
    graph
        Between neighbours (n, n), symmetric; what is not stored is no edge.

    Returns
    -------
    0 where an edge joins cells of one group as often as two cells drawn by their number of edges, 1 where it
    always does (the assortativity of Newman 2003); NaN without edges, or with a single group.
    """
    edges = graph.tocoo()
    codes = np.unique(groups, return_inverse=True)[1]
    ends = np.bincount(codes[edges.row], minlength=codes.max(initial=0) + 1)
    if len(ends) < 2 or not edges.nnz:
        return float("nan")
    by_chance = float(((ends / edges.nnz) ** 2).sum())
    same = float((codes[edges.row] == codes[edges.col]).mean())
    return (same - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def mean_pair_ari(partitions: list[Labels]) -> float:
    """Average the adjusted Rand index over all pairs of partitions of the same cells; NaN of fewer than 2."""
    pairs = [
        float(adjusted_rand_score(one, other))
        for i, one in enumerate(partitions)
        for other in partitions[i + 1 :]
    ]
    return float(np.mean(pairs)) if pairs else float("nan")
