"""The gallery of sections."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from app import audit, session, who
from app.components.job import run
from app.components.sections.quality import show_left_out
from app.exports.stamp import many
from app.maps import message
from app.maps.served import MAPS
from app.requests import TakeBack
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library.quality import quality_flags
from squint.library.stacks import find_stacks
from squint.library.store import THUMBNAIL, Library, Section

_PER_ROW = 4
_PICTURES_S = _TAKE_BACK_S = 3600


class _Notes(NamedTuple):
    """What is noted of tokens, by id of their section."""

    facts: Mapping[str, dict[str, Any]]  # with those that count, or why there are none
    stale: Mapping[str, str]  # what else there is, and counts no more

    def lacks(self, section: Section) -> bool:
        """Whether a section could have tokens and has none."""
        return section.values == "counts" and section.id not in self.facts


def show_gallery(library: Library, sections: Sequence[Section], *, tokens_follow: bool = False) -> None:
    """Show a card per section, and offer tokens to all that have none, unless they follow by themselves."""
    _take_back_what_was_asked(library)
    _keep_pictures_found(library)
    notes = _notes(library)
    if not tokens_follow and session.may_change():
        _offer_to_tokenise_all(notes, sections)
    stacks = [stack for stack in find_stacks(sections) if stack.levels[0].stack]
    within = {level.id for stack in stacks for level in stack.levels}
    _cards(library, [section for section in sections if section.id not in within], notes)
    for stack in stacks:
        n_cells = sum(level.n_cells for level in stack.levels)
        title = f"Stack {as_text(stack.name)}: {len(stack.levels)} levels, {many(n_cells, 'cell')}"
        with st.expander(title, icon=":material/layers:"):
            _cards(library, stack.levels, notes)


def _cards(library: Library, sections: Sequence[Section], notes: _Notes | None) -> None:
    for start in range(0, len(sections), _PER_ROW):
        row = sections[start : start + _PER_ROW]
        for column, section in zip(st.columns(_PER_ROW), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(library, section, notes)


def _card(library: Library, section: Section, notes: _Notes | None) -> None:
    try:
        picture = library.path(section.id, THUMBNAIL)
    except InputError as error:
        st.error(sentence(str(error)))
        return
    audit.seen(library.home, [section.id])
    st.image(picture, width="stretch", alt=f"Cells of section {section.title}")
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
    with st.container(horizontal=True, vertical_alignment="center"):
        if section.simulated:
            st.badge("simulated", color="gray")
        if notes is not None:
            known, stale = notes.facts.get(section.id), notes.stale.get(section.id, "")
            for flag, why in quality_flags(section, known, stale).items():
                st.badge(flag, color="orange", icon=":material/warning:", help=sentence(why) or None)
    if session.may_change():
        _offer_changes(library, section, notes)


def _offer_changes(library: Library, section: Section, notes: _Notes | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if not section.n_cell_types:
            st.page_link(
                "../pages/cell_types.py",
                label="Name the cells",
                icon=":material/category:",
                query_params={"section": section.id},
            )
        if notes is not None and notes.lacks(section):
            st.button("Tokenise", key=f"tokenise-{section.id}", on_click=_ask, args=([section.id],))
        if st.button("Delete", key=f"delete-{section.id}", icon=":material/delete:", type="tertiary"):
            _confirm_delete(library, section)


def _notes(library: Library) -> _Notes | None:
    """Read what is noted of the tokens of all sections; ``None`` if there is no model."""
    model = session.find_model()
    if model is None:
        return None
    known = [one.sha256 for one in session.models()]
    stale = library.stale_tokens(model.sha256, model.genes_sha256, known)
    noted = library.all_token_facts(model.sha256)
    return _Notes({one: facts for one, facts in noted.items() if one not in stale}, stale)


def _ask(section_ids: Sequence[str]) -> None:
    session.upload().kept += section_ids


def _offer_to_tokenise_all(notes: _Notes | None, sections: Sequence[Section]) -> None:
    """Offer one button for several sections, as after a change of the model."""
    lacking = [s.id for s in sections if notes is not None and notes.lacks(s)]
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
        forget_maps()
        session.show([done["id"]])
        state.taking_back = ""
        state.kept += [done["id"]] if done["new"] else []
        st.toast(f"{as_text(done['title'])} has all its cells again.", icon=":material/check:")
        st.rerun()


def _keep_pictures_found(library: Library) -> None:
    """Keep the pictures that came with a section, once its cells are there."""
    state = session.upload()
    if state.pictures is None:
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
    forget_maps()


def forget_maps() -> None:
    """Drop what maps hold in memory of sections that are gone."""
    MAPS.forget()
    message.forget()


@who.dialog("Delete this section?")
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
