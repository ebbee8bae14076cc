"""Which sections lie near which: a plane."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_NAMED_UP_TO = 16  # sections: of more, the names would lie on each other
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
    A figure with one unit on both axes.
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
            mode="markers+text" if len(table) <= _NAMED_UP_TO else "markers",
            text=words,
            textposition="top center",
            textfont={"size": 12},
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
    figure.update_xaxes(title="first axis, unit of the distance", zeroline=False)
    figure.update_yaxes(
        title="second axis, unit of the distance",
        zeroline=False,
        scaleanchor="x",
        range=[middle[1] - reach, middle[1] + reach],
    )
    return _layout(figure, style, 520)
