"""The map of a section's types beside the table of their names."""

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.store import CellSets
from app.components.cell_types import naming
from app.components.cell_types.editing import show_editing, show_steps
from app.components.cell_types.subject import Types
from app.components.map.tissue_map import show_map
from app.maps import views
from app.maps.views import NO_TYPE, MapView
from squint.library.store import Library, Section
from squint.pl import Categories

_WIDTHS = [11, 9]  # of map and table
_ROW, _TALLEST = 35, 16  # pixels; rows that are shown at once


def show_without(library: Library, section: Section) -> None:
    """Show a section without types, beside the ways to name its cells."""
    left, right = st.columns(_WIDTHS, gap="large")
    with left:
        cells = views.cells_of(library, [section])
        show_map(views.by_depth([section], cells), None, "cell_types")
    with right:
        if not session.may_change():
            st.info("Its cells have no types yet. Whoever may change this project can name them.")
            return
        st.subheader("Name the cells")
        naming.show_naming(library, section)


def show_names(library: Library, section: Section, types: Types) -> None:
    """Show where each type is, what there is of it, and ways to change its name."""
    key = f"types-table-{section.id}-{types.version}"
    rows: list[str | None] = [name for name, _ in types.by_size]
    rows += [None] if types.n_nameless else []
    told = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    selected = [rows[row] for row in told if row < len(rows)]
    left, right = st.columns(_WIDTHS, gap="large")
    with left:
        cells = views.cells_of(library, [section])
        view = views.by_type(library, [section], cells, [name for name in selected if name is not None])
        show_map(view, None, "cell_types")
    with right:
        st.subheader("Names")
        if session.may_change():
            show_steps(library, types)
        _show_table(types, view, key)
        if session.may_change():
            show_editing(library, section, types, selected, CellSets(library))


def _show_table(types: Types, view: MapView, key: str) -> None:
    """Show one row a type; those chosen are highlighted on the map."""
    n_cells = len(types.names.codes)
    sizes = [*types.by_size, *([(NO_TYPE, types.n_nameless)] if types.n_nameless else [])]
    table = pd.DataFrame(
        {
            "Colour": "⬤",
            "Type": [name for name, _ in sizes],
            "Cells": [n for _, n in sizes],
            "Share": [100 * n / n_cells for _, n in sizes],
        }
    )
    if types.has_confidence:
        sure = pd.Series(types.confidence).groupby(types.names.codes).mean()
        place = {name: code for code, name in enumerate(types.names.names)}
        table["Confidence"] = [sure.get(place.get(name, -1)) for name, _ in sizes]
    colours = _colours(view)
    swatches = [f"color: {colours.get(name, colours[''])}" for name in table["Type"]]
    if types.n_nameless:
        swatches[-1] = f"color: {session.map_style().missing}"
    styled = table.style.apply(lambda _: swatches, subset=["Colour"])
    if types.n_nameless:
        last = len(table) - 1
        styled = styled.set_properties(subset=(last, "Type"), **{"font-style": "italic", "color": "gray"})
    st.dataframe(
        styled,
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=_ROW,
        height=_ROW * (min(len(table), _TALLEST) + 1) + 3,
        column_config={
            "Colour": st.column_config.TextColumn("", width=28),
            "Type": st.column_config.TextColumn(width="medium"),
            "Cells": st.column_config.NumberColumn(format="localized", width=70),
            "Share": st.column_config.NumberColumn(format="%.1f %%", width=70),
            "Confidence": st.column_config.NumberColumn(
                format="%.2f", width=90, help="Mean over its cells, from 0 to 1"
            ),
        },
    )


def _colours(view: MapView) -> dict[str, str]:
    """Give the colour that each type has on the map, and under no name that of all others."""
    style = session.map_style()
    shown = dict(view.scale.coloured(style)) if isinstance(view.scale, Categories) else {}
    return {**shown, "": style.rest}
