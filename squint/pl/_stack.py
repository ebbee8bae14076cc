"""Levels of a stack above one another, to turn."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._charts import _layout
from squint.pl._layers import MISSING, REST, Layer, layers
from squint.pl._map import _colour_bar, _hover
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._style import BLUE, LIGHT, ORANGE, Style
from squint.pl._text import escape

_MARGIN = 0.03  # of the extent, free around the tissue
_FAINT = {REST: 0.5, MISSING: 0.3}  # opacity of cells that are not asked for: the others show through them
_MAX_TICKS = 8  # heights named on the axis
_HEIGHT = 720
_BELOW_TOOLS = 0.95  # of the height: what is above lies under the tools of the chart
_DIAGONAL = 1.3  # of the box, in the unit of the camera: it fits the figure however it is turned
_GRID, _CLEAR = "#C9CBD1", "rgba(0,0,0,0)"
_WALL = "#F4F5F7"  # not transparent: WebGL would hide faint cells behind it
# From the lower edge of the slide, a little above it: x runs to the right, and y away from what is near.
_CAMERA = {
    "eye": {"x": 0.45, "y": -1.5, "z": 0.75},
    "center": {"x": 0, "y": 0, "z": -0.08},
    "up": {"x": 0, "y": 0, "z": 1},
}


def stack(
    panels: Sequence[Panel],
    scale: Continuous | Categories,
    *,
    z: Sequence[float],
    spacing_factor: float = 1.0,
    max_cells: int = 30_000,
    cell_size: float = 3.0,
    marked: Sequence[NDArray[np.bool_]] | None = None,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw levels in three dimensions, each at its height, not mirrored: seen from above it is the map.

    Parameters
    ----------
    panels
        One per level; colours, legend and counts are as in :func:`tissue_map`.
    scale
        What the values mean: a colour scale, or labels to highlight.
    z
        Height of each level, in um.
    spacing_factor
        How much farther apart the levels are drawn than they are; the axis keeps the true heights.
    max_cells
        Cells drawn at most. Of more, the same share of each level is drawn at random, and the figure says so.
    cell_size
        Diameter of a cell in pixels.
    marked
        Per level, cells (n,) drawn as diamonds, such as those in-painted.
    style
        Colours of the page.

    Returns
    -------
    A figure with one trace per look of cells.

    Raises
    ------
    ValueError
        If there are not as many heights as levels.
    """
    if len(panels) != len(z):
        raise ValueError(f"{len(panels)} levels have {len(z)} heights")
    sizes = [len(panel.coordinates) for panel in panels]
    together, heights = _join(panels, z), np.repeat(np.asarray(z, dtype=np.float32), sizes)
    drawn = np.concatenate([np.zeros(0, dtype=bool), *_draw_lots(sizes, max_cells)])
    diamonds = np.concatenate(list(marked)) if marked else np.zeros(len(drawn), dtype=bool)
    figure = go.Figure()
    for layer in layers([together], together, scale, style) if len(drawn) else []:
        circles = replace(layer, cells=layer.cells & drawn & ~diamonds)
        _add_cells(figure, together, heights, circles, size=cell_size)
        marks = replace(layer, cells=layer.cells & drawn & diamonds)
        if marks.cells.any():
            _add_cells(figure, together, heights, marks, size=1.5 * cell_size, symbol="diamond")
    if diamonds.any():
        _add_key(figure, int(diamonds.sum()), style)
    _lay_out(figure, panels, z, spacing_factor, scale, style)
    if not drawn.all():
        _say(figure, f"{drawn.sum():,} of {len(drawn):,} cells drawn, the same share of each level", style)
    return figure


