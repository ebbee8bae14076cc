"""Buttons that export a figure and its table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session
from app.components.job import run
from app.engine import engine
from app.export import for_print, write_figure, write_rows

_MIME = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "html": "text/html",
    "csv": "text/csv",
}


@dataclass(frozen=True)
class Export:
    """What can be exported at one place of a page."""

    place: str  # name, for widgets and for the file
    marks: Mapping[str, str]  # the stamp
    table: Callable[[], pd.DataFrame]  # all rows
    figure: Callable[[], go.Figure] | None = None  # for print

    @property
    def content(self) -> str:
        """What is shown, whatever the time."""
        return repr(sorted((name, value) for name, value in self.marks.items() if name != "Time"))


@dataclass
class _Request:
    kind: str
    export: Export
    folder: Path | None = None
    file: bytes | None = None


def export_row(export: Export) -> None:
    """Offer a figure as PNG, SVG and PDF and a table as CSV, all stamped."""
    requests: dict[str, _Request] = st.session_state.setdefault("_exports", {})
    request = requests.get(export.place)
    if request and request.export.content != export.content:  # the page shows something else by now
        del requests[export.place]
        request = None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Export", width="content")
        for kind in _kinds(export):
            if st.button(kind.upper(), key=f"{export.place}-{kind}", help=_help(kind)):
                request = requests[export.place] = _Request(kind, export)
    if request and request.file is None:
        _make(request)
    if request and request.file is not None:
        name = f"{export.place}.{request.kind}"
        st.download_button(
            f"Download {name} ({_size(len(request.file))})",
            request.file,
            name,
            _MIME[request.kind],
            key=f"{export.place}-download",
            type="primary",
            icon=":material/download:",
            on_click="ignore",
        )


def _kinds(export: Export) -> tuple[str, ...]:
    if export.figure is None:
        return ("csv",)
    if (engine().facts or {}).get("chrome", True):
        return ("png", "svg", "pdf", "csv")
    st.caption("PNG, SVG and PDF need Chrome or Chromium on the server.", width="content")
    return ("html", "csv")


def _make(request: _Request) -> None:
    library, export = session.library(), request.export
    if request.folder is None or not request.folder.exists():
        if request.kind == "csv" or export.figure is None:
            request.folder = write_rows(library, export.table())
        else:
            request.folder = write_figure(library, for_print(export.figure(), export.marks))
    task = "write_csv" if request.kind == "csv" else "draw"
    args = {"folder": str(request.folder), "stamp": dict(export.marks), "format": request.kind}
    path = run(task, args, f"Preparing {request.kind.upper()}", limit_s=180)
    if path is not None:
        request.file = Path(path).read_bytes()
        library.unstage(Path(path))


def _help(kind: str) -> str:
    if kind == "csv":
        return "All rows, headed by n, method and stamp"
    return {"png": "300 dpi", "html": "Opens in any browser"}.get(kind, "Vector graphics") + ", stamped"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{max(1, round(n_bytes / 1e3))} kB"
