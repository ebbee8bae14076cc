import numpy as np
from anndata import AnnData

from squint import keys
from squint.columns import UNKNOWN, labels
from squint.stats import vocabularies


def compare_vocabularies(
    adata: AnnData,
    *,
    other_key: str,
    token_key: str = keys.TOKEN,
    n_shuffles: int = vocabularies.N_SHUFFLES,
    n_resamples: int = vocabularies.N_RESAMPLES,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Say which token of one model is which of another, on the same cells, and how sure that is.

    Parameters
    ----------
    adata
        Sections that both models have tokenised.
    other_key
        Column of ``obs`` with the tokens of the other model.
    token_key
        Where the tokens are.
    n_shuffles
        How often tokens are shuffled within each section, for chance.
    n_resamples
        How often sections are drawn with replacement, for intervals.
    seed
        Of both.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following field:

    ``adata.uns["squint_vocabularies"]`` : :class:`dict`
        ``contingency``, cells (a, b) by pair of tokens, counterparts on the diagonal; ``matches``, by token,
        and ``matches_of_other``, by token of the other model: the best match with ``share``, ``jaccard``,
        intervals over sections and more, as :func:`squint.stats.vocabularies.match` gives them;
        ``agreement``, AMI, NMI and ARI beside chance, as :func:`squint.stats.vocabularies.agreement` does;
        ``n_cells`` with tokens by both; ``n_sections``.

    Raises
    ------
    InputError
        If either column is missing, or no cell has tokens by both models.

    References
    ----------
    AMI: Vinh, Epps and Bailey (2010), Journal of Machine Learning Research 11. ARI: Hubert and Arabie (1985),
    Journal of Classification 2. Pairs: the assignment problem, as ``scipy.optimize`` solves it.
    """
    adata = adata.copy() if copy else adata
    tokens, others = labels(adata, token_key), labels(adata, other_key)
    both = ((tokens != UNKNOWN) & (others != UNKNOWN)).to_numpy()
    named = keys.SECTION in adata.obs
    sections = labels(adata, keys.SECTION).to_numpy() if named else np.full(adata.n_obs, "")
    cells = tokens.to_numpy()[both], others.to_numpy()[both], sections[both]
    counted = vocabularies.contingency(*cells)
    rows, columns = vocabularies.matched_order(counted.table)
    adata.uns[keys.VOCABULARIES] = {
        "contingency": counted.table.loc[rows, columns],
        "matches": vocabularies.match(counted, n_resamples=n_resamples, seed=seed),
        "matches_of_other": vocabularies.match(counted.turned, n_resamples=n_resamples, seed=seed),
        "agreement": vocabularies.agreement(*cells, n_shuffles=n_shuffles, seed=seed),
        "n_cells": int(both.sum()),
        "n_sections": len(counted.sections),
    }
    return adata if copy else None
