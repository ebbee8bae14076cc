"""The gallery of sections."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.components.job import run
from app.components.text import as_text
from app.engine import engine
from app.library import THUMBNAIL, Library, Section

_PER_ROW = 4
_NEW_TO_MODEL, _OVERLAP = 0.05, 0.60  # shares that are worth a warning


def show_gallery(library: Library, sections: Sequence[Section]) -> None:
    """Show a card per section."""
    _tokenise_what_was_asked(library)
    for start in range(0, len(sections), _PER_ROW):
        row = sections[start : start + _PER_ROW]
        for column, section in zip(st.columns(_PER_ROW), row, strict=False):
            with column, st.container(border=True, height="stretch"):
                _card(library, section)


def _card(library: Library, section: Section) -> None:
    st.image(library.folder(section.id) / THUMBNAIL, width="stretch", alt=f"Cells of section {section.title}")
    st.markdown(f"**{as_text(section.title)}**  \nPatient {as_text(section.patient)}")
    types = f" · {section.n_cell_types} cell types" if section.n_cell_types else " · no cell types"
    where = " · ".join(as_text(word) for word in (section.organ, section.assay) if word)
    st.caption(
        f"{where + ' · ' if where else ''}{section.n_cells:,} cells · {section.n_genes:,} genes{types}  \n"
        f"median {section.median_depth:,.0f} counts per cell · added {section.added[:10]}"
    )
    facts = engine().facts
    model = facts["model"] if facts else None
    with st.container(horizontal=True, vertical_alignment="center"):
        if section.simulated:
            st.badge("simulated", color="gray")
        if model:
            for flag in quality_flags(library, section, model["sha256"]):
                st.badge(flag, color="orange", icon=":material/warning:")
    with st.container(horizontal=True):
        untokenised = model and not library.tokens_path(section.id, model["sha256"]).exists()
        if untokenised and section.values == "counts":
            st.button("Tokenise", key=f"tokenise-{section.id}", on_click=_ask, args=(section.id,))
        if st.button("Delete", key=f"delete-{section.id}", icon=":material/delete:", type="tertiary"):
            _confirm_delete(library, section)


def quality_flags(library: Library, section: Section, model: str) -> list[str]:
    """Say what a reader should know before trusting a section's tokens."""
    flags = []
    if section.values != "counts":
        flags.append("intensities: for viewing, no tokens")
    if section.unit == "unknown":
        flags.append("units unknown")
    facts = library.token_facts(section.id, model)
    if facts is None:
        return flags if section.values != "counts" else [*flags, "no tokens by this model"]
    if facts["gene_overlap"] < _OVERLAP:
        flags.append(f"{facts['gene_overlap']:.0%} of the model's genes")
    beyond = max(facts["share_beyond_p99"].values())
    if beyond > _NEW_TO_MODEL:
        flags.append(f"{beyond:.0%} of cells are new to the model")
    return flags


def _ask(section_id: str) -> None:
    session.upload().kept.append(section_id)


def _tokenise_what_was_asked(library: Library) -> None:
    """Tokenise what was kept or asked for, while the page shows how far it is."""
    state = session.upload()
    if not state.kept:
        return
    args = {"home": str(library.home), "ids": sorted(set(state.kept))}
    done = run("tokenise", args, "Tokenising")
    if done is not None:
        state.kept = []
        st.toast(f"{len(done)} section(s) tokenised.", icon=":material/check:")
        st.rerun()


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
        on_click=library.delete,
        args=(section.id,),
    ):
        st.rerun()
