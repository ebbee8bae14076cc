"""Clusters of cells by their expression, the field's way: log counts, PCA, neighbours, Leiden."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.errors import InputError, extra
from squint.stats.expression import log_counts
from squint.stats.ranksum import median_depth

EXTRA = "cell-types"
FEWEST = 20  # cells, below which there is nothing to cluster
WIDE = 2_000  # genes: of wider panels, so many that vary most are taken
EXACT = 100_000  # cells, up to which all pairs are looked at: quicker there than compiling the search
ITERATIONS = 2  # of Leiden, as scanpy recommends for igraph


class Clustered(NamedTuple):
    """Clusters of n cells."""

    codes: NDArray[np.int64]  # (n,) 0 is the largest cluster; -1 for cells without counts
    confidence: NDArray[np.float32]  # (n,) share of a cell's ties that stay in its cluster; NaN without one


class _Nearest:
    """Finds the k nearest cells as scanpy asks for it: exactly, or, of many cells, by search.

    scanpy 1.11's own search fails on what pynndescent 0.7 gives. One job, since the search gives other
    neighbours with another number of them.
    """

    def __init__(self, n_neighbors: int, seed: int) -> None:
        self.n_neighbors = n_neighbors
        self.seed = seed

    def get_params(self, *, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's way
        """Say how many neighbours, as scanpy asks."""
        return {"n_neighbors": self.n_neighbors}

    def fit_transform(self, points: NDArray[np.float32]) -> csr_matrix:
        """Give distances (n, n) to the nearest, a cell itself among them."""
        if len(points) <= EXACT:
            from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 - slow to import

            search = NearestNeighbors(n_neighbors=self.n_neighbors, algorithm="brute").fit(points)
            distances, indices = search.kneighbors()
            distances, indices = distances[:, :-1], indices[:, :-1]  # a cell itself is added below
            itself = np.arange(len(points))[:, None]
            indices = np.hstack([itself, indices])
            distances = np.hstack([np.zeros((len(points), 1)), distances])
        else:
            from pynndescent import NNDescent  # noqa: PLC0415 - slow to import

            search = NNDescent(points, n_neighbors=self.n_neighbors, random_state=self.seed, n_jobs=1)
            indices, distances = search.neighbor_graph
        starts = np.arange(len(points) + 1) * self.n_neighbors
        return csr_matrix((distances.ravel(), indices.ravel(), starts), (len(points), len(points)))


def find_clusters(
    counts: csr_matrix,
    *,
    resolution: float = 1.0,
    n_components: int = 50,
    n_neighbors: int = 15,
    seed: int = 0,
) -> Clustered:
    """Cluster cells by Leiden on their neighbours in PCA of log counts.

    Parameters
    ----------
    counts
        Raw counts (n, g). They are never made dense.
    resolution
        The higher, the more clusters.
    n_components
        Axes of PCA.
    n_neighbors
        Neighbours of a cell, itself among them.
    seed
        Of PCA, search and Leiden: the same gives the same clusters, however many cores there are.

    Returns
    -------
    Clusters, the largest first.

    Raises
    ------
    InputError
        If igraph or pynndescent is not installed, or fewer than 20 cells have counts.
    """
    with extra(EXTRA, "Clustering"):
        import igraph  # noqa: F401, PLC0415 - scanpy imports it late, and says less of what to install
        import pynndescent  # noqa: F401, PLC0415
    import scanpy  # noqa: PLC0415 - slow to import
    from anndata import AnnData  # noqa: PLC0415

    counted = np.diff(counts.indptr) > 0
    n_cells = int(counted.sum())
    if n_cells < FEWEST:
        raise InputError(f"{n_cells} cells have counts: at least {FEWEST} are needed for clusters.")
    kept = csr_matrix(counts)[counted]
    depth = np.asarray(kept.sum(axis=1, dtype=np.float64)).ravel()
    cells = AnnData(log_counts(kept, median_depth(depth)))
    if cells.n_vars > WIDE:
        scanpy.pp.highly_variable_genes(cells, n_top_genes=WIDE)
        cells = cells[:, cells.var["highly_variable"]].copy()
    most = min(cells.shape) - 1
    if most < 2:
        raise InputError(f"{cells.n_vars} genes are too few for clusters.")
    scanpy.pp.pca(cells, n_comps=min(n_components, most), svd_solver="arpack", random_state=seed)
    nearest = _Nearest(min(n_neighbors, n_cells - 1), seed)
    scanpy.pp.neighbors(cells, use_rep="X_pca", transformer=nearest, random_state=seed)
    scanpy.tl.leiden(
        cells,
        resolution=resolution,
        flavor="igraph",
        n_iterations=ITERATIONS,
        directed=False,
        random_state=seed,
    )
    codes = by_size(cells.obs["leiden"].cat.codes.to_numpy())
    return Clustered(
        _spread(codes, counted, -1),
        _spread(_ties_within(csr_matrix(cells.obsp["connectivities"]), codes), counted, np.nan),
    )


def by_size(codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Give clusters (n,) new numbers: the largest first, and of equals the one that comes first."""
    _, first, own, sizes = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort([first, -sizes])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[own]


def _ties_within(ties: csr_matrix, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give the share of each cell's ties (n, n), by weight, that stay in its own cluster (n,)."""
    rows = np.repeat(np.arange(len(codes)), np.diff(ties.indptr))
    inside = np.where(codes[rows] == codes[ties.indices], ties.data, 0)
    own = np.bincount(rows, inside, len(codes))
    total = np.bincount(rows, ties.data, len(codes))
    return np.divide(own, total, out=np.ones(len(codes)), where=total > 0).clip(0, 1).astype(np.float32)


def _spread(values: NDArray[Any], counted: NDArray[np.bool_], missing: float) -> NDArray[Any]:
    """Give the values of the cells with counts to all cells."""
    spread = np.full(len(counted), missing, dtype=values.dtype)
    spread[counted] = values
    return spread
