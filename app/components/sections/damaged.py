"""Cards of sections of which something is damaged: to be made again, or deleted."""

import streamlit as st

from app import session, who
from app.components.job import run
from app.requests import Rebuild
from app.text import as_text, sentence
from squint.library.section import Damaged
from squint.library.store import Library


def show_damaged(library: Library) -> None:
    """Show a card per damaged section; all other sections are shown as ever."""
    _rebuild_what_was_asked(library)
    for one in library.damaged():
        with st.container(border=True):
            st.markdown(f":material/broken_image: **{as_text(one.title)}** is damaged, and shown nowhere.")
            st.caption(sentence(one.why))
            if not session.may_change():
                continue
            with st.container(horizontal=True):
                st.button("Rebuild", key=f"rebuild-{one.id}", on_click=_ask, args=(one.id,))
                if st.button("Delete", key=f"delete-{one.id}", icon=":material/delete:", type="tertiary"):
                    _confirm_delete(library, one)


def _ask(section_id: str) -> None:
    session.upload().rebuilding = section_id


def _rebuild_what_was_asked(library: Library) -> None:
    state = session.upload()
    if not state.rebuilding:
        return
    asked, state.rebuilding = state.rebuilding, ""
    title = run(Rebuild(asked), library, "Making the section again")
    if title is not None:
        st.toast(f"{as_text(title)} is whole again.", icon=":material/check:")
        st.rerun()


@who.dialog("Delete this section?")
def _confirm_delete(library: Library, one: Damaged) -> None:
    st.markdown(f"**{as_text(one.title)}** and all that was made of it are removed. This cannot be undone.")
    if st.button(
        "Delete for good", type="primary", key="delete-for-good", on_click=library.delete, args=(one.id,)
    ):
        st.rerun()
