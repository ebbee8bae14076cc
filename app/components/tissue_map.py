"""The map of tissue on a page, with its numbers and exports: the only place that knows how it is drawn."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import map_data, session
from app.buffers import SIGNER
from app.components.cell_map import cell_map
from app.components.cell_sets import show_cell_sets
from app.components.export_row import Export, export_row
from app.components.images import picture_spec
from app.components.set_events import history, set_events
from app.images import Images
from app.library import Library, Section
from app.map_export import write_map
from app.map_state import describe, read_state
from app.maps import MAPS, Served
from app.stamp import counts, stamp
from app.views import MapView
from squint.errors import InputError
from squint.pl import Outline, Picture

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
    served = mount(view, place, on=on, tools=() if stack else tools, stack=stack)
    st.caption((view.n or counts(view.sections)) + unit_note(view))
    try:
        seen = describe(served.state, view)
    except InputError:  # of another time, or of nobody's making: the whole map is exported
        served.state, seen = {}, {}
    marks = stamp(view.title, view.sections, model, {**view.parameters, **seen})
    if view.n:
        marks["Cells"] = view.n
    heights = {"heights": stack.heights} if stack else {}

    def write(folder: Path) -> None:
        write_map(folder, view, served.state, marks, _pictures(served), _outlines(served), **heights)

    export_row(Export(place, marks, table=lambda: view.table, map=write))
    if view.whole and not stack:
        with st.expander("Cell sets", icon=":material/lasso_select:", key=f"{place}-sets"):
            show_cell_sets(served.library, view.sections, view.cells, f"{place}-sets", model)


def _pictures(served: Served) -> list[Picture | None]:
    """Draw what is seen of the picture under each panel, for print."""
    images, view = Images(served.library), served.view
    windows = read_state(served.state, view).views
    drawn: list[Picture | None] = []
    for section, window in zip(view.sections, windows, strict=True) if view.whole else ():
        spec = picture_spec(served.library, section)
        region = images.region(section.id, spec["id"], window) if spec else None
        drawn.append(Picture(region.pixels, region.affine) if region else None)
    return drawn


def _outlines(served: Served) -> list[list[Outline]]:
    """Give the outlines of cell sets in each panel, for print."""
    if not served.view.whole:
        return []
    return [
        [
            Outline(one.name, one.colour, ring)
            for one, polygons in map_data.outlines_in(served.library, section)
            for polygon in polygons
            for ring in polygon
        ]
        for section in served.view.sections
    ]


def mount(
    view: MapView,
    place: str,
    *,
    on: Mapping[str, Event] | None = None,
    tools: Sequence[str] = AREAS,
    tool: str = "pan",
    stack: map_data.Stack | None = None,
) -> Served:
    """Put a map on the page; return what its browser has.

    Where it shows whole sections, areas drawn and entries clicked become cell sets, unless ``on`` says what
    else they do.
    """
    library = session.library()
    sets = view.whole and not stack
    on = {**(set_events(place) if sets else {}), **(on or {})}
    map_id = st.session_state.setdefault(f"_map-{place}", secrets.token_hex(16))
    pictures = [_picture(library, section) for section in view.sections] if sets else []
    described, orders = map_data.describe(library, view, session.style(), stack, pictures)
    served = MAPS.serve(map_id, library, view, orders)
    path, query = SIGNER.sign(f"/map/{map_id}").split("?")
    data = {
        **described,
        "address": {"path": path, "query": query},
        "state": served.state,
        "tools": list(tools),
        "tool": tool,
        "editable": "thresholds" in on,
        "sets": history(library) if sets else None,
    }
    cell_map(data, place, {name: _told(place, name, act, served) for name, act in on.items()})
    return served


def _picture(library: Library, section: Section) -> dict[str, Any] | None:
    """Say where the browser finds the picture under a section's cells."""
    spec = picture_spec(library, section)
    if spec is None:
        return None
    path, query = SIGNER.sign(f"/map/tiles/{section.id}/{spec['id']}").split("?")
    return {**spec, "path": path, "query": query}


def _told(place: str, name: str, act: Event, served: Served) -> Callable[[], None]:
    """Make a callback of what to do with an event."""

    def callback() -> None:
        value = st.session_state[place][name]
        act(served, value if isinstance(value, dict) else {})

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
