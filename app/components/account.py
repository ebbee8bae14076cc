"""Who is signed in, in which project, and the way out: at the top of every page."""

import streamlit as st

from app import identity, who
from app.text import as_text

_CHOICE = "project_choice"
_STYLE = """
<style>
.st-key-account {
  position: fixed; top: 0.65rem; right: 3.25rem; z-index: 1000001; width: auto; max-width: 16rem;
}
.st-key-account button { max-width: 16rem; }
.st-key-account button p { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
</style>
"""


def show_account() -> None:
    """Show who uses this session, where people sign in; let them choose another project, or leave."""
    if not identity.is_needed():
        return
    st.html(_STYLE)
    person, opened = who.person(), who.project()
    name = "no project" if opened is None else opened.name
    with st.popover(as_text(name), icon=":material/folder_shared:", type="tertiary", key="account"):
        st.markdown(f"**{as_text(person.name)}**, {person.role}")
        mine = {one.id: one for one in who.projects()}
        if len(mine) > 1 and opened is not None:
            st.selectbox(
                "Project",
                list(mine),
                index=list(mine).index(opened.id),
                format_func=lambda one: mine[one].name,
                key=_CHOICE,
                on_change=_choose,
            )
        st.button("Sign out", on_click=who.sign_out, icon=":material/logout:", key="sign_out")


def _choose() -> None:
    if who.is_as_it_was():
        who.open_project(st.session_state[_CHOICE])
