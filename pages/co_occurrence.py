"""Co-occurrence: which tokens are used together, and which are neighbours (paper, figure 3b)."""

import streamlit as st

from app import session
from app.components import co_occurrence
from app.components.tokens import tokenised

st.title("Co-occurrence")
st.caption(
    "Tokens whose shares rise and fall together over levels, sections or patients form communities: tissue "
    "that comes together."
)
library, model = session.library(), session.model()
over = co_occurrence.choose(tokenised(library, model))
found = co_occurrence.correlate(library, over, model)
co_occurrence.show_map_of_tokens(found, model)
co_occurrence.show_communities(library, found, model)
co_occurrence.show_neighbours(library, found, model)
co_occurrence.offer_sequences(library, found, model)