def _join(panels: Sequence[Panel], z: Sequence[float]) -> Panel:
    """Put the cells of all levels into one panel, with level and height to be told on hover."""
    common = [name for name in (panels[0].hover if panels else {}) if all(name in p.hover for p in panels)]
    told = {
        "level": [np.full(len(panel.coordinates), panel.title, dtype=object) for panel in panels],
        "z, µm": [
            np.full(len(p.coordinates), f"{h:g}", dtype=object) for p, h in zip(panels, z, strict=True)
        ],
        **{name: [np.asarray(panel.hover[name], dtype=object) for panel in panels] for name in common},
    }
    return Panel(
        title="",
        coordinates=np.concatenate([np.zeros((0, 2)), *(panel.coordinates[:, :2] for panel in panels)]),
        values=np.concatenate([_plain(panel.values) for panel in panels]) if panels else np.zeros(0),
        hover={name: np.concatenate(parts) for name, parts in told.items() if parts},
    )


def _plain(values: "NDArray[Any] | pd.Categorical") -> NDArray[Any]:
    return np.asarray(values, dtype=object) if isinstance(values, pd.Categorical) else values


def alignment(table: pd.DataFrame, *, style: Style = LIGHT) -> go.Figure:
    """Draw how each level lies to the one below: agreement of the tissue as it is, and as proposed.

    Parameters
    ----------
    table
        What :func:`squint.tl.align_levels` wrote to ``uns["squint_alignment"]``.
    style
        Colours of the page.

    Returns
    -------
    A figure with a row for each pair of levels; its score is overlap times agreement.
    """
    names = [
        f"{escape(upper)}<br>onto {escape(lower)}"
        for upper, lower in zip(table["upper"], table["lower"], strict=True)
    ]
    reliable = table["reliable"].to_numpy(dtype=bool)
    looks = (("before", "as they lie", BLUE, "circle-open"), ("after", "as proposed", ORANGE, "circle"))
    figure, lowest = go.Figure(), -0.05
    for when, said, colour, symbol in looks:
        shown = reliable | (when == "before")
        score = (table[f"overlap_{when}"] * table[f"agreement_{when}"].fillna(0)).to_numpy()
        lowest = min(lowest, float(score.min(initial=0)) - 0.05)
        figure.add_scatter(
            y=[name for name, is_shown in zip(names, shown, strict=True) if is_shown],
            x=score[shown],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2, "color": colour}},
            name=said,
            customdata=table.loc[shown, [f"overlap_{when}", f"agreement_{when}"]],
            hovertemplate="overlap %{customdata[0]:.0%}, agreement %{customdata[1]:.2f}<extra>%{y}</extra>",
        )
    for name, (_, row) in zip(names, table.iterrows(), strict=True):
        note = {"xref": "paper", "x": 0.64, "xanchor": "left", "showarrow": False, "font": {"size": 12}}
        figure.add_annotation(y=name, text=_movement(row), **note)
    figure.update_xaxes(title="overlap x agreement of the tissue", range=[lowest, 1], domain=[0, 0.62])
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return _layout(figure, style, height=140 + 40 * len(table))


def _movement(row: "pd.Series[Any]") -> str:
    if not row["reliable"]:
        return escape(row["outcome"])
    return f"turn {row['rotation']:+.1f}°, shift x {row['shift_x']:+.3g}, y {row['shift_y']:+.3g}"


def _draw_lots(sizes: Sequence[int], at_most: int) -> list[NDArray[np.bool_]]:
    """Draw the same share of each level, ``at_most`` cells in all: per level (n,)."""
    share = min(1.0, at_most / max(sum(sizes), 1))
    drawn = []
    for i, n_cells in enumerate(sizes):
        lots = np.random.default_rng(i).permutation(n_cells)
        drawn.append(lots < int(share * n_cells) if share < 1 else np.ones(n_cells, dtype=bool))
    return drawn


def _add_cells(
    figure: go.Figure,
    panel: Panel,
    heights: NDArray[np.float32],
    layer: Layer,
    *,
    size: float,
    symbol: str = "circle",
) -> None:
    """Add the cells of a layer as one trace, each at its height (n,)."""
    points = panel.coordinates[layer.cells].astype(np.float32)
    marker: dict[str, Any] = {"size": size, "symbol": symbol, "line": {"width": 0}}
    if layer.colour is None:
        marker |= {"color": panel.numbers[layer.cells].astype(np.float32), "coloraxis": "coloraxis"}
    else:
        marker |= {"color": layer.colour, "opacity": _FAINT.get(layer.rank, 1.0)}
    figure.add_scatter3d(
        x=points[:, 0],
        y=points[:, 1],
        z=heights[layer.cells],
        mode="markers",
        marker=marker,
        name=layer.name,
        legendgroup=layer.name,
        legendrank=layer.rank,
        showlegend=layer.colour is not None and symbol == "circle",
        **_hover(panel, layer),
    )


