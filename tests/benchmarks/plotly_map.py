"""The page Sections with its map drawn by Plotly: what the benchmark of the map compares with."""

import streamlit as st

from app import session
from app.components.sections.gallery import show_gallery
from app.maps import views
from squint.pl import LIGHT, tissue_map

st.set_page_config(layout="wide")
library = session.library()
sections = library.sections()
show_gallery(library, sections)
cells = views.cells_of(library, sections)
by = st.segmented_control("Colour cells by", ["Cell type", "Counts per cell"], default="Cell type")
view = views.by_type(library, sections, cells) if by == "Cell type" else views.by_depth(sections, cells)
st.plotly_chart(tissue_map(view.panels, view.scale, style=LIGHT), config={"scrollZoom": True})
