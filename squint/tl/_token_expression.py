from collections.abc import Sequence

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import labels
from squint.errors import InputError
from squint.stats import token_expression as stats


def token_expression(
    adata: AnnData,
    *,
    genes: Sequence[str] | None = None,
    token_key: str = keys.TOKEN,
    cells: NDArray[np.bool_] | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Say how much of each gene is in each token, and in how many of its cells.

    Parameters
    ----------
    adata
        Tokenised sections with raw counts of all genes, which make the depth of a cell.
    genes
        Which genes to give, in this order; all by default.
    token_key
        Where the tokens are.
    cells
        Which cells (n,) count; all by default. Those without a token or without counts never do.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_token_expression"]`` : :class:`pandas.DataFrame`, one row per gene and token
        ``gene``; ``token``; ``n_cells``; ``mean`` of log(1 + x), x being counts with each cell brought to the
        median depth of the cells that count; ``share`` of cells with a count.

    Raises
    ------
    InputError
        If the tokens or a gene are missing, or no cell is left.

    References
    ----------
    SQUINT, section 5.4 and figure 5c, shows the genes of a programme by token. Depth and logarithm are as in
    scanpy's ``normalize_total`` and ``log1p``: Wolf et al. (2018), https://doi.org/10.1186/s13059-017-1382-0.
    """
    adata = adata.copy() if copy else adata
    found = stats.token_expression(
        csr_matrix(adata.X), [str(gene) for gene in adata.var_names], labels(adata, token_key), cells=cells
    )
    if not found.tokens:
        raise InputError("No cell that counts has a token and counts. Choose other cells.")
    adata.uns[keys.TOKEN_EXPRESSION] = found.table(genes)
    return adata if copy else None
