"""How many clusters there will be."""

import streamlit as st

from squint.library.store import Section


def choose_resolution(section: Section) -> float:
    """Let the user choose the resolution of clusters."""
    chosen = st.slider(
        "Resolution: to the left fewer and larger clusters, to the right more and smaller ones",
        min_value=0.1,
        max_value=3.0,
        value=1.0,
        step=0.1,
        key=f"types-resolution-{section.id}",
        width=560,
    )
    return float(chosen)
