"""Jobs: what is being worked on, what waits, and how what was asked for ended."""

import streamlit as st

from app import session
from app.components.jobs import show_ended, show_open

st.title("Jobs")
library = session.library()
st.caption(
    "Work that takes longer than a moment is a job. It goes on when its page is closed, and is found here "
    "and on the page that asked for it."
)
if not show_open(library):
    st.info("Nothing is being worked on. Add a section, or ask for something on another page.")
show_ended(library)
