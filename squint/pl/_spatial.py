"""The tissue map of an AnnData, for notebooks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint import keys
from squint.pl._map import tissue_map
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._style import LIGHT, MAX_HIGHLIGHTED, Style

if TYPE_CHECKING:
    from anndata import AnnData


def spatial(
    adata: "AnnData",
    color: str = keys.TOKEN,
    *,
    section_key: str = keys.SECTION,
    highlighted: tuple[str, ...] = (),
    limits: tuple[float, float] | None = None,
    thresholds: tuple[float, ...] = (),
    style: Style = LIGHT,
) -> go.Figure:
    """Map the cells of each section, coloured by a column of ``adata.obs`` or by a gene.

    Parameters
    ----------
    adata
        Annotated data as :func:`squint.read` gives it, with one to six sections.
    color
        A column of ``adata.obs`` or a name in ``adata.var_names``. Numbers get one colour scale for all
        sections; labels get a colour each, at most eight, and the rest is light grey.
    section_key
        Column of ``adata.obs`` that names the section.
    highlighted
        Labels in colour; the most frequent when empty.
    limits
        Ends of the colour scale; by default the smallest and largest value.
    thresholds
        Values marked on the colour bar.
    style
        Colours of the page.

    Returns
    -------
    A :class:`plotly.graph_objects.Figure`.

    Raises
    ------
    KeyError
        If there is neither such a column nor such a gene.

    See Also
    --------
    squint.tl.tokenize, squint.tl.activate
    """
    values = _values(adata, color)
    numeric = values.dtype.kind == "f"
    unit = str(adata.uns.get(keys.PROVENANCE, {}).get("unit", "unknown"))
    sections = adata.obs[section_key].astype(str)
    names = adata.obs_names.to_numpy()
    panels = [
        Panel(
            title=section,
            coordinates=np.asarray(adata.obsm[keys.SPATIAL], dtype=np.float64)[sections == section, :2],
            values=values[sections == section],
            unit=unit,
            hover={"cell": names[sections == section], color: values[sections == section]},
        )
        for section in sections.unique()
    ]
    if numeric:
        low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
        return tissue_map(panels, Continuous(color, low, max(high, low + 1e-9), thresholds), style=style)
    return tissue_map(panels, Categories(color, highlighted or most_frequent(values)), style=style)


def _values(adata: "AnnData", color: str) -> NDArray[Any]:
    """Return (n,) numbers with NaN, or labels with None, for missing."""
    if color in adata.obs:
        column: Any = adata.obs[color]
        if column.dtype.kind in "fiu":
            return np.asarray(column, dtype=np.float32)
        labels = column.astype(object).where(column.notna(), None)
        return np.array([None if label is None else str(label) for label in labels], dtype=object)
    if color in adata.var_names:
        gene: Any = adata[:, color].X
        return np.asarray(gene.todense() if hasattr(gene, "todense") else gene, dtype=np.float32).ravel()
    raise KeyError(f"`adata` has neither a column `obs[{color!r}]` nor a gene of that name.")


def most_frequent(values: NDArray[np.object_] | pd.Categorical, n: int = MAX_HIGHLIGHTED) -> tuple[str, ...]:
    """Choose the most frequent labels.

    Parameters
    ----------
    values
        Label of each cell (n,).
    n
        How many to choose, at most.

    Returns
    -------
    Labels, the most frequent first, without missing ones.
    """
    known = values if isinstance(values, pd.Categorical) else pd.Categorical(values)
    codes = known.codes
    counts = np.bincount(codes[codes >= 0], minlength=len(known.categories))
    ranks = [int(code) for code in np.argsort(-counts, kind="stable")[:n] if counts[code]]
    return tuple(str(known.categories[code]) for code in ranks)
