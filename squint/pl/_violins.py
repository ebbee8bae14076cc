"""One gene in several groups of cells: how its expression is spread."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._charts import _layout
from squint.pl._expression import name_rows
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

N_DRAWN = 2_000  # cells that a violin is drawn from
N_SHOWN = 30  # cells of a violin that are few enough to show each, lest its shape says more than is known
_ON_COLOUR = "#000000"  # lines on filled violins, whatever the page
_TICKS = np.array([0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000])


def violins(values: Mapping[str, NDArray[np.floating[Any]]], *, gene: str, style: Style = LIGHT) -> go.Figure:
    """Draw how the expression of a gene is spread in several groups of cells.

    Parameters
    ----------
    values
        Scaled counts of each group's cells (n,); NaN where the gene is not measured.
    gene
        Its name.
    style
        Colours of the page.

    Returns
    -------
    A violin with a box for each group, on the scale of ``log1p``, beside its number of cells and the share of
    them without a count. Of at most 30 cells each is shown; of more than 2,000, the violin is drawn from
    2,000, evenly spaced from the lowest to the highest.
    """
    figure = go.Figure()
    labels, highest, thinned = [], 1.0, False
    for row, (group, scaled) in enumerate(values.items()):
        cells = np.sort(np.asarray(scaled, dtype=float))
        cells = cells[~np.isnan(cells)]
        zero = f" · {100 * (cells == 0).mean():.0f} % without a count" if len(cells) else ""
        labels.append(f"{escape(group)}<br>n = {len(cells):,}{zero}")
        highest = max(highest, cells.max(initial=0))
        if len(cells) > N_DRAWN:
            thinned = True
            cells = cells[np.linspace(0, len(cells) - 1, N_DRAWN).round().astype(int)]
        _add_violin(figure, row, cells, style)
    name_rows(figure, labels)
    title = f"{escape(gene)}: counts per cell, scaled to one depth (scale of log1p)"
    if thinned:
        title += f"<br>violins of more than {N_DRAWN:,} cells are drawn from {N_DRAWN:,}, evenly spaced"
    ticks = _TICKS[: np.searchsorted(_TICKS, highest, side="right")]
    figure.update_xaxes(title=title, tickvals=np.log1p(ticks), ticktext=[f"{tick:,}" for tick in ticks])
    _layout(figure, style, 130 + 76 * len(values)).update_layout(margin={"t": 16, "b": 72})
    return figure.update_yaxes(zeroline=False)


def _add_violin(figure: go.Figure, row: int, cells: NDArray[np.float64], style: Style) -> None:
    figure.add_violin(
        y0=row,
        x=np.log1p(cells),
        orientation="h",
        width=0.9,
        scalemode="width",
        spanmode="hard",  # a density below 0 would be of no cell
        points="all" if len(cells) <= N_SHOWN else False,
        pointpos=0,
        jitter=0.4,
        marker={"color": _ON_COLOUR, "size": 4},
        box={
            "visible": True,
            "width": 0.25,
            "fillcolor": "rgba(255,255,255,0.6)",
            "line": {"color": _ON_COLOUR},
        },
        line={"color": style.ink, "width": 1},
        fillcolor=style.categories[row % len(style.categories)],
        hoverinfo="skip",
        showlegend=False,
    )
