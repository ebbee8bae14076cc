"""Gene sets of the library on a page: added and removed, and cells scored for one."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.components.file_job import work_on
from app.components.job import compute, run
from app.exports.stamp import many
from app.requests import AddGeneSets, ReadGeneSets, ScoreGeneSet
from app.text import as_text, sentence
from squint.files import list_sha256
from squint.library import gene_sets
from squint.library.stacks import name_sections
from squint.library.store import Library, Section
from squint.stats import set_scores
from squint.stats.set_scores import Coverage

_LISTED = 12  # genes that a caption names
_STAMPED = 60  # genes that a stamp names
_MOST_MB = 2  # of a file of gene sets
_LIMIT_S = 120  # for reading those that were put into the library by hand


class ScoredSet(NamedTuple):
    """A gene set by which cells are coloured."""

    name: str
    cover: Coverage
    smoothed: bool  # over each closed neighbourhood


def find_sets(library: Library) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name, those too that were put there by hand; say which are damaged."""
    if gene_sets.unread(library):
        run(ReadGeneSets(), library, "Reading gene sets", limit_s=_LIMIT_S)
    for file_name in gene_sets.damaged(library):
        st.error(f"The gene sets of {as_text(file_name)} are damaged. Remove that file, and add it again.")
    return gene_sets.find_sets(library)


def offered_sets(library: Library, sections: Sequence[Section]) -> dict[str, tuple[str, ...]]:
    """Give the genes of every set, by name; first those of which the sections measure something."""
    found = find_sets(library)
    measured = {gene for section in sections for gene in library.genes(section.id)}
    return dict(sorted(found.items(), key=lambda one: measured.isdisjoint(one[1])))


def change_sets(library: Library) -> None:
    """Let the user add a file of gene sets, or remove one."""
    if not session.may_change():
        return
    with st.popover("Add gene sets", icon=":material/add:"):
        file = st.file_uploader(
            "Gene sets as .gmt, .csv or .txt", key="gene_sets_file", max_upload_size=_MOST_MB
        )
        given = file.name if file else ""
        n_sets = work_on(
            library,
            file,
            lambda path: AddGeneSets(path, given),
            "Add",
            "Adding gene sets",
            "gene_sets_add",
        )
        if n_sets is not None:
            st.toast(f"{many(n_sets, 'gene set')} added.", icon=":material/check:")
            st.rerun()
    if added := gene_sets.files(library):
        with st.popover("Remove", icon=":material/delete:"):
            gone = st.selectbox("File of gene sets", added, key="gene_sets_gone")
            st.button(
                "Remove for everyone", key="gene_sets_remove", on_click=gene_sets.remove, args=(library, gone)
            )


def choose_scored_set(library: Library, sections: Sequence[Section]) -> ScoredSet | None:
    """Let the user choose a gene set whose score cells are coloured by; say what of it is measured.

    ``None`` where there is no score, which the page has then said.
    """
    found = offered_sets(library, sections)
    session.keep_valid(session.GENE_SET, list(found))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Gene set",
            list(found),
            format_func=lambda name: f"{name} ({many(len(found[name]), 'gene')})",
            key=session.GENE_SET,
            persist_state="session",
            width=420,
        )
        smoothed = st.toggle(
            "Mean over the neighbourhood",
            key=session.SMOOTHED,
            persist_state="session",
            help="The mean score of a cell and its neighbours (the closed 1-hop neighbourhood): less noise, "
            "less detail. A cell of some tens of counts says little by itself.",
        )
        change_sets(library)
    if others := [section.title for section in sections if section.values != "counts"]:
        st.warning(
            f"{sentence(', '.join(others))} hold intensities, not counts, so there is no score. Leave "
            "them out."
        )
        return None
    cover = cover_of(library, sections, found[name])
    if cover.problem:
        st.warning(f"**{as_text(name)}** cannot be scored here. {sentence(cover.problem)}")
        return None
    say_scored(name, cover, len(sections))
    return ScoredSet(name, cover, smoothed)


def cover_of(library: Library, sections: Sequence[Section], genes: Sequence[str]) -> Coverage:
    """Find which genes of a set some sections measure."""
    names = name_sections(sections)
    return set_scores.coverage(genes, {names[section.id]: library.genes(section.id) for section in sections})


def say_scored(name: str, cover: Coverage, n_sections: int) -> None:
    """Say which genes of a set are scored, which are not, and what the score is."""
    n, n_all = len(cover.shared), len(cover.genes)
    where = "in this section" if n_sections == 1 else f"in all {n_sections} sections"
    measured = sentence(_some(cover.shared))
    lines = [f"**{n} of the {n_all} genes** of {as_text(name)} are measured {where}: {measured}."]
    differ = len(set(map(frozenset, cover.missing.values()))) > 1
    if differ:
        each = "; ".join(f"{title} lacks {_some(genes) or 'none'}" for title, genes in cover.missing.items())
        lines.append(f"Panels differ, and only what all measure is scored, on one scale: {sentence(each)}.")
    elif n < n_all:
        lacking = [gene for gene in cover.genes if gene not in cover.shared]
        lines.append(f"Not measured: {sentence(_some(lacking))}.")
    st.caption(
        " ".join(lines) + f" Score: {set_scores.DEFINITION} (Tirosh et al. 2016, as scanpy's score_genes). "
        "0: as much as those. Depth and abundance are of the sections shown, so scores compare among them, "
        "and change a little when others are shown."
    )
    if cover.is_low:
        st.warning(
            f"Only {n} of the {n_all} genes are measured: the score may not stand for {as_text(name)}."
        )


def scored(
    library: Library, sections: Sequence[Section], chosen: ScoredSet
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Score cells for a set, done once and then found.

    Returns
    -------
    ``score`` and ``smoothed`` of each cell of the sections, in their order; and how, for the stamp.
    """
    asked = ScoreGeneSet(tuple(section.id for section in sections), chosen.cover.genes)
    result = compute(library, asked, "Scoring the gene set")
    tables = [result.table(f"scores_{section.id}") for section in sections]
    facts = result.facts
    how: dict[str, object] = {
        **stamped(chosen.cover),
        "score": set_scores.DEFINITION + " (Tirosh et al. 2016)",
        "depth": f"{facts['depth']:g} counts",
        "compared with": f"{facts['n_reference']} genes, in {many(facts['n_bins'], 'bin')} of abundance",
    }
    return pd.concat(tables, ignore_index=True), how


def stamped(cover: Coverage) -> dict[str, object]:
    """Say for the stamp which genes of a set are scored, and how many that are."""
    lacking = [gene for gene in cover.genes if gene not in cover.shared]
    return {
        "genes scored": _some(cover.shared, _STAMPED) + f" (sha256 {list_sha256(list(cover.shared))[:12]})",
        "coverage": f"{len(cover.shared)} of {len(cover.genes)} genes"
        + (f", not measured in all sections: {_some(lacking, _STAMPED)}" if lacking else ""),
    }


def _some(genes: Sequence[str], most: int = _LISTED) -> str:
    more = len(genes) - most
    return ", ".join(genes[:most]) + (f" and {more} more" if more > 0 else "")
