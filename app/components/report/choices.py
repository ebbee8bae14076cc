"""Widgets that choose what a report is of, and what goes into it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.store import CellSet, CellSets
from app.components import risk
from app.components.gene_sets import offered_sets
from app.components.links import to_cell_types, to_sections
from app.components.tokens import say_doubts, say_why_no_tokens, say_without_token
from app.maps import views
from app.models import ModelFacts
from app.requests import MakeReport
from app.text import sentence
from squint import keys
from squint.errors import InputError
from squint.library.store import Library, Section
from squint.report.recipe import Activation, By, Comparison, GeneSet, Part
from squint.stats.labelings import is_tumour

PARTS: Mapping[str, Part] = {
    "Cell types": "types",
    "Tokens": "tokens",
    "Activation score": "activation",
    "Genes that differ": "comparison",
    "Every cell, in the tables": "cells",
}
_TESTS = {"Wilcoxon rank sum": "wilcoxon", "Welch's t": "t-test"}
_COLUMNS: Mapping[str, tuple[By, str]] = {
    "Cell type": ("cell_type", keys.CELL_TYPE),
    "Token": ("token", keys.TOKEN),
    "Region": ("region", keys.REGION),
    "Patient": ("patient", keys.PATIENT),
}
_SCORE, _SET = "Activation score", "Cell set"
_NO_SET = "None"


class Labels(NamedTuple):
    """What groups can be chosen by, and the labels of each."""

    by: Mapping[str, Sequence[str]]
    types: Sequence[str]  # cell types, most frequent first
    sets: Sequence[CellSet]


def sections_here(library: Library) -> list[Section]:
    """List the sections of the library; if there are none, say what to do and stop the page."""
    found = library.sections()
    if not found:
        st.info("There are no sections yet. Add one on the page Sections.")
        to_sections()
        st.stop()
    return found


def choose(library: Library, sections: Sequence[Section], model: ModelFacts | None) -> MakeReport | None:
    """Let the user choose what goes into a report; ``None`` where something lacks, which is then said."""
    sha256 = model.sha256 if model else None
    has_tokens = sha256 is not None and len(library.tokenised(sections, sha256)) == len(sections)
    cells = views.cells_of(library, sections, sha256 if has_tokens else None)
    has_types = keys.CELL_TYPE in cells and bool(cells[keys.CELL_TYPE].notna().any())
    title = st.text_input("Title", _title(sections), key=session.REPORT_TITLE, max_chars=200)
    parts = _choose_parts(library, sections, model, has_tokens=has_tokens, has_types=has_types)
    activation, names = None, [PARTS[name] for name in parts]
    if sha256 is not None and has_tokens and "activation" in names:
        activation = _choose_activation(library, sections, sha256)
    comparison, sets = None, tuple[CellSet, ...]()
    if "comparison" in names:
        labels = _labels(library, sections, cells, scored=activation is not None)
        chosen = _choose_comparison(labels)
        if chosen is None:
            return None
        comparison, sets = chosen
    gene_sets = _choose_gene_set(library, sections) if comparison else ()
    if not names:
        st.info("Choose at least one part.")
        return None
    return MakeReport(
        ids=tuple(section.id for section in sections),
        model=sha256 if has_tokens else None,
        title=title.strip(),
        parts=tuple(names),
        activation=activation,
        comparison=comparison,
        gene_sets=gene_sets,
        cell_sets=tuple(one.id for one in sets),
    )


def _title(sections: Sequence[Section]) -> str:
    named = ", ".join(section.title for section in sections[:3])
    return f"Report of {named}{' and others' if len(sections) > 3 else ''}"


def _choose_parts(
    library: Library,
    sections: Sequence[Section],
    model: ModelFacts | None,
    *,
    has_tokens: bool,
    has_types: bool,
) -> list[str]:
    """Choose the parts, of those that the sections allow; say which they do not, and why."""
    needs = {"Tokens": has_tokens, "Activation score": has_tokens, "Cell types": has_types}
    offered = [name for name in PARTS if needs.get(name, True)]
    first = [name for name in offered if name != "Genes that differ" or has_tokens or has_types]
    session.keep_valid(session.REPORT_PARTS, offered, first)
    chosen = st.pills(
        "What goes in",
        offered,
        selection_mode="multi",
        default=None if session.REPORT_PARTS in st.session_state else first,
        key=session.REPORT_PARTS,
    )
    if not has_tokens:
        cannot = "Not all of these sections have tokens by this model: there is nothing to say of them."
        say_why_no_tokens(cannot, library, sections, model)
    elif model is not None:
        say_doubts(library, sections, model.sha256)
        say_without_token(library, sections, model.sha256)
    if not has_types:
        st.caption("These sections have no cell types, so the report says nothing of them.")
        to_cell_types()
    return [name for name in offered if name in chosen]


def _choose_activation(library: Library, sections: Sequence[Section], model: str) -> Activation:
    st.subheader("Activation score")
    every = library.tokenised(library.sections(), model)
    request, (low, high) = risk.choose(library, every, model)
    mine = {section.patient for section in sections}
    if request.reference not in mine:
        st.caption(
            f"The reference patient {sentence(request.reference)} is not among the sections of the report: "
            "its "
            "sections rank the codes, and are named in it."
        )
    return Activation(request.reference, request.against, request.n_codes, low, high)


def _labels(library: Library, sections: Sequence[Section], cells: pd.DataFrame, *, scored: bool) -> Labels:
    """Find what the cells can be compared by."""
    by: dict[str, Sequence[str]] = {_SCORE: ("high", "low")} if scored else {}
    for name, (_, column) in _COLUMNS.items():
        if column in cells:
            known = [str(label) for label in cells[column].value_counts().index]
            if len(known) > 1:
                by[name] = known
    try:
        sets = [one for one, _ in CellSets(library).within(sections)]
    except InputError as error:
        st.error(sentence(str(error)))
        sets = []
    if sets:
        by[_SET] = [one.name for one in sets]
    types = by.get("Cell type") or [
        str(name) for name in cells.get(keys.CELL_TYPE, pd.Series(dtype=object)).dropna().unique()
    ]
    return Labels(by, types, sets)


def _choose_comparison(labels: Labels) -> tuple[Comparison, tuple[CellSet, ...]] | None:
    """Choose two groups of cells; ``None`` where they cannot be, which is then said."""
    st.subheader("Genes that differ")
    if not labels.by:
        st.info("These sections have nothing to compare by. Leave out the genes that differ.")
        return None
    session.keep_valid(session.COMPARE_BY, list(labels.by))
    by = str(
        st.selectbox("Compare cells by", list(labels.by), key=session.COMPARE_BY, persist_state="session")
    )
    group: tuple[str, ...] = ("high",)
    reference: tuple[str, ...] = ("low",)
    if by == _SET:
        group, reference = _choose_sets(labels.sets)
    elif by != _SCORE:
        chosen = _choose_groups(by, labels.by[by])
        if chosen is None:
            return None
        group, reference = chosen
    left, right = st.columns([3, 1], gap="large")
    within: Sequence[str] = ()
    if by != "Cell type" and labels.types:
        tumour = [name for name in labels.types if is_tumour(name)]
        session.keep_valid(session.WITHIN, list(labels.types), tumour)
        within = left.multiselect(
            "Within cell types (none chosen: all)",
            labels.types,
            default=tumour if session.WITHIN not in st.session_state else None,
            key=session.WITHIN,
            persist_state="session",
        )
    test: Any = _TESTS[str(right.selectbox("Test", list(_TESTS), key=session.TEST, persist_state="session"))]
    column: By = "score" if by == _SCORE else "cell_set" if by == _SET else _COLUMNS[by][0]
    sets = tuple(one for one in labels.sets if one.name in {*group, *reference}) if by == _SET else ()
    return Comparison(column, group, reference, tuple(within), test), sets


def _choose_groups(by: str, labels: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Choose the labels of both groups, as on the page of differential expression."""
    left, right = st.columns(2, gap="large")
    column = _COLUMNS[by][1]
    chosen: list[list[str]] = []
    for place, name, title in (
        (left, session.GROUP, f"Group: {by.lower()}"),
        (right, session.REFERENCE_GROUP, f"Reference: {by.lower()} (none chosen: all other cells)"),
    ):
        options = [label for label in labels if not chosen or label not in chosen[0]]
        first = ([label for label in options if is_tumour(label)] or options)[:1] if not chosen else []
        key = f"{name}-{column}"
        session.keep_valid(key, options, first)
        default = first if key not in st.session_state else None
        chosen.append(place.multiselect(title, options, default=default, key=key, persist_state="session"))
    group, reference = chosen
    if not group:
        st.info(f"Choose at least one {by.lower()} for the group.")
        return None
    return tuple(group), tuple(reference)


