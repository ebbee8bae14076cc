"""The map of tissue on a page, with its numbers and exports: the only place that knows how it is drawn."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import streamlit as st

from app import audit, session
from app.components.export_row import Export, export_row, was_asked
from app.components.map.cell_map.component import cell_map
from app.components.map.cell_sets import show_cell_sets
from app.components.map.images import Shown, picture_of
from app.components.map.set_events import finish_area, history, refused, set_events
from app.components.tokens import with_names
from app.exports.stamp import counts, stamp
from app.maps import contract, message
from app.maps.export import write_map
from app.maps.served import MAPS, Served
from app.maps.state import describe
from app.maps.views import MapView
from app.models import ModelFacts
from squint import keys
from squint.errors import InputError
from squint.pl import PRINT, Outline

# Tools that draw areas, and the one that moves.
AREAS: Sequence[contract.Tool] = ("pan", "lasso", "polygon", "box")
LOOKING: Sequence[contract.Tool] = ()  # of those who may not make cell sets

Event = Callable[[Served, Mapping[str, Any]], None]


def show_map(
    view: MapView,
    model: ModelFacts | None,
    place: str,
    *,
    on: Mapping[str, Event] | None = None,
    tools: Sequence[contract.Tool] = AREAS,
    stack: message.Stack | None = None,
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
        :mod:`app.components.map.cell_map.component`.
    tools
        What the reader may draw with.
    stack
        How the panels lie above each other, to draw them in three dimensions.
    """
    sets = view.whole and not stack
    changed = sets and session.may_change()
    on = {**(set_events(place) if changed else {}), "outdated": lambda *_: None, **(on or {})}
    if tools == AREAS and not session.may_change():
        tools = LOOKING
    served = mount(view, place, on=on, tools=() if stack else tools, stack=stack, sets=changed)
    served.model = model.sha256 if model else None
    st.caption((view.n or counts(view.sections)) + unit_note(view))
    try:
        seen = describe(served.state, view, stack.stretch if stack else None)
    except InputError:  # of another time, or of nobody's making: the whole map is exported
        served.state, seen = {}, {}
    genes = ", ".join(view.gene_colours(PRINT))
    named = {"transcripts": genes} if genes else {}
    marks = stamp(view.title, view.sections, model, {**view.parameters, **named, **seen})
    if view.n:
        marks["Cells"] = view.n
    heights = stack.heights if stack else ()
    stretch = stack.stretch if stack else 1.0

    def write(folder: Path) -> None:
        beside = _pictures(served), _outlines(served)
        write_map(folder, view, served.state, marks, *beside, heights, stretch)

    def table() -> pd.DataFrame:
        return with_names(served.library, served.model, view.table, {keys.TOKEN: f"{keys.TOKEN}_name"})

    export_row(Export(place, marks, table=table, map=write))
    if sets:
        finish_area(served.library, place)
        with st.expander("Cell sets", icon=":material/lasso_select:", key=f"{place}-sets"):
            show_cell_sets(served.library, view.sections, view.cells, f"{place}-sets", model)


def _pictures(served: Served) -> list[tuple[str, str] | None]:
    """Name the picture under each panel, for print: the section, and its picture."""
    sections = served.view.sections if served.view.whole else ()
    shown = ((section.id, _placed(picture_of(served.library, section))) for section in sections)
    return [(section_id, picture["id"]) if picture else None for section_id, picture in shown]


def _outlines(served: Served) -> list[list[Outline]]:
    """Give the outlines of cell sets in each panel, for print."""
    if not served.view.whole:
        return []
    return [
        [
            Outline(one.name, one.colour, ring)
            for one, polygons in drawn
            for polygon in polygons
            for ring in polygon
        ]
        for drawn in message.outlines_in(served.library, served.view.sections)
    ]


def mount(
    view: MapView,
    place: str,
    *,
    on: Mapping[str, Event] | None = None,
    tools: Sequence[contract.Tool] = AREAS,
    tool: contract.Tool = "pan",
    stack: message.Stack | None = None,
    sets: bool = False,
    adjust: Callable[[contract.Described], None] | None = None,
) -> Served:
    """Put a map on the page; return what its browser has.

    With ``sets``, entries of the legend can be clicked, and cell sets undone and redone. ``adjust`` may
    change what the browser is told.
    """
    audit.seen(session.library().home, [section.id for section in view.sections])
    library, on = session.library(), {"ground": _choose_ground, **(on or {})}
    style = session.map_style()
    whole = view.whole and not stack
    map_id = session.map_id(place)
    pictures = [_placed(picture_of(library, section)) for section in view.sections] if whole else []
    described, orders = message.describe(library, view, style, stack, pictures, sign=session.signed)
    if adjust:
        adjust(described)
    served = Served.of(
        library,
        view,
        orders,
        described,
        style=style,
        stack=stack,
    )
    session.hold_map(place, MAPS.serve(map_id, served))
    if (linked := session.take_map_state(place)) is not None:
        served.remember(linked)
    path, query = session.signed(f"/map/{map_id}").split("?")
    data: contract.MapData = {
        **described,
        "address": {"path": path, "query": query},
        "state": cast("contract.State", served.state),  # unchecked: it goes back to whom it came from
        "tools": list(tools),
        "tool": tool,
        "editable": "thresholds" in on,
        "sets": history(library) if sets else None,
        "refused": refused(place) if sets else None,
        "prints": "outdated" in on,
        "exported": was_asked(place),
    }
    cell_map(data, place, {name: _told(place, name, act, served) for name, act in on.items()})
    return served


def _choose_ground(_: Served, chosen: Mapping[str, Any]) -> None:
    session.choose_ground(dark=chosen.get("dark") is True)


def _placed(picture: Shown | None) -> contract.Picture | None:
    return {**picture, "affine": picture["affine"]} if picture and picture["affine"] else None


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
    return "."
