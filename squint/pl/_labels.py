"""Names beside points, each on a line of its own."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from squint.pl._style import Style
from squint.pl._text import escape

_LINE = 16.0  # pixels from one label to the next
_ASIDE = 20  # pixels from a point to its label


def label_side(figure: go.Figure, points: pd.DataFrame, top: float, plotted: float, style: Style) -> None:
    """Name the points of one side of x = 0, away from the middle and within the axes.

    Parameters
    ----------
    figure
        Gets an annotation per point.
    points
        Indexed by name: ``x``, ``y``, ``bold``, best last; the first are left out where there is no room.
    top
        Value of y at the upper end of the axis; 0 is the lower.
    plotted
        Pixels between the two.
    style
        Colours of the page.
    """
    named = points.tail(int(plotted // _LINE))
    # of equal heights the outermost first, so that lines to labels below do not cross
    named = named.iloc[np.lexsort((-named["x"].abs(), -named["y"]))]
    at = named["y"].to_numpy() / top * plotted
    line = {"arrowhead": 0, "arrowwidth": 1, "arrowcolor": style.missing, "standoff": 4, "borderpad": 1}
    labels = []
    for (name, point), up in zip(named.iterrows(), spread(at, plotted) - at, strict=True):
        right = point["x"] >= 0
        labels.append(
            {
                "x": point["x"],
                "y": point["y"],
                "ax": _ASIDE if right else -_ASIDE,
                "ay": -up,
                "text": f"<b>{escape(name)}</b>" if point["bold"] else escape(name),
                "font": {"size": 12, "color": style.ink},
                "xanchor": "left" if right else "right",
                **line,
            }
        )
    # All at once: one by one, Plotly checks all of them each time.
    figure.update_layout(annotations=[*figure.layout.annotations, *labels])


def spread(at: NDArray[np.float64], plotted: float) -> NDArray[np.float64]:
    """Move falling heights (k,) in pixels apart until each has a line between 0 and ``plotted``."""
    lines = _LINE * np.arange(len(at))
    fallen = np.minimum.accumulate(np.minimum(at, plotted - _LINE / 2) + lines) - lines
    risen = np.maximum(fallen, _LINE / 2)[::-1]
    placed: NDArray[np.float64] = (np.maximum.accumulate(risen - lines) + lines)[::-1]
    return placed
