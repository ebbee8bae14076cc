"""Types carried over from a labelled section: which, and below what confidence a cell stays unknown."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.exports.stamp import many
from app.requests import NameCells
from app.text import as_text, sentence
from squint.library.results import Task
from squint.library.store import Library, Section
from squint.stats.label_transfer import FEWEST_GENES


def ask(library: Library, section: Section) -> Callable[[str], Task[str]] | None:
    """Ask for the labelled section, and the least confidence; ``None`` if there is no such section."""
    fit, unfit = _teachers(library, section)
    if not fit:
        st.info(
            "No other section in the library has cell types that could be carried over. Add a labelled one "
            "on the page Sections, or name the cells of another one first."
        )
    if unfit:
        st.caption(
            sentence(
                f"Not offered, for fewer than {FEWEST_GENES} genes are shared: {', '.join(unfit[:5])}"
                + (f" and {len(unfit) - 5} more." if len(unfit) > 5 else ".")
            )
        )
    if not fit:
        return None
    chosen = st.selectbox(
        "Labelled section",
        [one.id for one, _ in fit],
        format_func=lambda key: next(_words(one, n) for one, n in fit if one.id == key),
        key=f"types-teacher-{section.id}",
        width=560,
    )
    teacher = next(one for one, _ in fit if one.id == chosen)
    if teacher.simulated and not section.simulated:
        st.warning("This section is simulated: its types say nothing of real tissue.")
    st.caption(
        f"Its types are from {sentence(teacher.named.words)}."
        if teacher.named
        else f"Its types are those of the file of {as_text(teacher.title)}."
    )
    least = st.slider(
        "Least confidence: a cell below it stays without a name",
        min_value=0.0,
        max_value=0.95,
        value=0.5,
        step=0.05,
        key=f"types-least-{section.id}",
        width=560,
    )
    return lambda title: NameCells(
        section.id, "transfer", title, teacher=teacher.id, min_confidence=float(least)
    )


def _teachers(library: Library, section: Section) -> tuple[Sequence[tuple[Section, int]], list[str]]:
    """Give the sections whose types can be carried over, real ones first and by shared genes; and others."""
    own = set(library.genes(section.id))
    labelled = [
        (one, len(own & set(library.genes(one.id))))
        for one in library.sections()
        if one.id != section.id and one.values == "counts" and one.n_cell_types > 1
    ]
    fit = [(one, n) for one, n in labelled if n >= FEWEST_GENES]
    unfit = [one.title for one, n in labelled if n < FEWEST_GENES]
    return sorted(fit, key=lambda pair: (pair[0].simulated != section.simulated, -pair[1])), unfit


def _words(one: Section, n_shared: int) -> str:
    simulated = "simulated, " if one.simulated else ""
    return (
        f"{one.title}: {simulated}{many(one.n_cell_types, 'type')}, {many(one.n_cells, 'cell')}, "
        f"{many(n_shared, 'shared gene')}"
    )
