"""All labelings of a section: which is in use, what each is, and what can be done with it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pandas as pd
import streamlit as st

from app import session, who
from app.components.cell_types.subject import Types
from app.components.export_row import Export, export_row
from app.exports.stamp import many, stamp
from app.maps import views
from app.text import as_text, sentence
from squint import keys
from squint.errors import InputError
from squint.library import labelings
from squint.library.labelings import CONFIDENCE, KnownLabeling
from squint.library.store import Library, Section

_TOLD = "_labelings-told"


def show_kept(library: Library, section: Section, types: Types | None) -> None:
    """List the labelings of a section, with the names of its file, and offer their cells as a table."""
    known = labelings.known(library, section.id)
    if not known and types is None:
        return
    st.header("Labelings of this section")
    if told := st.session_state.pop(_TOLD, None):
        st.error(sentence(told))
    for one in known:
        with st.container(border=True):
            _show(library, section, one)
    with st.container(border=True):
        _show_file(library, section)
    if types is not None:
        st.caption("Id, type and confidence of every cell, as in use:")
        marks = stamp("Types of cells", [section], None, {"labeling": _called(types)})
        export_row(Export("cell_labels", marks, table=lambda: _table(library, section, types)))


def _called(types: Types) -> str:
    return types.labeling.name if types.labeling else "of the section's file"


def _table(library: Library, section: Section, types: Types) -> pd.DataFrame:
    """Give one row per cell."""
    return pd.DataFrame(
        {
            "cell": views.cells_of(library, [section])["cell"].to_numpy(),
            keys.CELL_TYPE: types.names.column(),
            CONFIDENCE: types.confidence,
        }
    )


def _show(library: Library, section: Section, one: KnownLabeling) -> None:
    """Show a labeling: what it is, and what can be done with it."""
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        _title(one.name, in_use=one.in_use, damaged=bool(one.damage))
        if one.damage:
            st.error(f"{sentence(one.damage)} Delete it, and name the cells again.")
        else:
            share = one.now.n_named / max(section.n_cells, 1)
            changed = f" · {many(one.now.n_changes, 'change')} by hand" if one.now.n_changes else ""
            st.caption(
                f"{sentence(one.how[:1].upper() + one.how[1:])}.  \n{many(one.now.n_types, 'type')} · "
                f"{many(one.now.n_named, 'cell')} named ({share:.0%}){changed} · made {one.added[:10]}"
            )
            for note in one.facts.get("notes", ()):
                st.caption(sentence(str(note)))
    if not session.may_change():
        return
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        if not one.damage:
            _offer_use(library, section, one.id, in_use=one.in_use)
            if st.button("Rename", key=f"labeling-rename-{one.id}", icon=":material/edit:"):
                _ask_name(library, one)
        if st.button("Delete", key=f"labeling-delete-{one.id}", icon=":material/delete:", type="tertiary"):
            _confirm_delete(library, one)


def _show_file(library: Library, section: Section) -> None:
    """Show what the file of the section says, which is what counts where no labeling is in use."""
    found = labelings.of_file(library, section.id)
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        _title("As in the section's file" if found else "No cell types", in_use=section.named is None)
        if found:
            n_named = int((found.codes >= 0).sum())
            st.caption(
                f"{many(len(found.names), 'type')} · {many(n_named, 'cell')} named "
                f"({n_named / max(section.n_cells, 1):.0%}) · came with the section"
            )
        else:
            st.caption("The section's file names no cells.")
    if not session.may_change():
        return
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        _offer_use(library, section, None, in_use=section.named is None)


def _title(name: str, *, in_use: bool, damaged: bool = False) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{as_text(name)}**", width="content")
        if in_use:
            st.badge("in use", color="green", icon=":material/check:")
        if damaged:
            st.badge("damaged", color="red", icon=":material/error:")


def _offer_use(library: Library, section: Section, labeling: str | None, *, in_use: bool) -> None:
    st.button(
        "Use",
        key=f"labeling-use-{labeling or 'none'}",
        disabled=in_use,
        on_click=_safely,
        args=(partial(labelings.use, library, section.id, labeling),),
    )


@who.dialog("Rename this labeling")
def _ask_name(library: Library, one: KnownLabeling) -> None:
    key = f"labeling-name-{one.id}"
    st.text_input("Name", one.name, key=key, max_chars=labelings.MOST_LETTERS)
    if st.button(
        "Save",
        type="primary",
        key="labeling-save",
        on_click=lambda: _safely(lambda: labelings.rename(library, one, st.session_state[key])),
    ):
        st.rerun()


def _safely(act: Callable[[], object]) -> None:
    """Do something, or remember to say why it was refused."""
    try:
        act()
    except InputError as error:
        st.session_state[_TOLD] = str(error)


def _delete(library: Library, one: KnownLabeling) -> None:
    with suppress(InputError):  # it is gone: somebody was faster
        labelings.delete(library, one)


@who.dialog("Delete this labeling?")
def _confirm_delete(library: Library, one: KnownLabeling) -> None:
    then = " The section has the types of its file then, if that gives any." if one.in_use else ""
    st.markdown(
        f"**{as_text(one.name)}** is removed from the server with all changes made by hand.{then} "
        "This cannot be undone."
    )
    if st.button(
        "Delete for good",
        type="primary",
        key="labeling-delete-for-good",
        on_click=_delete,
        args=(library, one),
    ):
        st.rerun()
