"""Names proposed by marker genes: of which species and organ, or by gene sets of the library."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import pandas as pd
import streamlit as st

from app.components.cell_types.clusters import choose_resolution
from app.components.gene_sets import change_sets, find_sets
from app.requests import NameCells
from app.text import sentence
from squint import datasets
from squint.errors import InputError
from squint.library.results import Task
from squint.library.store import Library, Section
from squint.stats import marker_scores

_TABLE, _SETS = "squint's table of lineages", "Gene sets of the library"
_SPECIES = ("human", "mouse")
_FOUND, _INSTRUMENT = "found here", "the instrument's"
_MOST_ORGANS = ""


def ask(library: Library, section: Section, *, with_clusters: bool) -> Callable[[str], Task[str]] | None:
    """Ask which markers name which clusters; ``None`` as long as something is missing."""
    genes = library.genes(section.id)
    by = st.radio("Markers of", [_TABLE, _SETS], horizontal=True, key=f"types-markers-{section.id}")
    species: str | None = None
    tissue: str | None = None
    names: tuple[str, ...] = ()
    if by == _TABLE:
        species = _choose_species(section, genes)
        if species is None:
            return None
        tissue = _choose_tissue(section, species)
        known = _lineages(species, tissue)
    else:
        found = find_sets(library)
        names = _choose_sets(library, section, found)
        known = {name: found[name] for name in names}
    if not _say_measured(known, genes):
        return None
    groups = _FOUND
    if with_clusters:
        groups = str(
            st.radio(
                "Name the clusters",
                [_FOUND, _INSTRUMENT],
                horizontal=True,
                key=f"types-groups-{section.id}",
            )
        )
    resolution = choose_resolution(section) if groups == _FOUND else 1.0
    return lambda title: NameCells(
        section.id,
        "markers",
        title,
        resolution=resolution,
        groups="found" if groups == _FOUND else "instrument",
        species=species,
        tissue=tissue,
        sets=names,
    )


def _choose_species(section: Section, genes: list[str]) -> str | None:
    """Tell the species from how genes are written; ask where that does not say it."""
    told = marker_scores.find_species(genes)
    if told:
        example = next(gene for gene in genes if marker_scores.find_species([gene]) == told)
        st.markdown(f"Species: **{told}**, told from how genes are written ({sentence(example)}).")
        return told
    chosen = st.selectbox(
        "Species",
        _SPECIES,
        index=None,
        placeholder="How the genes are written does not say it: choose",
        key=f"types-species-{section.id}",
        width=560,
    )
    return None if chosen is None else str(chosen)


def _choose_tissue(section: Section, species: str) -> str | None:
    """Choose the organ whose own lineages are looked for; that of the section, where there are such."""
    organs = sorted(set(_markers(species)["tissue"]) - {_MOST_ORGANS})
    own = next((organ for organ in organs if organ in section.organ.lower()), _MOST_ORGANS)
    options = [_MOST_ORGANS, *organs]
    chosen = st.selectbox(
        "Lineages",
        options,
        options.index(own),
        format_func=lambda organ: (
            f"those of most organs, and of {organ}" if organ else "those of most organs"
        ),
        key=f"types-tissue-{section.id}-{species}",
        width=560,
    )
    return str(chosen) or None


def _choose_sets(library: Library, section: Section, found: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    chosen = st.multiselect(
        "Gene sets, one for each type",
        list(found),
        format_func=lambda name: f"{name} ({len(found[name])} genes)",
        key=f"types-sets-{section.id}",
    )
    with st.container(horizontal=True):
        change_sets(library)
    return tuple(str(name) for name in chosen)


def _say_measured(known: dict[str, tuple[str, ...]], genes: list[str]) -> bool:
    """Say how many sets the panel measures well enough to name anything; whether those suffice."""
    if not known:
        st.caption("Choose at least two gene sets, or add some from a GMT or CSV file.")
        return False
    try:
        usable = marker_scores.measured(known, genes).genes
    except InputError as error:
        st.warning(sentence(str(error)))
        return False
    lacking = sorted(set(known) - set(usable))
    more = f" Not named, for too few are measured: {', '.join(lacking)}." if lacking else ""
    st.caption(
        sentence(
            f"{len(usable)} of {len(known)} can be named: {marker_scores.MIN_MEASURED} or more of their "
            f"markers are measured here.{more}"
        )
    )
    return True


def _lineages(species: str, tissue: str | None) -> dict[str, tuple[str, ...]]:
    table = _markers(species)
    kept = table[table["tissue"].isin([_MOST_ORGANS, tissue or _MOST_ORGANS]) & (table["kind"] == "type")]
    return {str(name): tuple(own) for name, own in kept.groupby("lineage")["gene"]}


@lru_cache(maxsize=2)
def _markers(species: str) -> pd.DataFrame:
    return datasets.markers(species)
