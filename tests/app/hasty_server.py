"""The dashboard, but that it ends sessions at once when their browser leaves."""

import streamlit as st

from app import leaving
from app.routes.maps import ROUTES
from app.upkeep import upkeep
from tests.helpers.paths import ROOT

leaving.LEFT_S, leaving.EVERY_S = 0.0, 0.1
app = st.App(ROOT / "app" / "main.py", routes=ROUTES, lifespan=upkeep)
