"""The panel of cell sets beside a map: which there are, and their numbers."""

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.store import CellSet, CellSets
from app.components.map.set_files import load_files, save_files
from app.components.map.set_numbers import show_numbers
from app.exports.stamp import many
from app.models import ModelFacts
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library.store import Library, Section
from squint.pl import LIGHT

_COLOURS = dict(
    zip(
        LIGHT.categories,
        ("orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple", "black"),
        strict=True,
    )
)


def show_cell_sets(
    library: Library,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    place: str,
    model: ModelFacts | None = None,
) -> None:
    """Show the cell sets, the numbers of the chosen one, and ways to save and load them.

    Parameters
    ----------
    library
        Where they are kept.
    sections
        Those shown.
    cells
        One row per cell of them, in their order, as :func:`app.maps.views.cells_of` gives it: ``section``
        holds ids; cell types, tokens and activation scores are looked at where there are some.
    place
        Name of the panel, for widgets and files.
    model
        Facts of the model, for the stamp where tokens are counted.
    """
    told = st.session_state.pop(f"_{place}-told", None)
    if told is not None:
        (st.error if told[0] else st.success)(sentence(told[1]))
    try:
        if session.may_change():
            _show_history(library, place)  # first: where the sets are damaged, going back mends them
        sets = CellSets(library).all()
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if not sets:
        how = " Draw around cells on the map, or load a file below." if session.may_change() else ""
        st.info(f"There are no cell sets yet.{how}")
    for one in sets:
        _show_row(library, one, sections, place)
    chosen = next((one for one in sets if one.id == st.session_state.get(session.CELL_SET)), None)
    if chosen is not None:
        _show_chosen(library, chosen, sections, cells, place, model)
    if session.may_change():
        load_files(library, sections, place)


def _show_history(library: Library, place: str) -> None:
    """Offer to undo and redo, and say when all was saved."""
    sets = CellSets(library)
    now = sets.history.now()
    with st.container(horizontal=True, vertical_alignment="center"):
        for word, what, step in (("Undo", now.undo, sets.undo), ("Redo", now.redo, sets.redo)):
            st.button(
                f"{word}: {as_text(what)}" if what else word,
                key=f"{place}-{word.lower()}",
                icon=f":material/{word.lower()}:",
                disabled=not what,
                on_click=_act,
                args=(place, step, now.version),
            )
        if now.saved is not None:
            try:
                zone = ZoneInfo(st.context.timezone or "UTC")
            except (ZoneInfoNotFoundError, ValueError):
                zone = ZoneInfo("UTC")
            st.caption(f"saved {now.saved.astimezone(zone):%H:%M}", width="content")


def _show_row(library: Library, one: CellSet, sections: Sequence[Section], place: str) -> None:
    """Show a set: colour, name, cells here, and what can be done with it."""
    chip, name, n, choose, remove = st.columns([1, 9, 6, 4, 2], vertical_alignment="center")
    chip.html(f'<span title="{_COLOURS.get(one.colour, "")}" style="color:{one.colour}">■</span>')
    # With the version, so that an undo shows the name before; and anew where a name was refused.
    tried = st.session_state.get(f"_{place}-refused", 0)
    key = f"{place}-name-{one.id}-{CellSets(library).version}-{tried}"
    name.text_input(
        "Name",
        one.name,
        max_chars=60,
        key=key,
        disabled=not session.may_change(),
        label_visibility="collapsed",
        on_change=lambda: _act(place, CellSets(library).rename, one.id, st.session_state[key]),
    )
    damage = CellSets(library).damage(one, sections)
    if damage:
        n.markdown("**damaged**", help=sentence(damage))
    else:
        here = sum(CellSets(library).n_cells(one, section.id) for section in sections)
        n.markdown(f"{many(here, 'cell')} here")
    chosen = st.session_state.get(session.CELL_SET) == one.id
    choose.button(
        "Numbers",
        key=f"{place}-choose-{one.id}",
        type="primary" if chosen else "secondary",
        on_click=_choose,
        args=(None if chosen else one.id,),
    )
    if not session.may_change():
        return
    remove.button(
        "",
        key=f"{place}-delete-{one.id}",
        icon=":material/delete:",
        help="Delete this set; Undo brings it back",
        on_click=_act,
        args=(place, CellSets(library).delete, one.id),
    )


def _choose(set_id: str | None) -> None:
    st.session_state[session.CELL_SET] = set_id


def _act(place: str, change: Callable[..., Any], *args: Any) -> None:
    """Make a change, or remember to say why it was refused."""
    try:
        change(*args)
    except InputError as error:
        st.session_state[f"_{place}-told"] = (True, str(error))
        st.session_state[f"_{place}-refused"] = st.session_state.get(f"_{place}-refused", 0) + 1


def _show_chosen(
    library: Library,
    one: CellSet,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    place: str,
    model: ModelFacts | None,
) -> None:
    """Show the numbers of a set, what its cells are, and its files."""
    with st.container(border=True, key=f"{place}-chosen"):
        title, colour = st.columns([3, 1])
        title.markdown(f"**{as_text(one.name)}**")
        _recolour(library, one, colour, place)
        if damage := CellSets(library).damage(one, sections):
            st.error(sentence(damage))
            return
        show_numbers(library, one, sections, cells, place, model)
        here = [section for section in sections if section.id in one.members]
        if here:
            save_files(library, one, here, place)


def _recolour(library: Library, one: CellSet, column: Any, place: str) -> None:
    colours = list(dict.fromkeys([*_COLOURS, one.colour]))
    key = f"{place}-colour-{one.id}-{one.colour}"
    column.selectbox(
        "Colour",
        colours,
        colours.index(one.colour),
        format_func=lambda colour: _COLOURS.get(colour, colour),
        key=key,
        disabled=not session.may_change(),
        on_change=lambda: _act(place, CellSets(library).recolour, one.id, st.session_state[key]),
    )
