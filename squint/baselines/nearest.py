"""What hidden cells can be predicted by without a model, and the mean over the graph that follows.

There are two ways. A cell's own counts are predicted, and `graph_mean` puts them among the observed cells
around it, the same way for a model as for a baseline, so that the two differ in nothing else. Or the mean of
its neighbourhood is predicted at once, from neighbourhoods of observed cells; these are taken over observed
cells only (`observed_means`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array, eye_array
from scipy.spatial import cKDTree

NEIGHBOURS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
NOBODY = -1  # fills up where a section has fewer observed cells than are asked for


def nearest_observed(
    coordinates: NDArray[np.float64],
    section: NDArray[np.int64],
    hidden: NDArray[np.bool_],
    n_neighbors: int = NEIGHBOURS[-1],
) -> NDArray[np.int64]:
    """Find the observed cells nearest to each hidden cell, in its own section.

    Parameters
    ----------
    coordinates
        Positions (n, 2 | 3).
    section
        Each cell's section (n,).
    hidden
        Cells (n,) to predict, m of them.
    n_neighbors
        Cells to find at most, k.

    Returns
    -------
    Cells (m, k), nearest first; -1 where the section has no more.
    """
    found = np.full((int(hidden.sum()), n_neighbors), NOBODY, dtype=np.int64)
    for code in np.unique(section[hidden]):
        observed = np.flatnonzero((section == code) & ~hidden)
        k = min(n_neighbors, len(observed))
        if k:
            rows = section[hidden] == code
            points = coordinates[hidden][rows]
            _, nearest = cKDTree(coordinates[observed]).query(points, k=np.arange(1, k + 1))
            found[np.flatnonzero(rows)[:, None], np.arange(k)] = observed[nearest]
    return found


def knn_profiles(
    counts: csr_matrix, nearest: NDArray[np.int64], sizes: Sequence[int] = NEIGHBOURS
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Predict hidden cells by the mean counts of their K nearest observed cells: ``knnK_cell``.

    Parameters
    ----------
    counts
        CSR (n, g).
    nearest
        From `nearest_observed`, (m, k).
    sizes
        The K to try, in rising order; those that no section can fill are left out.

    Yields
    ------
    K, and the mean counts (m, g). A section with fewer than K observed cells gives the mean of all of them.
    """
    largest = int((nearest != NOBODY).sum(axis=1).max(initial=0))
    # Whole numbers add up without rounding, so that a prediction meant to be flat is flat.
    total = np.zeros((len(nearest), counts.shape[1]))
    done = 0
    for size in (size for size in sizes if size <= largest):
        total += (_selection(nearest[:, done:size], counts.shape[0]) @ counts).toarray()
        done = size
        n_found = (nearest[:, :size] != NOBODY).sum(axis=1)
        yield size, (total / np.maximum(n_found, 1)[:, None]).astype(np.float32)


def graph_mean(
    counts: csr_matrix, graph: csr_matrix, hidden: NDArray[np.bool_], profiles: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Average each hidden cell's closed neighbourhood, with predictions where cells are hidden.

    Parameters
    ----------
    counts
        CSR (n, g); rows of hidden cells are not looked at.
    graph
        CSR (n, n), an entry between neighbours, whatever its value.
    hidden
        Cells (n,), m of them.
    profiles
        What is put in the place of their counts, (m, g).

    Returns
    -------
    Mean counts (m, g) over the hidden cell itself and its neighbours: of the observed ones their counts, of
    the hidden ones their profile.
    """
    cells = np.flatnonzero(hidden)
    rows = csr_matrix(graph[cells])
    joined = csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)
    seen = joined @ diags_array((~hidden).astype(np.float64))
    total = (seen @ counts).toarray() + profiles + joined[:, cells] @ profiles
    mean: NDArray[np.float64] = total / (1 + np.diff(rows.indptr))[:, None]
    return mean.astype(np.float32)


def observed_means(counts: csr_matrix, graph: csr_matrix, hidden: NDArray[np.bool_]) -> csr_matrix:
    """Average each observed cell's closed neighbourhood over the observed cells in it.

    Parameters
    ----------
    counts
        CSR (n, g); rows of hidden cells are not looked at.
    graph
        CSR (n, n), an entry between neighbours, whatever its value.
    hidden
        Cells (n,).

    Returns
    -------
    Mean counts, CSR (n, g); rows of hidden cells are empty.
    """
    seen = diags_array((~hidden).astype(np.float64))
    joined = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape)
    joined = csr_matrix(seen @ (joined + eye_array(len(hidden))) @ seen)
    size = np.asarray(joined.sum(axis=1)).ravel()
    return csr_matrix(diags_array(1 / np.maximum(size, 1)) @ joined @ counts)


def knn_sums(
    values: csr_matrix, nearest: NDArray[np.int64], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Add up the rows (n, g) of cells (m, k), each by its weight (m, k): (m, g)."""
    return np.asarray((_selection(nearest, values.shape[0], weights) @ values).todense(), dtype=np.float64)


def _selection(
    cells: NDArray[np.int64], n_cells: int, weights: NDArray[np.floating] | None = None
) -> csr_matrix:
    """Make a matrix (m, n) that adds up the cells (m, k) of each row, by weights (m, k) if there are."""
    there = cells != NOBODY
    indptr = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    data = np.ones(int(there.sum())) if weights is None else weights[there]
    return csr_matrix((data, cells[there], indptr), shape=(len(cells), n_cells))
