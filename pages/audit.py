"""Audit: who saw, added, changed, exported and deleted what, and whether that log holds; for admins."""

import streamlit as st

from app.components.audit_log import rows, state

st.title("Audit")
library = state.log_library()
st.caption(
    "Rows are only ever added to this log, and each holds a hash of the one before. It is written with ids "
    "alone; names are looked up for this page."
)
rows.flush_seen()
state.show_state(library)
rows.show(library, rows.choose(library))
