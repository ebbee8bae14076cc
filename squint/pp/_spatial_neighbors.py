import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from scipy.spatial import cKDTree

from squint import keys
from squint.bounds import check_reach
from squint.errors import InputError

BLOCK = 100_000  # cells whose neighbours are looked up together


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

    Raises
    ------
    InputError
        If a position is not finite, or lies where no tissue can.
    """
    check_reach(coordinates, "A position")
    n_cells = len(coordinates)
    k = min(n_neighbors, n_cells - 1)
    if k < 1:
        return csr_matrix((n_cells, n_cells), dtype=np.float64)
    small = 2 * n_cells * k <= np.iinfo(np.int32).max
    target: NDArray[np.integer] = np.empty(n_cells * k, np.int32 if small else np.int64)
    length = np.empty(n_cells * k)
    tree = cKDTree(coordinates)
    for start in range(0, n_cells, BLOCK):
        cell = np.arange(start, min(start + BLOCK, n_cells))
        # One more than k, because a cell finds itself; among cells at one point it may not even find itself.
        distance, neighbour = tree.query(coordinates[cell], k + 1)
        itself = neighbour == cell[:, None]
        itself[~itself.any(axis=1), -1] = True
        edges = slice(start * k, (start + len(cell)) * k)
        target[edges], length[edges] = neighbour[~itself], distance[~itself]
    return _with_reciprocal(target, length, n_cells)


def _with_reciprocal(target: NDArray[np.integer], length: NDArray[np.float64], n_cells: int) -> csr_matrix:
    """Add to edges (e,), as many from each cell, those back; one found from both ends keeps its own length.

    scipy's union of two graphs leaves out what is 0, as the length between cells at one point is. So it is
    made of the edges' numbers, from 1, and those of the edges themselves are larger than of those back.
    """
    n_edges = len(target)
    start = np.arange(n_cells + 1, dtype=target.dtype) * (n_edges // n_cells)
    number = np.arange(1, n_edges + 1, dtype=target.dtype)
    back = csc_matrix((number, target, start), shape=(n_cells, n_cells)).tocsr()
    forth = csr_matrix((number + n_edges, target, start), shape=(n_cells, n_cells))
    forth.sort_indices()
    both = forth.maximum(back)
    del forth, back
    both.data -= 1
    both.data %= n_edges
    return csr_matrix((length[both.data], both.indices, both.indptr), shape=(n_cells, n_cells))


def spatial_neighbors(adata: AnnData, *, n_neighbors: int = 8, copy: bool = False) -> AnnData | None:
    """Join each cell to its nearest cells of the same section.

    The graph of the paper: the ``n_neighbors`` nearest cells by Euclidean distance, with reciprocal edges
    added. Cells of different sections are never joined. Coordinates with a third column
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
        If the coordinates are missing, not finite, or lie where no tissue can.

    References
    ----------
    SQUINT, section 3; 8 neighbours are those of appendix B.2.
    """
    adata = adata.copy() if copy else adata
    if keys.SPATIAL not in adata.obsm:
        raise InputError(f"`adata.obsm` has no {keys.SPATIAL!r}: positions (n, 2) or (n, 3) are needed.")
    coordinates = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)
    check_reach(coordinates, f"`adata.obsm[{keys.SPATIAL!r}]`", adata.obs_names)
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
    """Give each cell its section's number.

    Parameters
    ----------
    adata
        One or several sections, named in ``obs["section_id"]``.

    Returns
    -------
    Numbers (n,) in order of appearance; 0 where no sections are named.
    """
    if keys.SECTION not in adata.obs:
        return np.zeros(adata.n_obs, dtype=np.int64)
    return np.asarray(adata.obs[keys.SECTION].astype(str).factorize()[0], dtype=np.int64)


def _by_section(coordinates: NDArray[np.float64], section: NDArray[np.int64], n_neighbors: int) -> csr_matrix:
    """Build one graph a section and put them on the diagonal, rows in the order of the cells."""
    n_sections = int(section.max(initial=-1)) + 1
    if n_sections == 1:
        return knn_graph(coordinates, n_neighbors)
    members = [np.flatnonzero(section == code) for code in range(n_sections)]
    graphs = [knn_graph(coordinates[cells], n_neighbors) for cells in members]
    n_cells = len(coordinates)
    degree = np.zeros(n_cells, dtype=np.int64)
    for cells, graph in zip(members, graphs, strict=True):
        degree[cells] = np.diff(graph.indptr)
    indptr = np.concatenate([[0], np.cumsum(degree)])
    index = np.int32 if max(indptr[-1], n_cells) <= np.iinfo(np.int32).max else np.int64
    column, length = np.empty(indptr[-1], index), np.empty(indptr[-1])
    for cells, graph in zip(members, graphs, strict=True):
        # A section's cells are in ascending order, so columns stay sorted within a row.
        shift = np.repeat(indptr[cells] - graph.indptr[:-1], degree[cells])
        place = np.arange(graph.nnz) + shift
        column[place], length[place] = cells[graph.indices], graph.data
    return csr_matrix((length, column, indptr), shape=(n_cells, n_cells))
