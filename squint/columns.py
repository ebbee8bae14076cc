"""Columns of ``obs``, or a plain word on which one is missing."""

from typing import TYPE_CHECKING

import pandas as pd

from squint import keys
from squint.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

UNKNOWN = "unknown"  # the label of cells without one

_HOW_TO_GET = {
    keys.TOKEN: "Run `squint.tl.tokenize` first.",
    keys.ACTIVATION: "Run `squint.tl.activate` first.",
    keys.PATIENT: "Say which patient each section is of.",
}


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
