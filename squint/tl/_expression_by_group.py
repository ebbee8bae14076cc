from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from squint.errors import InputError
from squint.stats.ranksum import median_depth


def scaled_counts(counts: csr_matrix, names: Sequence[str], genes: Sequence[str]) -> csr_matrix:
    """Bring each cell to the median depth of all cells given; give some genes.

    Parameters
    ----------
    counts
        Raw counts (n, g) of all genes, which make the depth.
    names
        Names of all genes (g,).
    genes
        The k genes to give.

    Returns
    -------
    Scaled counts, CSR float64 (n, k).

    Raises
    ------
    InputError
        If a gene is not there.
    """
    column = {name: number for number, name in enumerate(names)}
    missing = [gene for gene in genes if gene not in column]
    if missing:
        raise InputError(f"The section does not measure {', '.join(missing)}. Choose other genes.")
    depth = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    scale = np.divide(median_depth(depth), depth, out=np.zeros(len(depth)), where=depth > 0)
    return csr_matrix(diags_array(scale) @ counts[:, [column[gene] for gene in genes]])


def expression_by_group(
    counts: csr_matrix, names: Sequence[str], groups: NDArray[np.object_], genes: Sequence[str]
) -> pd.DataFrame:
    """Mean expression of some genes in each group of cells.

    Parameters
    ----------
    counts
        Raw counts (n, g) of all genes, which make the depth.
    names
        Names of all genes (g,).
    groups
        Label of each cell (n,), ``None`` for cells to leave out, also of the median depth.
    genes
        The genes to give.

    Returns
    -------
    One row per gene and group, genes in the order given, groups in order of their names: ``gene``, ``group``,
    ``n_cells``; ``mean``, scaled counts per cell; ``share`` of cells with a count.

    Raises
    ------
    InputError
        If a gene is not there.
    """
    kept = pd.notna(groups)
    code, labels = pd.factorize(np.asarray(groups)[kept].astype(str), sort=True)
    scaled = scaled_counts(csr_matrix(counts)[kept], names, genes)
    member = csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), (len(labels), len(code)))
    n_cells = np.bincount(code, minlength=len(labels))[:, None]
    mean = (member @ scaled).toarray() / n_cells  # (groups, k)
    share = (member @ (scaled > 0)).toarray() / n_cells
    index = pd.MultiIndex.from_product([genes, labels], names=["gene", "group"])
    columns = {
        "n_cells": np.tile(n_cells.ravel(), len(genes)),
        "mean": mean.T.ravel(),
        "share": share.T.ravel(),
    }
    return pd.DataFrame(columns, index=index).reset_index()
