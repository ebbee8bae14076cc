"""Numbers and charts of a cell set."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.cell_sets import numbers
from app.cell_sets.split import has_counts
from app.cell_sets.store import CellSet
from app.components.export_row import CHART, Export, export_row
from app.components.tokens import with_names
from app.exports.stamp import many, stamp
from app.models import ModelFacts
from app.text import sentence
from squint import keys
from squint.library import token_naming
from squint.library.store import LIBRARY_ID, Library, Section
from squint.pl import PRINT, Style, activation_histogram, escape

_LABELS = {"Cell type": keys.CELL_TYPE, "Token": keys.TOKEN}


def show_numbers(
    library: Library,
    one: CellSet,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    place: str,
    model: ModelFacts | None,
) -> None:
    """Show how many cells a set has here, on how much tissue, what they are and how they score."""
    found = numbers.numbers(library, one, sections)
    for column, (label, value) in zip(st.columns(5), _as_metrics(found).items(), strict=True):
        column.metric(label, value)
    st.caption(sentence(f"Area: {found.area_is}. Made {one.created[:10]}: {one.how or 'not said how'}."))
    if not found.n_cells:
        st.info("None of its cells are in the sections shown. Show others.")
        return
    inside = numbers.in_set(library, one, sections, cells)
    shas = ", ".join(one.members[section.id] for section in sections if section.id in one.members)
    parameters = {
        "cell set": f"{one.name}, n = {many(found.n_cells, 'cell')}, {many(found.n_patients, 'patient')}",
        "cells of the set": shas,
        "area": f"{_mm2(found.area_mm2)}, {found.area_is}",
        "made": one.how,
    }
    _show_composition(library, one, sections, cells, inside, place, model, parameters)
    _show_scores(one, sections, cells, inside, place, model, parameters)


def _as_metrics(found: numbers.Numbers) -> dict[str, str]:
    return {
        "Cells": f"{found.n_cells:,}",
        "Sections": f"{found.n_sections:,}",
        "Patients": f"{found.n_patients:,}",
        "Area": _mm2(found.area_mm2),
        "Density": "unknown" if found.density is None else f"{found.density:,.0f} cells/mm²",
    }


def _mm2(area: float | None) -> str:
    return "unknown" if area is None else f"{area:.3g} mm²"


def _show_composition(
    library: Library,
    one: CellSet,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    inside: NDArray[np.bool_],
    place: str,
    model: ModelFacts | None,
    parameters: Mapping[str, object],
) -> None:
    """Show which types or tokens the cells of a set are, beside all cells shown."""
    offered = [name for name, column in _LABELS.items() if column in cells and cells[column].notna().any()]
    if not offered:
        st.caption("These sections have neither cell types nor tokens, so there is no composition to show.")
        return
    by = offered[0]
    if len(offered) > 1:
        by = str(
            st.segmented_control(
                "Composition by", offered, default=offered[0], required=True, key=f"{place}-composition-by"
            )
        )
    column = _LABELS[by]
    known = (cells[column].notna() if column == keys.TOKEN else has_counts(cells)).to_numpy()
    table = numbers.composition(cells[known], inside[known], column)
    of = model if column == keys.TOKEN else None
    named = token_naming.names(library, of.sha256) if of else {}
    n = (int((inside & known).sum()), int(known.sum()))
    st.plotly_chart(
        _bars(table.rename(index=named), one, n, session.style()),
        key=f"{place}-composition",
        config=CHART,
        alt=f"Share of each {by.lower()} among the cells of the set and among all cells shown",
    )
    if n[0] < inside.sum():
        lacking = "a token" if column == keys.TOKEN else "counts"
        st.caption(f"{many(int(inside.sum()) - n[0], 'cell')} of the set without {lacking} left out.")
    marks = stamp(
        f"Cell set {one.name}: composition by {by.lower()}",
        sections,
        of,
        parameters,
    )
    export_row(
        Export(
            f"{place}_composition",
            marks,
            table=lambda: with_names(
                library, of.sha256 if of else None, table.reset_index(), {"label": "name"}
            ),
            figure=lambda _: _bars(table.rename(index=named), one, n, PRINT),
        )
    )


def _bars(table: pd.DataFrame, one: CellSet, n: tuple[int, int], style: Style) -> go.Figure:
    """Draw the table of :func:`app.cell_sets.numbers.composition`, as ``squint.pl.composition`` draws its."""
    table = table.iloc[::-1]
    figure = go.Figure()
    series = (("_all", "all cells shown", n[1], style.rest), ("", one.name, n[0], one.colour))
    for end, name, n_cells, colour in series:
        figure.add_bar(
            y=[escape(label) for label in table.index],
            x=100 * table[f"share{end}"],
            orientation="h",
            name=f"{escape(name)} · {n_cells:,} cells",
            marker={"color": colour, "line": {"color": style.ink, "width": 0.5}},
            text=[f"n = {count:,}" for count in table[f"n{end}"]],
            textposition="outside",
            constraintext="none",
            cliponaxis=False,
            hovertemplate="%{x:.1f} %, %{text}<extra>%{y}</extra>",
        )
    largest = float(table[["share", "share_all"]].to_numpy().max())
    grid = {"gridcolor": "rgba(128,128,128,0.25)"}
    figure.update_xaxes(title="% of the cells", range=[0, 135 * max(largest, 0.01)], **grid)
    figure.update_yaxes(automargin=True, type="category", **grid)
    return figure.update_layout(
        barmode="group",
        bargap=0.25,
        height=130 + 36 * len(table),
        paper_bgcolor=style.paper,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": style.ink, "size": 13},
        margin={"l": 8, "r": 8, "t": 40, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "reversed"},
    )


def _show_scores(
    one: CellSet,
    sections: Sequence[Section],
    cells: pd.DataFrame,
    inside: NDArray[np.bool_],
    place: str,
    model: ModelFacts | None,
    parameters: Mapping[str, object],
) -> None:
    """Show how the activation scores of a set are spread, beside those of all cells shown."""
    if keys.ACTIVATION not in cells:
        return
    scores = cells[keys.ACTIVATION].to_numpy(dtype=float)
    mine = scores[inside & ~np.isnan(scores)]
    low, high = st.session_state.get(session.THRESHOLDS, (0.25, 0.75))

    def draw(style: Style) -> go.Figure:
        spread = {one.name: scores[inside], "all cells shown": scores}
        figure = activation_histogram(spread, low=low, high=high, style=style)
        return figure.update_yaxes(title="% of these cells")

    st.plotly_chart(
        draw(session.style()),
        key=f"{place}-scores",
        config=CHART,
        alt="Histogram of the activation scores of the set and of all cells shown",
    )
    if len(mine):
        q1, median, q3 = np.quantile(mine, [0.25, 0.5, 0.75])
        n_missing = int(inside.sum()) - len(mine)
        st.caption(
            f"Activation score of {many(len(mine), 'cell')}: median {median:.2f} [{q1:.2f}, {q3:.2f}]"
            + (f"; {many(n_missing, 'cell')} without a score." if n_missing else ".")
        )
    where = cells.loc[inside, [keys.SECTION, LIBRARY_ID]].reset_index(
        drop=True
    )  # a name may be of two sections
    table = where.assign(score=scores[inside])
    marks = stamp(f"Cell set {one.name}: activation scores", sections, model, parameters)
    export_row(Export(f"{place}_scores", marks, table=lambda: table, figure=lambda _: draw(PRINT)))
