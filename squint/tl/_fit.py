from typing import NamedTuple

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys
from squint.errors import InputError
from squint.model.bundle import Bundle, find_conditions
from squint.model.card import REFUSE_BELOW, WARN_BELOW
from squint.model.cohort import Cohort, prepare

__all__ = ["Prepared", "check_fits", "find_conditions", "prepare_for_model"]

BLOCK = 1_000_000  # counts looked at together


class Prepared(NamedTuple):
    """Sections as a model sees them."""

    cohort: Cohort
    conditions: NDArray[np.int64]  # per section, its number in the model, 0 if unseen
    warnings: list[str]  # what speaks against using the model on them, one sentence each


def prepare_for_model(adata: AnnData, bundle: Bundle) -> Prepared:
    """Bring sections into the form that a model takes; builds their graph if there is none.

    Raises
    ------
    InputError
        As `check_fits`.
    """
    warnings = check_fits(adata, bundle)
    cohort = prepare(
        adata, bundle.genes, bundle.model_config, scale=bundle.scale, categories=bundle.categories
    )
    return Prepared(cohort, find_conditions(adata, bundle), warnings)


def check_fits(adata: AnnData, bundle: Bundle) -> list[str]:
    """Say what speaks against using a model on these sections.

    Parameters
    ----------
    adata
        Sections of raw counts, as `squint.read` gives them.
    bundle
        A trained model.

    Returns
    -------
    Warnings, one sentence each.

    Raises
    ------
    InputError
        If the sections measure less than 25 % of the model's genes, hold intensities, or have no count in
        any of these genes.
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
    if not _any_count(csr_matrix(adata.X), adata.var_names.isin(bundle.genes)):
        raise InputError(
            "Nothing to tokenise: no cell has a count in any of the model's genes. The section can be viewed."
        )
    if shared < WARN_BELOW * n_genes:
        return [f"{said}; below {WARN_BELOW:.0%} tokens are uncertain."]
    return []


def _any_count(counts: csr_matrix, known: NDArray[np.bool_]) -> bool:
    """Say whether any cell has a count in one of the known genes (g,); mostly seen in the first block."""
    return any(
        (known[counts.indices[start : start + BLOCK]] & (counts.data[start : start + BLOCK] != 0)).any()
        for start in range(0, counts.nnz, BLOCK)
    )
