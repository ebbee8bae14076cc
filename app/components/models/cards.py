"""A card for each model: what it was trained on, how good it is, and what can be done with it."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.components.models import words
from app.components.models.changes import show_changes
from app.exports.stamp import many
from app.text import as_text, sentence
from squint.library.models import KnownModel
from squint.library.store import Library, Section
from squint.model.card import BundleCard


def show_models(library: Library) -> None:
    """Show all models: the one in use first."""
    models = session.models()
    st.header("All models")
    st.caption(
        f"{many(len(models), 'model')}. Measured on the cells of the training itself. r: Pearson's, across "
        "genes, of what the codes decode to and the observed neighbourhoods. AP: average precision of "
        "telling neighbours from other cells."
    )
    chosen = st.session_state[session.MODEL]
    sections = [*library.sections(), *library.hidden()]
    for model in sorted(models, key=lambda one: str(one.folder) != chosen):
        with st.container(border=True):
            _show(library, model, sections, in_use=str(model.folder) == chosen)


def _show(library: Library, model: KnownModel, sections: Sequence[Section], *, in_use: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{as_text(model.name)}**", width="content")
        _badges(model, in_use=in_use)
    if model.card is None:
        st.error(f"It cannot be used. {sentence(model.problem)}")
    else:
        st.markdown(words.purpose(model.card))
        for line in words.origin(model.card):
            st.markdown(sentence(line))
        if model.card.about is not None:
            st.markdown(f"Page of the data: `{model.card.about.source}`")  # its letters were looked at
        for doubt in words.doubts(model.card, sections):
            st.caption(f":material/info: {doubt}")
        _numbers(model.card)
    if model.note:
        st.markdown(f"Note: {sentence(model.note)}")
    st.caption(_origin(model))
    show_changes(library, model, in_use=in_use)


def _badges(model: KnownModel, *, in_use: bool) -> None:
    if in_use:
        st.badge("in use", color="green", icon=":material/check:")
    if model.card is not None and model.card.simulated:
        st.badge("simulated", color="gray")
    if model.card is not None and model.card.about is not None and model.card.about.label:
        st.badge(as_text(model.card.about.label), color="orange")
    if model.card is not None and model.card.in_paints:
        st.badge("in-paints", color="blue", icon=":material/healing:")
    if model.is_shipped:
        st.badge("ships with squint", color="gray")
    if model.card is None:
        st.badge("damaged", color="red", icon=":material/error:")


def _numbers(card: BundleCard) -> None:
    """Write what is comparable between models, in the same columns on each card."""
    measured = words.measures(card)
    told = [
        ("Panel", f"{len(card.genes):,} genes", ""),
        ("Depth", f"{card.depth:,.0f}", "counts per cell, median"),
        ("Trained on", words.trained_on(card), ""),
        ("Codes", f"{card.model.n_codes:,}", ""),
    ]
    for row in (told, measured):
        for column, (label, value, beside) in zip(st.columns(len(told)), row, strict=False):
            column.markdown(f"{label}  \n**{value}** {beside}")


def _origin(model: KnownModel) -> str:
    trained = f"Trained {as_text(model.card.created[:10])} · " if model.card is not None else ""
    added = f"added {model.added[:10]} · " if model.added else ""
    return f"{trained}{added}sha256 {model.sha256[:12] or 'unknown'}"
