import pandas as pd
from anndata import AnnData

from squint import keys
from squint.columns import labels
from squint.errors import InputError
from squint.stats import trees


def communities(
    adata: AnnData,
    *,
    n_communities: int | None = None,
    height: float | None = None,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Cut the tree of :func:`co_occurrence` into communities of tokens.

    By default it is cut at 1 - ``null_quantile``: the two branches that were joined last in a community then
    correlate, in the mean over their pairs, more than 95 % of shuffled pairs do. Of many pairs some exceed
    that by chance, so small communities arise from nothing; ``p`` says which are larger than that.

    Parameters
    ----------
    adata
        Sections with ``uns["squint_co_occurrence"]``.
    n_communities
        How many communities, in place of the default.
    height
        Where to cut, as 1 - r, in place of the default.
    seed
        Seed of the shuffles that ``p`` is of.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_co_occurrence"]["tokens"]["community"]`` : str
        ``"1"`` to ``"k"``: communities of two and more tokens first, by their number of cells, then the
        tokens that join no other, by theirs.
    ``adata.uns["squint_co_occurrence"]["communities"]`` : :class:`pandas.DataFrame`, indexed by community
        ``n_tokens``; ``n_cells``; and ``p``, how often a tree of shuffled profiles, cut at the same height,
        has a community of as many tokens or more. It holds for all communities together.
    ``adata.obs["squint_community"]`` : categorical of str (n,)
        The community of the cell's token; missing where that was not among the tokens correlated.

    Raises
    ------
    InputError
        If there is no tree, both choices are given, or there cannot be so many communities.

    References
    ----------
    SQUINT, section 5.2 and figure 3b, whose dendrograms group tokens into communities; where they are cut is
    our own choice.
    """
    if keys.CO_OCCURRENCE not in adata.uns:
        raise InputError(f"`adata.uns` has no {keys.CO_OCCURRENCE!r}. Run `squint.tl.co_occurrence` first.")
    adata = adata.copy() if copy else adata
    found = adata.uns[keys.CO_OCCURRENCE]
    if n_communities is None and height is None:
        height = 1 - found["null_quantile"]
    n_cells, tree = found["tokens"]["n_cells"], found["linkage"]
    cut = trees.cut(tree, n_cells.to_numpy(), n_communities=n_communities, height=height)
    named = pd.Series(cut, index=n_cells.index)
    found["tokens"] = found["tokens"].assign(community=named)
    found["communities"] = trees.describe(named, n_cells, tree, found["profiles"], seed=seed)
    of_cell = labels(adata, found["token_key"]).map(named)
    adata.obs[keys.COMMUNITY] = pd.Categorical(of_cell.to_numpy(), list(found["communities"].index))
    return adata if copy else None
