"""The frame of one section: equal aspect, y down, a title, and a scale bar where the unit is known."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._captions import count, length
from squint.pl._panel import Panel
from squint.pl._style import Style
from squint.pl._text import escape

_GRIDS = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2), 5: (2, 3), 6: (2, 3)}
_BORDER = (
    {"color": "white", "width": 5},
    {"color": "black", "width": 2},
)  # of an area, on cells of any colour
_FOOT = 0.12  # of the height, left free below the tissue for the scale bar


@dataclass(frozen=True)
class Frame:
    """Extent of a panel in the unit of its coordinates."""

    left: float
    top: float
    width: float
    height: float


def grid(n_panels: int) -> tuple[int, int]:
    """Return rows and columns for 1 to 6 panels."""
    return _GRIDS[n_panels]


def frames_of(panels: Sequence[Panel]) -> list[Frame]:
    """Give sections in one unit one extent, so that one length is as long in all; else each its own.

    Parameters
    ----------
    panels
        One per section.

    Returns
    -------
    A frame for each panel, its cells in the middle and room for a scale bar below.
    """
    points = [panel.coordinates[:, :2] if len(panel.coordinates) else np.zeros((1, 2)) for panel in panels]
    lows, highs = zip(*[_ends(p) for p in points], strict=True)
    spans = [_or_one(high - low) for low, high in zip(lows, highs, strict=True)]
    shared = np.max(spans, axis=0) if all(p.unit != "unknown" for p in panels) else None
    frames = []
    for low, high, span in zip(lows, highs, spans, strict=True):
        width, height = 1.04 * (span if shared is None else shared)
        width, height = max(width, height / 3), max(height, width / 3)
        centre = (low + high) / 2
        frames.append(Frame(centre[0] - width / 2, centre[1] - height / 2, width, height * (1 + _FOOT)))
    return frames


def extent(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the area that cells take.

    Parameters
    ----------
    coordinates
        Positions (n, 2).

    Returns
    -------
    Width and height (2,); 1 by 1 if all lie at one point.
    """
    low, high = _ends(coordinates)
    return _or_one(high - low)


def _ends(coordinates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the smallest and largest coordinates; column by column, which is ten times as fast as by axis."""
    low, high = np.array([(column.min(), column.max()) for column in coordinates.T]).T
    return low, high


def _or_one(span: NDArray[np.float64]) -> NDArray[np.float64]:
    return span if span.any() else np.ones(len(span))


def spacing(coordinates: NDArray[np.float64], n_sampled: int = 2_000) -> float:
    """Measure how far apart neighbouring cells are.

    Parameters
    ----------
    coordinates
        Positions (n, 2).
    n_sampled
        Cells to measure from, about, where there are more.

    Returns
    -------
    The median distance from a cell to its nearest neighbour; 0 for a cell alone.
    """
    if len(coordinates) < 2:
        return 0.0
    from scipy.spatial import KDTree  # noqa: PLC0415 - a page that shows what is kept does without it

    sample = coordinates[:: max(1, len(coordinates) // n_sampled)]
    distances, _ = KDTree(coordinates).query(sample, k=2)
    return float(np.median(distances[:, 1]))


def nice_length(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten, near a fifth of a span."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= span / 4)


def axes_of(i: int) -> tuple[str, str]:
    """Name the axes of panel ``i`` as plotly does."""
    suffix = "" if i == 0 else str(i + 1)
    return f"x{suffix}", f"y{suffix}"


def frame_panel(figure: go.Figure, i: int, panel: Panel, frame: Frame, style: Style) -> None:
    """Set the axes of panel ``i`` and write its title and scale bar."""
    x, y = axes_of(i)
    suffix = x.removeprefix("x")
    hidden = {"visible": False, "showgrid": False, "zeroline": False, "constrain": "domain"}
    figure.update_layout(
        {
            f"xaxis{suffix}": {"range": [frame.left, frame.left + frame.width], **hidden},
            f"yaxis{suffix}": {
                "range": [frame.top + frame.height, frame.top],  # y runs down
                "scaleanchor": x,
                "scaleratio": 1,
                "constraintoward": "top",
                **hidden,
            },
        }
    )
    figure.add_shape(
        type="rect",
        xref=x,
        yref=y,
        x0=frame.left,
        x1=frame.left + frame.width,
        y0=frame.top,
        y1=frame.top + frame.height / (1 + _FOOT),
        fillcolor=style.ground,
        line={"width": 0},
        layer="below",
        name="ground",
    )
    words = html.escape(count(panel), quote=False)
    figure.add_annotation(
        text=f"<b>{escape(panel.title)}</b><br>{words}",
        xref=f"{x} domain",
        yref=f"{y} domain",
        x=0,
        y=1,
        xanchor="left",
        yanchor="bottom",
        align="left",
        showarrow=False,
        font={"size": 13, "color": style.ink},
    )
    _scale_bar(figure, (x, y), panel, frame, style)
    for corners in panel.outlines:
        path = "M" + "L".join(f"{left},{top}" for left, top in corners) + "Z"
        for line in _BORDER:
            figure.add_shape(type="path", path=path, xref=x, yref=y, line=line, name="area")


def _scale_bar(figure: go.Figure, axes: tuple[str, str], panel: Panel, frame: Frame, style: Style) -> None:
    x0 = frame.left + 0.02 * frame.width
    y0 = frame.top + frame.height * (1 - 0.62 * _FOOT)
    span = nice_length(frame.width)
    if panel.unit != "unknown":
        figure.add_shape(
            type="line",
            xref=axes[0],
            yref=axes[1],
            x0=x0,
            x1=x0 + span,
            y0=y0,
            y1=y0,
            line={"color": style.ink, "width": 3},
            name="scale bar",
        )
    figure.add_annotation(
        text=length(panel, span),
        xref=axes[0],
        yref=axes[1],
        x=x0,
        y=y0,
        xanchor="left",
        yanchor="top",
        yshift=-1,
        showarrow=False,
        font={"size": 12, "color": style.ink},
    )
