"""The cell sets that a page can offer."""

from collections.abc import Sequence

import streamlit as st

from app.cell_sets.store import CellSet, CellSets
from app.text import sentence
from squint.errors import InputError
from squint.library.store import Library, Section


def sets_here(library: Library, sections: Sequence[Section]) -> list[CellSet]:
    """List the cell sets with cells in some sections, or say why there are none to choose."""
    try:
        return [one for one, _ in CellSets(library).within(sections)]
    except InputError as error:
        st.error(sentence(str(error)))
        return []
