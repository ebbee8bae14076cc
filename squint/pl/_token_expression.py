"""A few genes in each token: how many of its cells express them, and how much."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._expression import draw_dots
from squint.pl._style import BLUE, LIGHT, Style
from squint.pl._text import escape

_BAR = 26  # pixels of a token


def token_expression(
    table: pd.DataFrame,
    *,
    names: Mapping[str, str] | None = None,
    per_gene: bool = False,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw what :func:`squint.tl.token_expression` found: genes across, tokens down.

    Parameters
    ----------
    table
        One row per gene and token: ``gene``, ``token``, ``n_cells``, ``mean``, ``share``; in this order.
    names
        What to call a token, with its number; by default its number alone.
    per_gene
        Colour each gene from its lowest token (0) to its highest (1), to compare tokens; else by the mean, to
        compare genes too.
    style
        Colours of the page.

    Returns
    -------
    Dots whose area is the share of cells with a count and whose colour is the mean of log(1 + counts at one
    depth); none where no cell of a token measures the gene.
    """
    called = {token: (names or {}).get(str(token), str(token)) for token in table["token"].unique()}
    named = table.assign(group=table["token"].map(called))
    return draw_dots(named, "mean of<br>log(1 + counts)", per_gene=per_gene, style=style)


def token_means(
    table: pd.DataFrame, what: str, *, names: Mapping[str, str] | None = None, style: Style = LIGHT
) -> go.Figure:
    """Draw the mean of a gene, or of a gene set, in each token as bars.

    Parameters
    ----------
    table
        Indexed by token, in the order to draw, the first on top: ``n_cells``, ``mean``, ``share``, as
        :func:`squint.stats.token_expression.set_mean` gives them. Tokens without a mean are left out.
    what
        Gene or gene set that the mean is of.
    names
        What to call a token, with its number; by default its number alone.
    style
        Colours of the page.

    Returns
    -------
    A bar for each token, beside which stand its number of cells and the share of them with a count.
    """
    table = table[table["mean"].notna()].iloc[::-1]
    figure = go.Figure()
    figure.add_bar(
        y=list(range(len(table))),
        x=table["mean"],
        orientation="h",
        marker={"color": BLUE},
        text=[f"n = {n:,} · {share:.0%}" for n, share in zip(table["n_cells"], table["share"], strict=True)],
        textposition="outside",
        textfont={"size": 12},
        constraintext="none",
        cliponaxis=False,
        hovertemplate="mean %{x:.3g}, %{text} of cells with a count<extra></extra>",
    )
    largest = max(float(table["mean"].max()) if len(table) else 0, 0.01)
    figure.update_xaxes(
        title=f"{escape(what)}: mean of log(1 + counts at one depth)", range=[0, 1.35 * largest]
    )
    figure.update_yaxes(
        tickvals=list(range(len(table))),
        ticktext=[escape((names or {}).get(str(token), str(token))) for token in table.index],
        automargin=True,
        showgrid=False,
    )
    figure = _layout(figure, style, height=100 + _BAR * max(len(table), 1))
    return figure.update_layout(bargap=0.25).update_yaxes(zeroline=False)
