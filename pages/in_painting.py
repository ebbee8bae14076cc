"""In-painting: what the cells of a marked area would express, told from the tissue around (paper, 5.2)."""

import streamlit as st

from app import session
from app.components.in_painting import inpainted_map, marking, prediction, subject

st.title("In-painting")
st.caption(
    "Mark an area of a section, and a model predicts what its cells express from the tissue around it alone. "
    "That is a prediction from the surroundings, not a measurement: what leaves no trace around the area, "
    "such as a small focus of other tissue inside it, cannot be predicted."
)
library, model = session.library(), session.find_model()
chosen = subject.choose(library)
marked = marking.mark(library, chosen, model)

imputed = prediction.impute(library, chosen, marked)
if imputed:
    inpainted_map.show_maps(library, imputed)
    prediction.show_quality(library, imputed)
    prediction.offer_tables(library, imputed)
