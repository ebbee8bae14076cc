"""The panel of cell sets beside a map: which there are, their numbers, and their files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets import files
from app.cell_sets.store import CellSet, CellSets
from app.components.job import run
from app.components.map.set_numbers import show_numbers
from app.exports.stamp import many, stamp
from app.models import ModelFacts
from app.requests import BringIn
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library.store import Library, Section, harmless_name
from squint.pl import LIGHT

_COLOURS = dict(
    zip(
        LIGHT.categories,
        ("orange", "sky blue", "green", "yellow", "blue", "vermilion", "purple", "black"),
        strict=True,
    )
)
_UM, _PIXELS = "µm", "pixels, for QuPath"


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
        _show_history(library, place)  # first: where the sets are damaged, going back mends them
        sets = CellSets(library).all()
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if not sets:
        st.info("There are no cell sets yet. Draw around cells on the map, or load a file below.")
    for one in sets:
        _show_row(library, one, sections, place)
    chosen = next((one for one in sets if one.id == st.session_state.get(session.CELL_SET)), None)
    if chosen is not None:
        _show_chosen(library, chosen, sections, cells, place, model)
    _load(library, sections, place)


def _show_history(library: Library, place: str) -> None:
    """Offer to undo and redo, and say when all was saved."""
    sets = CellSets(library)
    seen = sets.version
    with st.container(horizontal=True, vertical_alignment="center"):
        for word, what, step in (("Undo", sets.can_undo, sets.undo), ("Redo", sets.can_redo, sets.redo)):
            st.button(
                f"{word}: {as_text(what)}" if what else word,
                key=f"{place}-{word.lower()}",
                icon=f":material/{word.lower()}:",
                disabled=not what,
                on_click=_act,
                args=(place, step, seen),
            )
        if sets.saved is not None:
            try:
                zone = ZoneInfo(st.context.timezone or "UTC")
            except (ZoneInfoNotFoundError, ValueError):
                zone = ZoneInfo("UTC")
            st.caption(f"saved {sets.saved.astimezone(zone):%H:%M}", width="content")


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
            _save(library, one, here, place)


def _recolour(library: Library, one: CellSet, column: Any, place: str) -> None:
    colours = list(dict.fromkeys([*_COLOURS, one.colour]))
    key = f"{place}-colour-{one.id}-{one.colour}"
    column.selectbox(
        "Colour",
        colours,
        colours.index(one.colour),
        format_func=lambda colour: _COLOURS.get(colour, colour),
        key=key,
        on_change=lambda: _act(place, CellSets(library).recolour, one.id, st.session_state[key]),
    )


def _save(library: Library, one: CellSet, sections: Sequence[Section], place: str) -> None:
    """Offer a set of one section as files for QuPath and Xenium Explorer."""
    label = "Save for QuPath or Xenium Explorer"
    with st.expander(label, icon=":material/download:", key=f"{place}-save-files"):
        section = _one_of(sections, f"{place}-save-section")
        size, ready = None, True
        if section.unit != "unknown":
            unit, pixel = st.columns(2)
            chosen = unit.segmented_control(
                "Coordinates in", [_UM, _PIXELS], default=_UM, required=True, key=f"{place}-unit"
            )
            if chosen == _PIXELS:
                size = _pixel_size(pixel, section, f"{place}-save-pixel")
                ready = size is not None
        else:
            st.caption("Units unknown: coordinates are written as they are, and the file says so.")
        name = harmless_name(f"{one.name}_{section.section}")
        outline = bool(CellSets(library).outline(one, section.id))
        marks = stamp(f"Cell set {one.name}", [section], None, {"made": one.how})
        marks["Cells"] = (
            f"n = {many(CellSets(library).n_cells(one, section.id), 'cell')}, of {marks['Cells']}"
        )
        with st.container(horizontal=True):
            st.download_button(
                "GeoJSON" if outline else "GeoJSON, positions of cells",
                lambda: files.geojson(library, one, section, size, marks),
                f"{name}.geojson",
                "application/geo+json",
                key=f"{place}-geojson",
                disabled=not ready,
                on_click="ignore",
                help="QuPath: File > Import objects",
            )
            st.download_button(
                "Cell groups",
                lambda: files.cell_groups(library, [one], section),
                f"{name}_cell_groups.csv",
                "text/csv",
                key=f"{place}-groups",
                on_click="ignore",
                help="Xenium Explorer: cell_id, group, color. Without a stamp, which it could not read.",
            )
            if outline and section.unit != "unknown":
                st.download_button(
                    "Selection",
                    lambda: files.selections(library, one, section),
                    f"{name}_coordinates.csv",
                    "text/csv",
                    key=f"{place}-selection",
                    on_click="ignore",
                    help="Coordinates in µm, in the form of Xenium Explorer's selections",
                )


def _load(library: Library, sections: Sequence[Section], place: str) -> None:
    """Make cell sets of a file from QuPath or Xenium Explorer."""
    label = "Load from QuPath or Xenium Explorer"
    with st.expander(label, icon=":material/upload_file:", key=f"{place}-load-files"):
        st.caption(
            "GeoJSON of annotations, or a CSV of cell groups (`cell_id,group`) or of a selection's "
            "coordinates (`Selection,X,Y`). Each name in the file becomes a cell set."
        )
        section = _one_of(sections, f"{place}-load-section")
        n_loaded = st.session_state.get(f"_{place}-loaded", 0)  # so that the next begins with an empty widget
        file = st.file_uploader("File", type=["geojson", "json", "csv"], key=f"{place}-file-{n_loaded}")
        size = _pixel_size(st, section, f"{place}-load-pixel")
        skip = st.checkbox("Leave out cells that this section does not have", key=f"{place}-skip")
        if file is None:
            _forget(library, place)
        elif st.button("Make cell sets of it", key=f"{place}-load", type="primary"):
            _forget(library, place)
            path = library.workspace() / "upload"
            path.write_bytes(file.getbuffer())
            asked = BringIn(section.id, str(path), file.name, size, skip)
            st.session_state[f"_{place}-bringing"] = asked
        if f"_{place}-bringing" in st.session_state:
            _bring_in(library, place)


def _bring_in(library: Library, place: str) -> None:
    """Let a worker make cell sets of a file: a small one may unfold to much."""
    notes = run(st.session_state[f"_{place}-bringing"], library, "Making cell sets")
    if notes is not None:
        _forget(library, place)
        st.session_state[f"_{place}-told"] = (False, "; ".join(notes) + ".")
        st.session_state[f"_{place}-loaded"] = st.session_state.get(f"_{place}-loaded", 0) + 1
        st.rerun()


def _forget(library: Library, place: str) -> None:
    """Remove a file that was to be made cell sets of."""
    asked: BringIn | None = st.session_state.pop(f"_{place}-bringing", None)
    if asked is not None:
        library.unstage(Path(asked.path))


def _pixel_size(column: Any, section: Section, key: str) -> float | None:
    """Ask how large a pixel is; nothing is taken for granted but Xenium's."""
    size = column.number_input(
        "µm per pixel (1 for files in µm)" if key.endswith("load-pixel") else "µm per pixel",
        min_value=0.001,
        max_value=1_000.0,
        value=files.pixel_size(section),
        format="%.4f",
        key=f"{key}-{section.id}",
        help="Of the picture in QuPath. A file of this dashboard says its own.",
    )
    return None if size is None else float(size)


def _one_of(sections: Sequence[Section], key: str) -> Section:
    by_id = {section.id: section for section in sections}
    session.keep_valid(key, list(by_id))
    chosen = st.selectbox("Section", list(by_id), format_func=lambda name: by_id[name].title, key=key)
    return by_id[str(chosen)]
