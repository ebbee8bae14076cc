import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from squint import keys
from squint.errors import InputError


def knn_graph(coordinates: NDArray[np.floating], n_neighbors: int) -> csr_matrix:
    """Join each cell to its nearest cells, and those back to it.

    Parameters
    ----------
    coordinates
        Positions (n, 2 | 3).
    n_neighbors
        Nearest cells per cell; all others where a section has fewer.

    Returns
    -------
    Symmetric CSR (n, n) of distances, in the unit of ``coordinates``. Cells at the same point are neighbours
    at distance 0, stored; no cell is its own neighbour.
    """
    n_cells = len(coordinates)
    k = min(n_neighbors, n_cells - 1)
    if k < 1:
        return csr_matrix((n_cells, n_cells), dtype=np.float64)
    # One more than k, because a cell finds itself; among cells at one point it may not even find itself.
    distance, neighbour = cKDTree(coordinates).query(coordinates, k + 1)
    cell = np.arange(n_cells)
    itself = neighbour == cell[:, None]
    itself[~itself.any(axis=1), -1] = True
    source = np.repeat(cell, k)
    target, length = neighbour[~itself], distance[~itself]
    both = np.concatenate([source * n_cells + target, target * n_cells + source])
    edges, first = np.unique(both, return_index=True)
    length = np.concatenate([length, length])[first]
    indptr = np.searchsorted(edges, np.arange(n_cells + 1, dtype=np.int64) * n_cells)
    return csr_matrix((length, edges % n_cells, indptr), shape=(n_cells, n_cells))


def spatial_neighbors(adata: AnnData, *, n_neighbors: int = 8, copy: bool = False) -> AnnData | None:
    """Join each cell to its nearest cells of the same section.

    The graph of the paper's section 3: the ``n_neighbors`` nearest cells by Euclidean distance, with
    reciprocal edges added. Cells of different sections are never joined. Coordinates with a third column
    give a graph in three dimensions.

    Parameters
    ----------
    adata
        One or several sections with ``obsm["spatial"]`` and ``obs["section_id"]``.
    n_neighbors
        Nearest cells per cell, before the reciprocal edges.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obsp["spatial_connectivities"]`` : CSR (n, n), float32
        1 between neighbours, symmetric, empty diagonal.
    ``adata.obsp["spatial_distances"]`` : CSR (n, n), float64
        Distance between neighbours, in the unit of the coordinates.
    ``adata.uns["spatial_neighbors"]`` : dict
        squidpy's record of the two keys and the parameters.

    Raises
    ------
    InputError
        If the coordinates are missing.
    """
    adata = adata.copy() if copy else adata
    if keys.SPATIAL not in adata.obsm:
        raise InputError(f"`adata.obsm` has no {keys.SPATIAL!r}: positions (n, 2) or (n, 3) are needed.")
    coordinates = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
    distances = _by_section(coordinates, section_codes(adata), n_neighbors)
    adata.obsp[keys.DISTANCES] = distances
    adata.obsp[keys.CONNECTIVITIES] = csr_matrix(
        (np.ones(distances.nnz, dtype=np.float32), distances.indices, distances.indptr), shape=distances.shape
    )
    adata.uns["spatial_neighbors"] = {
        "connectivities_key": keys.CONNECTIVITIES,
        "distances_key": keys.DISTANCES,
        "params": {"n_neighbors": n_neighbors, "coord_type": "generic"},
    }
    return adata if copy else None


def section_codes(adata: AnnData) -> NDArray[np.int64]:
    """Give each cell its section's number (n,), in order of appearance; 0 where no sections are named."""
    if keys.SECTION not in adata.obs:
        return np.zeros(adata.n_obs, dtype=np.int64)
    return np.asarray(adata.obs[keys.SECTION].astype(str).factorize()[0], dtype=np.int64)


def _by_section(coordinates: NDArray[np.float64], section: NDArray[np.int64], n_neighbors: int) -> csr_matrix:
    """Build one graph a section and put them on the diagonal, rows in the order of the cells."""
    n_cells = len(coordinates)
    row, column, length = [], [], []
    for code in range(section.max(initial=-1) + 1):
        cells = np.flatnonzero(section == code)
        graph = knn_graph(coordinates[cells], n_neighbors).tocoo()
        row.append(cells[graph.row])
        column.append(cells[graph.col])
        length.append(graph.data)
    order = np.lexsort((np.concatenate(column), np.concatenate(row)))
    rows = np.concatenate(row)[order]
    indptr = np.searchsorted(rows, np.arange(n_cells + 1))
    return csr_matrix(
        (np.concatenate(length)[order], np.concatenate(column)[order], indptr), shape=(n_cells, n_cells)
    )
