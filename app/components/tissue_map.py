"""The map of tissue on a page, with its numbers and exports: the only place that knows how it is drawn."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.export import WIDTH
from app.stamp import counts, stamp
from app.views import MapView
from squint.pl import PRINT, tissue_map

_WIDTH = 1_250  # pixels that a map is laid out for; on a wider screen it grows in proportion
_GROWS = """
<style>
.st-key-{place}-frame {{
  flex: none; aspect-ratio: {width} / {height}; min-height: {height}px; max-height: 120vh;
}}
</style>
"""
_CONFIG = {**CHART, "scrollZoom": True}


def show_map(view: MapView, model: Mapping[str, Any] | None, place: str) -> None:
    """Draw a map, say its n, and offer its export.

    Parameters
    ----------
    view
        What it shows.
    model
        Facts of the model, for the stamp.
    place
        Name of the map, for widgets and files.
    """
    draw_map(
        tissue_map(view.panels, view.scale, style=session.style(), width=_WIDTH, linked=view.linked),
        place,
        alt=f"{view.title}: {', '.join(panel.title for panel in view.panels)}",
    )
    st.caption((view.n or counts(view.sections)) + unit_note(view))
    marks = stamp(view.title, view.sections, model, view.parameters)
    if view.n:
        marks["Cells"] = view.n
    export_row(
        Export(
            place,
            marks,
            table=lambda: view.cells,
            figure=lambda dpi: tissue_map(view.panels, view.scale, style=PRINT, width=WIDTH, dpi=dpi),
        )
    )


def draw_map(
    figure: go.Figure,
    place: str,
    *,
    alt: str,
    width: int = _WIDTH,
    config: Mapping[str, Any] = _CONFIG,
    **how: Any,
) -> None:
    """Draw a map that grows with the screen; ``how`` says what a selection on it does."""
    st.html(_GROWS.format(place=place, width=width, height=figure.layout.height))
    with st.container(key=f"{place}-frame"):
        st.plotly_chart(figure, height="stretch", key=place, config=dict(config), alt=alt, **how)


def unit_note(view: MapView) -> str:
    """Say so where sections are not drawn at one magnification, or have depth."""
    depth = " Sections with depth are seen from above." if "z" in view.cells else ""
    return _magnification_note(view) + depth


def _magnification_note(view: MapView) -> str:
    if any(panel.unit == "unknown" for panel in view.panels):
        return ". Units unknown in at least one section: sections are not drawn at one magnification."
    if any("assumed" in panel.unit for panel in view.panels):
        return ". Micrometres are assumed from the spacing of cells where marked."
    return "."
