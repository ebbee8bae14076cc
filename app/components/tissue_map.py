"""The map of tissue on a page, with its numbers and exports: the only place that knows how it is drawn."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app import map_data, session
from app.buffers import SIGNER
from app.components.cell_map import cell_map
from app.components.export_row import Export, export_row
from app.export import WIDTH
from app.maps import MAPS, Served
from app.stamp import counts, stamp
from app.views import MapView
from squint.pl import PRINT, tissue_map

AREAS = ("pan", "lasso", "polygon", "box")  # tools that draw areas, and the one that moves

Event = Callable[[Served, Mapping[str, Any]], None]


def show_map(
    view: MapView,
    model: Mapping[str, Any] | None,
    place: str,
    *,
    on: Mapping[str, Event] | None = None,
    tools: Sequence[str] = AREAS,
    stack: map_data.Stack | None = None,
) -> None:
    """Draw a map, say its n, and offer its export.

    Parameters
    ----------
    view
        What it shows.
    model
        Facts of the model, for the stamp.
    place
        Name of the map, for widgets and files.
    on
        What to do when the reader draws an area, drags a threshold and so on, by event of
        :mod:`app.components.cell_map`.
    tools
        What the reader may draw with.
    stack
        How the panels lie above each other, to draw them in three dimensions.
    """
    mount(view, place, on=on, tools=() if stack else tools, stack=stack)
    st.caption((view.n or counts(view.sections)) + unit_note(view))
    marks = stamp(view.title, view.sections, model, view.parameters)
    if view.n:
        marks["Cells"] = view.n
    export_row(
        Export(
            place,
            marks,
            table=lambda: view.table,
            figure=lambda dpi: tissue_map(view.panels, view.scale, style=PRINT, width=WIDTH, dpi=dpi),
        )
    )


def mount(
    view: MapView,
    place: str,
    *,
    on: Mapping[str, Event] | None = None,
    tools: Sequence[str] = AREAS,
    tool: str = "pan",
    stack: map_data.Stack | None = None,
) -> Served:
    """Put a map on the page; return what its browser has."""
    on = on or {}
    library = session.library()
    map_id = st.session_state.setdefault(f"_map-{place}", secrets.token_hex(16))
    described, orders = map_data.describe(library, view, session.style(), stack)
    served = MAPS.serve(map_id, library, view, orders)
    path, query = SIGNER.sign(f"/map/{map_id}").split("?")
    data = {
        **described,
        "address": {"path": path, "query": query},
        "state": served.state,
        "tools": list(tools),
        "tool": tool,
        "editable": "thresholds" in on,
    }
    cell_map(data, place, {name: _told(place, name, act, served) for name, act in on.items()})
    return served


def _told(place: str, name: str, act: Event, served: Served) -> Callable[[], None]:
    """Make a callback of what to do with an event."""

    def callback() -> None:
        value = st.session_state[place][name]
        if isinstance(value, dict):
            act(served, value)

    return callback


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
