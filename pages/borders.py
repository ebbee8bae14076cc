"""Borders: what cells are like by their distance to the border of a set, region, token or type."""

import streamlit as st

from app import session
from app.components.borders.measures import choose_measures
from app.components.borders.profile import profile, say_border, show_profile
from app.components.borders.subject import choose_subject, measurable

st.title("Borders")
st.caption(
    "Choose whose border it is: a cell set that you drew, a region, tokens, cell types, or a high activation "
    "score. Expression, scores, tokens and types are then averaged by the distance of cells to that border."
)
library, model = session.library(), session.find_model()
sections = session.choose_sections(measurable(library))
subject = choose_subject(library, sections, model)
asked = choose_measures(library, subject)
found = profile(library, subject, asked)
say_border(found)
show_profile(library, found, model)
