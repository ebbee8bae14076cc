"""Tokens that are neighbours in the tissue more or less often than by chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from squint.pl._style import LIGHT, Style
from squint.pl._token_matrix import CORNER, Grid, add_targets, draw

SMALL_Q = 0.05
# ColorBrewer's purple to orange, which colour-blind readers can tell apart and which is not that of
# correlations; without its dark ends, for most pairs of tokens never meet and would drown the few that do.
_SCALE = ("#8073AC", "#B2ABD2", "#D8DAEB", "#F7F7F7", "#FEE0B6", "#FDB863", "#E08214")
_BAR = 66  # pixels for the colour bar, above the table
_MOST = 4.0  # log2: what is beyond 16 times or a 16th takes the end colours


def neighbor_enrichment(
    result: Mapping[str, Any],
    *,
    order: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    targets: bool = True,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw how often tokens are neighbours in the tissue, against chance.

    Parameters
    ----------
    result
        What :func:`squint.tl.neighbor_enrichment` wrote to ``uns["squint_neighbor_enrichment"]``.
    order
        Tokens to draw, first to last, such as the leaves of :func:`co_occurrence`; by default all, the most
        frequent first. Those not in ``result`` are left out.
    names
        Token -> what it is in plain words, written beside it.
    targets
        Lay squares over the cells that can be pointed at and clicked; not needed in a file.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size. Its scale is symmetric about 0, which is chance, and ends at the largest ratio, at
    most 16 times. A dot is a pair that is met more often than by chance, with q of at most 0.05; with many
    cells, most pairs differ. The diagonal is grey: that tokens neighbour themselves is by construction.
    Cells have ``customdata``: token of the row, token of the column.
    """
    known = result["log2_ratio"].index
    shown = [token for token in (known if order is None else order) if token in known]
    grid = Grid(shown, names or {}, above=_BAR)
    ratio, q = (result[name].loc[shown, shown].to_numpy() for name in ("log2_ratio", "q"))
    ratio = np.where(np.eye(len(shown), dtype=bool), np.nan, ratio)
    figure = draw(
        grid,
        ratio,
        marked=(q <= SMALL_Q) & (ratio > 0),
        title=_title(result),
        coloraxis=_coloraxis(float(np.clip(np.nan_to_num(np.abs(ratio)).max(), 1, _MOST)), style),
        style=style,
    )
    end = len(shown) - 0.5
    ground = {"fillcolor": style.rest, "line": {"width": 0}, "layer": "below", "name": "diagonal"}
    figure.add_shape(type="rect", x0=-0.5, y0=-0.5, x1=end, y1=end, **ground)
    if targets:
        add_targets(figure, grid, _targets(result, grid), "%{text}")
    return figure


def _title(result: Mapping[str, Any]) -> str:
    n_sections = int(result["n_sections"])
    sections = "1 section" if n_sections == 1 else f"{n_sections} sections"
    pairs = np.triu_indices(len(result["q"]), 1)
    small = result["q"].to_numpy()[pairs] <= SMALL_Q
    more = result["log2_ratio"].to_numpy()[pairs] > 0
    return (
        f"<b>Tokens as neighbours, from {int(result['n_edges']):,} pairs of cells in {sections}</b><br>"
        f"● more often than chance, q ≤ {SMALL_Q:g}: {int((small & more).sum()):,} of {len(small):,} pairs; "
        f"less often: {int((small & ~more).sum()):,}"
    )


def _coloraxis(limit: float, style: Style) -> dict[str, Any]:
    ticks = [-limit, -limit / 2, 0, limit / 2, limit]
    return {
        "colorscale": [[i / (len(_SCALE) - 1), colour] for i, colour in enumerate(_SCALE)],
        "cmin": -limit,
        "cmax": limit,
        "colorbar": {
            "title": {"text": "log2 (observed / by chance)", "side": "top", "font": {"size": 12}},
            "orientation": "h",
            "len": 260,
            **CORNER | {"xpad": 8},
            "tickvals": ticks,
            "ticktext": [f"{value:+.2g}" if value else "chance" for value in ticks],
            "tickangle": 0,
            "tickfont": {"size": 12, "color": style.ink},
        },
    }


def _targets(result: Mapping[str, Any], grid: Grid) -> pd.DataFrame:
    """Say of each pair what is known."""
    tokens, titles = list(grid.tokens), grid.title
    names = ("observed", "expected", "log2_ratio", "z", "p", "q")
    values = np.stack([result[name].loc[tokens, tokens].to_numpy() for name in names], axis=-1)
    rows = []
    for i, token in enumerate(tokens):
        for j, other in enumerate(tokens):
            observed, expected, ratio, z, p, q = values[i, j]
            tested = "itself, by construction" if i == j else f"q = {q:.2g}"
            text = (
                f"<b>{titles[i]}</b><br><b>{titles[j]}</b><br>{observed:,.0f} neighbours, {expected:,.1f} by "
                f"chance<br>log2 ratio {ratio:+.2f}, z = {z:.1f}, p = {p:.2g}, {tested}"
            )
            rows.append((j, i, text, token, other))
    return pd.DataFrame(rows, columns=["x", "y", "text", "token", "other"])