def _add_key(figure: go.Figure, n_marked: int, style: Style) -> None:
    """Say in the legend what a diamond is."""
    figure.add_scatter3d(
        x=[None],
        y=[None],
        z=[None],
        mode="markers",
        marker={"symbol": "diamond", "color": style.ink, "size": 6},
        name=f"in-painted · {n_marked:,}",
        legendrank=MISSING + 1,
        hoverinfo="skip",
    )


def _lay_out(
    figure: go.Figure,
    panels: Sequence[Panel],
    z: Sequence[float],
    spacing_factor: float,
    scale: Continuous | Categories,
    style: Style,
) -> None:
    every = np.concatenate([np.zeros((0, 2)), *(panel.coordinates[:, :2] for panel in panels)])
    low, high = (every.min(axis=0), every.max(axis=0)) if len(every) else (np.zeros(2), np.ones(2))
    span = np.maximum(high - low, 1e-9)
    margin = _MARGIN * span.max()
    depth = float(np.ptp(z)) if len(z) else 0.0
    # A single level has no height; it is drawn as a sheet.
    above = max(depth * _MARGIN, 0.01 * float(span.max()))
    sides = np.array([*(span + 2 * margin), spacing_factor * (depth + 2 * above)])
    sides *= _DIAGONAL / np.linalg.norm(sides)
    unit = _unit(panels)
    stretched = "" if spacing_factor == 1 else f", drawn x {spacing_factor:g}"
    stretched = ", not to scale" if "unknown" in unit else stretched
    axis = {
        "backgroundcolor": _WALL,
        "showbackground": True,
        "gridcolor": _GRID,
        "zeroline": False,
        "showspikes": False,
        "color": style.ink,
        "tickfont": {"size": 12},
    }
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor=style.paper,
        font={"color": style.ink, "size": 13},
        hoverlabel={"align": "left"},
        legend={
            "title": {"text": escape(scale.title), "font": {"size": 13}},
            "itemsizing": "constant",
            "font": {"size": 13},
            "x": 1.01,
            "y": _BELOW_TOOLS,
            "yanchor": "top",
            "bgcolor": _CLEAR,
        },
        scene={
            "xaxis": {**axis, "title": f"x{unit}", "range": [low[0] - margin, high[0] + margin]},
            "yaxis": {**axis, "title": f"y{unit}", "range": [high[1] + margin, low[1] - margin]},  # down
            "zaxis": {
                **axis,
                "title": f"z, µm{stretched}",
                "range": [min(z, default=0) - above, max(z, default=0) + above],
                "tickvals": _ticks(z),
            },
            "aspectmode": "manual",
            "aspectratio": dict(zip("xyz", sides.tolist(), strict=True)),
            "camera": _CAMERA,
            "dragmode": "turntable",
        },
        uirevision="stack",  # colouring anew keeps the reader's point of view
    )
    if isinstance(scale, Continuous):
        _colour_bar(figure, scale, style)


def _ticks(z: Sequence[float]) -> list[float]:
    """Name the height of each level, or of every second, third, ... of many."""
    heights = sorted(set(z))
    return [float(height) for height in heights[:: -(-len(heights) // _MAX_TICKS) or 1]]


def _unit(panels: Sequence[Panel]) -> str:
    units = {panel.unit for panel in panels}
    if "unknown" in units or not units:
        return ", unit unknown"
    return ", µm"


def _say(figure: go.Figure, text: str, style: Style) -> None:
    figure.add_annotation(
        text=text,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 13, "color": style.ink},
    )
