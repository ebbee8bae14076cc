"""Buttons that export a figure and its table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import audit, session
from app.components.download import File, Left, download
from app.components.job import run
from app.engine.facts import worker_facts
from app.exports.figure import for_print, write_figure, write_rows
from app.exports.ready import Ready, taken
from app.exports.stamp import Marks
from app.requests import Draw, DrawMap, WriteCsv
from app.text import sentence
from squint import pl
from squint.errors import InputError
from squint.library.chain import FIGURE, TABLE
from squint.library.store import Library


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    ending: str
    label: str
    mime: str
    help: str
    dpi: int = 300  # of pictures inside vector graphics too
    mark: str = ""  # what tells files of one ending apart


# What the tools of a chart are: those that move it. Plotly's own picture would leave without a stamp.
CHART: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["toImage", "autoScale2d", "select2d", "lasso2d"],
}
_CSV = Kind("csv", "CSV", "text/csv", "All rows, headed by n, method and stamp")
_HTML = Kind("html", "HTML", "text/html", "Opens in any browser, stamped")
_DRAWN = (
    Kind("png", "PNG 300 dpi", "image/png", "For slides and documents, stamped"),
    Kind("png", "PNG 600 dpi", "image/png", "For print, stamped; a larger file", 600, "_600dpi"),
    Kind("svg", "SVG", "image/svg+xml", "Vector graphics, stamped"),
    Kind("pdf", "PDF", "application/pdf", "Vector graphics, stamped"),
)


@dataclass(frozen=True)
class Export:
    """What can be exported at one place of a page."""

    place: str  # name, for widgets and for the file
    marks: Marks  # the stamp
    table: Callable[[], pd.DataFrame]  # all rows
    figure: Callable[[int], go.Figure] | None = None  # for print, by dots per inch
    map: Callable[[Path], None] | None = None  # leaves a map in a folder, for the worker to draw

    @property
    def content(self) -> str:
        """What is shown, whatever the time."""
        return repr(sorted((name, value) for name, value in self.marks.items() if name != "Time"))


@dataclass
class _Request:
    kind: Kind
    content: str  # what was shown when it was asked for
    folder: Path | None = None
    file: Ready | None = None


def was_asked(place: str) -> bool:
    """Whether a file was asked for there, and shows what is seen now as far as the page knows."""
    return place in st.session_state.get("_exports_asked", set())


def _ask(place: str) -> None:
    """Remember so before the page runs, so that a map above the buttons knows it."""
    st.session_state.setdefault("_exports_asked", set()).add(place)


def export_row(export: Export) -> None:
    """Offer a figure as PNG, SVG and PDF and a table as CSV, all stamped: what they show is seen by now."""
    audit.seen(session.library().home, export.marks.sections)
    requests: dict[str, _Request] = st.session_state.setdefault("_exports", {})
    request = requests.get(export.place)
    if request and request.content != export.content:  # the page shows something else by now
        _forget(requests.pop(export.place))
        request = None
        st.session_state.get("_exports_asked", set()).discard(export.place)
        st.caption("What is seen has changed since the file was asked for. Export it again.")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Export", width="content")
        for kind in _kinds(export):
            key = f"{export.place}{kind.mark}-{kind.ending}"
            if st.button(kind.label, key=key, help=kind.help, on_click=_ask, args=(export.place,)):
                _forget(request)
                request = requests[export.place] = _Request(kind, export.content)
    if request and request.file is None:
        try:
            _make(request, export)
        except InputError as error:
            st.error(sentence(str(error)))
    if request and request.file is not None:
        name = f"{export.place}{request.kind.mark}.{request.kind.ending}"
        download(
            f"Download {name} ({_size(request.file.n_bytes)})",
            request.file.read,
            File(name, request.kind.mime),
            Left(TABLE if request.kind is _CSV else FIGURE, export.marks.sections),
            key=f"{export.place}-download",
            type="primary",
        )


def _kinds(export: Export) -> tuple[Kind, ...]:
    if export.map is not None:
        return (*_DRAWN, _CSV)
    if export.figure is None:
        return (_CSV,)
    facts = worker_facts()
    if facts is None or facts.chrome:
        return (*_DRAWN, _CSV)
    st.caption("PNG, SVG and PDF need Chrome or Chromium on the server.", width="content")
    return (_HTML, _CSV)


def _forget(request: _Request | None) -> None:
    """Remove what was left for a worker, and what it made."""
    if request is not None and request.folder is not None:
        session.library().unstage(request.folder / "figure")
    if request is not None and request.file is not None:
        request.file.forget()


def _make(request: _Request, export: Export) -> None:
    library, kind = session.library(), request.kind
    if request.folder is None or not request.folder.exists():
        request.folder = _write(library, export, kind)
    folder, marks = str(request.folder), dict(export.marks)
    asked: WriteCsv | Draw | DrawMap
    if kind is _CSV:
        asked = WriteCsv(folder, marks)
    elif export.map is None:
        asked = Draw(folder, kind.ending, marks, kind.dpi)
    else:
        asked = DrawMap(folder, cast("pl.Kind", kind.ending), marks, kind.dpi)
    path = run(asked, library, f"Preparing {kind.label}", limit_s=180)
    if path is not None:
        (request.file,) = taken(library, Path(path))


def _write(library: Library, export: Export, kind: Kind) -> Path:
    """Leave what is to be exported where the worker finds it; return the folder."""
    if kind is _CSV:
        return write_rows(library, export.table())
    if export.figure is not None:
        return write_figure(library, for_print(export.figure(kind.dpi), export.marks))
    with library.handed_out() as folder:
        if export.map is not None:
            export.map(folder)
    return folder


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{max(1, round(n_bytes / 1e3))} kB"
