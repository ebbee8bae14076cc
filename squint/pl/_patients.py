"""A measure over patients: by group, or beside a number."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import stats

from squint.pl._charts import _layout
from squint.pl._style import LIGHT, Style
from squint.pl._text import escape

_LEAST = 3  # patients of a group, for a mean with an interval
_ROW = 62
_LETTER = 7.2


def by_patient_group(
    table: pd.DataFrame,
    *,
    measure: str,
    groups: Sequence[str] | None = None,
    percent: bool = False,
    means: bool = True,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw a measure of each patient, by group; the mean and its 95 % interval where a group has three.

    Parameters
    ----------
    table
        One row a patient: ``patient``, ``group``, ``value``, and ``note``, said under the pointer. Where
        ``left_out`` is true the point is open, and has no part in the mean.
    measure
        What is measured, for the axis.
    groups
        In this order from the top; by default as they come in the table.
    percent
        Whether values are shares, drawn in per cent.
    means
        Whether to draw means and intervals.
    style
        Colours of the page.

    Returns
    -------
    A figure with a row for each group.
    """
    groups = list(groups) if groups is not None else list(dict.fromkeys(table["group"]))
    left_out = table.get("left_out", pd.Series(data=False, index=table.index)).to_numpy(dtype=bool)
    unit = 100 if percent else 1
    known = unit * table["value"].dropna().to_numpy(dtype=float)
    near = 0.03 * (float(np.ptp(known)) if len(known) else 0.0)
    figure, labels = go.Figure(), []
    for row, group in enumerate(groups):
        own = table[(table["group"] == group).to_numpy()]
        is_open = left_out[(table["group"] == group).to_numpy()]
        values = unit * own["value"].to_numpy(dtype=float)
        colour = style.categories[row % len(style.categories)]
        counted = values[~is_open & ~np.isnan(values)]
        labels.append(f"{escape(group)} · n = {len(counted)}")
        place = _spread_out(values, near)
        names = [escape(patient) for patient in own["patient"]]
        figure.add_scatter(
            x=values,
            y=row + place,
            mode="markers+text",
            text=_named(names, values, 2 * near),
            hovertext=names,
            textposition="top center",
            textfont={"size": 12},
            marker={
                "size": 12,
                "color": colour,
                "symbol": ["circle-open" if one else "circle" for one in is_open],
                "line": {"width": 2, "color": colour},
            },
            customdata=[escape(note) for note in own.get("note", pd.Series("", index=own.index))],
            hovertemplate="<b>%{hovertext}</b>: %{x:.3~g}<br>%{customdata}<extra></extra>",
            cliponaxis=False,
            showlegend=False,
        )
        if means and len(counted) >= _LEAST:
            mean = counted.mean()
            reach = stats.t.ppf(0.975, len(counted) - 1) * counted.std(ddof=1) / np.sqrt(len(counted))
            figure.add_scatter(
                x=[mean],
                y=[row + 0.3],
                error_x={"type": "data", "array": [reach], "color": style.ink, "thickness": 2, "width": 5},
                mode="markers",
                marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": style.ink}},
                hovertemplate=f"mean {mean:.3g}, 95 % from {mean - reach:.3g} to {mean + reach:.3g}"
                "<extra></extra>",
                showlegend=False,
            )
    figure.update_xaxes(title=_title(measure, percent=percent), rangemode="tozero")
    figure.update_yaxes(
        tickvals=list(range(len(groups))),
        ticktext=labels,
        range=[len(groups) - 0.45, -0.6],
        showgrid=False,
        zeroline=False,
        tickfont_size=12,
    )
    return _layout(figure, style, 100 + _ROW * len(groups)).update_layout(
        margin={"l": _LETTER * max(map(len, labels)) + 16, "t": 16}
    )


def _named(names: Sequence[str], values: NDArray[np.float64], near: float) -> list[str]:
    """Give the names of points from left to right, but for those that would lie on one before."""
    shown = [""] * len(names)
    last = -np.inf
    for row in np.argsort(values, kind="stable"):
        if values[row] - last > near:
            shown[row], last = names[row], values[row]
    return shown


def _spread_out(values: NDArray[np.float64], near: float) -> NDArray[np.float64]:
    """Lay points that would hide each other a little below each other."""
    place = np.zeros(len(values))
    order = np.argsort(values, kind="stable")
    for before, after in pairwise(order):
        if abs(values[after] - values[before]) <= near:
            place[after] = (place[before] + 0.12) % 0.24
    return place


def beside_number(
    table: pd.DataFrame,
    *,
    measure: str,
    number: str,
    percent: bool = False,
    style: Style = LIGHT,
) -> go.Figure:
    """Draw a measure of each patient beside a number that is known of the patient.

    Parameters
    ----------
    table
        One row a patient: ``patient``, ``number``, ``value``, and ``note``, said under the pointer. Where
        ``left_out`` is true the point is open.
    measure, number
        What is measured, and what is known, for the axes.
    percent
        Whether values are shares, drawn in per cent.
    style
        Colours of the page.

    Returns
    -------
    A figure with a point for each patient.
    """
    is_open = table.get("left_out", pd.Series(data=False, index=table.index)).to_numpy(dtype=bool)
    colour = style.categories[0]
    figure = go.Figure(
        go.Scatter(
            x=table["number"],
            y=(100 if percent else 1) * table["value"],
            mode="markers+text" if len(table) <= 20 else "markers",
            text=[escape(patient) for patient in table["patient"]],
            textposition="top center",
            textfont={"size": 12},
            marker={
                "size": 12,
                "color": colour,
                "symbol": ["circle-open" if one else "circle" for one in is_open],
                "line": {"width": 2, "color": colour},
            },
            customdata=[escape(note) for note in table.get("note", pd.Series("", index=table.index))],
            hovertemplate="<b>%{text}</b>: %{x:.3~g}, %{y:.3~g}<br>%{customdata}<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.update_xaxes(title=escape(number))
    figure.update_yaxes(title=_title(measure, percent=percent))
    return _layout(figure, style, 380).update_layout(margin_t=24)


def _title(measure: str, *, percent: bool) -> str:
    """Name an axis; shares are in per cent."""
    return f"{escape(measure)}, %" if percent else escape(measure)
