"""Ways to name the cells of a section: which apply, what each needs, and the button that begins."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import streamlit as st

from app.components.cell_types import going_on, markers, table, transfer
from app.components.cell_types.clusters import choose_resolution
from app.components.cell_types.going_on import Asked
from app.requests import NameCells
from app.text import sentence
from squint.errors import InputError
from squint.library import labelings
from squint.library.instrument import has_clusters
from squint.library.results import Task
from squint.library.store import Library, Section

CLUSTERS, MARKERS, TRANSFER = "Clusters", "Marker genes", "Another section"
TABLE, INSTRUMENT = "A table", "Instrument's clusters"
_SAID = {
    CLUSTERS: "Cells that express alike are put into numbered clusters. You give them names afterwards.",
    MARKERS: "Cells are clustered, and each cluster gets the name of the lineage whose marker genes it shows "
    "most. Where the evidence is weak it stays unknown.",
    TRANSFER: "The types of a labelled section are learned and carried over, each with a confidence. How "
    "often that is right is measured on labelled cells that were held out.",
    TABLE: "A CSV or TSV with a row per cell: its id and its type, as R, Loupe or Xenium Explorer write it.",
    INSTRUMENT: "The clusters that came with the instrument's folder, under their numbers.",
}
_FIRST_NAME = {
    CLUSTERS: "Clusters",
    MARKERS: "Markers",
    TRANSFER: "Carried over",
    TABLE: "Table",
    INSTRUMENT: "Instrument's clusters",
}
_COUNTS_ONLY = "Clusters, marker genes and other sections need counts, and this section holds intensities."

Given = Callable[[str], Task[str]]  # what is asked of the worker, by the name of the labeling


def show_naming(library: Library, section: Section) -> None:
    """Let the user choose a way, its options and a name for the outcome, and begin."""
    with_clusters = has_clusters(library, section.id)
    counted = section.values == "counts"
    ways = [CLUSTERS, MARKERS, TRANSFER, TABLE] if counted else [TABLE]
    ways += [INSTRUMENT] if with_clusters else []
    way = st.segmented_control(
        "Name them by",
        ways,
        default=ways[0],
        required=True,
        key=f"types-way-{section.id}",
    )
    st.caption(_SAID[str(way)])
    if not counted:
        st.caption(_COUNTS_ONLY)
    given = _options(library, section, str(way), with_clusters=with_clusters)
    known = labelings.known(library, section.id)
    taken = {one.name for one in known}
    name = st.text_input(
        "Call the outcome",
        _free(_FIRST_NAME[str(way)], taken),
        max_chars=labelings.MOST_LETTERS,
        key=f"types-title-{section.id}-{way}-{len(known)}",
        help="A section can have several labelings, of which one is in use. This one will be.",
        width=560,
    )
    problem = _problem(name, taken)
    if problem:
        st.warning(sentence(problem))
    cannot = given is None or bool(problem) or going_on.is_busy()
    if st.button("Name the cells", key="types-begin", type="primary", disabled=cannot) and not cannot:
        # Not before the page runs: what was typed last may come with the click.
        _begin(library, given, name, str(way))
        st.rerun()


def _options(library: Library, section: Section, way: str, *, with_clusters: bool) -> Given | None:
    """Ask for what a way needs; ``None`` as long as something is missing, which is then said."""
    if way == CLUSTERS:
        resolution = choose_resolution(section)
        return lambda title: NameCells(section.id, "clusters", title, resolution=resolution)
    if way == MARKERS:
        return markers.ask(library, section, with_clusters=with_clusters)
    if way == TRANSFER:
        return transfer.ask(library, section)
    if way == TABLE:
        return table.ask(library, section)
    return lambda title: NameCells(section.id, "instrument", title)


def _begin(library: Library, given: Given | None, name: str, way: str) -> None:
    if given is None:
        return
    asked = Asked(given(" ".join(name.split())), "Naming the cells", "The cells are named.")
    going_on.begin(replace(asked, after=partial(table.forget, library)) if way == TABLE else asked)


def _free(name: str, taken: set[str]) -> str:
    numbered = (name if n == 1 else f"{name} {n}" for n in range(1, len(taken) + 2))
    return next(free for free in numbered if free not in taken)


def _problem(name: str, taken: set[str]) -> str:
    """Say why a labeling cannot be called so; nothing if it can."""
    try:
        name = labelings.fit_name(name)
    except InputError as error:
        return str(error)
    return f"This section has a labeling {name!r} already. Choose another name." if name in taken else ""
