"""Widgets that choose two groups of cells, say who is in them, and have them compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.split import (
    BOTH,
    CELL_SET,
    GROUP,
    LEVEL,
    REFERENCE,
    Split,
    assign,
    count,
    has_counts,
    split_sets,
    with_sets,
)
from app.cell_sets.store import CellSet, CellSets
from app.components import risk
from app.components.job import compute
from app.components.links import to_cell_types, to_sections
from app.components.sets_here import sets_here
from app.components.tokens import names as token_names
from app.components.tokens import say_doubts, say_why_no_tokens, say_without_token
from app.exports.stamp import codes_in_words, many, simulated
from app.maps import views
from app.models import ModelFacts
from app.requests import Differential, Pseudobulk
from app.text import as_text, sentence
from squint import keys
from squint.errors import InputError
from squint.library import token_naming
from squint.library.store import LIBRARY_ID, Library, Section
from squint.stats import arms
from squint.stats.labelings import is_tumour

Test = Literal["wilcoxon", "t-test"]
TESTS: dict[str, Test] = {"Wilcoxon rank sum": "wilcoxon", "Welch's t": "t-test"}
_BY = {
    "Activation score": LEVEL,
    "Token": keys.TOKEN,
    "Cell type": keys.CELL_TYPE,
    "Region": keys.REGION,
    "Patient": keys.PATIENT,
    "Section": keys.SECTION,
    "Cell set": CELL_SET,
}


class Comparison(NamedTuple):
    """Two groups of cells, and what to call them."""

    split: Split
    group: str  # in words
    reference: str
    sections: tuple[Section, ...]
    cells: pd.DataFrame  # one row per cell of the sections
    arm: "pd.Series[Any]"  # (n,) of those cells: group, reference, or missing
    test: Test
    how: Mapping[str, Any]  # of the activation scores; empty without them

    @property
    def test_in_words(self) -> str:
        """The test, as it is offered."""
        return next(name for name, test in TESTS.items() if test == self.test)

    @property
    def parameters(self) -> dict[str, object]:
        """For the stamp."""
        n = self.arm.value_counts()
        scores = {
            "reference patient": self.how.get("reference"),
            "codes": codes_in_words(self.how) if self.how else "",
        }
        return {
            "group": f"{self.group}, n = {n.get(GROUP, 0):,}",
            "reference": f"{self.reference}, n = {n.get(REFERENCE, 0):,}",
            "cell types": ", ".join(self.split.types) or "all",
            **self._sets,
            **(scores if self.how else {}),
            "expression": "counts scaled to the median depth of the compared cells",
        }

    @property
    def _sets(self) -> dict[str, object]:
        """The cells of both sets by their hashes, and how many are left out, where sets are compared."""
        if self.split.by != CELL_SET:
            return {}
        hashes = [f"{one or 'none'} against {other or 'all others'}" for _, one, other in self.split.members]
        return {"cells of the sets": ", ".join(hashes), "in both sets, left out": f"{self.n_both:,}"}

    @property
    def n_both(self) -> int:
        """How many cells are in both sets, and so in neither group."""
        return int((self.cells[CELL_SET] == BOTH).sum()) if self.split.by == CELL_SET else 0


def countable(library: Library) -> list[Section]:
    """List the sections that hold counts; if there are none, say what to do and stop the page."""
    found = [section for section in library.sections() if section.values == "counts"]
    if not found:
        st.info("There are no sections with counts yet. Add one on the page Sections.")
        to_sections()
        st.stop()
    return found


def choose(library: Library, sections: Sequence[Section], model: ModelFacts | None) -> Comparison:
    """Let the user choose two groups of cells of some sections."""
    sha256 = model.sha256 if model else None
    every = library.tokenised(library.sections(), sha256) if sha256 else []
    cells = views.cells_of(library, sections, sha256)
    scored = {section.id for section in sections} <= {section.id for section in every}
    sets = sets_here(library, sections)
    offered = [name for name, column in _BY.items() if _can_compare(cells, column, sets, scored=scored)]
    if not scored:
        cannot = "Not all sections shown have tokens by this model, so scores and tokens cannot be compared."
        say_why_no_tokens(cannot, library, sections, model)
    if not offered:
        st.info(
            "These sections have nothing to compare by: neither tokens nor cell types, regions or cell "
            "sets. Name their cells on the page Cell types, or add sections that have types or regions "
            "on the page Sections."
        )
        to_sections()
        to_cell_types()
        st.stop()
    session.keep_valid(session.COMPARE_BY, offered)
    by = st.segmented_control(
        "Compare cells by",
        offered,
        default=offered[0] if session.COMPARE_BY not in st.session_state else None,
        required=True,
        key=session.COMPARE_BY,
        persist_state="session",
    )
    how: Mapping[str, Any] = {}
    if by in ("Activation score", "Token"):
        say_doubts(library, sections, str(sha256))
        say_without_token(library, sections, str(sha256))
    if by == "Activation score":
        request, (low, high) = risk.choose(library, every, str(sha256))
        how = risk.score(library, request)
        risk.say_cover(library, how, str(sha256))
        cells = views.cells_of(library, sections, sha256, request.result)
        split = Split(LEVEL, ("high",), ("low",), run=request.result, low=low, high=high)
        names = (f"high score (above {high:g})", f"low score (below {low:g})")
    elif by == "Cell set":
        split, names = _choose_sets(library, sections, sets)
        try:
            cells = with_sets(library, cells, sections, split)
        except InputError as error:  # somebody changed a set just now
            st.error(sentence(str(error)))
            st.stop()
    else:
        tokens = by == "Token" and model is not None
        split, names = _choose_labels(
            cells,
            str(by),
            token_names(library, model) if tokens and model else {},
            token_naming.names(library, model.sha256) if tokens and model else {},
        )
    types, test = _choose_how(cells, split)
    split = replace(split, types=types).by_names_of(sections)
    return Comparison(split, *names, tuple(sections), cells, assign(cells, split), test, how)


def _can_compare(cells: pd.DataFrame, column: str, sets: Sequence[CellSet], *, scored: bool) -> bool:
    if column in {LEVEL, keys.TOKEN}:
        return scored
    if column == CELL_SET:
        return bool(sets)
    return column in cells and int(cells[column].nunique()) > 1


def _choose_labels(
    cells: pd.DataFrame, by: str, named: Mapping[str, str], given: Mapping[str, str]
) -> tuple[Split, tuple[str, str]]:
    """Choose the labels of both groups; without any of the second, it is all other cells.

    Labels may have longer names to choose by, and others that users gave them.
    """
    column, what = _BY[by], by.lower()
    n_cells = cells.loc[has_counts(cells), column].value_counts()
    left, right = st.columns(2, gap="large")
    chosen: list[list[str]] = []
    for place, key, title in (
        (left, session.GROUP, f"Group: {what}"),
        (right, session.REFERENCE_GROUP, f"Reference: {what} (none chosen: all other cells)"),
    ):
        taken = chosen[0] if chosen else []
        options = [str(label) for label in n_cells.index if str(label) not in taken]
        first = ([name for name in options if is_tumour(name)] or options)[:1] if not chosen else []
        session.keep_valid(f"{key}-{column}", options, first)
        chosen.append(
            place.multiselect(
                title,
                options,
                default=first if f"{key}-{column}" not in st.session_state else None,
                format_func=lambda label: f"{named.get(label, label)} ({many(int(n_cells[label]), 'cell')})",
                key=f"{key}-{column}",
                persist_state="session",
            )
        )
    group, reference = chosen
    if not group:
        st.info(f"Choose at least one {what} for the group.")
        st.stop()
    one, other = (", ".join(given.get(label, label) for label in labels) for labels in chosen)
    return Split(column, tuple(group), tuple(reference)), (
        f"{what} {one}",
        f"{what} {other}" if reference else "all other cells",
    )


def _choose_sets(
    library: Library, sections: Sequence[Section], sets: Sequence[CellSet]
) -> tuple[Split, tuple[str, str]]:
    """Choose one set for the group, and another for the reference, or all other cells."""
    by_id = {one.id: one for one in sets}
    n_cells = {
        one.id: sum(CellSets(library).n_cells(one, section.id) for section in sections) for one in sets
    }

    def name(set_id: str) -> str:
        return f"{by_id[set_id].name} ({many(n_cells[set_id], 'cell')})" if set_id else "all other cells"

    left, right = st.columns(2, gap="large")
    session.keep_valid(session.GROUP_SET, list(by_id))
    group = by_id[
        left.selectbox(
            "Group: cell set",
            list(by_id),
            format_func=name,
            key=session.GROUP_SET,
            persist_state="session",
        )
    ]
    others = ["", *(key for key in by_id if key != group.id)]
    session.keep_valid(session.REFERENCE_SET, others)
    chosen = right.selectbox(
        "Reference: cell set",
        others,
        format_func=name,
        key=session.REFERENCE_SET,
        persist_state="session",
    )
    reference = by_id.get(str(chosen))
    split = split_sets(
        [section.id for section in sections], group.members, reference.members if reference else None
    )
    return split, (
        f"cell set {group.name}",
        f"cell set {reference.name}" if reference else "all other cells",
    )


def _choose_how(cells: pd.DataFrame, split: Split) -> tuple[tuple[str, ...], Test]:
    """Choose the cell types that count, and the test."""
    left, right = st.columns([3, 1], gap="large")
    test = right.selectbox("Test", list(TESTS), key=session.TEST, persist_state="session")
    if split.by == keys.CELL_TYPE:
        left.caption("All cells of these types are compared.")
        return (), TESTS[test]
    types = [str(name) for name in cells.get(keys.CELL_TYPE, pd.Series(dtype=object)).value_counts().index]
    if not types:
        left.caption(
            "These sections have no cell types, so cells of all types are compared. Name them on the page "
            "Cell types to compare within some."
        )
        with left:
            to_cell_types()
        return (), TESTS[test]
    tumour = [name for name in types if is_tumour(name)]
    session.keep_valid(session.WITHIN, types, tumour)
    within = left.multiselect(
        "Within cell types (none chosen: all)",
        types,
        default=tumour if session.WITHIN not in st.session_state else None,
        key=session.WITHIN,
        persist_state="session",
    )
    return tuple(within), TESTS[test]


def say_groups(found: Comparison) -> None:
    """Say who is compared; if that are too few, stop the page."""
    n = found.arm.value_counts().reindex([GROUP, REFERENCE], fill_value=0)
    by_patient = count(found.cells, found.arm, [keys.PATIENT])
    for place, arm, words in zip(
        st.columns(2), (GROUP, REFERENCE), (found.group, found.reference), strict=True
    ):
        own = by_patient[by_patient[arm] > 0][arm]
        who = ", ".join(f"{as_text(patient)} {cells:,}" for patient, cells in own.items())
        title = "Group" if arm == GROUP else "Reference"
        place.markdown(
            f"**{title}: {sentence(words)}**  \nn = {many(int(n[arm]), 'cell')}, {many(len(own), 'patient')}"
            + (f" ({who})" if who else "")
            + _simulated(found, arm)
        )
    if found.n_both:
        st.caption(f"{many(found.n_both, 'cell')} in both sets belong to neither group.")
    if n.min() < arms.MIN_CELLS:
        st.info(
            f"At least {arms.MIN_CELLS} cells are needed in each group. Choose other groups, other "
            "thresholds, more cell types, or more sections."
        )
        st.stop()
    if not (by_patient > 0).all(axis=1).any():
        st.warning(
            "No patient has cells in both groups: what differs may be the patients rather than the tissue."
        )


def _simulated(found: Comparison, arm: str) -> str:
    """Say so where cells of a group are simulated."""
    here = set(found.cells.loc[found.arm == arm, LIBRARY_ID])
    said = simulated([section for section in found.sections if section.id in here])
    return f" · {said}" if said else ""


def differential(library: Library, found: Comparison, model: ModelFacts | None) -> pd.DataFrame:
    """Compare both groups, cells as observations: one row per gene."""
    asked = Differential(_ids(found), model.sha256 if model else None, found.split, found.test)
    return compute(library, asked, "Comparing genes").table("genes")


def pseudobulk(library: Library, found: Comparison, model: ModelFacts | None) -> pd.DataFrame:
    """Compare both groups, patients as observations: one row per gene."""
    asked = Pseudobulk(_ids(found), model.sha256 if model else None, found.split)
    return compute(library, asked, "Comparing genes").table("genes")


def _ids(found: Comparison) -> tuple[str, ...]:
    return tuple(sorted(section.id for section in found.sections))
