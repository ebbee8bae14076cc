"""Cell types: what the cells of a section are called, by what, and how to change it."""

import streamlit as st

from app import session
from app.components.cell_types import evidence, going_on, kept, names, naming, subject

st.title("Cell types")
st.caption(
    "Names for the cells of one section. They are what every page shows as cell types, and every figure says "
    "where they are from."
)
library = session.library()
section = subject.choose_section(library)
types = subject.types_of(library, section)
subject.say_origin(section, types)
with st.container():  # whatever is in it, what follows keeps its place
    going_on.show_going_on(library)
if types is None:
    names.show_without(library, section)
    kept.show_kept(library, section, None)
else:
    names.show_names(library, section, types)
    kept.show_kept(library, section, types)
    if session.may_change():
        st.header("Name the cells anew")
        naming.show_naming(library, section)
    evidence.show_evidence(library, section, types)
