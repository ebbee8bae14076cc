"""Widgets that mark an area of a section."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.areas import marking
from app.cell_sets.store import CellSets
from app.components.download import File, Left, download
from app.components.file_job import MOST_BYTES, work_on
from app.components.in_painting.subject import FILL, Choice
from app.components.job import run
from app.components.map.colouring import DEPTH, GENE, TOKEN, TYPE, choose_colour, coloured, first_colour
from app.components.map.tissue_map import mount
from app.components.tokens import names as token_names
from app.exports.stamp import many
from app.maps import views
from app.models import ModelFacts
from app.requests import CountInside, ReadRegions
from app.text import sentence
from squint import keys
from squint.errors import InputError
from squint.geometry.outlines import LaboriousError
from squint.geometry.regions import Cells, Points, Shape, dump, from_items
from squint.library.chain import REGIONS
from squint.library.store import Library, Section
from squint.pl import most_frequent

_PLACE = "marking"
_LIMIT_S = 60  # for counting the cells inside of what takes long


class Marked(NamedTuple):
    """An area that can be in-painted."""

    regions: list[Shape]
    beside: Any  # where the page goes on, beside the map


def mark(library: Library, chosen: Choice, model: ModelFacts | None) -> Marked:
    """Let the user mark an area by drawing, typing or a file; without one that can be used, stop the page."""
    section = chosen.section
    st.header("Mark an area")
    cells = views.cells_of(library, [section], model.sha256 if model else None)
    left, right = st.columns([5, 2], gap="large")
    with right:
        _mark_otherwise(library, chosen, cells)
    regions = session.marked(section.id)
    with left:
        _draw(library, section, cells, regions, model)
    with right:
        _say_marked(library, chosen, cells, regions)
    return Marked(regions, right)


def _draw(
    library: Library,
    section: Section,
    cells: pd.DataFrame,
    regions: Sequence[Shape],
    model: ModelFacts | None,
) -> None:
    """Show the section, to draw on."""
    view = _coloured(library, section, cells, model)
    (panel,) = view.panels
    marked = replace(view, panels=(replace(panel, outlines=tuple(marking.outlines(regions))),))
    served = mount(marked, _PLACE, on={"area": lambda _, drawn: _take(section, drawn)}, tool="box")
    served.model = model.sha256 if model else None


def _coloured(
    library: Library, section: Section, cells: pd.DataFrame, model: ModelFacts | None
) -> views.MapView:
    offered = [DEPTH, GENE]
    if keys.CELL_TYPE in cells and cells[keys.CELL_TYPE].notna().any():
        offered.insert(0, TYPE)
    if model and keys.TOKEN in cells:
        offered.append(TOKEN)
    first = first_colour(library, [section], model, offered)
    colour = choose_colour(offered, session.MARK_COLOUR, first)
    if model and colour == TOKEN:
        shown = most_frequent(pd.Categorical(cells[keys.TOKEN]))
        return views.by_token([section], cells, shown, token_names(library, model), model)
    return coloured(library, [section], cells, colour, None)


def _take(section: Section, drawn: Mapping[str, Any]) -> None:
    """Remember what was drawn: in place of what was marked, or with it."""
    regions = marking.drawn(drawn, section.section)
    if drawn.get("mode") == "subtract":
        st.toast("Nothing can be subtracted from an area to in-paint. Draw it again.", icon=":material/info:")
    elif regions:
        before = session.marked(section.id) if drawn.get("mode") == "add" else []
        _mark(section, [*before, *regions])


def _mark(section: Section, regions: Sequence[Shape]) -> None:
    """Mark areas, or say why they are too many."""
    try:
        marking.check(regions)
    except InputError as error:
        st.toast(sentence(str(error)), icon=":material/info:")
    else:
        session.mark(section.id, regions)


def _mark_otherwise(library: Library, chosen: Choice, cells: pd.DataFrame) -> None:
    """Mark an area without the mouse: by numbers, by a file, or by what a model held out."""
    section = chosen.section
    st.markdown(
        "**Draw** a rectangle on the map, or choose the lasso or the polygon above it. Shift adds a further "
        "area."
    )
    with st.expander("Type a rectangle", icon=":material/keyboard:"), st.form(f"rectangle-{section.id}"):
        low, high = cells[["x", "y"]].min(), cells[["x", "y"]].max()
        middle, reach = (low + high) / 2, (high - low) / 10
        numbers = {}
        for axis in ("x", "y"):
            for column, end, start in zip(
                st.columns(2),
                ("from", "to"),
                (middle[axis] - reach[axis], middle[axis] + reach[axis]),
                strict=True,
            ):
                numbers[axis, end] = column.number_input(
                    f"{axis} {end}",
                    value=_rounded(start, reach[axis]),
                    format="%.12g",
                    key=f"{axis}-{end}-{section.id}",
                )
        if st.form_submit_button("Mark this rectangle"):
            xs, ys = ([numbers[axis, end] for end in ("from", "to")] for axis in ("x", "y"))
            session.mark(section.id, [marking.rectangle(section.section, xs, ys)])
    _mark_a_set(library, section)
    if session.may_change():
        _load(library, section)
    _mark_held_out(chosen)


def _load(library: Library, section: Section) -> None:
    """Take an area of a file."""
    with st.expander("Load an area", icon=":material/upload_file:"):
        st.caption(
            'R.json, as the commands take it: `{"regions": [{"section": "id", "polygon": [[x, y], ...]}]}`.'
        )
        file = st.file_uploader(
            "R.json", type="json", key=f"regions-{section.id}", max_upload_size=MOST_BYTES // 10**6
        )
        found = work_on(
            library,
            file,
            lambda path: ReadRegions(path, section.section),
            "Mark what it names",
            "Reading the areas",
            f"regions-take-{section.id}",
        )
        if found is not None:
            session.mark(section.id, from_items(found, "R.json"))


def _mark_held_out(chosen: Choice) -> None:
    section = chosen.section
    if chosen.model.held_out and not chosen.fill:
        held_out = Cells(section.section, tuple(sorted(chosen.model.held_out)))
        st.button(
            f"Mark the {many(len(chosen.model.held_out), 'held-out cell')}",
            key=f"held-out-{section.id}",
            help="The cells of this section that the model was trained without",
            on_click=session.mark,
            args=(section.id, [held_out]),
        )


def _rounded(value: float, reach: float) -> float:
    """Round a coordinate to a thousandth of how far the rectangle reaches, however far from 0 it lies."""
    return float(round(value, 3 - int(np.floor(np.log10(reach))) if reach > 0 else 3))


def _mark_a_set(library: Library, section: Section) -> None:
    """Offer the cell sets that were drawn on other maps."""
    sets = CellSets(library)
    try:
        here = {one.id: (one, n) for one, n in sets.within([section])}
    except InputError as error:
        st.error(sentence(str(error)))
        return
    if not here:
        return
    with st.expander("Take a cell set", icon=":material/lasso_select:"):
        chosen = st.selectbox(
            "Cell set",
            list(here),
            format_func=lambda set_id: f"{here[set_id][0].name} ({many(here[set_id][1], 'cell')})",
            key=f"marked-set-{section.id}",
        )
        if st.button("Mark this set", key=f"marked-set-take-{section.id}"):
            one, _ = here[str(chosen)]
            rows, drawn = sets.rows(one, section.id), sets.outline(one, section.id)
            names = library.cells(section.id).index[rows].tolist()
            _mark(section, marking.from_set(section.section, drawn, names))


def _say_marked(library: Library, chosen: Choice, cells: pd.DataFrame, regions: Sequence[Shape]) -> None:
    """Say what is marked, how many cells that are, and why it cannot be in-painted; then stop the page."""
    section = chosen.section
    if not regions:
        st.info("No area is marked yet.")
        st.stop()
    st.button("Clear", key="marked-clear", on_click=session.mark, args=(section.id, []))
    n_inside = _count(library, section, cells, regions)
    st.markdown(
        f"**Marked:** {sentence(marking.describe(regions))}  \n**{many(n_inside, 'cell')}** of "
        f"{section.n_cells:,} lie inside{_area(section, regions, n_inside)}"
    )
    with st.container(horizontal=True):
        download(
            "R.json",
            lambda: dump(regions),
            File("R.json", "application/json"),
            Left(REGIONS, [section.id]),
            key="marked-download",
            help="The marked area, for `squint train --regions` and `squint inpaint --regions`",
        )
    problem = _problem(chosen, regions, n_inside)
    if problem:
        st.warning(problem)
        st.stop()


def _count(library: Library, section: Section, cells: pd.DataFrame, regions: Sequence[Shape]) -> int:
    """Count the cells inside, once: at once, or by a worker if that takes long; without, stop the page."""
    known, n_inside = st.session_state.get(f"_inside-{section.id}", (None, 0))
    if known == regions:
        return int(n_inside)
    places = cells[["x", "y"]].to_numpy(dtype=np.float64)
    try:
        counted: int | None = marking.count_quickly(regions, pd.Index(cells["cell"]), places)
    except LaboriousError:
        asked = CountInside(section.id, tuple(regions))
        counted = run(asked, library, "Counting the cells inside", limit_s=_LIMIT_S)
    except InputError as error:
        st.error(sentence(str(error)))
        counted = None
    if counted is None:
        st.stop()
    st.session_state[f"_inside-{section.id}"] = (list(regions), counted)
    return counted


def _area(section: Section, regions: Sequence[Shape], n_inside: int) -> str:
    outlines = marking.outlines(regions)
    if len(outlines) != 1 or section.unit == "unknown":
        return "."
    area = marking.area(outlines[0]) / 1e6
    said = f", {area:.3g} mm²"
    if n_inside:
        said += f", {n_inside / area:,.0f} cells/mm²"
    return f"{said}."


def _problem(chosen: Choice, regions: Sequence[Shape], n_inside: int) -> str:
    """Say why an area cannot be in-painted; nothing if it can."""
    if chosen.fill:
        if all(isinstance(region, Points) or region.outline is not None for region in regions):
            return ""
        return "What is marked names cells, not an area. To fill a gap, draw around it."
    if not n_inside:
        return (
            "No cell lies in the marked area, so there is nothing to hide. Mark an area with cells, or "
            f"choose *{FILL}* above."
        )
    if n_inside == chosen.section.n_cells:
        return "All cells of the section are marked: leave some to predict them from. Mark a smaller area."
    return ""
