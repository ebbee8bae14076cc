"""What becomes of areas that are drawn on a map, and of entries of its legend that are clicked: cell sets."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.cell_sets.drawn import ring_of, take_area, take_entry
from app.cell_sets.store import CellSets
from app.components.job import run
from app.maps.contract import History
from app.maps.served import Served
from app.requests import TakeArea
from squint.errors import InputError
from squint.geometry.outlines import LaboriousError
from squint.library.store import Library
from squint.pl import Categories

_LIMIT_S = 60  # for an area that takes long
_FOLLOWED = "_sets-followed"  # versions that this session alone made of each other, on maps
_FOLLOWS = 20  # of them

Event = Callable[[Served, Mapping[str, Any]], None]


def history(library: Library) -> History:
    """Say what can be undone and redone, in words, nothing where nothing can; and in which version."""
    try:
        now = CellSets(library).history.now()
    except InputError:
        return {"undo": "", "redo": "", "version": 0}
    return {"undo": now.undo, "redo": now.redo, "version": now.version}


def refused(place: str) -> str | None:
    """Say why what was done on a map last was refused, if it was."""
    is_error, words = st.session_state.get(f"_{place}-sets-told", (False, ""))
    return words if is_error else None


def set_events(place: str) -> dict[str, Event]:
    """Give what a map does on events that concern cell sets."""

    def told(act: Event) -> Event:
        def safely(served: Served, event: Mapping[str, Any]) -> None:
            st.session_state.pop(_laborious(place), None)
            try:
                before = CellSets(served.library).version
                act(served, event)
                _follow(served.library, before)
            except InputError as error:
                st.session_state[f"_{place}-sets-told"] = (True, str(error))

        return safely

    return {
        "area": told(partial(_area, place)),
        "entry": told(_entry),
        "undo": told(partial(_step, CellSets.undo)),
        "redo": told(partial(_step, CellSets.redo)),
    }


def _step(step: Callable[[CellSets, int], str], served: Served, event: Mapping[str, Any]) -> None:
    """Undo or redo on the version that the reader saw, or on what this session made of that."""
    sets, seen = CellSets(served.library), event.get("seen")
    own = st.session_state.get(_FOLLOWED, [])
    if seen in own and sets.version == own[-1]:
        seen = own[-1]
    step(sets, seen if isinstance(seen, int) else -1)


def _follow(library: Library, before: int) -> None:
    """Note what this session made of the version before: the page has not caught up with it yet.

    A stroke of a key comes sooner, and is about what its reader has just done.
    """
    own, after = st.session_state.get(_FOLLOWED, [before]), CellSets(library).version
    st.session_state[_FOLLOWED] = [*(own if own[-1] == before else [before]), after][-_FOLLOWS:]


def _area(place: str, served: Served, event: Mapping[str, Any]) -> None:
    """Take the cells inside what was drawn in a panel: at once, or by a worker if that takes long."""
    panel, mode, chosen = event.get("panel"), event.get("mode"), _chosen(event)
    if not isinstance(panel, int) or not 0 <= panel < len(served.view.sections):
        raise InputError("The area lies in no section of this map. Draw it again.")
    section, coordinates = served.view.sections[panel], served.view.panels[panel].coordinates
    ring = ring_of(event.get("polygon")).tolist()
    try:
        changed = take_area(served.library, section, coordinates, ring, mode=mode, chosen=chosen, quick=True)
    except LaboriousError:
        asked = TakeArea(section.id, tuple(map(tuple, ring)), str(mode), chosen)
        st.session_state[_laborious(place)] = asked
    else:
        session.choose_set(changed.id)


def finish_area(library: Library, place: str) -> None:
    """Show how far the worker is with an area that takes long, and the set that it makes of it."""
    asked: TakeArea | None = st.session_state.get(_laborious(place))
    if asked is None:
        return
    made = run(asked, library, "Finding the cells inside", limit_s=_LIMIT_S)
    if made is not None:
        del st.session_state[_laborious(place)]
        session.choose_set(made)
        st.rerun()


def _laborious(place: str) -> str:
    """Name what the session remembers of an area that takes long."""
    return f"_{place}-area"


def _entry(served: Served, event: Mapping[str, Any]) -> None:
    """Take the cells that an entry of the legend stands for."""
    label, view = str(event.get("label")), served.view
    rows = {
        section.id: np.flatnonzero(_of_entry(served, i, label)) for i, section in enumerate(view.sections)
    }
    names = view.scale.names if isinstance(view.scale, Categories) else {}
    special = {"__rest__": getattr(view.scale, "rest", "others"), "__missing__": "cells without a value"}
    name = special.get(label, names.get(label, label.strip("_")))
    changed = take_entry(served.library, name, rows, mode=event.get("mode"), chosen=_chosen(event))
    session.choose_set(changed.id)


def _of_entry(served: Served, i: int, label: str) -> NDArray[np.bool_]:
    """Mark the cells (n,) of a panel that an entry of the legend stands for."""
    panel, scale = served.view.panels[i], served.view.scale
    if label == "__missing__":
        return panel.missing
    if label == "__imputed__":
        return panel.predicted
    if label == "__measured__":
        return ~panel.missing & ~panel.predicted
    if not isinstance(scale, Categories):
        return np.zeros(len(panel.coordinates), dtype=bool)
    if label == "__rest__":
        return ~panel.has(scale.highlighted) & ~panel.missing
    return panel.has([label])


def _chosen(event: Mapping[str, Any]) -> str | None:
    """Give the set that an area is added to or subtracted from."""
    return st.session_state.get(session.CELL_SET) if event.get("mode") != "new" else None
