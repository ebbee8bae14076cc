"""Transcripts of chosen genes above the cells of a map."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.components.job import run
from app.exports.stamp import many
from app.requests import ReadTranscripts
from squint.library import transcripts
from squint.library.store import Library, Section
from squint.library.transcripts import Spots

MOST_GENES = 8  # as many as there are colours
MOST_SHOWN = 250_000  # of a gene in a section: more are told, and spread over the tissue as all are


def choose_transcripts(library: Library, sections: Sequence[Section]) -> list[list[Spots]]:
    """Let the user choose genes whose transcripts are shown; give those of each section.

    Nothing is asked where no section brought any; of those that cannot be placed it is said why.
    """
    sources = {section.id: transcripts.source_of(library, section.id) for section in sections}
    with_them = []
    for section in sections:
        source = sources[section.id]
        if source is not None and source.why_not:
            st.caption(f"{section.title}: transcripts ({source.label}) are not drawn: {source.why_not}.")
        elif source is not None:
            with_them.append(section)
    if not with_them:
        return []
    genes = {section.id: library.genes(section.id) for section in with_them}
    known = sorted({gene for own in genes.values() for gene in own})
    session.keep_valid(session.TRANSCRIPTS, known, [])
    chosen = st.multiselect(
        f"Transcripts of genes (at most {MOST_GENES})",
        known,
        max_selections=MOST_GENES,
        key=session.TRANSCRIPTS,
        persist_state="session",
        placeholder="None",
    )
    found = {
        section.id: _read(library, section, [gene for gene in chosen if gene in genes[section.id]])
        for section in with_them
    }
    for section in with_them:
        if found[section.id]:
            st.caption(_words(section, found[section.id]))
    return [found.get(section.id, []) for section in sections]


def _read(library: Library, section: Section, genes: Sequence[str]) -> list[Spots]:
    """Give the transcripts of some genes, reading those that were not read yet."""
    found = {gene: transcripts.spots(library, section.id, gene, MOST_SHOWN) for gene in genes}
    lacking = tuple(gene for gene, spots in found.items() if spots is None)
    if lacking:
        run(ReadTranscripts(section.id, lacking), library, f"Reading transcripts of {section.title}")
        found |= {gene: transcripts.spots(library, section.id, gene, MOST_SHOWN) for gene in lacking}
    return [spots for spots in found.values() if spots is not None]


def _words(section: Section, found: Sequence[Spots]) -> str:
    """Say what is shown of the transcripts of a section, and what is not."""
    n = sum(spots.n for spots in found)
    n_shown, n_low = sum(len(spots.places) for spots in found), sum(spots.n_low for spots in found)
    n_nowhere = sum(spots.n_nowhere for spots in found)
    n_other = max(spots.n_other for spots in found)
    parts = [f"{many(n, 'transcript')} of {many(len(found), 'gene')}"]
    parts += [f"{n_shown:,} of them drawn, evenly over the tissue"] if n_shown < n else []
    parts += [f"{n_low:,} of quality below Q20 left out"] if n_low else []
    parts += [f"{n_nowhere:,} in fields of view without cells left out"] if n_nowhere else []
    parts += [f"{n_other:,} of controls and of what is no gene here are in the file"] if n_other else []
    return f"{section.title}: {'; '.join(parts)} ({found[0].file})."
