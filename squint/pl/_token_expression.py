"""A few genes in each token: how many of its cells express them, and how much."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from squint.pl._expression import draw_dots
from squint.pl._style import LIGHT, Style


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
