"""Compare: sections and patients beside each other, a new one among references, and groups of patients."""

import streamlit as st

from app import session
from app.components.compare import groups, placing, sections, subject
from app.components.tokens import tokenised

st.title("Compare")
library, model = session.library(), session.model()
what = subject.choose_what()
every = tokenised(library, model, unknown_too=what == subject.PLACING)  # a new patient may be of another kind
compared = subject.choose(library, every, model)
if what == subject.SECTIONS:
    sections.show(library, compared)
elif what == subject.PLACING:
    placing.show(library, compared)
else:
    groups.show(library, compared)
