"""Maps of tissue: origin top left, y down, equal aspect, one colour scale for every section."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from squint.pl._frame import Frame, frame_panel, frames_of, grid, spacing
from squint.pl._layers import Layer, layers
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape, escape_all

_WEBGL_ABOVE = 1_500  # cells: fewer are drawn as SVG
_HOVER_UP_TO = 60_000  # cells: more would make the page heavy, so nothing is told
_DISC = 1.7  # diameter of a cell, in distances between nearest cells: tissue looks filled
_OUTLINE = "#000000"  # of cells whose number is a prediction
_BAR = {"x": 1.01, "y": 0.5, "length": 0.8, "thickness": 16}  # of the colour bar, in the figure's units


def tissue_map(
    panels: Sequence[Panel],
    scale: Continuous | Categories,
    *,
    style: Style = LIGHT,
    width: int = 1_250,
) -> go.Figure:
    """Draw sections side by side.

    Parameters
    ----------
    panels
        One per section, at most six.
    scale
        What the values mean: a colour scale, or labels to highlight.
    style
        Colours of the page.
    width
        Width in pixels that the points are sized for.

    Returns
    -------
    A figure whose height suits its panels.

    Raises
    ------
    ValueError
        If there are no sections, or more than six.
    """
    if not 1 <= len(panels) <= 6:
        raise ValueError(f"a map shows 1 to 6 sections, not {len(panels)}")
    rows, columns = grid(len(panels))
    frames = frames_of(panels)
    used = np.arange(rows * columns).reshape(rows, columns) < len(panels)
    figure = make_subplots(
        rows,
        columns,
        horizontal_spacing=0.02,
        vertical_spacing=0.11 if rows > 1 else 0,
        specs=[[{} if cell else None for cell in row] for row in used],
    )
    height, pixels_per_unit = _size(frames, rows, columns, width)
    n_cells = sum(len(panel.coordinates) for panel in panels)
    kind = go.Scatter if n_cells <= _WEBGL_ABOVE else go.Scattergl
    hover = n_cells <= _HOVER_UP_TO
    named: set[str] = set()
    for i, (panel, frame) in enumerate(zip(panels, frames, strict=True)):
        diameter = (
            _DISC * spacing(panel.coordinates) or frame.width / 20
        )  # cells at one point have no spacing
        size = float(np.clip(diameter * pixels_per_unit[i], 2.2, 16))
        for layer in layers(panels, panel, scale, style):
            trace = kind(
                **_points(panel, layer),
                mode="markers",
                marker=_marker(panel, layer, size),
                name=layer.name,
                legendgroup=layer.name,
                legendrank=layer.rank,
                showlegend=layer.colour is not None and layer.name not in named,
                **(_hover(panel, layer) if hover else {"hoverinfo": "skip"}),
            )
            place = {"row": i // columns + 1, "col": i % columns + 1}
            figure.add_trace(trace, **place)
            if layer.listed and layer.name not in named:
                figure.add_trace(_entry(layer, scale, style), **place)
            named.add(layer.name)
        frame_panel(figure, i, panel, frame, style)
    _lay_out(figure, scale, style, height)
    if isinstance(scale, Continuous):
        _colour_bar(figure, scale, style)
    return figure


def _size(frames: Sequence[Frame], rows: int, columns: int, width: int) -> tuple[int, list[float]]:
    panel_width = 0.8 * width / columns
    tallest = 620 if rows == 1 else 440
    panel_height = float(np.clip(max(f.height / f.width for f in frames) * panel_width, 240, tallest))
    pixels = [min(panel_width / f.width, panel_height / f.height) for f in frames]
    return round(rows * panel_height + 64 + (rows - 1) * 60), pixels


def _points(panel: Panel, layer: Layer) -> dict[str, Any]:
    points = panel.coordinates[layer.cells, :2].astype(np.float32)  # half the bytes on the way to the browser
    return {"x": points[:, 0], "y": points[:, 1]}


def _marker(panel: Panel, layer: Layer, size: float) -> dict[str, Any]:
    if layer.colour is None:
        values = panel.numbers[layer.cells].astype(np.float32)
        marker = {"size": size, "color": values, "coloraxis": "coloraxis"}
        return marker | (_outline(size) if layer.outlined else {})
    return {"size": size, "color": layer.colour, "symbol": "circle-open" if layer.hollow else "circle"}


def _outline(size: float) -> dict[str, Any]:
    return {
        "symbol": "diamond",
        "line": {"color": _OUTLINE, "width": float(np.clip(size / 12, 0.5, 1.2))},
    }


def _entry(layer: Layer, scale: Continuous | Categories, style: Style) -> go.Scatter:
    """Give a layer without a colour of its own an entry in the legend."""
    middle = sample_colorscale(scale.palette, [0.5])[0] if isinstance(scale, Continuous) else style.rest
    marker = {"size": 12, "color": middle, **(_outline(12) if layer.outlined else {})}
    return go.Scatter(
        x=[None], y=[None], mode="markers", marker=marker, name=layer.name, legendrank=layer.rank
    )


def _hover(panel: Panel, layer: Layer) -> dict[str, Any]:
    columns = [escape_all(values[layer.cells].tolist()) for values in panel.hover.values()]
    lines = [f"{escape(name)}: %{{customdata[{i}]}}" for i, name in enumerate(panel.hover)]
    return {
        "customdata": np.array(columns, dtype=object).T if columns else None,
        "hovertemplate": "<br>".join(lines) + "<extra></extra>",
    }


def _lay_out(figure: go.Figure, scale: Continuous | Categories, style: Style, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
        paper_bgcolor=style.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": style.ink, "size": 13},
        hoverlabel={"align": "left"},
        dragmode="pan",
        legend={
            "title": {"text": escape(scale.title), "font": {"size": 13}},
            "itemsizing": "constant",
            "font": {"size": 13},
            "x": 1.01,
            "y": 1,
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
            "traceorder": "normal",
        },
    )


def _colour_bar(figure: go.Figure, scale: Continuous, style: Style) -> None:
    ticks = sorted({scale.low, scale.high, *scale.thresholds, (scale.low + scale.high) / 2})
    figure.update_layout(
        coloraxis={
            "cmin": scale.low,
            "cmax": scale.high,
            "colorscale": scale.palette,
            "colorbar": {
                "title": {"text": escape(scale.title), "side": "right", "font": {"size": 13}},
                "x": _BAR["x"],
                "xpad": 0,
                "ypad": 0,
                "y": _BAR["y"],
                "len": _BAR["length"],
                "thickness": _BAR["thickness"],
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": [f"{tick:g}" for tick in ticks],
                "tickfont": {"size": 12, "color": style.ink},
            },
        },
        legend={"y": 0, "yanchor": "bottom", "title": None},
    )
    for threshold in scale.thresholds:
        share = (threshold - scale.low) / (scale.high - scale.low)
        y = _BAR["y"] + (share - 0.5) * _BAR["length"]
        figure.add_shape(
            type="line",
            xref="paper",
            yref="paper",
            xsizemode="pixel",
            xanchor=_BAR["x"],
            x0=-7,
            x1=_BAR["thickness"],
            y0=y,
            y1=y,
            line={"color": style.ink, "width": 2},
            name="threshold",
        )
