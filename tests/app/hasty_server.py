"""The dashboard, but that it ends sessions at once when their browser leaves."""

import streamlit as st

from app import upkeep
from app.routes.maps import ROUTES
from tests.helpers.paths import ROOT

upkeep.LEFT_S, upkeep.EVERY_S = 0.0, 0.1
app = st.App(ROOT / "app" / "main.py", routes=ROUTES, lifespan=upkeep.upkeep)
