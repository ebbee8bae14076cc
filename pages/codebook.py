"""Codebook: what each token is, what users call it, and which gene is where (paper, section 5.4)."""

import streamlit as st

from app import session
from app.components.codebook import card, expression, overview, vocabularies
from app.components.tokens import tokenised

st.title("Codebook")
library, model = session.library(), session.model()
st.caption(
    f"The {model.n_codes} tissue patterns of the model, one by one. A name given here stands wherever the "
    "token does: in legends, cards, tables and exports. Names and notes are of this model, and kept in the "
    "library."
)
sections = tokenised(library, model)
look_at = st.segmented_control(
    "Look at",
    ["Tokens", "A gene", "A gene set", "Two models"],
    default="Tokens",
    required=True,
    key=session.CODEBOOK,
    bind="query-params",
)
if look_at == "Tokens":
    token = overview.choose_token(library, model)
    card.show_card(library, sections, model, token)
elif look_at == "A gene":
    expression.show_gene(library, model)
elif look_at == "A gene set":
    expression.show_set(library, model)
else:
    vocabularies.show_comparison(library, sections, model)
