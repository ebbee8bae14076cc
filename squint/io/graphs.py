"""Whether a stored graph is squint's own: each cell joined to the nearest of its section, and they to it."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

N_NEIGHBORS = 8  # of the paper, appendix B.2
ROUNDING = 1e-12


def own_distances(
    graph: sparse.csr_matrix,
    spatial: NDArray[np.float64],
    sections: NDArray[np.integer],
    n_neighbors: int = N_NEIGHBORS,
) -> sparse.csr_matrix | None:
    """Give the distances along a graph, if it is provably that of squint's rule.

    A graph by the rule holds an edge exactly where one of two cells of a section is among the nearest
    ``n_neighbors`` of the other. Cells equally far away leave it open which are the nearest; then it is not
    provable.

    Parameters
    ----------
    graph
        CSR (n, n), whose stored values are edges.
    spatial
        (n, 2 | 3).
    sections
        (n,) number of each cell's section.
    n_neighbors
        Of the rule.

    Returns
    -------
    CSR (n, n) float64, in the unit of the positions; None if the graph is another.
    """
    edges = graph.tocoo()
    start, end = edges.row, edges.col
    if not len(start) or (sections[start] != sections[end]).any() or (start == end).any():
        return None
    length = np.linalg.norm(spatial[start] - spatial[end], axis=1)
    reach = np.empty(len(spatial))
    for section in np.unique(sections):
        rows = np.flatnonzero(sections == section)
        k = min(n_neighbors, len(rows) - 1)
        near = cKDTree(spatial[rows]).query(spatial[rows], k=[k + 1])[0][:, 0]
        reach[rows] = near * (1 + ROUNDING)
        if (np.bincount(start[length <= reach[start]], minlength=len(spatial))[rows] != k).any():
            return None
    if (length > np.maximum(reach[start], reach[end])).any():
        return None
    found = sparse.csr_matrix((length, (start, end)), shape=graph.shape)
    return found if (abs(found - found.T) > 0).nnz == 0 else None
