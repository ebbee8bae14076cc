from anndata import AnnData
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import labels
from squint.stats.token_profiles import N_GENES, add_up, describe


def token_profiles(
    adata: AnnData, *, token_key: str = keys.TOKEN, n_genes: int = N_GENES, copy: bool = False
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
        ``n_cells``; ``share`` of all cells with a token; ``top_genes``, those with the largest ratio of their
        share of the token's counts to their share of those cells' counts; ``top_types``, with percentages,
        empty without ``obs["cell_type"]``; ``sections`` where the token occurs, most cells first.

    Raises
    ------
    InputError
        If the tokens are missing.

    References
    ----------
    SQUINT, section 5.4 and figure 5c, tells tokens by the genes that are high in them; the words are our own.
    """
    adata = adata.copy() if copy else adata
    tokens = labels(adata, token_key)
    named = keys.SECTION in adata.obs
    sections = labels(adata, keys.SECTION) if named else tokens.map(lambda _: "")
    types = labels(adata, keys.CELL_TYPE) if keys.CELL_TYPE in adata.obs else None
    counts, genes = csr_matrix(adata.X), [str(gene) for gene in adata.var_names]
    sums = {}
    for section in sections.unique():
        here = (sections == section).to_numpy()
        sums[str(section)] = add_up(counts[here], genes, tokens[here], None if types is None else types[here])
    adata.uns[keys.PROFILES] = describe(sums, n_genes=n_genes)
    return adata if copy else None
