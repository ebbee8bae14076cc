"""A packed model brought in: it arrives as a file, and a worker looks at all of it."""

import streamlit as st

from app import session
from app.components.file_drop.component import Taken, show_arrived, show_drop
from app.components.job import run
from app.requests import AddModel
from app.text import as_text
from app.uploads.parts import Arrived
from squint.errors import InputError
from squint.library.store import Library, harmless_name

_PLACE = "packed-model"
_ARRIVED = f"_{_PLACE}"
_ENDING = ".zip"
_LIMIT_S = 600


def _file_name(name: str) -> str:
    """Give a packed model a harmless name.

    Raises
    ------
    InputError
        If it is no archive.
    """
    if not name.lower().endswith(_ENDING):
        raise InputError("A packed model is a .zip, as Export or `squint models export` writes it.")
    return f"{harmless_name(name[: -len(_ENDING)], 'model')}{_ENDING}"


_TAKEN = Taken((_ENDING,), _file_name, hint="A model as one .zip")


def show_bringing(library: Library) -> None:
    """Let the user give a packed model; nothing of it is kept before all of it was checked."""
    if not session.may_change():
        return
    with st.expander("Add a packed model", icon=":material/upload_file:"):
        show_drop(library, _PLACE, _TAKEN, lambda arrived: _take(library, arrived))
        arrived: Arrived | None = st.session_state.get(_ARRIVED)
        if arrived is None:
            st.caption("Shapes, values and hashes are checked, and nothing in it is run.")
            return
        show_arrived(arrived, _PLACE, lambda: _forget(library))
        found = run(AddModel(str(arrived.path)), library, "Checking the model", limit_s=_LIMIT_S)
        if found is None:
            return
        _forget(library)
        session.use_model(found["folder"])
        name = as_text(found["name"])
        words = f"{name} is added." if found["new"] else f"{name} was there already, and stays as it was."
        st.toast(words, icon=":material/check:", duration="long")
        st.rerun()


def _take(library: Library, arrived: Arrived) -> None:
    _forget(library)
    st.session_state[_ARRIVED] = arrived


def _forget(library: Library) -> None:
    """Remove what came before."""
    arrived: Arrived | None = st.session_state.pop(_ARRIVED, None)
    if arrived is not None:
        library.unstage(arrived.path)
