"""The hash of a section: of what a model sees of it; without torch."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.io.mapped import row_blocks

if TYPE_CHECKING:
    from anndata import AnnData


def section_sha256(
    adata: "AnnData", cells: NDArray[np.int64] | None = None, genes: Sequence[str] | None = None
) -> str:
    """Hash what the model sees of a section, whatever file it came in and in whatever order.

    Genes are taken by name and cells by position, so that the order of neither matters. Of ``cells`` (m,) and
    ``genes`` it is the same as of ``adata[cells, genes]``, without a copy of their counts.
    """
    columns = np.arange(adata.n_vars) if genes is None else adata.var_names.get_indexer(pd.Index(genes))
    columns = columns[np.argsort(adata.var_names[columns].to_numpy(dtype=str))]
    given = adata.X
    given = given if isinstance(given, csr_matrix) else csr_matrix(given)
    cells = np.arange(adata.n_obs) if cells is None else cells

    def counts_of(some: NDArray[np.int64]) -> csr_matrix:
        counts = csr_matrix(given[some], dtype=np.float32)[:, columns]
        counts.eliminate_zeros()
        counts.sort_indices()
        return counts

    stored = np.concatenate([[0], np.cumsum(np.diff(given.indptr)[cells], dtype=np.int64)])
    total, size = np.empty(len(cells), np.float32), np.empty(len(cells), np.int64)
    for start, stop in row_blocks(stored):
        counts = counts_of(cells[start:stop])
        total[start:stop] = np.asarray(counts.sum(axis=1)).ravel()
        size[start:stop] = np.diff(counts.indptr)
    position = np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[cells]
    order = np.lexsort((total, *position.T))
    indptr = np.concatenate([[0], np.cumsum(size[order])])
    digest = hashlib.sha256("\n".join(adata.var_names[columns]).encode())
    digest.update(indptr.tobytes())
    # All indices come before all data, so a large section is gone through twice rather than copied.
    for part in ("indices", "data"):
        for start, stop in row_blocks(indptr):
            counts = counts_of(cells[order[start:stop]])
            digest.update(getattr(counts, part).astype(np.int64).tobytes())
    digest.update(position[order].tobytes())
    return digest.hexdigest()