def _choose_sets(sets: Sequence[CellSet]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Choose the set of the group, and another for the reference or all other cells."""
    left, right = st.columns(2, gap="large")
    names = {"": "all other cells"} | {one.id: one.name for one in sets}
    session.keep_valid(session.GROUP_SET, [one.id for one in sets])
    group = left.selectbox(
        "Group: cell set",
        [one.id for one in sets],
        format_func=names.__getitem__,
        key=session.GROUP_SET,
        persist_state="session",
    )
    others = [key for key in names if key != group]
    session.keep_valid(session.REFERENCE_SET, others)
    reference = right.selectbox(
        "Reference: cell set",
        others,
        format_func=names.__getitem__,
        key=session.REFERENCE_SET,
        persist_state="session",
    )
    return (names[group],), (names[reference],) if reference else ()


def _choose_gene_set(library: Library, sections: Sequence[Section]) -> tuple[GeneSet, ...]:
    """Choose a gene set; one of which nothing is measured is left out, as of another tissue."""
    found = offered_sets(library, sections)
    options = [*found, _NO_SET]
    session.keep_valid(session.GENE_SET, options)
    name = str(st.selectbox("Marked gene set", options, key=session.GENE_SET, persist_state="session"))
    if name not in found:
        return ()
    if not set(found[name]).intersection(*(library.genes(section.id) for section in sections)):
        st.caption("None of its genes is measured in all of these sections, so the report leaves it out.")
        return ()
    return (GeneSet(name, found[name]),)
