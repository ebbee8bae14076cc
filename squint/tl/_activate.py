from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import keys, pp
from squint.columns import UNKNOWN, labels
from squint.errors import InputError

Mode = Literal["most frequent", "most enriched"]


class RankedCodes(NamedTuple):
    """The codes that stand for a reference patient."""

    tokens: list[str]  # best first
    mode: Mode
    share_covered: float  # of the reference patient's cells that carry one of them


def activate(
    adata: AnnData,
    *,
    reference: str,
    against: str | None = None,
    n_codes: int = 5,
    ranked: NDArray[np.bool_] | None = None,
    token_key: str = keys.TOKEN,
    connectivity_key: str = keys.CONNECTIVITIES,
    copy: bool = False,
) -> AnnData | None:
    """Score how much each neighbourhood resembles a reference patient.

    The activation score of a cell is the share of its closed neighbourhood, itself included, that carries one
    of the ``n_codes`` codes ranked highest in the reference patient. Cells without a token have no score and
    count nowhere: not in a neighbourhood, and not among the reference's cells.

    Parameters
    ----------
    adata
        Tokenised sections of at least the reference patient; all are scored.
    reference
        Patient, in ``obs["patient_id"]``, whose codes are ranked.
    against
        Patient to rank against. Given, the codes are those most enriched in the reference; else its most
        frequent ones, as in the paper.
    n_codes
        Codes that count.
    ranked
        Cells (n,) by which codes are ranked; all by default. A stack is many levels of one place, and would
        outweigh the rest of its patient.
    token_key, connectivity_key
        Where tokens and graph are; a graph is built if there is none.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.obs["squint_activation"]`` : float32 (n,)
        Score in [0, 1]; NaN without a token.
    ``adata.uns["squint"]["activation"]`` : dict
        ``codes``, ``mode``, ``reference``, ``against`` and ``share_covered``, the share of the reference's
        cells with a token that carry one of the codes.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.

    Raises
    ------
    InputError
        If tokens or patients are missing, or a patient has no cell with a token.

    References
    ----------
    SQUINT, section 5.3.
    """
    adata = adata.copy() if copy else adata
    tokens, patients = labels(adata, token_key), labels(adata, keys.PATIENT)
    if connectivity_key not in adata.obsp:
        pp.spatial_neighbors(adata)
    known = (tokens != UNKNOWN).to_numpy()
    count = known if ranked is None else known & ranked
    best = rank_codes(tokens[count], patients[count], reference=reference, against=against, n_codes=n_codes)
    carries = tokens.isin(best.tokens).to_numpy()
    adata.obs[keys.ACTIVATION] = activation(carries, csr_matrix(adata.obsp[connectivity_key]), known=known)
    adata.uns.setdefault(keys.PROVENANCE, {})["activation"] = {
        "codes": best.tokens,
        "mode": best.mode,
        "reference": reference,
        "against": against or "",
        "share_covered": best.share_covered,
    }
    return adata if copy else None


def rank_codes(
    tokens: "pd.Series[str]",
    patients: "pd.Series[str]",
    *,
    reference: str,
    against: str | None = None,
    n_codes: int = 5,
) -> RankedCodes:
    """Choose the codes that stand for a reference patient.

    Most frequent: by p, the share of the reference's cells that carry a code. Most enriched: by p log2(p / q)
    with q the share in the other patient: what the code adds to the divergence of the two patients. Plain
    p / q would put codes of a handful of cells first. One cell is added to each count of q, so that q > 0;
    codes that are not enriched (p <= q) are left out, even if fewer than ``n_codes`` remain.

    Parameters
    ----------
    tokens, patients
        Token and patient of each cell (n,).
    reference
        Patient whose codes are ranked.
    against
        Patient to rank against: then the codes are those most enriched, else the most frequent ones.
    n_codes
        Codes to give, at most.

    Returns
    -------
    The codes, best first, how they were ranked, and how many of the reference's cells carry one.

    Raises
    ------
    InputError
        If a patient has no cell, or both are the same.
    """
    if reference == against:
        raise InputError("The reference patient cannot be compared with itself. Choose another patient.")
    for patient in (reference, against):
        if patient is not None and not (patients == patient).any():
            known = ", ".join(sorted(patients.unique()))
            raise InputError(f"No cell is of patient {patient!r}; there are {known}.")
    compared = patients.isin([reference] if against is None else [reference, against])
    used = sorted(tokens[compared].unique(), key=lambda token: (len(token), token))  # others decide nothing
    mine = tokens[patients == reference].value_counts().reindex(used, fill_value=0)
    share = mine / mine.sum()
    if against is None:
        score = share
    else:
        theirs = tokens[patients == against].value_counts().reindex(used, fill_value=0) + 1
        score = share * np.log2(share.where(share > 0, 1) / (theirs / theirs.sum()))
    best = score[score > 0].sort_values(ascending=False, kind="stable").index[:n_codes]
    return RankedCodes(
        tokens=[str(token) for token in best],
        mode="most frequent" if against is None else "most enriched",
        share_covered=float(share[best].sum()),
    )


def activation(
    carries: NDArray[np.bool_], connectivities: csr_matrix, *, known: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Give the share of each cell's closed neighbourhood that carries a code.

    Parameters
    ----------
    carries
        Whether each cell carries one of the codes (n,).
    connectivities
        The graph (n, n); its weights do not count.
    known
        Cells (n,) with a token; all by default. The others do not count.

    Returns
    -------
    Activation scores (n,), in [0, 1]; NaN for cells without a token.
    """
    known = np.ones(len(carries), dtype=bool) if known is None else known
    ones = np.ones(connectivities.nnz)
    connected = csr_matrix((ones, connectivities.indices, connectivities.indptr), shape=connectivities.shape)
    size = 1 + connected @ known.astype(float)
    score: NDArray[np.float64] = (carries + connected @ (carries & known).astype(float)) / size
    return np.where(known, score, np.nan).astype(np.float32)
