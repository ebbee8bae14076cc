"""Projects: which there are, who is in them, and who may do what."""

import streamlit as st

from app import session
from app.components import projects

st.title("Projects")
st.caption(
    "Each project is a library of its own. Its members see its sections, models and results, and nobody else "
    "does. Owners say who is in it."
)
person = session.person()
projects.say_what_happened()
projects.show_projects(person)
projects.show_people(person)
