from collections.abc import Sequence
from typing import Any

import anndata
import numpy as np
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError


def shared_genes(
    sections: Sequence[AnnData],
    *,
    n_genes: int = 1000,
    hidden: Sequence[NDArray[np.bool_]] | None = None,
) -> list[str]:
    """Choose one list of genes for all sections together.

    Genes that every section measures; where these are more than ``n_genes``, the most variable of them by
    scanpy's ``seurat_v3``, ranked over all sections at once. Hidden cells and those without counts take no
    part.

    Parameters
    ----------
    sections
        Raw counts, one or several sections each.
    n_genes
        Genes kept at most.
    hidden
        Per element of ``sections``, cells (n,) to leave out.

    Returns
    -------
    Gene names, in the order of the first element of ``sections``.

    Raises
    ------
    InputError
        If the sections share no gene.
    """
    common = set.intersection(*(set(adata.var_names) for adata in sections))
    genes = [gene for gene in sections[0].var_names if gene in common]
    if not genes:
        raise InputError("The sections share no gene. Check that all use the same gene names.")
    if len(genes) <= n_genes:
        return genes
    import scanpy  # noqa: PLC0415 - takes seconds, and only wide panels need it

    seen = (
        [np.ones(adata.n_obs, dtype=bool) for adata in sections] if hidden is None else [~h for h in hidden]
    )
    cells = anndata.concat(
        {str(i): adata[keep, genes] for i, (adata, keep) in enumerate(zip(sections, seen, strict=True))},
        label="file",
        index_unique="-",
    )
    counts: Any = cells.X
    some = np.asarray(counts.sum(axis=1)).ravel() > 0
    cells = cells if some.all() else cells[some].copy()
    cells.obs["section"] = [
        f"{file}/{name}" for file, name in zip(cells.obs["file"], cells.obs[keys.SECTION], strict=True)
    ]
    ranked = scanpy.pp.highly_variable_genes(
        cells, flavor="seurat_v3", n_top_genes=n_genes, batch_key="section", inplace=False
    )
    kept = set(np.asarray(genes)[ranked["highly_variable"].to_numpy()])
    return [gene for gene in genes if gene in kept]
