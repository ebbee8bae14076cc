"""Which sections lie near which: a table in the order of a tree."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from squint.pl._dendrogram import branches
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

SMALL_Q = 0.05  # of pairs that are said to lie farther than by chance
_LARGEST, _SMALLEST = 56, 22  # pixels of a cell
_SIDE = 620  # pixels of all cells
_NUMBERS_UP_TO = 16  # sections: of more, the numbers do not fit
_TREE = 90  # pixels
_LETTER = 7.2
_DARK_FROM = 0.6  # of the scale, from which letters are white


def section_distances(
    result: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw the distances of :func:`squint.tl.section_distances`, sections that lie near beside each other.

    The diagonal has, without a colour, the distance of two halves of one section, to compare with. A dot is a
    pair that lies farther than chance, with q of at most 0.05.

    Parameters
    ----------
    result
        What the tool wrote to ``uns["squint_section_distances"]``.
    names
        Section -> what it is called in the figure.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size, whose cells stay square at any other.
    """
    order = np.asarray(result["order"], dtype=np.int64)
    table = result["sections"].iloc[order]
    n_sections = len(order)
    cell = float(np.clip(_SIDE / n_sections, _SMALLEST, _LARGEST))
    words = [f"{escape((names or {}).get(str(one), str(one)))}" for one in table.index]
    distance = result["distance"].to_numpy()[np.ix_(order, order)].copy()
    np.fill_diagonal(distance, np.nan)
    top = float(np.nanmax(distance)) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=distance,
            colorscale="Cividis",
            reversescale=True,
            zmin=0,
            zmax=top,
            xgap=1,
            ygap=1,
            text=_numbers(distance),
            texttemplate="%{text}" if n_sections <= _NUMBERS_UP_TO else None,
            textfont={"size": 12},
            customdata=_hover(result, order, words),
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={
                "title": {"text": "distance", "font": {"size": 12}},
                "tickfont": {"size": 12},
                "thickness": 12,
                "outlinewidth": 0,
                "lenmode": "pixels",
                "len": max(120, min(260, cell * n_sections)),
                "y": 1,
                "yanchor": "top",
            },
            name="distance",
        )
    )
    if n_sections <= _NUMBERS_UP_TO:
        for i, half in enumerate(table["halves"]):
            text = "" if np.isnan(half) else f"½ {half:.2f}"
            figure.add_annotation(x=i, y=i, text=text, showarrow=False, font={"size": 12, "color": style.ink})
    q = result["q"].to_numpy()[np.ix_(order, order)]
    rows, columns = np.nonzero(np.nan_to_num(q, nan=1.0) <= SMALL_Q)
    pale = distance[rows, columns] < _DARK_FROM * top
    figure.add_scatter(
        x=columns + 0.5 - 7 / cell,
        y=rows - 0.5 + 7 / cell,
        mode="markers",
        marker={"size": 6, "color": np.where(pale, "#000000", "#FFFFFF")},
        hoverinfo="skip",
        name="beyond chance",
    )
    _add_tree(figure, result["linkage"], order, cell, style)
    labels = [f"{word} · {n:,}" for word, n in zip(words, table["n_cells"], strict=True)]
    left = _LETTER * max(map(len, labels)) + 24
    span = {"zeroline": False, "showgrid": False, "constrain": "domain"}  # cells stay square at any size
    figure.update_xaxes(
        range=[-0.5, n_sections - 0.5],
        tickvals=list(range(n_sections)),
        ticktext=words,
        tickangle=-40,
        tickfont={"size": 12},
        **span,
    )
    figure.update_yaxes(
        range=[n_sections - 0.5, -0.5 - _TREE / cell],
        scaleanchor="x",
        tickvals=list(range(n_sections)),
        ticktext=labels,
        tickfont={"size": 12},
        **span,
    )
    below = 0.65 * _LETTER * max(map(len, words)) + 36
    return figure.update_layout(
        width=left + cell * n_sections + 150,
        height=cell * n_sections + _TREE + below + 16,
        margin={"l": left, "r": 150, "t": 16, "b": below},
        paper_bgcolor=style.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": style.ink, "size": 13},
        showlegend=False,
    )


def _numbers(distance: Any) -> list[list[str]]:
    return [["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in distance]


def _hover(result: Mapping[str, Any], order: Any, words: Sequence[str]) -> list[list[str]]:
    """Say of each pair what is known."""
    distance, expected, high, p, q = (
        result[name].to_numpy()[np.ix_(order, order)] for name in ("distance", "expected", "high", "p", "q")
    )
    halves = result["sections"]["halves"].to_numpy()[order]
    said = []
    for i, one in enumerate(words):
        row = []
        for j, other in enumerate(words):
            if i == j:
                row.append(f"<b>{one}</b><br>two halves of it lie {halves[i]:.2f} apart")
                continue
            text = f"<b>{one}</b><br><b>{other}</b><br>distance {distance[i, j]:.2f}"
            if np.isnan(p[i, j]):
                text += "<br>too few cells to say what chance gives"
            else:
                text += (
                    f"<br>by chance {expected[i, j]:.2f}, 95 % below {high[i, j]:.2f}"
                    f"<br>p = {p[i, j]:.2g}, q = {q[i, j]:.2g}"
                )
            row.append(text)
        said.append(row)
    return said


def _add_tree(figure: go.Figure, linkage: Any, order: Any, cell: float, style: Style) -> None:
    """Draw the tree above the table."""
    tree = branches(np.asarray(linkage, dtype=np.float64), order, [None] * len(order))
    top = max(branch.height[1] for branch in tree) or 1.0
    along = np.concatenate([[*branch.along, np.nan] for branch in tree])
    up = np.concatenate([[*branch.height, np.nan] for branch in tree])
    up = -0.5 - 4 / cell - up / top * (_TREE - 8) / cell
    figure.add_scatter(
        x=along,
        y=up,
        mode="lines",
        line={"color": style.missing, "width": 1.5},
        hoverinfo="skip",
        name="tree",
    )
