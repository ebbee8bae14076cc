"""A report that is made while the page shows how far it is, and its files to download."""

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from app.components.download import File, Left, download
from app.components.job import run
from app.exports.ready import Ready, taken
from app.requests import MakeReport
from app.text import sentence
from squint.errors import InputError
from squint.library.chain import REPORT
from squint.library.store import Library
from squint.report.names import HTML, PDF, ZIP

_STATE = "_report"
_LIMIT_S = 3_600
_KINDS = (
    (PDF, "PDF", "application/pdf", "To read and print: A4, with every figure and number of the report."),
    (HTML, "HTML", "text/html", "The same as one page for any browser; it needs no network."),
    (
        ZIP,
        "Tables and recipe (ZIP)",
        "application/zip",
        "All tables as CSV, and the recipe that `squint report` computes them anew from.",
    ),
)


@dataclass
class _Report:
    """A report of this session."""

    asked: MakeReport
    done: bool = False
    no_pdf: str = ""
    files: dict[str, Ready] = field(default_factory=dict)


def make(library: Library, asked: MakeReport | None) -> None:
    """Offer to make a report, and the files of the one that was made last."""
    pressed = st.button(
        "Make the report", type="primary", icon=":material/summarize:", disabled=asked is None
    )
    if pressed and asked is not None:
        st.session_state[_STATE] = _Report(asked)
    state: _Report | None = st.session_state.get(_STATE)
    if state is None:
        return
    if not state.done and not _fetch(library, state):
        return
    if asked is not None and asked != state.asked:
        st.caption("Something was changed since this report was made. Make it anew to have that in it.")
    _offer(state)


def _fetch(library: Library, state: _Report) -> bool:
    """Have a report made, and take its files; say whether they are here."""
    answer = run(state.asked, library, "Making the report", limit_s=_LIMIT_S)
    if answer is None:
        return False
    folder = Path(answer["folder"])
    names = [HTML, *(name for name, *_ in _KINDS if name != HTML and (folder / name).is_file())]
    try:
        files = taken(library, *(folder / name for name in names))
    except InputError as error:
        st.error(sentence(str(error)))
        return False
    state.files = dict(zip(names, files, strict=True))
    state.done, state.no_pdf = True, answer["no_pdf"]
    return True


def _offer(state: _Report) -> None:
    st.markdown(f"**{sentence(state.asked.title)}** is ready.")
    with st.container(horizontal=True):
        for name, label, mime, about in _KINDS:
            if name in state.files:
                download(
                    f"{label} · {state.files[name].n_bytes / 1e6:.1f} MB",
                    state.files[name].read,
                    File(name, mime),
                    Left(REPORT, state.asked.ids),
                    key=f"report-{name}",
                    help=about,
                )
    if state.no_pdf:
        st.warning(sentence(state.no_pdf))
