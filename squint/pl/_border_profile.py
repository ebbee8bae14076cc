"""What cells are like by their distance to a border: a panel for each kind of number, cells below."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_PANEL, _CELLS, _HEAD, _GAP = 250, 120, 56, 46  # pixels: a panel, that of cells, above them, between them
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
_TITLES = {
    "gene": "counts per cell,<br>scaled to one depth",
    "gene set": "score of the set<br>(scale of log1p)",
    "token": "% of cells with<br>a token",
    "cell type": "% of cells with<br>a type",
}
_LEGENDS = {"gene": "Gene", "gene set": "Gene set", "token": "Token", "cell type": "Cell type"}
_SHARES = ("token", "cell type")


def border_profile(
    found: Mapping[str, Any],
    *,
    group: str = "the group",
    names: Mapping[str, str] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw what cells are like by their distance to a border.

    Parameters
    ----------
    found
        What `squint.tl.border_profile` wrote to ``uns["squint_border_profile"]``.
    group
        What is inside, in words.
    names
        What the legend says instead of a name, such as of a token.
    style
        Colours of the page.

    Returns
    -------
    A figure with a panel for genes, gene sets, tokens and cell types, as far as there are some: lines of the
    mean over sections, eight in a panel at most, with the 95 % interval as a ribbon where there are two
    sections or more; below them the number of cells in each bin. The border is at 0, inside on the left.
    """
    profile: pd.DataFrame = found["profile"]
    kinds = [kind for kind in _TITLES if (profile["kind"] == kind).any()]
    heights = [*([_PANEL] * len(kinds)), _CELLS]
    inner = sum(heights) + _GAP * (len(heights) - 1)
    figure = make_subplots(
        len(heights), 1, shared_xaxes=True, row_heights=heights, vertical_spacing=_GAP / inner
    )
    for row, kind in enumerate(kinds, start=1):
        _add_panel(figure, row, profile[profile["kind"] == kind], kind, names or {}, found["width"], style)
    cells = found["cells"].groupby("middle")["n_cells"].sum()
    figure.add_bar(
        x=cells.index,
        y=cells,
        width=0.9 * found["width"],
        marker={"color": style.missing},
        showlegend=False,
        hovertemplate="%{y:,} cells<extra></extra>",
        row=len(heights),
        col=1,
    )
    _layout(figure, style, _HEAD + inner + 64)
    return _dress(figure, found, kinds, heights, inner, group, style)


def _dress(
    figure: go.Figure,
    found: Mapping[str, Any],
    kinds: list[str],
    heights: list[int],
    inner: int,
    group: str,
    style: Style,
) -> go.Figure:
    """Name axes, border and sides, and put a legend beside each panel."""
    unit = "µm" if found["unit"] == "um" else "units of the section, µm unknown"
    ends = _span(found)
    figure.update_xaxes(range=ends, zeroline=False, hoverformat=".4~g")
    figure.update_xaxes(
        title_text=f"distance to the border ({unit}); negative inside", row=len(heights), showticklabels=True
    )
    figure.update_yaxes(automargin=True, rangemode="tozero", zeroline=True)
    figure.update_yaxes(title_text="cells", tickformat=",d", nticks=4, row=len(heights), col=1)
    figure.add_vline(0, line={"color": style.ink, "width": 1.5, "dash": "dash"})
    text = {"showarrow": False, "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 6}
    for x, anchor, words in (
        (0, "center", "border"),
        (ends[0], "left", f"◀ inside {escape(group)}"),
        (ends[1], "right", "outside ▶"),
    ):
        if x or anchor == "center":
            figure.add_annotation(
                x=x,
                xref="x",
                xanchor=anchor,
                text=f"<b>{words}</b>" if anchor == "center" else words,
                font={"size": 13, "color": style.ink},
                **text,
            )
    top = 1.0
    for row, kind in enumerate(kinds, start=1):
        name = "legend" if row == 1 else f"legend{row}"
        legend = {
            "orientation": "v",
            "x": 1.01,
            "xanchor": "left",
            "y": top,
            "yanchor": "top",
            "font": {"size": 12, "color": style.ink},
            "title": {"text": f"<b>{_LEGENDS[kind]}</b>", "font": {"size": 13}},
        }
        figure.update_layout({name: legend})
        top -= (heights[row - 1] + _GAP) / inner
    margin = {"l": 8, "r": 8, "t": _HEAD, "b": 64}
    return figure.update_layout(margin=margin, hovermode="closest", bargap=0)


def _span(found: Mapping[str, Any]) -> list[float]:
    """Give the ends of the distances that are drawn."""
    cells, width = found["cells"], found["width"]
    return [min(float(cells["from"].min()), -width), max(float(cells["to"].max()), width)]


def _add_panel(
    figure: go.Figure,
    row: int,
    rows: pd.DataFrame,
    kind: str,
    names: Mapping[str, str],
    width: float,
    style: Style,
) -> None:
    """Draw the lines of one kind, with their ribbons below them all."""
    legend = "legend" if row == 1 else f"legend{row}"
    factor = 100 if kind in _SHARES else 1
    lines = list(zip(rows.groupby("name", sort=False), style.categories, _SYMBOLS, strict=False))
    for (_, own), colour, _ in lines:
        x, y = _ribbon(_filled(own, width), factor)
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            fill="toself",
            fillcolor=_pale(colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            row=row,
            col=1,
        )
    for (name, own), colour, symbol in lines:
        whole = _filled(own, width)
        mark = " %" if factor == 100 else ""
        figure.add_scatter(
            x=whole["middle"],
            y=whole["mean"] * factor,
            customdata=np.stack([whole["n_sections"], whole["n_cells"]], axis=-1),
            mode="lines+markers",
            name=escape(names.get(str(name), name)),
            legend=legend,
            showlegend=True,
            line={"color": colour, "width": 2},
            marker={"color": colour, "size": 7, "symbol": symbol},
            hovertemplate=(
                f"%{{y:.3~g}}{mark} at %{{x}}<br>n = %{{customdata[0]:.0f}} sections, "
                f"%{{customdata[1]:,.0f}} cells<extra>{escape(names.get(str(name), name))}</extra>"
            ),
            row=row,
            col=1,
        )
    figure.update_yaxes(title_text=_TITLES[kind], row=row, col=1)


def _filled(own: pd.DataFrame, width: float) -> pd.DataFrame:
    """Give every bin between the first and the last, so that lines break where there is none."""
    place = np.round(own["from"] / width).astype(int)
    whole = own.set_index(place).reindex(range(place.min(), place.max() + 1))
    return whole.assign(middle=(whole.index.to_numpy() + 0.5) * width)


def _ribbon(whole: pd.DataFrame, factor: float) -> tuple[list[float | None], list[float | None]]:
    """Give the corners of the intervals, bins that follow each other in one area."""
    known = whole["low"].notna().to_numpy()
    x: list[float | None] = []
    y: list[float | None] = []
    for run in np.split(np.arange(len(whole)), np.flatnonzero(np.diff(known)) + 1):
        if len(run) and known[run[0]]:
            part = whole.iloc[run]
            x += [*part["middle"], *part["middle"][::-1], part["middle"].iloc[0], None]
            y += [*(part["low"] * factor), *(part["high"] * factor)[::-1], part["low"].iloc[0] * factor, None]
    return x, y


def _pale(colour: str) -> str:
    red, green, blue = plotly.colors.hex_to_rgb(colour)
    return f"rgba({red},{green},{blue},0.18)"
