"""Figures and tables on their way out: one figure with title, n and stamp, always on white."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from app.exports.stamp import footer
from squint.library.store import Library
from squint.library.tables import write_table

WIDTH = 1_200  # pixels at 96 dots per inch
_HEAD, _LINE = 64, 16
_EDGE, _LETTER = 40, 7.5  # pixels to the left of the text; of a letter of a label
_KEY, _ROW, _GAP = 46, 21, 10  # pixels of a legend: of an entry beside its name, of a row, between groups


def for_print(figure: go.Figure, marks: Mapping[str, str]) -> go.Figure:
    """Add title, n and stamp around a figure."""
    lines = footer(marks)
    inner = figure.layout.margin
    left, right = max(_EDGE, inner.l or 0, _label_width(figure)), max(24, inner.r or 0)
    above = max(inner.t or 0, _legend_height(figure, WIDTH - left - right))
    top, bottom = above + _HEAD, (inner.b or 0) + _LINE * len(lines) + 34
    height = (figure.layout.height or 400) - (inner.t or 0) + top + _LINE * len(lines) + 34
    if figure.layout.title.text:  # its own heading goes below ours
        figure.update_layout(title={"yref": "container", "y": 1 - _HEAD / height, "yanchor": "top"})
    figure.update_layout(
        width=WIDTH,
        height=height,
        margin={"l": left, "r": right, "t": top, "b": bottom},
        font={"family": "Liberation Sans, Arial, Helvetica, sans-serif"},
        plot_bgcolor="white",
        template="plotly_white",
    )
    edge = {"xshift": _EDGE - left}
    title = {"y": 1, "yshift": top - 14, "yanchor": "top", **edge}
    _note(figure, f"<b>{_escape_line(marks['Title'])}</b>", title, 18)
    _note(figure, marks["Cells"], {"y": 1, "yshift": top - 40, "yanchor": "top", **edge}, 13)
    first, *rest = [_escape_line(line) for line in lines]
    text = "<br>".join([f"<b>{first}</b>", *rest])
    _note(figure, text, {"y": 0, "yshift": 10 - bottom, "yanchor": "bottom", **edge}, 11)
    return figure


def _label_width(figure: go.Figure) -> float:
    """Estimate how much room the labels beside the y axes take, which plotly would make only when drawing."""
    axes = [axis for axis in figure.select_yaxes() if axis.side != "right"]
    labels = [str(text) for axis in axes for text in axis.ticktext or ()]
    for trace in figure.select_traces(selector={"type": "bar", "orientation": "h"}):
        labels += [str(name) for name in trace.y]
    longest = max((len(line) for label in labels for line in label.split("<br>")), default=0)
    return _LETTER * longest + 24


def _legend_height(figure: go.Figure, width: float) -> float:
    """Estimate how high a legend above the figure is: its columns are all as wide as the longest name."""
    if figure.layout.legend.orientation != "h":
        return 0
    names = {str(trace.name) for trace in figure.data if trace.name and trace.showlegend is not False}
    longest = max(map(len, names), default=0)
    n_columns = max(1, int(width // (_KEY + _LETTER * longest)))
    row = _ROW + (_GAP if any(trace.legendgroup for trace in figure.data) else 0)
    return row * math.ceil(len(names) / n_columns) + 16


def _escape_line(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _note(figure: go.Figure, text: str, place: Mapping[str, float | str], size: int) -> None:
    figure.add_annotation(
        text=text,
        xref="paper",
        yref="paper",
        x=0,
        xanchor="left",
        align="left",
        showarrow=False,
        font={"size": size, "color": "black"},
        **place,
    )


def write_figure(library: Library, figure: go.Figure) -> Path:
    """Leave a figure where the worker can draw it; return the folder."""
    with library.handed_out() as folder:
        (folder / "figure.json").write_text(str(figure.to_json()))
    return folder


def write_rows(library: Library, table: pd.DataFrame) -> Path:
    """Leave a table where the worker can write it out; return the folder."""
    with library.handed_out() as folder:
        write_table(table, folder / "table.parquet")
    return folder
