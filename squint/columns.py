"""Columns of ``obs``, or a plain word on which one is missing."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from squint import keys
from squint.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

UNKNOWN = "unknown"  # the label of cells without one

_HOW_TO_GET = {
    keys.TOKEN: "Run `squint.tl.tokenize` first.",
    keys.ACTIVATION: "Run `squint.tl.activate` first.",
    keys.PATIENT: "Say which patient each section is of.",
}


def token_names(tokens: "NDArray[np.integer[Any]]", n_codes: int | None = None) -> pd.Categorical:
    """Name the tokens of cells (n,), -1 for none, as ``obs["squint_token"]`` has them.

    Parameters
    ----------
    tokens
        Index of each cell's code (n,), below 0 for a cell without a token.
    n_codes
        Codes of the model, which all are categories then; by default only those in use are.
    """
    known = tokens[tokens >= 0]
    used = np.arange(n_codes) if n_codes is not None else np.unique(known)
    codes = np.where(tokens >= 0, np.searchsorted(used, tokens), -1)
    return pd.Categorical.from_codes(codes, categories=pd.Index([str(code) for code in used], dtype=object))


def labels(adata: "AnnData", key: str) -> "pd.Series[str]":
    """Take a column of ``adata.obs`` as text (n,), missing labels as ``"unknown"``.

    Raises
    ------
    InputError
        If there is no such column; says how to get it.
    """
    if key not in adata.obs:
        how = _HOW_TO_GET.get(key, f"Add the column, or choose another than {key!r}.")
        raise InputError(f"`adata.obs` has no {key!r}. {how}")
    column = adata.obs[key].astype(object)
    known = column.where(column.notna(), UNKNOWN).astype(str)
    return pd.Series(known.to_numpy(), index=adata.obs_names, name=key)
