"""What users call a token: given, changed, undone, done again."""

from collections.abc import Callable

import streamlit as st

from app import session
from app.models import ModelFacts
from app.text import sentence
from squint.errors import InputError
from squint.library import token_naming
from squint.library.store import Library

_TOLD = "_codebook_told"
_LISTED = 20  # changes


def show_naming(library: Library, model: ModelFacts, token: str) -> None:
    """Let the user name a token and note something of it; changes are undone and done again."""
    known = token_naming.get(library, model.sha256, token)
    if known.damage:
        st.error(sentence(known.damage))
    if not session.may_change():
        if known.note:
            st.markdown(sentence(known.note))
        if known.version:
            _show_changes(library, model, token)
        return
    key = f"{model.sha256[:12]}-{token}-{known.version}"  # another name begins with other widgets
    with st.form(f"codebook_naming-{key}", border=False):
        name = st.text_input(
            "Name",
            known.name,
            key=f"codebook_name-{key}",
            max_chars=token_naming.MOST_LETTERS,
            placeholder="such as: glomerulus, or tumour rim",
            help="Stands beside the token's number everywhere. No names of persons, dates or record numbers.",
        )
        note = st.text_area(
            "Note",
            known.note,
            key=f"codebook_note-{key}",
            max_chars=token_naming.MOST_LETTERS_NOTED,
            placeholder="why it is called so, what else it may be",
            height=90,
        )
        if st.form_submit_button("Save", icon=":material/save:", key=f"codebook_save-{key}"):
            _change(library, model.sha256, token, name, note, known.version)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Undo",
            key="codebook_undo",
            icon=":material/undo:",
            disabled=not known.undoes,
            help=sentence(f"Undo: {known.undoes}") if known.undoes else None,
            on_click=_step,
            args=(token_naming.undo, library, model.sha256, token, known.version),
        )
        st.button(
            "Redo",
            key="codebook_redo",
            icon=":material/redo:",
            disabled=not known.redoes,
            help=sentence(f"Do again: {known.redoes}") if known.redoes else None,
            on_click=_step,
            args=(token_naming.redo, library, model.sha256, token, known.version),
        )
        if known.version:
            _show_changes(library, model, token)
    if told := st.session_state.pop(_TOLD, None):
        st.error(sentence(told))


def _change(library: Library, model: str, token: str, name: str, note: str, seen: int) -> None:
    try:
        changed = token_naming.name(library, model, token, name, note, seen=seen)
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if changed:
        st.rerun()


def _step(step: Callable[..., str], library: Library, model: str, token: str, seen: int) -> None:
    """Go back or forward by a change."""
    try:
        step(library, model, token, seen=seen)
    except InputError as error:
        st.session_state[_TOLD] = str(error)


def _show_changes(library: Library, model: ModelFacts, token: str) -> None:
    with st.popover("All changes", icon=":material/history:"):
        changes = token_naming.changes(library, model.sha256, token)
        for one in changes[:_LISTED]:
            noted = f" Note: {sentence(one.note)}" if one.note else ""
            st.markdown(f"{sentence(one.made.replace('T', ' ')[:16])} UTC: **{sentence(one.what)}**.{noted}")
        if len(changes) > _LISTED:
            st.caption(f"And {len(changes) - _LISTED} before.")
