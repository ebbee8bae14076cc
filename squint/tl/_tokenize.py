from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys, pp
from squint.bundle import Bundle, section_sha256, versions
from squint.cohort import Cohort, prepare, section_names
from squint.errors import InputError
from squint.model import UNSEEN_SECTION, embed
from squint.training import pick_device

REFUSE_BELOW = 0.25  # share of the model's genes that a section must measure
WARN_BELOW = 0.60
SHARE_BEYOND_P99 = 0.05  # five times what the training cells show: worth a warning


def tokenize(
    adata: AnnData, bundle: Bundle, *, device: str | None = None, copy: bool = False
) -> AnnData | None:
    """Give each cell, with its neighbourhood, the token that stands for it.

    Parameters
    ----------
    adata
        One or several sections of raw counts, as `squint.read` gives them.
    bundle
        A trained model.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"`` to move the model; by default it stays where it is.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_token"]`` : categorical of str (n,)
        Index of the code, first head; the categories are all codes of the model.
    ``adata.obs["squint_distance"]`` : float32 (n,)
        1 - cosine between latent and code: how new the cell is to the codebook.
    ``adata.obsm["squint_tokens"]`` : int32 (n, heads)
        Tokens of all heads.
    ``adata.obsm["X_squint"]`` : float32 (n, n_latent)
        Latent after FiLM, before quantisation.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["squint"]`` : dict
        Adds the model's sha256, overlap of genes, condition given to each section, share of cells farther
        from their code than 99 % of the training cells, warnings, versions and time.

    Raises
    ------
    InputError
        If the section measures less than 25 % of the model's genes, or holds intensities.

    References
    ----------
    SQUINT, section 4.2 and equation 2.
    """
    adata = adata.copy() if copy else adata
    warnings = check_fits(adata, bundle)
    if device is not None:
        bundle.model.to(pick_device(device))
    cohort = prepare(
        adata, bundle.genes, bundle.model_config, scale=bundle.scale, categories=bundle.categories
    )
    conditions = find_conditions(adata, cohort, bundle)
    _write(adata, bundle, cohort, conditions)

    beyond = _share_beyond(adata, cohort, bundle.distance_p99)
    warnings += [
        f"{share:.0%} of the cells of section {name} are farther from their code than 99 % of the training "
        "cells: this tissue is new to the model."
        for name, share in beyond.items()
        if share > SHARE_BEYOND_P99
    ]
    shared = adata.var_names.isin(bundle.genes).sum()
    adata.uns.setdefault(keys.PROVENANCE, {}).update(
        model_sha256=bundle.sha256,
        n_codes=bundle.model_config.n_codes,
        n_genes_shared=int(shared),
        gene_overlap=float(shared / len(bundle.genes)),
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


def check_fits(adata: AnnData, bundle: Bundle) -> list[str]:
    """Say what speaks against using a model on these sections.

    Returns
    -------
    Warnings, one sentence each.

    Raises
    ------
    InputError
        If the sections measure less than 25 % of the model's genes, or hold intensities.
    """
    if adata.uns.get(keys.PROVENANCE, {}).get("values") == "intensities":
        raise InputError("The section holds intensities, not counts: it can be viewed, not tokenised.")
    n_genes = len(bundle.genes)
    shared = int(adata.var_names.isin(bundle.genes).sum())
    said = f"{shared} of the model's {n_genes} genes ({shared / n_genes:.0%}) are measured here"
    if shared < REFUSE_BELOW * n_genes:
        raise InputError(
            f"{said}; at least {REFUSE_BELOW:.0%} are needed. "
            "Use a model trained on this panel, or check that var_names are gene symbols of the same species."
        )
    if shared < WARN_BELOW * n_genes:
        return [f"{said}; below {WARN_BELOW:.0%} tokens are uncertain."]
    return []


def find_conditions(adata: AnnData, cohort: Cohort, bundle: Bundle) -> NDArray[np.int64]:
    """Find the condition of each section: its own if the model was trained on it, else the unseen one."""
    if not set(bundle.genes) <= set(adata.var_names):
        return np.full(len(cohort.section_names), UNSEEN_SECTION)
    codes = pp.section_codes(adata)
    known = {record.name for record in bundle.sections}
    return np.array(
        [
            bundle.condition_of(name, section_sha256(adata[codes == code, bundle.genes]))
            if name in known
            else UNSEEN_SECTION
            for code, name in enumerate(section_names(adata))
        ]
    )


def _write(adata: AnnData, bundle: Bundle, cohort: Cohort, conditions: NDArray[np.int64]) -> None:
    """Embed all cells and set the slots."""
    config = bundle.model_config
    latents = np.empty((adata.n_obs, config.n_latent), dtype=np.float32)
    tokens = np.empty((adata.n_obs, config.n_heads), dtype=np.int32)
    distance = np.empty(adata.n_obs, dtype=np.float32)
    for part in embed(bundle.model, cohort, conditions):
        latents[part.cells], tokens[part.cells] = part.latents, part.tokens
        distance[part.cells] = part.distance
    adata.obs[keys.TOKEN] = pd.Categorical(
        tokens[:, 0].astype(str), categories=[str(code) for code in range(config.n_codes)]
    )
    adata.obs[keys.DISTANCE] = distance
    adata.obsm[keys.TOKENS] = tokens
    adata.obsm[keys.LATENT] = latents


def _share_beyond(adata: AnnData, cohort: Cohort, limit: float) -> dict[str, Any]:
    """Share of each section's cells that are farther from their code than ``limit``."""
    beyond = adata.obs[keys.DISTANCE].to_numpy() > limit
    return {
        name: float(beyond[cohort.section == code].mean()) for code, name in enumerate(cohort.section_names)
    }
