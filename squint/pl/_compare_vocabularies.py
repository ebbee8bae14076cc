"""Two vocabularies of the same cells as a heatmap, counterparts on the diagonal."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_ROW, _LEAST = 16, 6  # pixels of a row: with room for its name, and at least
_MOST_HIGH = 900  # pixels of all rows
_LETTER = 7  # pixels
_NUMBERS = 20  # columns at most whose cells hold their share in letters


def compare_vocabularies(
    result: Mapping[str, Any],
    *,
    names: Mapping[str, str] | None = None,
    other_names: Mapping[str, str] | None = None,
    titles: tuple[str, str] = ("tokens", "tokens of the other model"),
    style: Style = LIGHT,
) -> go.Figure:
    """Draw what :func:`squint.tl.compare_vocabularies` found.

    Parameters
    ----------
    result
        Its ``uns["squint_vocabularies"]``, of which ``contingency`` is drawn.
    names, other_names
        What to call tokens, with their numbers; by default their numbers alone.
    titles
        What rows and columns are.
    style
        Colours of the page.

    Returns
    -------
    A heatmap: of the cells of the token of a row, the share that has the token of each column. A row adds up
    to one.
    """
    table = result["contingency"]
    rows, columns = [str(token) for token in table.index], [str(token) for token in table.columns]
    counts = table.to_numpy()
    totals = counts.sum(axis=1)
    share = counts / np.maximum(totals, 1)[:, None]
    down = [f"{_name(row, names)} · n = {n:,}" for row, n in zip(rows, totals, strict=True)]
    across = [_name(column, other_names) for column in columns]
    n_both = counts.astype(str)
    row_height = float(np.clip(_MOST_HIGH / len(rows), _LEAST, 2 * _ROW))
    step = max(1, int(np.ceil(_ROW / row_height)))
    longest = _LETTER * max(map(len, across))
    figure = go.Figure(
        go.Heatmap(
            z=100 * share,
            zmin=0,
            zmax=100,
            colorscale="Viridis",
            customdata=n_both,
            text=[[f"{value:.0%}" if value >= 0.05 else "" for value in row] for row in share],
            texttemplate="%{text}" if len(columns) <= _NUMBERS and step == 1 else "",
            textfont={"size": 12},
            hovertext=[
                [f"<b>{one}</b><br>{escape(titles[1])}: <b>{other}</b>" for other in across] for one in down
            ],
            hovertemplate="%{hovertext}<br>%{z:.1f} % of the row's cells (%{customdata})<extra></extra>",
            colorbar={
                "title": {"text": "% of the<br>row's cells<br> ", "font": {"size": 12}},
                "tickfont": {"size": 12, "color": style.ink},
                "thickness": 14,
                "outlinewidth": 0,
                "lenmode": "pixels",
                "len": 220,
                "y": 1,
                "yanchor": "top",
            },
        )
    )
    figure.update_xaxes(
        title=escape(titles[1]),
        tickvals=list(range(len(columns))),
        ticktext=across,
        tickangle=-90,
        side="bottom",
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        title=escape(titles[0]),
        tickvals=list(range(0, len(rows), step)),
        ticktext=down[::step],
        autorange="reversed",
        automargin=True,
        showgrid=False,
        zeroline=False,
    )
    height = round(row_height * len(rows) + 60 + longest + 60)
    figure = _layout(figure, style, height)
    return figure.update_layout(margin={"l": 8, "r": 8, "t": 24, "b": 44 + longest})


def _name(token: str, names: Mapping[str, str] | None) -> str:
    return escape((names or {}).get(token, token))
