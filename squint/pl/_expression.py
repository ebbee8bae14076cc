"""A few genes in several groups of cells: how many cells express them, and how much."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape, escape_all

_LARGEST = 26  # pixels across a dot of the largest share
_SCALES = (0.1, 0.25, 0.5, 1.0)  # largest shares that a scale of dots ends at
_ROW, _MARGIN, _KEYS = 36, 150, 330  # pixels: of a row, right of the dots, of both keys there
_ABREAST = 75  # letters of all genes that fit beside each other in print


def dot_plot(table: pd.DataFrame, *, per_gene: bool = False, style: Style = LIGHT) -> go.Figure:
    """Draw the table of :func:`squint.stats.expression.expression_by_group`: genes across, groups down.

    Parameters
    ----------
    table
        One row per gene and group: ``gene``, ``group``, ``n_cells``, ``mean``, ``share``; in this order.
    per_gene
        Colour each gene from its lowest group (0) to its highest (1), to compare groups; else by the mean, to
        compare genes too.
    style
        Colours of the page.

    Returns
    -------
    Dots whose area is the share of cells with a count and whose colour is the mean of scaled counts.
    """
    return draw_dots(table, "mean scaled<br>counts", per_gene=per_gene, style=style)


def draw_dots(table: pd.DataFrame, what: str, *, per_gene: bool, style: Style) -> go.Figure:
    """Draw dots as :func:`dot_plot`; ``what`` the mean is of stands over the colours, where it is one."""
    genes, groups = list(dict.fromkeys(table["gene"])), list(dict.fromkeys(table["group"]))
    n_cells = table.groupby("group", sort=False)["n_cells"].max()
    table = table[table["share"].notna()]  # a dot for what was measured
    colour = table["mean"]
    if per_gene:
        by_gene = table.groupby("gene")["mean"]
        low, high = by_gene.transform("min"), by_gene.transform("max")
        colour = (colour - low) / (high - low).where(high > low, 1)
    largest = min(share for share in _SCALES if share >= min(table["share"].max(), 1) or share == 1)
    words = zip(
        escape_all(table["gene"]), escape_all(table["group"]), table["mean"], table["share"], strict=True
    )
    figure = go.Figure()
    figure.add_scatter(
        x=table["gene"].map(genes.index),
        y=table["group"].map(groups.index),
        mode="markers",
        customdata=table["gene"].astype(str),
        hovertext=[f"<b>{a}</b> in {b}<br>mean {m:.3g}<br>{s:.1%} of cells" for a, b, m, s in words],
        hoverinfo="text",
        marker={
            "size": _LARGEST * np.sqrt(table["share"] / largest),
            "color": colour,
            "coloraxis": "coloraxis",
            "opacity": 1,
            "line": {"color": style.ink, "width": 0.75},
        },
        showlegend=False,
    )
    _key(figure, largest, style)
    labels = [f"{escape(group)} · n = {n_cells[group]:,}" for group in groups]
    name_rows(figure, labels)
    names = escape_all(genes)
    longest = max(map(len, names), default=0)
    slanted = len(names) * (longest + 2) > _ABREAST
    figure.update_xaxes(
        tickvals=list(range(len(genes))),
        ticktext=names,
        tickangle=-45 if slanted else 0,
        range=[-0.6, len(genes) - 0.4],
    )
    title = "mean per gene,<br>0 lowest group,<br>1 highest" if per_gene else what
    _colour_bar(figure, title, style)
    room = {"r": _MARGIN, "t": 40, "b": 24 + (6 * longest if slanted else 0)}
    height = max(_KEYS, 110 + _ROW * len(groups)) + room["t"] + room["b"]
    _layout(figure, style, height).update_layout(margin=room)
    return figure.update_xaxes(zeroline=False).update_yaxes(zeroline=False)


def name_rows(figure: go.Figure, labels: list[str]) -> None:
    """Name the rows, the first on top."""
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.4, -0.6],
        automargin=True,
        showgrid=False,
    )


def _key(figure: go.Figure, largest: float, style: Style) -> None:
    """Draw in the margin how large the dots of three shares are; a legend would shrink them."""
    text = {"font": {"size": 12, "color": style.ink}, "showarrow": False, "xanchor": "left"}
    corner = {"xref": "paper", "yref": "paper", "x": 1, "y": 1}
    figure.add_annotation(text="cells with a count", xshift=12, yshift=-2, yanchor="top", **corner, **text)
    for row, share in enumerate((largest, largest / 2, largest / 5)):
        across = _LARGEST * np.sqrt(share / largest)
        middle = -42 - 30 * row
        figure.add_shape(
            type="circle",
            name="key",
            xref="paper",
            yref="paper",
            xsizemode="pixel",
            ysizemode="pixel",
            xanchor=1,
            yanchor=1,
            x0=28 - across / 2,
            x1=28 + across / 2,
            y0=middle - across / 2,
            y1=middle + across / 2,
            fillcolor=style.missing,
            line={"color": style.ink, "width": 0.75},
        )
        figure.add_annotation(
            text=f"{100 * share:g} %", xshift=50, yshift=middle, yanchor="middle", **corner, **text
        )


def _colour_bar(figure: go.Figure, title: str, style: Style) -> None:
    figure.update_layout(
        coloraxis={
            "colorscale": "Viridis",
            "cmin": 0,
            "colorbar": {
                "title": {"text": f"{title}<br> ", "font": {"size": 12}},  # a line free for the highest tick
                "tickfont": {"size": 12, "color": style.ink},
                "x": 1,
                "xpad": 16,
                "y": 0,
                "yanchor": "bottom",
                "lenmode": "pixels",
                "len": 190,
                "thickness": 14,
                "outlinewidth": 0,
            },
        }
    )
