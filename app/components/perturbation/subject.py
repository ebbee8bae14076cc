"""Widgets that choose what a computed perturbation changes, by what, and who may answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from app import session
from app.cell_sets.store import CellSet, CellSets
from app.components.file_job import work_on
from app.components.gene_sets import change_sets, offered_sets
from app.components.links import to_cell_types
from app.exports.stamp import many
from app.maps import views
from app.models import ModelFacts
from app.requests import Perturb, ReadProfile
from app.requests.perturbation import Some, Way
from app.text import as_text, sentence
from squint import keys
from squint.errors import InputError
from squint.library.stacks import name_sections
from squint.library.store import Library, Section

WAYS: dict[str, Way] = {
    "the mean of other cells": "mean",
    "a profile file": "profile",
    "scaled genes": "scale",
}
N_SHAMS, SEED = 499, 0
_MOST_SCALED = 20  # genes


class Asked(NamedTuple):
    """A perturbation, in words too."""

    request: Perturb
    section: Section
    changed: str
    by: str
    responders: str
    programme: str

    @property
    def parameters(self) -> dict[str, object]:
        """For the stamp."""
        return {
            "changed": self.changed,
            "replaced by": self.by,
            "responders": self.responders,
            "programme": f"{self.programme} ({', '.join(self.request.programme)})",
            "genes of the programme in changed cells": "as measured"
            if self.request.hold_programme
            else "changed too",
            "shams": f"{self.request.n_shams:,}, seed {self.request.seed}",
        }


class _Here(NamedTuple):
    """What can be chosen in a section."""

    section: Section
    types: dict[str, int]  # cells of each
    sets: list[CellSet]
    genes: list[str]


def choose(library: Library, sections: Sequence[Section], model: ModelFacts) -> Asked | None:
    """Let the user choose; ``None`` while something is missing, which the page then says."""
    here = _look(library, _choose_section(sections))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Change")
        changed, changed_words = _some(
            here, "In", "Cell types that change", f"{session.PERTURBED}-changed", _first(here.types, "T cell")
        )
        way, source, values, by_words = _choose_way(library, here)
    with right:
        st.subheader("Watch")
        responders, responder_words = _choose_responders(here, changed.types)
        name, programme = _choose_programme(library, here.section)
        held = st.toggle(
            "Keep the programme's genes as they are in changed cells",
            value=True,
            key=f"{session.PERTURBED}-hold",
            help="A changed cell that expresses the programme itself would lift its neighbours' tokens by "
            "being averaged in, with no neighbour doing anything.",
        )
    if way is None:
        return None
    if not changed.types and not changed.members:
        st.info("Choose the cell types that change, or a cell set.")
        return None
    if not any(gene in here.genes for gene in programme):
        st.info("This section measures no gene of the programme. Choose another one, or add a gene set.")
        return None
    request = Perturb(
        (here.section.id,),
        model.sha256,
        changed,
        way,
        source,
        values,
        responders,
        programme,
        held,
        here.section.named.sha256 if here.section.named else "",
        N_SHAMS,
        SEED,
    )
    return Asked(request, here.section, changed_words, by_words, responder_words, name)


def _choose_section(sections: Sequence[Section]) -> Section:
    names = name_sections(sorted(sections, key=lambda section: (section.simulated, section.title)))
    session.keep_valid(session.PERTURBED, list(names))
    chosen = st.selectbox(
        "Section",
        list(names),
        format_func=lambda key: names[key],
        key=session.PERTURBED,
        persist_state="session",
        width=480,
    )
    return next(section for section in sections if section.id == chosen)


def _look(library: Library, section: Section) -> _Here:
    cells = views.cells_of(library, [section])
    types: dict[str, int] = {}
    if keys.CELL_TYPE in cells:
        counted = cells[keys.CELL_TYPE].value_counts()
        types = {str(name): int(n) for name, n in counted.items() if n}
    if not types:
        st.info(
            f"{as_text(section.title)} has no cell types, so all cells of a cell set change, and all others "
            "may answer. Name its cells on the page Cell types to tell them apart."
        )
        to_cell_types()
    try:
        sets = [one for one, _ in CellSets(library).within([section])]
    except InputError as error:
        st.error(sentence(str(error)))
        sets = []
    return _Here(section, types, sets, library.genes(section.id))


def _some(here: _Here, where: str, what: str, key: str, first: Sequence[str]) -> tuple[Some, str]:
    """Choose cells by a set, by types, or by both."""
    by_id = {one.id: one for one in here.sets}
    set_key, type_key = f"{key}-set-{here.section.id}", f"{key}-types-{here.section.id}"
    options = ["", *by_id]
    session.keep_valid(set_key, options)
    chosen = st.selectbox(
        where,
        options,
        format_func=lambda one: f"cell set {by_id[one].name}" if one else "the whole section",
        key=set_key,
        persist_state="session",
        help="Draw cell sets on the map of any page, such as a lymphoid structure.",
    )
    types: list[str] = []
    if here.types:
        session.keep_valid(type_key, list(here.types), first)
        types = st.multiselect(
            what,
            list(here.types),
            default=list(first) if type_key not in st.session_state else None,
            format_func=lambda name: f"{name} ({many(here.types[name], 'cell')})",
            key=type_key,
            persist_state="session",
        )
    one = by_id.get(str(chosen))
    members = one.members[here.section.id] if one else ""
    words = f"{', '.join(types) or 'all cells'} in {f'cell set {one.name}' if one else 'the whole section'}"
    return Some(members, tuple(types)), words


_Values = tuple[tuple[str, float], ...]


def _choose_way(library: Library, here: _Here) -> tuple[Way | None, Some, _Values, str]:
    """Choose what the cells are replaced by; no way while something is missing."""
    chosen = st.segmented_control(
        "Replace their expression by",
        [name for name, way in WAYS.items() if way != "profile" or session.may_change()],
        default=next(iter(WAYS)),
        required=True,
        key=session.REPLACED_BY,
    )
    way = WAYS[str(chosen)]
    if way == "mean":
        source, words = _some(
            here, "Mean of cells in", "Cell types of the mean", f"{session.REPLACED_BY}-source", ()
        )
        if not source.types and not source.members:
            st.info("Choose the cells whose mean is taken: a cell set, cell types, or both.")
            return None, source, (), ""
        return way, source, (), f"the mean of {words}"
    if way == "profile":
        return _choose_profile(library)
    genes = st.multiselect(
        "Genes to scale", here.genes, max_selections=_MOST_SCALED, key=f"{session.REPLACED_BY}-genes"
    )
    factor = st.number_input(
        "Factor", 0.0, 100.0, 4.0, 0.5, key=f"{session.REPLACED_BY}-factor", help="0 takes a gene away."
    )
    if not genes:
        st.info("Choose at least one gene to scale.")
        return None, Some(), (), ""
    return way, Some(), tuple((gene, factor) for gene in genes), f"{', '.join(genes)} times {factor:g}"


def _choose_profile(library: Library) -> tuple[Way | None, Some, _Values, str]:
    key = f"_{session.REPLACED_BY}-profile"
    file = st.file_uploader(
        "Profile: a CSV of gene and expression, not in logarithms", key=f"{key}-file", max_upload_size=5
    )
    given = file.name if file else ""
    read = work_on(
        library, file, lambda path: ReadProfile(path, given), "Read", "Reading the profile", f"{key}-read"
    )
    if read is not None:
        st.session_state[key] = (given, tuple((str(gene), float(value)) for gene, value in read))
    if key not in st.session_state:
        st.info("Give a file with the expression of each gene.")
        return None, Some(), (), ""
    name, values = st.session_state[key]
    st.caption(f"{sentence(name)}: {many(len(values), 'gene')}.")
    return "profile", Some(), values, f"a profile of {many(len(values), 'gene')}"


def _choose_responders(here: _Here, changed: Sequence[str]) -> tuple[tuple[str, ...], str]:
    key = f"{session.RESPONDERS}-{here.section.id}"
    if not here.types:
        return (), "all other cells"
    first = [name for name in _first(here.types, "macrophage") if name not in changed]
    session.keep_valid(key, list(here.types), first)
    types = st.multiselect(
        "Responding cell types (none chosen: all other cells)",
        list(here.types),
        default=first if key not in st.session_state else None,
        format_func=lambda name: f"{name} ({many(here.types[name], 'cell')})",
        key=key,
        persist_state="session",
    )
    return tuple(types), ", ".join(types) or "all other cells"


def _choose_programme(library: Library, section: Section) -> tuple[str, tuple[str, ...]]:
    found = offered_sets(library, [section])
    session.keep_valid(session.PROGRAMME, list(found))
    name = st.selectbox(
        "Programme that may rise",
        list(found),
        format_func=lambda name: f"{name} ({len(found[name])} genes)",
        key=session.PROGRAMME,
        persist_state="session",
    )
    with st.container(horizontal=True):
        change_sets(library)
    return str(name), found[str(name)]


def _first(types: dict[str, Any], word: str) -> list[str]:
    """Choose the types to begin with: the most frequent one whose name has a word in it."""
    return [name for name in types if word.lower() in name.lower().replace("_", " ").replace("-", " ")][:1]
