"""The section whose cells are named, and the names that they have now."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.text import as_text, sentence
from squint.library import labelings
from squint.library.labelings import KnownLabeling
from squint.library.store import Library, Section
from squint.library.stored import DamagedError
from squint.stats.labelings import Labeling


@dataclass(frozen=True)
class Types:
    """The names of a section's cells, as they were when the page was drawn."""

    names: Labeling
    confidence: NDArray[np.float32]  # (n,) NaN where none is stated
    labeling: KnownLabeling | None  # None: they are of the section's file

    @property
    def version(self) -> str:
        """What changes whenever the names do, for keys of widgets."""
        return f"{self.labeling.id[:8]}-{self.labeling.at}" if self.labeling else "file"

    @cached_property
    def by_size(self) -> list[tuple[str, int]]:
        """Each name with its cells, the most frequent first."""
        return sorted(self.names.sizes().items(), key=lambda one: (-one[1], one[0]))

    @property
    def n_nameless(self) -> int:
        """How many cells have no name."""
        return int((self.names.codes < 0).sum())

    @property
    def has_confidence(self) -> bool:
        """Whether a confidence is stated of any cell."""
        return bool(np.isfinite(self.confidence).any())


def choose_section(library: Library) -> Section:
    """Let the user choose a section; if there is none, say what to do and stop the page."""
    every = library.sections()
    if not every:
        st.info("There are no sections yet. Add one on the page Sections.")
        st.page_link("../pages/sections.py", label="Go to Sections", icon=":material/photo_library:")
        st.stop()
    by_id = {section.id: section for section in every}
    asked = st.query_params.pop("section", None)  # of a link to this page
    if asked in by_id:
        st.session_state[session.TYPED] = asked
    first = _first(every)
    session.keep_valid(session.TYPED, list(by_id), first)
    chosen = st.selectbox(
        "Section",
        list(by_id),
        index=list(by_id).index(first) if session.TYPED not in st.session_state else 0,
        format_func=lambda section_id: _title(by_id[section_id]),
        key=session.TYPED,
        persist_state="session",
        width=560,
    )
    return by_id[str(chosen)]


def _first(sections: Sequence[Section]) -> str:
    """Name the first section without types among those shown on other pages, or the first of these."""
    seen = st.session_state.get(session.SHOWN, [])
    shown = [section for section in sections if section.id in seen] or sections
    return next((section for section in shown if not section.n_cell_types), shown[0]).id


def _title(section: Section) -> str:
    lacks = "" if section.n_cell_types else ", no cell types"
    return f"{section.title}{' (simulated)' if section.simulated else ''}{lacks}"


def types_of(library: Library, section: Section) -> Types | None:
    """Read the names that the cells of a section have now; ``None`` if they have none."""
    if section.named is None:
        found = labelings.of_file(library, section.id)
        nothing = np.full(section.n_cells, np.nan, dtype=np.float32)
        return Types(found, nothing, None) if found else None
    known = labelings.known(library, section.id)
    labeling = next((one for one in known if one.id == section.named.labeling), None)
    if labeling is None or labeling.damage:  # the first if it was deleted just now
        return None
    try:
        names, confidence = labelings.read(library, labeling)
    except DamagedError:  # it is marked by now, which the page says below
        st.rerun()
    return Types(names, confidence, labeling)


def say_origin(section: Section, types: Types | None) -> None:
    """Say where the types of a section are from now."""
    if section.named is not None:
        st.markdown(f"**In use:** {sentence(section.named.words)}.")
    elif types is not None:
        st.markdown(f"**In use:** the cell types in the file of {as_text(section.title)}.")
    else:
        st.markdown(f"**In use:** none. {as_text(section.title)} has no cell types yet.")
