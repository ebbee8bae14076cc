"""The graph of neighbours of each section: built once, and kept beside its positions. Runs in the worker."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import pp
from squint.errors import DAMAGED, InputError
from squint.files import whole
from squint.library.store import GRAPH, Library

N_NEIGHBORS = 8  # nearest cells of a cell, as `squint.pp.spatial_neighbors` takes them by default


def neighbours(library: Library, section_id: str) -> csr_matrix:
    """Return the symmetric graph (n, n) of a section, 1 between neighbours; built where it is not kept yet.

    Raises
    ------
    InputError
        If the section is gone, or the graph is damaged.
    """
    folder = library.folder(section_id)
    if not (folder / GRAPH).exists():
        cells = library.cells(section_id)
        space = [axis for axis in ("x", "y", "z") if axis in cells]
        with library.staged() as staged:
            write_graph(staged / GRAPH, cells[space].to_numpy(dtype=np.float64))
            library.put(staged, folder, section_id)
    try:
        with library.path(section_id, GRAPH).open("rb") as file, np.load(file) as kept:
            indptr, indices = kept["indptr"], kept["indices"]
    except InputError:
        raise
    except (*DAMAGED, BadZipFile) as error:
        raise InputError(f"{GRAPH} in the library is damaged. Look at the page Sections.") from error
    n_cells = len(indptr) - 1
    return csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(n_cells, n_cells))


def write_graph(path: Path, coordinates: NDArray[np.float64]) -> None:
    """Join each of some cells (n, 2 | 3) to its nearest ones, and write the graph whole or not at all."""
    graph = pp.knn_graph(coordinates, N_NEIGHBORS)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, indptr=graph.indptr, indices=graph.indices)
