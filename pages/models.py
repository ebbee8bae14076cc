"""Models: those there are, what each is for, and how to get another one."""

import streamlit as st

from app import session
from app.components.models import bringing, cards, training

st.title("Models")
st.caption(
    "A model gives each cell its token, by the genes of its panel and the cells around. Tokens mean most "
    "where a model was trained on such tissue, measured by such a panel. The one in use is the same on every "
    "page."
)
library = session.library()
going_on, getting = st.container(), st.container()
cards.show_models(library)
with getting:  # after the list, which is there at once
    training.offer_training(library)
    bringing.show_bringing(library)
with going_on:  # last, as long as it takes
    training.show_going_on(library)
