"""Report: maps, scores and genes of sections as one PDF, with all tables and the recipe to replay it."""

import streamlit as st

from app import session
from app.components.report import choices, files

st.title("Report")
st.caption(
    "One PDF and one HTML of a section or of several: thumbnails, maps, histograms, compositions, genes, "
    "methods in words and limits. Beside them, all tables as CSV, with a recipe from which the same "
    "numbers can "
    "be computed anew from the originals."
)
library, model = session.library(), session.find_model()
sections = session.choose_sections(choices.sections_here(library))
asked = choices.choose(library, sections, model)
files.make(library, asked)
