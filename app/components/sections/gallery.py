"""The gallery of sections."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import streamlit as st

from app import session
from app.components.job import run
from app.components.sections.quality import show_left_out
from app.engine.facts import worker_facts
from app.exports.stamp import many
from app.maps import message
from app.maps.served import MAPS
from app.requests import TakeBack, Tokenise
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library.quality import quality_flags
from squint.library.stacks import find_stacks
from squint.library.store import THUMBNAIL, Library, Section

_PER_ROW = 4
_PICTURES_S = _TAKE_BACK_S = 3600


def show_gallery(library: Library, sections: Sequence[Section]) -> None:
    """Show a card per section."""
    _take_back_what_was_asked(library)
    _tokenise_what_was_asked(library)
    _keep_pictures_found(library)
    _offer_to_tokenise_all(library, sections)
    stacks = [stack for stack in find_stacks(sections) if stack.levels[0].stack]
    within = {level.id for stack in stacks for level in stack.levels}
    _cards(library, [section for section in sections if section.id not in within])
    for stack in stacks:
        n_cells = sum(level.n_cells for level in stack.levels)
        title = f"Stack {as_text(stack.name)}: {len(stack.levels)} levels, {many(n_cells, 'cell')}"
        with st.expander(title, icon=":material/layers:"):
            _cards(library, stack.levels)


def _cards(library: Library, sections: Sequence[Section]) -> None:
    for start in range(0, len(sections), _PER_ROW):
        row = sections[start : start + _PER_ROW]
        for column, section in zip(st.columns(_PER_ROW), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(library, section)


def _card(library: Library, section: Section) -> None:
    st.image(library.folder(section.id) / THUMBNAIL, width="stretch", alt=f"Cells of section {section.title}")
    st.markdown(f"**{as_text(section.title)}**  \nPatient {as_text(section.patient)}")
    types = f" · {many(section.n_cell_types, 'cell type')}" if section.n_cell_types else " · no cell types"
    what = "counts" if section.values == "counts" else "intensity"
    where = " · ".join(as_text(word) for word in (section.organ, section.assay) if word)
    st.caption(
        f"{where + ' · ' if where else ''}{many(section.n_cells, 'cell')} · "
        f"{many(section.n_genes, 'gene')}{types}  \n"
        f"median {section.median_depth:,.0f} {what} per cell  \nadded {section.added[:10]}"
    )
    show_left_out(section)
    facts = worker_facts()
    model = facts.model if facts else None
    with st.container(horizontal=True, vertical_alignment="center"):
        if section.simulated:
            st.badge("simulated", color="gray")
        if model:
            for flag, why in quality_flags(library, section, model.sha256).items():
                st.badge(flag, color="orange", icon=":material/warning:", help=sentence(why) or None)
    with st.container(horizontal=True):
        if model and _lacks_tokens(library, section, model.sha256):
            st.button("Tokenise", key=f"tokenise-{section.id}", on_click=_ask, args=([section.id],))
        if st.button("Delete", key=f"delete-{section.id}", icon=":material/delete:", type="tertiary"):
            _confirm_delete(library, section)


def _lacks_tokens(library: Library, section: Section, model: str) -> bool:
    return section.values == "counts" and library.token_facts(section.id, model) is None


def _ask(section_ids: Sequence[str]) -> None:
    session.upload().kept += section_ids


def _offer_to_tokenise_all(library: Library, sections: Sequence[Section]) -> None:
    """Offer one button for several sections, as after a change of the model."""
    facts = worker_facts()
    model = facts.model if facts else None
    lacking = [s.id for s in sections if model and _lacks_tokens(library, s, model.sha256)]
    if len(lacking) > 1:
        label = f"Tokenise the {len(lacking)} sections without tokens by this model"
        st.button(label, key="tokenise-all", type="primary", on_click=_ask, args=(lacking,))


def _take_back_what_was_asked(library: Library) -> None:
    """Put the section of all cells in the place of one from which some were left out."""
    state = session.upload()
    if not state.taking_back:
        return
    if not any(section.id == state.taking_back for section in library.sections()):
        state.taking_back = ""  # somebody was faster
        return
    done = run(TakeBack(state.taking_back), library, "Taking cells back", limit_s=_TAKE_BACK_S)
    if done is not None:
        _forget_maps()
        session.show([done["id"]])
        state.taking_back = ""
        state.kept += [done["id"]] if done["new"] else []
        st.toast(f"{as_text(done['title'])} has all its cells again.", icon=":material/check:")
        st.rerun()


def _tokenise_what_was_asked(library: Library) -> None:
    """Tokenise what was kept or asked for, while the page shows how far it is."""
    state = session.upload()
    if not state.kept:
        return
    done = run(Tokenise(tuple(sorted(set(state.kept)))), library, "Tokenising")
    if done is not None:
        state.kept = []
        if done:
            st.toast(f"{many(len(done), 'section')} tokenised.", icon=":material/check:", duration="long")
        st.rerun()


def _keep_pictures_found(library: Library) -> None:
    """Keep the pictures that came with a section, once its cells are there."""
    state = session.upload()
    if state.pictures is None or state.kept:
        return
    asked = state.pictures
    done = run(asked, library, "Keeping the pictures of the tissue", limit_s=_PICTURES_S)
    if done is not None:
        state.pictures = None
        library.unstage(Path(asked.staged))
        for name, why in done.items():
            words = f"{name}: not kept. {sentence(why)}" if why else f"{name} lies under the cells."
            st.toast(words, icon=":material/image:", duration="long")
        st.rerun()


def _delete(library: Library, section_id: str) -> None:
    """Delete a section, and what maps hold of it in memory."""
    with suppress(InputError):  # it is gone: somebody was faster
        library.delete(section_id)
    _forget_maps()


def _forget_maps() -> None:
    MAPS.forget()
    message.forget()


@st.dialog("Delete this section?")
def _confirm_delete(library: Library, section: Section) -> None:
    st.markdown(
        f"**{as_text(section.title)}**, its tokens and its scores are removed from the server. "
        "This cannot be undone."
    )
    if st.button(
        "Delete for good",
        type="primary",
        key="delete-for-good",
        on_click=_delete,
        args=(library, section.id),
    ):
        st.rerun()
