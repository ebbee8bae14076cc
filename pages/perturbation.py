"""Perturbation: which tokens cells take when their neighbours are changed (paper, section 5.4)."""

import streamlit as st

from app import session
from app.components.perturbation import results, subject
from app.components.tokens import tokenised

st.title("Perturbation")
st.caption(
    "Change the expression of some cells, in a computation, and see which tokens the cells beside them take. "
    "A computed what-if of the model, not a prediction of treatment."
)
library, model = session.library(), session.model()
asked = subject.choose(library, tokenised(library, model), model)

found = results.compute_when_asked(library, asked, model)
if found:
    results.show_numbers(found)
    results.show_tokens(found, model)
    results.show_programme(found, model)
    results.show_shams(found, model)
    results.show_cells(library, found, model)
