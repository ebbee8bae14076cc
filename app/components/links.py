"""Links to the pages where sections, cell types and models are had, for wherever words send the user."""

import streamlit as st


def to_sections() -> None:
    """Lead to the page where sections are added and tokenised."""
    st.page_link("../pages/sections.py", label="Go to Sections", icon=":material/photo_library:")


def to_cell_types() -> None:
    """Lead to the page where cells are named."""
    st.page_link("../pages/cell_types.py", label="Go to Cell types", icon=":material/category:")


def to_models() -> None:
    """Lead to the page where models are chosen, trained and added."""
    st.page_link("../pages/models.py", label="Go to Models", icon=":material/model_training:")
