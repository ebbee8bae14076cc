"""The usage of a few tokens over levels, sections or patients."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from squint import keys
from squint.pl._charts import _layout
from squint.pl._co_occurrence import word_for_groups
from squint.pl._style import LIGHT, MAX_HIGHLIGHTED, Style
from squint.pl._text import escape
from squint.pl._token_matrix import Grid


def token_usage(
    result: Mapping[str, Any],
    tokens: Sequence[str],
    *,
    names: Mapping[str, str] | None = None,
    relative: bool = False,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw how some tokens are used over the groups: lines over the height of levels, bars for other groups.

    Parameters
    ----------
    result
        What :func:`squint.tl.co_occurrence` wrote to ``uns["squint_co_occurrence"]``.
    tokens
        Tokens to draw, such as those of one community. The eight most frequent are in colour, others grey.
    names
        Token -> what it is in plain words, for the legend.
    relative
        Draw each share over its mean over the groups, so that rare and frequent tokens can be compared.
    style
        Colours of the page.

    Returns
    -------
    A figure whose points and bars have their token as ``customdata``.
    """
    groups, usage = result["groups"], result["usage"]
    shown = [token for token in usage.columns if token in set(tokens)]
    grid = Grid(shown, names or {})
    levels = keys.Z in groups
    figure = go.Figure()
    for rank in sorted(range(len(shown)), reverse=levels):  # the line of the most frequent token on top
        values = usage[shown[rank]]
        values = values / values.mean() if relative else 100 * values
        look = _look(grid, rank, " times its mean" if relative else " %")
        look |= {
            "x": groups[keys.Z] if levels else [escape(name) for name in groups.index],
            "y": values,
            "text": [f"{escape(name)}, {n:,} cells" for name, n in groups["n_cells"].items()],
            "customdata": [shown[rank]] * len(groups),
        }
        coloured = rank < MAX_HIGHLIGHTED
        colour = style.categories[rank] if coloured else style.rest
        if levels:
            line = {"color": colour, "width": 2.5 if coloured else 1.5}
            figure.add_scatter(mode="lines+markers", line=line, marker={"size": 7}, **look)
        else:
            figure.add_bar(marker={"color": colour}, textposition="none", **look)
    over = f"{len(groups)} {word_for_groups(result)}"
    figure.update_xaxes(title=f"height of {over}, µm" if levels else over)
    figure.update_yaxes(title="share over its mean" if relative else "% of cells", rangemode="tozero")
    return _layout(figure, style, 380).update_layout(barmode="group")


def _look(grid: Grid, rank: int, unit: str) -> dict[str, Any]:
    """Name a token in the legend, where those beyond the eighth share a line, and under the pointer."""
    title = grid.title[rank]
    return {
        "name": title if rank < MAX_HIGHLIGHTED else f"{len(grid.tokens) - MAX_HIGHLIGHTED} others",
        "showlegend": rank <= MAX_HIGHLIGHTED,
        "legendrank": rank,
        "legendgroup": min(rank, MAX_HIGHLIGHTED),
        "hovertemplate": f"<b>{title}</b><br>%{{text}}: %{{y:.3~g}}{unit}<extra></extra>",
    }
