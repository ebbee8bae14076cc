"""Widgets that choose whose border is looked at."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.split import LEVEL, Split, split_sets
from app.cell_sets.store import CellSet, CellSets
from app.components import risk
from app.components.links import to_cell_types, to_sections
from app.components.sets_here import sets_here
from app.components.tokens import say_doubts, say_why_no_tokens, say_without_token
from app.exports.stamp import many
from app.maps import views
from app.models import ModelFacts
from app.text import sentence
from squint import keys
from squint.library.store import Library, Section
from squint.stats.labelings import is_tumour

_SCORE = "Activation score"
_LABELS = {"Cell type": keys.CELL_TYPE, "Token": keys.TOKEN, "Region": keys.REGION}


class Subject(NamedTuple):
    """Cells that have a border."""

    words: str  # what they are
    sections: tuple[Section, ...]
    cells: pd.DataFrame  # one row per cell of the sections
    split: Split  # its group is inside
    outlines: tuple[tuple[str, str], ...]  # section, and hash of the outline that was drawn there
    model: ModelFacts | None  # whose tokens the cells have; None: not all sections have some
    how: Mapping[str, Any]  # of the activation scores; empty without them


def measurable(library: Library) -> list[Section]:
    """List the sections that hold counts; if there are none, say what to do and stop the page."""
    found = [section for section in library.sections() if section.values == "counts"]
    if not found:
        st.info("There are no sections with counts yet. Add one on the page Sections.")
        to_sections()
        st.stop()
    return found


def choose_subject(library: Library, sections: Sequence[Section], model: ModelFacts | None) -> Subject:
    """Let the user choose whose border is looked at; if there is nothing to choose, say so and stop."""
    _check_units(sections)
    tokenised = library.tokenised(library.sections(), model.sha256) if model else []
    known = {section.id for section in sections} <= {section.id for section in tokenised}
    if not known:
        cannot = "Not all sections shown have tokens by this model, so those and scores are not offered."
        say_why_no_tokens(cannot, library, sections, model)
        model = None
    sha256 = model.sha256 if model else None
    cells = views.cells_of(library, sections, sha256)
    sets = sets_here(library, sections)
    offered = [
        *(["Cell set"] if sets else []),
        *(name for name, column in _LABELS.items() if column in cells and cells[column].nunique() > 1),
        *([_SCORE] if model else []),
    ]
    if not offered:
        st.info(
            "These sections have nothing that has a border: neither cell sets, regions, cell types nor "
            "tokens. Draw around cells on the map of the page Sections, or name cells on the page Cell types."
        )
        to_sections()
        to_cell_types()
        st.stop()
    session.keep_valid(session.BORDER_OF, offered)
    by = st.segmented_control(
        "Border of",
        offered,
        default=offered[0] if session.BORDER_OF not in st.session_state else None,
        required=True,
        key=session.BORDER_OF,
        persist_state="session",
    )
    outlines: tuple[tuple[str, str], ...] = ()
    how: Mapping[str, Any] = {}
    if by in (_SCORE, "Token") and sha256:
        say_doubts(library, sections, sha256)
        say_without_token(library, sections, sha256)
    if by == _SCORE and sha256:
        request, (low, high) = risk.choose(library, tokenised, sha256)
        how = risk.score(library, request)
        risk.say_cover(library, how, sha256)
        split = Split(LEVEL, ("high",), run=request.result, low=low, high=high)
        words = f"activation score above {high:g}"
    elif by == "Cell set":
        chosen = _choose_set(library, sections, sets)
        split = split_sets([section.id for section in sections], chosen.members, None)
        here = {section.id for section in sections}
        outlines = tuple(sorted((key, name) for key, name in chosen.outlines.items() if key in here))
        words = f"cell set {chosen.name}"
    else:
        split, words = _choose_labels(cells, str(by))
    return Subject(words, tuple(sections), cells, split.by_names_of(sections), outlines, model, how)


def _check_units(sections: Sequence[Section]) -> None:
    """Refuse sections whose distances cannot be put on one axis."""
    unknown = [section.title for section in sections if section.unit == "unknown"]
    if unknown and len(sections) > 1:
        st.info(
            f"The unit of {sentence(', '.join(unknown))} is not known, so distances there cannot be compared "
            "with those of other sections. State the unit on the page Sections, or show one section alone."
        )
        to_sections()
        st.stop()


def _choose_set(library: Library, sections: Sequence[Section], sets: Sequence[CellSet]) -> CellSet:
    by_id = {one.id: one for one in sets}
    known = CellSets(library)
    n_cells = {one.id: sum(known.n_cells(one, section.id) for section in sections) for one in sets}
    session.keep_valid(session.CELL_SET, list(by_id))
    chosen = st.selectbox(
        "Cell set",
        list(by_id),
        format_func=lambda set_id: f"{by_id[set_id].name} ({many(n_cells[set_id], 'cell')})",
        key=session.CELL_SET,
        persist_state="session",
    )
    return by_id[str(chosen)]


def _choose_labels(cells: pd.DataFrame, by: str) -> tuple[Split, str]:
    column, what = _LABELS[by], by.lower()
    n_cells = cells[column].value_counts()
    options = [str(label) for label in n_cells.index if n_cells[label]]
    key = f"{session.INSIDE}-{column}"
    first = ([label for label in options if is_tumour(label)] or options)[:1]
    session.keep_valid(key, options, first)
    chosen = st.multiselect(
        f"Inside: {what}",
        options,
        default=first if key not in st.session_state else None,
        format_func=lambda label: f"{label} ({many(int(n_cells[label]), 'cell')})",
        key=key,
        persist_state="session",
    )
    if not chosen:
        st.info(f"Choose at least one {what} for the inside.")
        st.stop()
    return Split(column, tuple(chosen)), f"{what} {', '.join(chosen)}"
