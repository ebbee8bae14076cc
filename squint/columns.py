"""Columns of ``obs``, or a plain word on which one is missing."""

import pandas as pd
from anndata import AnnData

from squint import keys
from squint.errors import InputError

_HOW_TO_GET = {
    keys.TOKEN: "Run `squint.tl.tokenize` first.",
    keys.ACTIVATION: "Run `squint.tl.activate` first.",
    keys.PATIENT: "Say which patient each section is of.",
}


def labels(adata: AnnData, key: str) -> "pd.Series[str]":
    """Take a column of ``adata.obs`` as text (n,).

    Raises
    ------
    InputError
        If there is no such column; says how to get it.
    """
    if key not in adata.obs:
        how = _HOW_TO_GET.get(key, f"Add the column, or choose another than {key!r}.")
        raise InputError(f"`adata.obs` has no {key!r}. {how}")
    return pd.Series(adata.obs[key].astype(str).to_numpy(), index=adata.obs_names, name=key)
