from collections.abc import Sequence

import numpy as np
from anndata import AnnData
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.errors import InputError
from squint.stats import set_scores
from squint.tl._differential_expression import refuse_intensities


def score_gene_set(
    adata: AnnData,
    genes: Sequence[str],
    *,
    min_measured: int = set_scores.MIN_MEASURED,
    key_added: str = keys.SET_SCORE,
    connectivity_key: str = keys.CONNECTIVITIES,
    copy: bool = False,
) -> AnnData | None:
    """Score how much of a set's genes each cell has, and its neighbourhood.

    The score of a cell is the mean over the set's genes of its log counts, each less the mean of the other
    genes that are about as abundant: 0 is as much as those. Cells are brought to the median depth of all
    cells with counts. Sections that are scored together are on one scale; in other company the same cell may
    have another score, for depth and abundance are those of all cells given.

    Parameters
    ----------
    adata
        Sections with raw counts in ``X``, over the genes that all of them measure.
    genes
        Of the set; those that are not measured are left out.
    min_measured
        Genes of the set that must be measured.
    key_added
        Column of ``obs`` for the scores.
    connectivity_key
        Where tokens and graph are; a graph is built if there is none.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_set_score"]`` : float32 (n,)
        Score, on the scale of ``log1p``; NaN for cells without counts.
    ``adata.obs["squint_set_score_smoothed"]`` : float32 (n,)
        Mean score of the closed 1-hop neighbourhood; NaN for cells without counts, which count in no mean.
    ``adata.uns["squint"]["set_scores"]`` : dict
        For each column: ``genes`` scored, genes ``missing``, median ``depth``, ``n_bins``, ``n_reference``
        genes compared with, and ``n_without_counts`` cells.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.

    Raises
    ------
    InputError
        If too few genes of the set are measured, the set holds all genes, or the sections hold intensities.

    References
    ----------
    Tirosh et al. (2016), Dissecting the multicellular ecosystem of metastatic melanoma by single-cell
    RNA-seq, by way of :func:`scanpy.tl.score_genes`, with all genes of like abundance instead of some drawn
    at random.
    """
    refuse_intensities(adata)
    found = set_scores.coverage(genes, {"the data": list(adata.var_names)}, min_measured=min_measured)
    if found.problem:
        raise InputError(found.problem)
    adata = adata.copy() if copy else adata
    if connectivity_key not in adata.obsp:
        pp.spatial_neighbors(adata)
    scored = set_scores.score(csr_matrix(adata.X), adata.var_names.isin(found.shared))
    mean = set_scores.smoothed(scored.values, csr_matrix(adata.obsp[connectivity_key]))
    adata.obs[key_added] = scored.values.astype(np.float32)
    adata.obs[key_added + keys.SMOOTHED_SUFFIX] = mean.astype(np.float32)
    adata.uns.setdefault(keys.PROVENANCE, {}).setdefault("set_scores", {})[key_added] = {
        "genes": list(found.shared),
        "missing": list(found.missing["the data"]),
        "depth": scored.depth,
        "n_bins": scored.n_bins,
        "n_reference": scored.n_reference,
        "n_without_counts": int(np.isnan(scored.values).sum()),
    }
    return adata if copy else None
