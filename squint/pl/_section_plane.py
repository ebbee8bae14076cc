"""Which sections lie near which: a plane."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_NEAR = 0.12  # of half the side: labels of points nearer than that would lie on each other
_TOGETHER = 4  # names of such points that are written
_MARGIN = 1.3  # of what the points span


def section_plane(
    result: Mapping[str, Any],
    patients: Mapping[str, str],
    *,
    names: Mapping[str, str] | None = None,
    marked: Mapping[str, str] | None = None,
    simulated: Collection[str] = (),
    style: Style = LIGHT,
) -> go.Figure:
    """Draw sections on a plane, so that those alike lie near, as far as a plane can show it.

    Parameters
    ----------
    result
        What :func:`squint.tl.section_distances` wrote to ``uns["squint_section_distances"]``.
    patients
        Section -> patient, each of whom has a colour; those beyond the eighth share grey.
    names
        Section -> what it is called in the figure.
    marked
        Patient -> what it is, such as ``"reference"``: its points are squares.
    simulated
        Sections that are drawn open.
    style
        Colours of the page.

    Returns
    -------
    A figure of fixed size, with one unit on both axes.
    """
    table = result["sections"]
    of_row = np.array([patients[str(one)] for one in table.index], dtype=object)
    figure = go.Figure()
    for rank, patient in enumerate(dict.fromkeys(of_row)):
        own = table[of_row == patient]
        colour = style.categories[rank] if rank < len(style.categories) else style.missing
        what = (marked or {}).get(patient, "")
        shape = "square" if what else "circle"
        is_open = [str(one) in simulated for one in own.index]
        words = [escape((names or {}).get(str(one), str(one))) for one in own.index]
        said = [escape(patient), what, "simulated" if all(is_open) else ""]
        figure.add_scatter(
            x=own["x"],
            y=own["y"],
            mode="markers",
            text=words,
            cliponaxis=False,
            marker={
                "size": 13,
                "color": colour,
                "symbol": [f"{shape}-open" if one else shape for one in is_open],
                "line": {"width": 3, "color": colour},
            },
            customdata=[f"{n:,} cells" for n in own["n_cells"]],
            hovertemplate="<b>%{text}</b><br>%{customdata}<extra></extra>",
            name=" · ".join(filter(None, said)),
        )
    points = table[["x", "y"]].to_numpy()
    reach = _MARGIN * max(float(np.ptp(points, axis=0).max()) / 2, 0.02)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    words = [escape((names or {}).get(str(one), str(one))) for one in table.index]
    for place, text in _labels(points, words, _NEAR * reach, middle[0]):
        figure.add_annotation(
            x=place[0],
            y=place[1],
            text=text,
            showarrow=False,
            xanchor="right" if place[0] > middle[0] else "left",
            align="left",
            xshift=-12 if place[0] > middle[0] else 12,
            font={"size": 12, "color": style.ink},
        )
    figure.update_xaxes(title="first axis, unit of the distance", zeroline=False, constrain="domain")
    figure.update_yaxes(
        title="second axis, unit of the distance",
        zeroline=False,
        scaleanchor="x",
        constrain="domain",
        range=[middle[1] - reach, middle[1] + reach],
    )
    figure.update_xaxes(range=[middle[0] - reach, middle[0] + reach])
    return _layout(figure, style, 600).update_layout(width=760)


def _labels(
    points: NDArray[np.float64], words: Sequence[str], near: float, middle: float
) -> list[tuple[NDArray[np.float64], str]]:
    """Name points; those near each other share a label, the first few of them by name."""
    if len(points) > 1:
        clusters = hierarchy.fcluster(hierarchy.linkage(points, "single"), near, "distance")
    else:
        clusters = np.ones(len(points), dtype=int)
    found = []
    for cluster in dict.fromkeys(clusters):
        rows = np.flatnonzero(clusters == cluster)
        named = [words[row] for row in rows[:_TOGETHER]]
        more = [f"and {len(rows) - _TOGETHER} more"] if len(rows) > _TOGETHER else []
        along, up = points[rows].T
        inner = along.min() if along.mean() > middle else along.max()  # labels point to the middle
        found.append((np.array([inner, up.mean()]), "<br>".join([*named, *more])))
    return found
