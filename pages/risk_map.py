"""Risk map: where neighbourhoods resemble those of a reference patient (paper, section 5.3)."""

import streamlit as st

from app import session
from app.components import risk
from app.components.map.tissue_map import show_map
from app.components.tokens import tokenised
from app.maps import views

st.title("Risk map")
library, model = session.library(), session.model()
every = tokenised(library, model)
request, thresholds = risk.choose(library, every, model.sha256)
how = risk.score(library, request)
sections = session.choose_sections(every)
risk.say_cover(library, how, model.sha256)

cells = views.cells_of(library, sections, request.model, request.result)
view = views.by_activation(sections, cells, thresholds, how)
show_map(view, model, "risk_map", on=risk.DRAGGED)
st.caption(
    "The activation score of a cell is the share of its closed neighbourhood, itself included, that carries "
    "one of these codes. A high score says that the tissue resembles codes of the reference patient, nothing "
    "more: the codes were picked on that patient."
)
risk.show_numbers(view, thresholds, model)
risk.describe_codes(library, every, how, model)

left, right = st.columns(2, gap="large")
with left:
    risk.show_spread(view, thresholds, model)
with right:
    risk.show_composition(view, thresholds, model)
