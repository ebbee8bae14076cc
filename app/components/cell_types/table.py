"""Names from a table of cells: it arrives as a file, and a worker says which columns it has."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.components.cell_types import going_on
from app.components.file_job import MOST_BYTES
from app.components.job import run
from app.requests import NameByFile, ReadLabelColumns
from app.text import sentence
from squint.errors import InputError
from squint.library.results import Task
from squint.library.store import Library, Section, harmless_name

_GIVEN, _COUNT = "_types-table", "_types-tables"
_LIMIT_S = 120
_ENDINGS = ("csv", "tsv", "txt", "gz")


@dataclass
class _Given:
    """A table that was given, and waits."""

    file_id: str
    path: Path
    columns: dict[str, Any] | None = None


def ask(library: Library, section: Section) -> Callable[[str], Task[str]] | None:
    """Ask for a table, and for its columns; ``None`` before."""
    file = st.file_uploader(
        "Table",
        type=list(_ENDINGS),
        key=f"types-file-{section.id}-{st.session_state.get(_COUNT, 0)}",
        max_upload_size=MOST_BYTES // 10**6,
    )
    given = _take(library, file)
    if file is None or given is None or given.file_id != file.file_id:
        return None
    if given.columns is None:
        given.columns = run(ReadLabelColumns(str(given.path)), library, "Reading the table", limit_s=_LIMIT_S)
    if given.columns is None:
        return None
    every, cells, types = (given.columns[name] for name in ("every", "cells", "types"))
    left, right = st.columns(2)
    chosen = [
        place.selectbox(
            label,
            every,
            every.index(guess) if guess is not None else None,
            format_func=lambda name: name or "(first column, without a name)",
            placeholder="The table does not say it: choose",
            key=f"types-{what}-{given.file_id}",
        )
        for place, label, guess, what in (
            (left, "Column with the ids of cells", cells, "cells"),
            (right, "Column with their types", types, "types"),
        )
    ]
    if None in chosen:
        return None
    if chosen[0] == chosen[1]:
        st.warning("Ids and types cannot be in one column. Choose another.")
        return None
    path = str(given.path)
    return lambda title: NameByFile(section.id, title, path, str(chosen[0]), str(chosen[1]))


def forget(library: Library) -> None:
    """Remove the table, once its names are taken; the next begins with an empty widget."""
    given: _Given | None = st.session_state.pop(_GIVEN, None)
    if given is not None:
        library.unstage(given.path)
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1


def _take(library: Library, file: UploadedFile | None) -> _Given | None:
    """Put a new file where the worker finds it, and remove the one before."""
    given: _Given | None = st.session_state.get(_GIVEN)
    if going_on.is_busy():  # a worker may be reading it
        return given
    if given is not None and (file is None or given.file_id != file.file_id):
        library.unstage(given.path)
        del st.session_state[_GIVEN]
        given = None
    if file is None or given is not None:
        return given
    if file.size > MOST_BYTES:
        st.error(f"The file is larger than {MOST_BYTES // 10**6} MB. Keep the two columns alone.")
        return None
    ending = file.name.partition(".")[2]
    try:
        with library.handed_out() as folder:
            path = folder / f"given.{harmless_name(ending, 'csv')}"  # what it is called may name a person
            path.write_bytes(file.getbuffer())
    except InputError as error:
        st.error(sentence(str(error)))
        return None
    made = st.session_state[_GIVEN] = _Given(file.file_id, path)
    return made
