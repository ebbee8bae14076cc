from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.columns import token_names
from squint.device import pick_device
from squint.io.mapped import beside, let_go
from squint.model.bundle import Bundle, versions
from squint.model.card import NEW_ABOVE, NOT_MEASURED
from squint.model.cohort import Cohort
from squint.model.domains import contexts, known_domains
from squint.model.tokens import TILE_SIZE, UNSEEN_SECTION, embed
from squint.tl._fit import prepare_for_model


def tokenize(
    adata: AnnData,
    bundle: Bundle,
    *,
    domains: int | None = None,
    device: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Give each cell, with its neighbourhood, the token that stands for it.

    A cell without a count in any of the model's genes has no token: nothing is known of it. It stays a
    neighbour of the others, to whom it says that nothing was found there.

    Parameters
    ----------
    adata
        One or several sections of raw counts, as `squint.read` gives them.
    bundle
        A trained model.
    domains
        How many domains to tell apart, if any: kinds of wider surroundings, such as layers and regions. The
        tokens do not depend on it.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"`` to move the model; by default it stays where it is.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_token"]`` : categorical of str (n,)
        Index of the code, first head; the categories are all codes of the model. Missing without a token.
    ``adata.obs["squint_distance"]`` : float32 (n,)
        1 - cosine between latent and code: how new the cell is to the codebook. NaN without a token.
    ``adata.obsm["squint_tokens"]`` : int32 (n, heads)
        Tokens of all heads, -1 for none.
    ``adata.obsm["X_squint"]`` : float32 (n, n_latent)
        Latent after FiLM, before quantisation; in a file where the counts are in one. NaN without a token.
    ``adata.obs["squint_domain"]`` : categorical of str (n,)
        With ``domains``: ``"1"`` is the one that most training cells were of. Missing without a token.
    ``adata.obsm["squint_residual_tokens"]`` : int32 (n, 1)
        With ``domains``: the prototype that the cell's surroundings are nearest to, of which domains are
        groups; -1 without a token.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.
    ``adata.uns["squint"]`` : dict
        Adds the model's sha256, overlap of genes, condition given to each section, ``n_without_token`` and
        of these ``n_without_counts``, which have no count in any gene, share of each section's cells with a
        token that are farther from their code than 99 % of the training cells (NaN where the model does not
        know how far those are), warnings, versions and time.

    Raises
    ------
    InputError
        If the section measures less than 25 % of the model's genes, holds intensities, or has no count in
        any of these genes; if the model knows no domains, or cannot tell so many apart.

    References
    ----------
    SQUINT, section 4.2 and equation 2. Domains are not in the paper: `squint.model.domains`.
    """
    adata = adata.copy() if copy else adata
    groups = None if domains is None else known_domains(bundle.domains).cut(domains)
    cohort, conditions, warnings = prepare_for_model(adata, bundle)
    if device is not None:
        bundle.model.to(pick_device(device))
    try:
        _write(adata, bundle, cohort, conditions)
        if groups is not None:
            _write_domains(adata, bundle, cohort, groups)
    except torch.cuda.OutOfMemoryError:  # even for a few hundred cells, see `squint.model.tokens.embed`
        where = bundle.model.device
        bundle.model.to("cpu")
        torch.cuda.empty_cache()
        try:
            _write(adata, bundle, cohort, conditions)
            if groups is not None:
                _write_domains(adata, bundle, cohort, groups)
        finally:
            bundle.model.to(where)
        warnings.append("The GPU was out of memory; the CPU was used.")

    beyond = _share_beyond(adata, cohort, bundle.distance_p99)
    depth = np.asarray(csr_matrix(adata.X)[np.flatnonzero(cohort.empty)].sum(axis=1)).ravel()
    warnings += [
        f"{share:.0%} of the cells of section {name} are farther from their code than 99 % of the training "
        "cells: this tissue is new to the model."
        for name, share in beyond.items()
        if share > NEW_ABOVE
    ]
    if np.isnan(bundle.distance_p99):
        warnings.append(NOT_MEASURED)
    shared = adata.var_names.isin(bundle.genes).sum()
    adata.uns.setdefault(keys.PROVENANCE, {}).update(
        model_sha256=bundle.sha256,
        n_codes=bundle.model_config.n_codes,
        **({} if domains is None else {"n_domains": domains}),
        n_genes_shared=int(shared),
        gene_overlap=float(shared / len(bundle.genes)),
        n_without_token=len(depth),
        n_without_counts=int((depth == 0).sum()),
        section_condition={
            name: "unseen" if number == UNSEEN_SECTION else "trained"
            for name, number in zip(cohort.section_names, conditions, strict=True)
        },
        share_beyond_p99=beyond,
        warnings=warnings,
        versions=versions(),
        time_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return adata if copy else None


def _write(adata: AnnData, bundle: Bundle, cohort: Cohort, conditions: NDArray[np.int64]) -> None:
    """Embed all cells but the empty ones, and set the slots."""
    config = bundle.model_config
    latents = beside(adata.X, (adata.n_obs, config.n_latent), np.float32)
    latents[cohort.empty] = np.nan
    tokens = np.full((adata.n_obs, config.n_heads), -1, dtype=np.int32)
    distance = np.full(adata.n_obs, np.nan, dtype=np.float32)
    for part in embed(bundle.model, cohort, conditions):
        latents[part.cells], tokens[part.cells] = part.latents, part.tokens
        distance[part.cells] = part.distance
        let_go(latents)
    adata.obs[keys.TOKEN] = token_names(tokens[:, 0], config.n_codes)
    adata.obs[keys.DISTANCE] = distance
    adata.obsm[keys.TOKENS] = tokens
    adata.obsm[keys.LATENT] = latents


def _write_domains(adata: AnnData, bundle: Bundle, cohort: Cohort, groups: NDArray[np.int64]) -> None:
    """Tell the domains of all cells with a token apart; ``groups`` (m,) are those of the prototypes."""
    domains, told = known_domains(bundle.domains), np.flatnonzero(cohort.told)
    latents: Any = adata.obsm[keys.LATENT]
    values = np.zeros((cohort.n_cells, domains.n_factors), dtype=np.float32)
    for start in range(0, len(told), TILE_SIZE):  # the latents may lie in a file
        cells = told[start : start + TILE_SIZE]
        values[cells] = domains.values(bundle.model, np.asarray(latents[cells]))
    prototypes = np.full((cohort.n_cells, 1), -1, dtype=np.int32)
    prototypes[told, 0] = domains.assign(contexts(values, cohort.graph, cohort.told)[told])
    names = [str(number + 1) for number in range(groups.max() + 1)]
    codes = np.full(cohort.n_cells, -1, dtype=np.int64)
    codes[told] = groups[prototypes[told, 0]]
    adata.obs[keys.DOMAIN] = pd.Categorical.from_codes(codes, pd.Index(names))
    adata.obsm[keys.RESIDUAL_TOKENS] = prototypes


def _share_beyond(adata: AnnData, cohort: Cohort, limit: float) -> dict[str, Any]:
    """Share of each section's cells with a token that are farther from their code than ``limit``, or NaN."""
    if np.isnan(limit):
        return dict.fromkeys(cohort.section_names, np.nan)
    beyond, told = adata.obs[keys.DISTANCE].to_numpy() > limit, cohort.told
    counted = [told & (cohort.section == code) for code in range(len(cohort.section_names))]
    return {
        name: float(beyond[cells].mean()) if cells.any() else 0.0
        for name, cells in zip(cohort.section_names, counted, strict=True)
    }
