"""Charts beside the maps: how scores are spread, and which cells have them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._style import BLUE, LIGHT, ORANGE, Style
from squint.pl._text import escape


def _layout(figure: go.Figure, style: Style, height: int) -> go.Figure:
    line = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)"}
    figure.update_xaxes(**line, title_font_size=13, tickfont_size=12)
    figure.update_yaxes(**line, title_font_size=13, tickfont_size=12)
    return figure.update_layout(
        height=height,
        paper_bgcolor=style.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": style.ink, "size": 13},
        margin={"l": 8, "r": 8, "t": 40, "b": 48},  # room for the axis and its title, in print too
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 13}},
    )


def activation_histogram(
    scores: Mapping[str, NDArray[np.floating[Any]]],
    *,
    low: float = 0.25,
    high: float = 0.75,
    n_bins: int = 20,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw how the activation scores of each patient are spread over [0, 1], with both thresholds.

    Parameters
    ----------
    scores
        Patient -> score of each cell (n,); missing ones are left out.
    low, high
        Thresholds: low is below the first, high is above the second.
    n_bins
        Bars over [0, 1].
    style
        Colours of the page.

    Returns
    -------
    A figure with a group of bars for each patient, in per cent of the patient's cells.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    figure = go.Figure()
    for (patient, values), colour in zip(scores.items(), style.categories, strict=False):
        present = np.asarray(values, dtype=float)
        present = present[~np.isnan(present)]
        counts, _ = np.histogram(present, edges)
        figure.add_bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=100 * counts / max(1, len(present)),
            name=f"{escape(patient)} · {len(present):,} cells",
            marker={"color": colour},
            customdata=counts,
            hovertemplate="%{y:.1f} % of cells (%{customdata:,})<extra></extra>",
        )
    marks = ((low, f"low < {low:g}", "top left"), (high, f"high > {high:g}", "top right"))
    for threshold, word, side in marks:
        figure.add_vline(
            threshold,
            line={"color": style.ink, "width": 2, "dash": "dash"},
            annotation={"text": word, "font": {"size": 13, "color": style.ink}},
            annotation_position=side,
        )
    figure.update_xaxes(title="activation score", range=[0, 1], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_yaxes(title="% of the patient's cells", rangemode="tozero")
    return _layout(figure, style, 340).update_layout(barmode="group", bargap=0.1)


def composition(table: pd.DataFrame, *, style: Style = LIGHT) -> go.Figure:
    """Draw cell types among high against low cells.

    Parameters
    ----------
    table
        Of :func:`composition_table`.
    style
        Colours of the page.

    Returns
    -------
    A figure with two bars for each cell type, in per cent of the cells of that level.
    """
    table = table.iloc[::-1]
    names = [escape(name) for name in table.index]
    figure = go.Figure()
    for level, colour in (("low", BLUE), ("high", ORANGE)):
        figure.add_bar(
            y=names,
            x=100 * table[f"share_{level}"],
            orientation="h",
            name=f"{level} · {int(table[f'n_{level}'].sum()):,} cells",
            marker={"color": colour},
            text=[f"n = {n:,}" for n in table[f"n_{level}"]],
            textposition="outside",
            textfont={"size": 12},
            constraintext="none",
            cliponaxis=False,
            hovertemplate="%{x:.1f} %, %{text}<extra>%{y}</extra>",
        )
    largest = float(np.nanmax([table["share_low"].max(), table["share_high"].max(), 0.01]))
    figure.update_xaxes(title="% of the cells of that level", range=[0, 135 * largest])
    figure.update_yaxes(automargin=True)
    figure.update_layout(barmode="group", bargap=0.25, legend_traceorder="reversed")
    return _layout(figure, style, height=130 + 36 * len(table))
