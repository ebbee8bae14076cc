"""A square table of tokens as colours, with the same tokens down and across."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._style import Style
from squint.pl._text import escape

_SIDE = 720  # pixels of all cells, where each is large enough for its label
_LABEL = 14  # pixels of a line of text of 12
_LARGEST = 36  # pixels of a cell
_LABEL_ALL = 60  # tokens: more are labelled in part
_LETTER = 7.0  # pixels
_TITLE = 64  # pixels above the figure
_TAG = re.compile("<[^>]*>")
_INVISIBLE = "rgba(0,0,0,0)"
CORNER = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "xpad": 0, "ypad": 0}  # of a colour bar
CORNER |= {"lenmode": "pixels", "thickness": 12, "outlinewidth": 0}


@dataclass(frozen=True)
class Grid:
    """A square table of tokens: cell i has its middle at i, right and down."""

    tokens: Sequence[str]
    names: Mapping[str, str]  # in plain words, for tokens that have one
    left: float = 0  # pixels left free beside the cells
    above: float = 0

    @property
    def cell(self) -> float:
        """Side of a cell, in pixels."""
        n_tokens = len(self.tokens)
        if n_tokens > _LABEL_ALL:
            return _LABEL_ALL * _LABEL / n_tokens
        return float(np.clip(_SIDE / n_tokens, _LABEL, _LARGEST))

    @property
    def title(self) -> list[str]:
        """Tokens with their names, safe to show."""
        return [
            f"{escape(token)} · {escape(self.names[token])}" if token in self.names else escape(token)
            for token in self.tokens
        ]

    def pixels(self, length: float) -> float:
        """Give a length in pixels as one in cells."""
        return length / self.cell


def draw(
    grid: Grid,
    values: NDArray[np.float64],
    *,
    marked: NDArray[np.bool_],
    title: str,
    coloraxis: Mapping[str, object],
    style: Style,
) -> go.Figure:
    """Draw a table (t, t) with its labels, to the right and below.

    Parameters
    ----------
    grid
        The tokens.
    values
        (t, t), in the order of the tokens.
    marked
        Cells (t, t) that get a dot.
    title
        One or two lines above, as HTML.
    coloraxis
        Scale, ends and bar, as plotly's.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size, whose cells stay square at any other.
    """
    figure = go.Figure(go.Heatmap(z=values, coloraxis="coloraxis", hoverinfo="skip", name="table"))
    rows, columns = np.nonzero(marked)
    figure.add_scatter(
        x=columns,
        y=rows,
        mode="markers",
        marker={"size": max(3, 0.28 * grid.cell), "color": "#000000"},  # cells are light on any page
        unselected={"marker": {"opacity": 1}},  # a click must not fade them
        hoverinfo="skip",
        name="marked",
    )
    below = _label(figure, grid)
    side = len(grid.tokens) * grid.cell
    said = max(len(_TAG.sub("", line)) for line in title.split("<br>"))
    right = max(16 + _LETTER * max(map(len, grid.title)), _LETTER * said - side - grid.left)
    return figure.update_layout(
        coloraxis=coloraxis,
        width=round(8 + grid.left + side + right),
        height=round(_TITLE + grid.above + side + below),
        margin={"l": 8, "r": right, "t": _TITLE, "b": below, "autoexpand": False},
        title={"text": title, "x": 0, "xref": "paper", "y": 1, "yanchor": "top", "font": {"size": 13}},
        title_pad={"t": 12},
        paper_bgcolor=style.paper,
        plot_bgcolor=_INVISIBLE,
        font={"color": style.ink, "size": 13},
        showlegend=False,
        hoverlabel={"align": "left"},
    )


def _label(figure: go.Figure, grid: Grid) -> float:
    """Set both axes, with as many labels as have room; give the pixels that those below take."""
    step = math.ceil(_LABEL / grid.cell)
    ticks = range(0, len(grid.tokens), step)
    short, titles = [escape(grid.tokens[i]) for i in ticks], grid.title
    longest = _LETTER * max(map(len, short))
    turned = longest + _LETTER > step * grid.cell
    end = len(grid.tokens) - 0.5
    axis = {"showgrid": False, "zeroline": False, "constrain": "domain", "tickfont": {"size": 12}}
    axis |= {"tickvals": list(ticks), "ticks": "outside", "ticklen": 4, "tickcolor": _INVISIBLE}
    figure.update_xaxes(
        **axis,
        range=[-0.5 - grid.pixels(grid.left), end],
        ticktext=short,
        tickangle=-90 if turned else 0,
    )
    figure.update_yaxes(
        **axis,
        range=[end, -0.5 - grid.pixels(grid.above)],  # the first token on top
        ticktext=[titles[i] for i in ticks],
        side="right",
        scaleanchor="x",
    )
    return 20 + (longest if turned else _LABEL)


def add_targets(figure: go.Figure, grid: Grid, targets: pd.DataFrame, template: str) -> None:
    """Lay an invisible square over cells, to point at and to click: a cell itself cannot be selected.

    Parameters
    ----------
    figure
        Of :func:`draw`.
    grid
        The tokens.
    targets
        ``x``, ``y``, ``text``, and what a click gives as ``customdata`` in further columns.
    template
        What to show of them, as plotly's hover template.
    """
    unseen = {"marker": {"opacity": 0}}
    figure.add_trace(
        go.Scatter(  # not Scattergl, which evaluates text as a program: the dashboard's pages forbid that
            x=targets["x"].to_numpy(),
            y=targets["y"].to_numpy(),
            text=targets["text"].to_numpy(),
            customdata=targets.drop(columns=["x", "y", "text"]).to_numpy(),
            mode="markers",
            marker={"symbol": "square", "size": grid.cell, "color": _INVISIBLE},
            selected=unseen,
            unselected=unseen,
            hovertemplate=f"{template}<extra></extra>",
            name="targets",
        )
    )
