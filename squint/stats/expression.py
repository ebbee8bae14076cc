"""Expression of some genes, brought to one depth, cell by cell and by group. Imports no torch."""

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
    return csr_matrix(diags_array(depth_factors(depth)) @ counts[:, [column[gene] for gene in genes]])


def depth_factors(
    depth: NDArray[np.float64], counted: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Give what to multiply the counts of each cell by, to bring it to the median depth.

    Parameters
    ----------
    depth
        Counts of each cell, of all genes (n,).
    counted
        Cells (n,) whose depths the median is of; all by default. Cells without a count are never counted.

    Returns
    -------
    Factors (n,), 0 for cells without a count.
    """
    median = median_depth(depth if counted is None else depth[counted])
    return np.divide(median, depth, out=np.zeros(len(depth)), where=depth > 0)


def log_counts(counts: csr_matrix, depth: float) -> csr_matrix:
    """Bring each cell to one depth, and take log(1 + x), as scanpy's ``normalize_total`` and ``log1p`` do.

    Parameters
    ----------
    counts
        Raw counts (n, g).
    depth
        Counts that each cell is brought to.

    Returns
    -------
    CSR float32 (n, g); cells without counts stay empty.
    """
    total = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    factors = np.divide(depth, total, out=np.zeros(len(total)), where=total > 0)
    scaled = csr_matrix(counts, dtype=np.float32, copy=True)
    scaled.data = np.log1p(scaled.data * np.repeat(factors, np.diff(scaled.indptr))).astype(np.float32)
    return scaled


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
        Label of each cell (n,), ``None`` for cells to leave out, also of the median depth. Cells without
        counts are left out as well.
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
    kept = pd.notna(groups) & (np.asarray(counts.sum(axis=1)).ravel() > 0)
    scaled = scaled_counts(csr_matrix(counts)[kept], names, genes).toarray()
    own = pd.Series(np.asarray(groups)[kept].astype(str))
    return by_group(pd.DataFrame(scaled, columns=list(genes)), own)


def by_group(scaled: pd.DataFrame, groups: "pd.Series[str]") -> pd.DataFrame:
    """Mean and share of cells of each group, gene by gene.

    Parameters
    ----------
    scaled
        Scaled counts (n, k), a column per gene; NaN in cells whose section does not measure it.
    groups
        Label of each cell (n,); missing for cells to leave out. Categories keep their order.

    Returns
    -------
    As :func:`expression_by_group`; NaN where no cell of a group measures the gene.
    """
    kept = groups.notna().to_numpy()
    own = groups[kept].astype("category").cat.remove_unused_categories()
    code, labels = own.cat.codes.to_numpy().astype(np.int64), own.cat.categories.astype(str)
    values = scaled.to_numpy(dtype=np.float64)[kept]
    measured = np.isfinite(values)
    member = csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), (len(labels), len(code)))
    n_measured = np.asarray(member @ measured.astype(np.float64))  # (groups, k)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(member @ np.where(measured, values, 0)) / n_measured
        share = np.asarray(member @ (measured & (values > 0)).astype(np.float64)) / n_measured
    n_cells = np.bincount(code, minlength=len(labels))
    index = pd.MultiIndex.from_product([list(scaled.columns), labels], names=["gene", "group"])
    columns = {"n_cells": np.tile(n_cells, scaled.shape[1]), "mean": mean.T.ravel(), "share": share.T.ravel()}
    return pd.DataFrame(columns, index=index).reset_index()
