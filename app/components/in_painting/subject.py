"""Widgets that choose what is in-painted, by which model."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from app import session
from app.components.in_painting.learning import offer_to_learn
from app.components.links import to_models, to_sections
from app.exports.stamp import many
from app.models import Candidate, candidates
from app.text import as_text
from squint.library.stacks import name_sections, outside_stacks
from squint.library.store import Library, Section

HIDE, FILL = "Hide cells that are there", "Fill a gap without cells"
PREDICTED, EVEN = "Predicted positions", "Even, simulated"


class Choice(NamedTuple):
    """What is to be in-painted, by what."""

    section: Section
    model: Candidate
    fill: bool  # positions without cells, instead of cells that are there
    predicted: bool = False  # of those, told from the tissue around, instead of evenly spaced

    @property
    def positions(self) -> str:
        """What the positions are, where there is no cell."""
        return "predicted positions" if self.predicted else "simulated positions"


def choose(library: Library) -> Choice:
    """Let the user choose a section, a model and what to do; if that cannot be, say why and stop the page."""
    every = library.sections()
    if not every:
        st.info("There are no sections yet. Add one on the page Sections.")
        to_sections()
        st.stop()
    left, middle, right = st.columns([3, 4, 4], gap="large")
    section = _choose_section(left, every)
    if section.values != "counts":
        st.info(
            f"{as_text(section.title)} holds intensities, not counts, so a model cannot read it. Add the raw "
            "counts of this section on the page Sections, or choose another section."
        )
        to_sections()
        st.stop()
    offer_to_learn(library, section)
    found = candidates(library, section, session.models())
    fitting = [candidate for candidate in found if candidate.fits and candidate.in_paints]
    if not fitting:
        _say_none_fits(section, found)
        st.stop()
    by_folder = {str(candidate.folder): candidate for candidate in fitting}
    if trained := st.session_state.pop(
        session.TRAINED, None
    ):  # here, since a widget's choice is set before it
        st.session_state[session.MARKED_MODEL] = trained
    session.keep_valid(session.MARKED_MODEL, list(by_folder))
    folder = middle.selectbox(
        "Model",
        list(by_folder),
        format_func=lambda name: _describe(by_folder[name]),
        key=session.MARKED_MODEL,
        persist_state="session",
    )
    mode = right.segmented_control(
        "What to predict",
        [HIDE, FILL],
        default=HIDE,
        required=True,
        key=session.FILL,
        help="Hide: the cells of the area are hidden from the model, and what it says stands beside what was "
        "measured. Fill: the tissue is damaged or missing there, so cells are put where none was measured.",
    )
    predicted = False
    if mode == FILL:
        how = right.segmented_control(
            "Where",
            [PREDICTED, EVEN],
            default=PREDICTED,
            required=True,
            key=session.FILL_HOW,
            help="Predicted: as many cells, and as far apart, as the tissue around leads to expect, learned "
            "from places of this section that were measured. Even: a lattice of the section's typical "
            "density, each position moved a little. No cell was measured there either way.",
        )
        predicted = how == PREDICTED
    return Choice(section, by_folder[str(folder)], mode == FILL, predicted)


def _choose_section(place: Any, every: Sequence[Section]) -> Section:
    outside = outside_stacks(every)
    ordered = sorted(
        every,
        key=lambda section: (section.simulated, section not in outside, section.values != "counts"),
    )
    names = name_sections(ordered)
    session.keep_valid(session.MARKED_SECTION, list(names))
    section_id = place.selectbox(
        "Section",
        list(names),
        format_func=lambda key: names[key],
        key=session.MARKED_SECTION,
        persist_state="session",
    )
    return next(section for section in ordered if section.id == section_id)


def _describe(candidate: Candidate) -> str:
    if not candidate.in_training:
        knows = "this section not in training"
    elif candidate.held_out:
        knows = f"trained on this section without {many(len(candidate.held_out), 'cell')}"
    else:
        knows = "trained on all of this section"
    return f"{candidate.folder.name}: {knows}"


def _say_none_fits(section: Section, found: Sequence[Candidate]) -> None:
    how = "Train one on this section on the page Models, or choose another section."
    st.warning(f"{_why_none_fits(section, found)} {how}")
    to_models()


def _why_none_fits(section: Section, found: Sequence[Candidate]) -> str:
    if not found:
        return "There is no model to in-paint with."
    if any(candidate.fits for candidate in found):
        return (
            f"The models that suit {as_text(section.title)} were not trained to in-paint, or on too few "
            "cells for it."
        )
    best = max(found, key=lambda candidate: candidate.n_shared / candidate.n_genes)
    return (
        f"No model here suits {as_text(section.title)}: it measures {best.n_shared:,} of the "
        f"{best.n_genes:,} genes of {as_text(best.folder.name)}, and a quarter is needed."
    )
