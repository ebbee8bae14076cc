"""Files between a user and a worker: one given, of which the web process looks at nothing, or one made."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.components.download import File, Left, download
from app.components.job import run
from app.exports.ready import Ready, taken
from app.text import sentence
from squint.errors import InputError
from squint.library.people import ANALYST
from squint.library.results import Task
from squint.library.store import Library

MOST_BYTES = 64_000_000
_LIMIT_S = 120  # the largest take a tenth of it

Answer = TypeVar("Answer")


class Made(NamedTuple):
    """A file that a worker makes for the user to take home."""

    name: str
    mime: str
    label: str  # of the button that asks for it
    ready: str  # of the button that downloads it
    what: str  # what the worker does, in the user's words
    left: Left  # what the audit log is to hold of it
    help: str | None = None


def work_on(
    library: Library,
    file: UploadedFile | None,
    task: Callable[[str], Task[Answer]],
    label: str,
    what: str,
    place: str,
) -> Answer | None:
    """Offer a button that lets a worker read a file, and show how far it is.

    Parameters
    ----------
    library
        Where the file waits meanwhile.
    file
        From a widget, once there is one.
    task
        Gives what is asked of the worker, from the path of the file.
    label, what
        What the button says, and what the worker does, in the user's words.
    place
        Name of the button.

    Returns
    -------
    The worker's answer, once; ``None`` before, and if it failed or was cancelled, which the page has then
    said.
    """
    key = f"_{place}-given"
    pressed = file is not None and st.button(label, key=place, type="primary")
    if file is None or pressed:
        _forget(library, key)
    if file is not None and pressed:
        if file.size > MOST_BYTES:
            st.error(f"The file is larger than {MOST_BYTES // 10**6} MB. Keep what you need of it.")
            return None
        try:
            library.access.require(ANALYST, "upload")
            with library.handed_out() as folder:
                path = folder / "given"
                path.write_bytes(file.getbuffer())
        except InputError as error:
            st.error(sentence(str(error)))
            return None
        st.session_state[key] = (path, task(str(path)))
    if key not in st.session_state:
        return None
    answer: Answer | None = run(st.session_state[key][1], library, what, limit_s=_LIMIT_S)
    if answer is not None:
        _forget(library, key)
    return answer


def _forget(library: Library, key: str) -> None:
    """Remove a file that was given before."""
    given: tuple[Path, Task[object]] | None = st.session_state.pop(key, None)
    if given is not None:
        library.unstage(given[0])


def offer_made(
    library: Library, task: Callable[[], Task[str]], made: Made, place: str, of: str, *, limit_s: float = 3600
) -> None:
    """Offer a button that has a file made by a worker, and then the file.

    Parameters
    ----------
    library
        Where the worker leaves it.
    task
        Gives what is asked of the worker, which answers with the path of the file.
    made
        What it is.
    place
        Name of the button.
    of
        What it is made of: when that changes, the file is asked for anew.
    limit_s
        After so many seconds the worker is stopped.
    """
    key = f"_{place}-made-{of}"
    if st.button(made.label, key=place, help=made.help):
        st.session_state[key] = None
    if key in st.session_state and st.session_state[key] is None:
        answer = run(task(), library, made.what, limit_s=limit_s)
        if answer is None:
            return
        try:
            (st.session_state[key],) = taken(library, Path(answer))
        except InputError as error:
            st.error(sentence(str(error)))
            return
    file: Ready | None = st.session_state.get(key)
    if file is not None:
        download(
            made.ready,
            file.read,
            File(made.name, made.mime),
            made.left,
            key=f"{place}-download",
            type="primary",
        )
