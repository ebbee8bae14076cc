"""How new a section is to a model, by some of its cells."""

from dataclasses import replace

import numpy as np
from anndata import AnnData

from squint import keys
from squint.errors import InputError
from squint.model.bundle import Bundle, find_conditions
from squint.model.cohort import prepare
from squint.model.ranking import Fit
from squint.model.tokens import UNSEEN_SECTION, embed

N_CELLS = 2_000  # a share of 5 % of them has a standard error of half a percent


def measure(fit: Fit, adata: AnnData, bundle: Bundle, *, n_cells: int = N_CELLS, seed: int = 0) -> Fit:
    """Add to how a model fits sections what only their cells tell: novelty, depth, and whether it knows them.

    Parameters
    ----------
    fit
        Of the model and these sections, by :func:`squint.model.ranking.compare`.
    adata
        One or several sections of raw counts, as `squint.read` gives them; gets a graph if it has none of as
        many neighbours as the model's.
    bundle
        The model.
    n_cells
        How many cells are encoded, each with its neighbourhood: drawn at random from those that have a count
        in the model's genes, or all if there are fewer.
    seed
        Of that draw.

    Returns
    -------
    The fit; its ``problem`` says why there are no tokens of such sections, where that is so.
    """
    if not fit.is_usable:
        return fit
    if adata.uns.get(keys.PROVENANCE, {}).get("values") == "intensities":
        return replace(fit, problem="the section holds intensities, not counts")
    try:
        cohort = prepare(
            adata, bundle.genes, bundle.model_config, scale=bundle.scale, categories=bundle.categories
        )
    except InputError as error:  # such as a covariate that is missing
        return replace(fit, problem=str(error).removesuffix("."))
    told = np.flatnonzero(cohort.told)
    if not len(told):
        return replace(fit, problem="no cell has a count in any of its genes")
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.choice(told, n_cells, replace=False)) if len(told) > n_cells else told
    conditions = find_conditions(adata, bundle)
    parts = embed(bundle.model, cohort, conditions, among=drawn)
    distance = np.concatenate([part.distance for part in parts])
    shared = np.isin(bundle.genes, adata.var_names)
    depth = np.asarray(cohort.counts.sum(axis=1)).ravel()[told]
    known = not np.isnan(bundle.distance_p99)  # a training may have ended before it was measured
    return replace(
        fit,
        is_trained_on=bool((conditions != UNSEEN_SECTION).all()),
        novelty=float((distance > bundle.distance_p99).mean()) if known else np.nan,
        depth=float(np.median(depth)),
        depth_in_training=float(bundle.scale.depth * bundle.scale.shares[shared].sum()),
    )
