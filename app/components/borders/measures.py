"""Widgets that choose what is averaged around a border, and in which bins."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.split import labelings
from app.components.borders.subject import Subject
from app.components.gene_sets import change_sets, cover_of, find_sets
from app.components.tokens import names as token_names
from app.exports.stamp import many
from app.requests import BorderProfile
from app.text import as_text, sentence
from squint import keys, pl
from squint.geometry.borders import MIN_PATCH
from squint.library.store import Library
from squint.stats.border import MAX_BINS, MIN_CELLS, nice_width

_AT_MOST = 8  # lines of a panel
_SETS, _TYPES = 4, 4  # gene sets at most; cell types at first
_N_BINS = 10  # on each side, at first


def choose_measures(library: Library, subject: Subject) -> BorderProfile:
    """Let the user choose what is averaged and in which bins; without any of it, stop the page."""
    panels = [set(library.genes(section.id)) for section in subject.sections]
    genes = sorted(set.intersection(*panels))
    left, right = st.columns(2, gap="large")
    with left:
        sets = _choose_sets(library, subject)
        chosen_types = _choose("Cell types", _common(subject.cells, keys.CELL_TYPE), "types", _TYPES)
    with right:
        chosen_genes = _choose("Genes", genes, "genes", 0, help="Those that all sections shown measure.")
        names = token_names(library, subject.model) if subject.model else {}
        tokens = _common(subject.cells, keys.TOKEN)
        chosen_tokens = _choose("Tokens", tokens, "tokens", 0, names) if subject.model else []
    width, reach, min_cells, min_patch = _choose_bins(subject)
    if not (sets or chosen_types or chosen_genes or chosen_tokens):
        st.info("Choose at least one gene, gene set, token or cell type.")
        st.stop()
    of_score = bool(subject.split.run) or bool(chosen_tokens) or subject.split.by == keys.TOKEN
    return BorderProfile(
        tuple(sorted(section.id for section in subject.sections)),
        subject.model.sha256 if subject.model and of_score else None,
        subject.split,
        subject.outlines,
        tuple(chosen_genes),
        tuple(sets.items()),
        tuple(chosen_tokens),
        tuple(chosen_types),
        labelings(subject.sections) if chosen_types else (),
        width,
        reach,
        min_cells,
        min_patch,
    )


def _common(cells: pd.DataFrame, column: str) -> list[str]:
    """List labels, the most frequent first."""
    if column not in cells:
        return []
    n_cells = cells[column].value_counts()
    return [str(label) for label in n_cells.index if n_cells[label]]


def _choose(
    title: str,
    options: Sequence[str],
    key: str,
    n_first: int,
    names: dict[str, str] | None = None,
    help: str | None = None,
) -> list[str]:
    """Let the user choose some of what there is; nothing where there is none."""
    if not options:
        return []
    key, first = f"{session.AROUND}-{key}", list(options[:n_first])
    session.keep_valid(key, options, first)
    return st.multiselect(
        f"{title} (at most {_AT_MOST})",
        options,
        default=first if key not in st.session_state else None,
        format_func=lambda label: (names or {}).get(label, label),
        max_selections=_AT_MOST,
        key=key,
        persist_state="session",
        help=help,
    )


def _choose_sets(library: Library, subject: Subject) -> dict[str, tuple[str, ...]]:
    """Let the user choose gene sets; those that cannot be scored here are left out, and said."""
    found = find_sets(library)
    key = f"{session.AROUND}-sets"
    first = [name for name in list(found)[:1] if not cover_of(library, subject.sections, found[name]).problem]
    session.keep_valid(key, list(found), first)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            f"Gene sets (at most {_SETS})",
            list(found),
            default=first if key not in st.session_state else None,
            format_func=lambda name: f"{name} ({many(len(found[name]), 'gene')})",
            max_selections=_SETS,
            key=key,
            persist_state="session",
        )
        change_sets(library)
    kept = {}
    for name in chosen:
        cover = cover_of(library, subject.sections, found[name])
        if cover.problem:
            st.warning(f"**{as_text(name)}** is left out. {sentence(cover.problem)}")
            continue
        kept[name] = tuple(sorted(cover.genes))
        some = f"{len(cover.shared)} of {len(cover.genes)} genes of {as_text(name)} are scored"
        if cover.is_low:
            st.warning(f"Only {some}: the score may not stand for it.")
        else:
            st.caption(f"{some}: those that all sections shown measure.")
    return kept


def _choose_bins(subject: Subject) -> tuple[float, float, int, int]:
    """Let the user choose the bins, and from how many cells on there is something to say."""
    known = subject.sections[0].unit == "um"
    unit = "µm" if known else "units of the section"
    apart = [pl.spacing(cells[["x", "y"]].to_numpy(dtype=float)) for cells in _positions(subject)]
    first = nice_width(max(apart))
    left, second, third, right = st.columns(4, gap="large")
    width = left.number_input(
        f"Width of a bin ({unit})",
        min_value=first / 20,
        max_value=first * 1_000,
        value=first,
        step=first / 2,
        format="%g",
        key=f"{session.AROUND}-width-{first:g}",
        help="At first a round number of twice the distance between neighbouring cells or more: within less "
        "the border itself is not known.",
    )
    reach = second.number_input(
        f"Bins on each side, up to {MAX_BINS}", 1, MAX_BINS, _N_BINS, key=f"{session.AROUND}-n_bins"
    )
    min_cells = third.number_input(
        "Cells that a bin needs",
        1,
        10_000,
        MIN_CELLS,
        key=f"{session.AROUND}-min_cells",
        help="Of each section, with a value. Bins with fewer are left out.",
    )
    min_patch = right.number_input(
        "Cells that a patch needs",
        1,
        100_000,
        MIN_PATCH,
        key=f"{session.AROUND}-min_patch",
        help="Patches of the inside with fewer cells count as outside, and holes in it as inside: a stray "
        "cell makes no border. Not where an outline was drawn.",
    )
    return float(width), float(width) * int(reach), int(min_cells), int(min_patch)


def _positions(subject: Subject) -> list[pd.DataFrame]:
    """Give the cells of each section."""
    start, parts = 0, []
    for section in subject.sections:
        parts.append(subject.cells.iloc[start : start + section.n_cells])
        start += section.n_cells
    return parts
