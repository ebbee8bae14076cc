"""Figures and tables on their way out: one figure with title, n and stamp, always on white."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from app.library import Library, write_table
from app.stamp import footer
from squint.pl import escape

WIDTH = 1_200  # pixels at 96 dots per inch
_HEAD, _LINE = 64, 16


def for_print(figure: go.Figure, marks: Mapping[str, str]) -> go.Figure:
    """Add title, n and stamp around a figure."""
    lines = footer(marks)
    inner = figure.layout.margin
    top, bottom = (inner.t or 0) + _HEAD, (inner.b or 0) + _LINE * len(lines) + 34
    height = (figure.layout.height or 400) + _HEAD + _LINE * len(lines) + 34
    figure.update_layout(
        width=WIDTH,
        height=height,
        margin={"l": max(40, inner.l or 0), "r": max(24, inner.r or 0), "t": top, "b": bottom},
        font={"family": "Liberation Sans, Arial, Helvetica, sans-serif"},
        plot_bgcolor="white",
        template="plotly_white",
    )
    _note(figure, f"<b>{escape(marks['Title'])}</b>", {"y": 1, "yshift": top - 14, "yanchor": "top"}, 18)
    _note(figure, marks["Cells"], {"y": 1, "yshift": top - 40, "yanchor": "top"}, 13)
    first, *rest = [_escape_line(line) for line in lines]
    text = "<br>".join([f"<b>{first}</b>", *rest])
    _note(figure, text, {"y": 0, "yshift": 10 - bottom, "yanchor": "bottom"}, 11)
    return figure


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
    folder = library.workspace()
    (folder / "figure.json").write_text(str(figure.to_json()))
    return folder


def write_rows(library: Library, table: pd.DataFrame) -> Path:
    """Leave a table where the worker can write it out; return the folder."""
    folder = library.workspace()
    write_table(table, folder / "table.parquet")
    return folder
