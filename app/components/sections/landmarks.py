"""A section beside a picture of it, to click on what both show: landmarks that say where the picture lies."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components.map.image_placing import set_landmark
from app.components.map.images import Shown, picture_of
from app.components.map.tissue_map import mount
from app.maps import contract, views
from app.maps.served import Served
from app.maps.views import MapView
from squint.bounds import FARTHEST
from squint.library.store import Library, Section
from squint.pl import Categories, Panel

_TOOLS: Sequence[contract.Tool] = ("pan", "landmark")
_PIXEL, _PLACE = slice(0, 2), slice(2, 4)  # of a landmark's four numbers


def show_landmarks(library: Library, section: Section) -> None:
    """Let the user click landmarks on the section and on its picture, in turn."""
    picture = picture_of(library, section)
    if (
        picture is None
        or not session.may_change()
        or not st.toggle(
            "Set landmarks by clicking",
            key=f"{session.IMAGE}-clicking-{section.id}",
            help="Click a place on the section and the same place on the picture; three pairs, far apart.",
        )
    ):
        return
    rows = session.landmarks(section.id, picture["id"]).rows
    left, right = st.columns(2)
    with left:
        cells = views.cells_of(library, [section])
        typed = bool(section.n_cell_types)
        view = views.by_type(library, [section], cells) if typed else views.by_depth([section], cells)
        _click_on(view, section, picture, rows, _PLACE)
    with right:
        panel = Panel(f"Picture: {picture['name']}", np.zeros((0, 2)), np.zeros(0, dtype=object))
        view = MapView("Picture", (section,), (panel,), Categories("", ()), pd.DataFrame(), {})
        _click_on(view, section, picture, rows, _PIXEL)
    st.caption("Then choose *Place by these landmarks* under *Image under the cells*.")


def _click_on(
    view: MapView,
    section: Section,
    picture: Shown,
    rows: Sequence[list[float | None]],
    end: slice,
) -> None:
    """Show one of both, with its ends of the landmarks."""
    on_picture = end is _PIXEL

    def adjust(described: contract.Described) -> None:
        (panel,) = described["panels"]
        ends = (row[end] for row in rows)
        panel["landmarks"] = [(x, y) for x, y in ends if x is not None and y is not None]
        panel["picture"] = None
        if on_picture:
            width, height = picture["width"], picture["height"]
            panel["frame"], panel["said"] = (0, 0, width, height), f"{width:,} x {height:,} pixels"
            panel["picture"] = {**picture, "affine": (1, 0, 0, 0, 1, 0)}

    mount(
        view,
        f"landmarks-{'picture' if on_picture else 'section'}",
        on={"landmark": partial(_take, section.id, str(picture["id"]), end)},
        tools=_TOOLS,
        tool="landmark",
        adjust=adjust,
    )


def _take(section_id: str, image_id: str, end: slice, _: Served, event: Mapping[str, Any]) -> None:
    """Set one end of the first landmark that lacks it, or of a new one."""
    place = np.array(event.get("place", ()), dtype=np.float64)
    if place.shape != (2,) or not (np.abs(place) <= FARTHEST).all():
        return
    rows = session.landmarks(section_id, image_id).rows
    number = next((i for i, row in enumerate(rows) if None in row[end]), len(rows))
    x, y = (float(f"{value:.12g}") for value in place)
    set_landmark(section_id, image_id, number, **{"pixel" if end is _PIXEL else "place": (x, y)})
