import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import labels

N_TYPES = 3
PSEUDO_SHARE = 1e-4  # added to both shares of a gene, so that a gene seen once does not lead the list


def token_profiles(
    adata: AnnData, token_key: str = keys.TOKEN, *, n_genes: int = 5, copy: bool = False
) -> AnnData | None:
    """Say in plain words what each token is.

    Parameters
    ----------
    adata
        Tokenised sections.
    token_key
        Where the tokens are.
    n_genes
        Genes named per token.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_token_profiles"]`` : :class:`pandas.DataFrame`, indexed by token in use
        ``n_cells``; ``share`` of all cells; ``top_genes``, those with the largest ratio of their share of the
        token's counts to their share of all counts; ``top_types``, with percentages, empty without
        ``obs["cell_type"]``; ``sections`` where the token occurs, most cells first.

    Raises
    ------
    InputError
        If the tokens are missing.
    """
    adata = adata.copy() if copy else adata
    tokens = labels(adata, token_key)
    used = sorted(tokens.unique(), key=lambda token: (len(token), token))
    code = pd.Categorical(tokens, categories=used).codes.astype(np.int64)
    n_cells = np.bincount(code, minlength=len(used))
    profiles = pd.DataFrame(
        {
            "n_cells": n_cells,
            "share": n_cells / max(adata.n_obs, 1),
            "top_genes": _top_genes(adata, code, len(used), n_genes),
            "top_types": _top_types(adata, code, used),
            "sections": _sections(adata, tokens, used),
        },
        index=pd.Index(used, name="token"),
    )
    adata.uns[keys.PROFILES] = profiles
    return adata if copy else None


def _top_genes(adata: AnnData, code: NDArray[np.int64], n_tokens: int, n_genes: int) -> list[str]:
    """Name the genes that set each token apart."""
    member = csr_matrix(
        (np.ones(adata.n_obs, np.float32), (code, np.arange(adata.n_obs))), (n_tokens, adata.n_obs)
    )
    counts = np.asarray((member @ csr_matrix(adata.X)).todense(), dtype=np.float64)  # (tokens, g)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    overall = counts.sum(axis=0) / max(counts.sum(), 1)
    ratio = (share + PSEUDO_SHARE) / (overall + PSEUDO_SHARE)
    best = np.argsort(-ratio, axis=1, kind="stable")[:, :n_genes]
    return [", ".join(adata.var_names[genes]) for genes in best]


def _top_types(adata: AnnData, code: NDArray[np.int64], used: list[str]) -> list[str]:
    """Name the commonest cell types of each token, with their share."""
    if keys.CELL_TYPE not in adata.obs:
        return [""] * len(used)
    table = pd.crosstab(code, labels(adata, keys.CELL_TYPE), normalize="index")
    return [
        ", ".join(f"{name} {share:.0%}" for name, share in row.nlargest(N_TYPES).items() if share >= 0.05)
        for _, row in table.iterrows()
    ]


def _sections(adata: AnnData, tokens: "pd.Series[str]", used: list[str]) -> list[str]:
    """Name the sections where each token occurs, most cells first."""
    if keys.SECTION not in adata.obs:
        return [""] * len(used)
    cells = pd.crosstab(tokens, labels(adata, keys.SECTION)).loc[used]
    return [
        ", ".join(row[row > 0].sort_values(ascending=False, kind="stable").index)
        for _, row in cells.iterrows()
    ]
