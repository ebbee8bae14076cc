"""Widgets and figures of a stack: in three dimensions, and level by level."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from app import session, views
from app.components import risk
from app.components.export_row import CHART, Export, export_row
from app.components.imputation import Imputed, by_imputed
from app.components.imputation import choose_gene as choose_imputed_gene
from app.components.job import compute
from app.components.text import as_text
from app.components.tokens import choose_gene, choose_tokens, why_no_tokens
from app.library import Library, Section
from app.results import Request, find
from app.stacks import Positions, Stack, find_stacks
from app.stamp import counts, many, simulated, stamp
from squint import keys, pl
from squint.pl import PRINT

_BY_TOKENS, _BY_CELLS = ("Token", "Activation score"), ("Gene", "Cell type")
_IMPUTED = "In-painted gene"
_STRETCH = (1.0, 10.0)
_AT_MOST = (5_000, 15_000, 30_000, 100_000)  # cells drawn in three dimensions
_AT_FIRST = 15_000  # cells that a graphics card turns smoothly


def choose(library: Library) -> Stack:
    """Let the user choose a stack; if there is none, say how to get one and stop the page."""
    stacks = find_stacks([section for section in library.sections() if section.values == "counts"])
    if not stacks:
        st.info(
            "There is no stack yet. A stack is two or more sections of one patient at different heights. "
            "Add a file on the page Sections whose `obs` holds `z_um`, the height of each section in µm; "
            "best is one file with all levels."
        )
        st.page_link("../pages/sections.py", label="Go to Sections", icon=":material/photo_library:")
        st.stop()
    by_name = {stack.name: stack for stack in stacks}
    names = list(by_name)
    session.keep_valid(session.STACK, names)
    name = st.selectbox(
        "Stack",
        names,
        format_func=lambda name: _describe(by_name[name]),
        key=session.STACK,
        persist_state="session",
    )
    return by_name[str(name)]


def _describe(stack: Stack) -> str:
    n_cells = sum(level.n_cells for level in stack.levels)
    return f"{stack.name}: {many(len(stack.levels), 'level')}, {many(n_cells, 'cell')}"


def say_depth(stack: Stack) -> None:
    """Say how high the stack is and how far its levels are apart."""
    steps = sorted(set(stack.steps))
    apart = f"{steps[0]:g} µm" if len(steps) == 1 else f"{steps[0]:g} to {steps[-1]:g} µm"
    low, high = stack.heights[0], stack.heights[-1]
    said = simulated(stack.levels)
    st.caption(
        f"{counts(stack.levels)} · z from {low:g} to {high:g} µm, levels {apart} apart"
        + (f" · {said}" if said else "")
    )
    if any(level.unit == "unknown" for level in stack.levels):
        st.warning(
            "The unit of x and y is unknown while z is in µm, so the height of the stack is not to scale."
        )


def show_in_3d(
    library: Library,
    stack: Stack,
    positions: Positions,
    imputed: Imputed | None,
    model: Mapping[str, Any] | None,
) -> None:
    """Show the levels above each other, to turn."""
    st.header("In three dimensions")
    levels = _choose_levels(stack)
    flatness = _flatness(library, stack)
    unknown = any(level.unit == "unknown" for level in levels)
    offered = _offered(library, stack, imputed, model)
    left, middle, right, last = st.columns([4, 2, 1, 2], gap="large")
    by = left.segmented_control(
        "Colour cells by",
        offered,
        default=offered[0],
        required=True,
        key=session.STACK_COLOUR,
        bind="query-params",
    )
    stretch = middle.slider(
        "Height stretched by",
        *_STRETCH,
        1.0 if unknown else float(np.clip(round(flatness), *_STRETCH)),
        step=0.5,
        format="%g",
        key=f"{session.STRETCH}-{stack.name}",
        persist_state="session",
    )
    dots = right.slider("Size of cells", 1, 6, 3, key=session.DOTS, persist_state="session")
    at_most = last.select_slider(
        "Cells drawn at most",
        _AT_MOST,
        _AT_FIRST,
        format_func=lambda n: f"{n:,}",
        key=session.DRAWN,
        help="Fewer turn more smoothly, above all where the browser has no graphics card to use.",
    )
    if imputed and by == _IMPUTED:
        cells = views.cells_of(library, levels)
        view = by_imputed(imputed, levels, cells, choose_imputed_gene(imputed, "stack"))
    else:
        view = _coloured(library, levels, str(by), model)
    panels = [
        replace(panel, coordinates=positions.get(level.id, panel.coordinates))
        for level, panel in zip(levels, view.panels, strict=True)
    ]
    z = [float(level.z_um or 0) for level in levels]
    marked = [~panel.missing for panel in panels] if by == _IMPUTED else None

    def figure(style: pl.Style) -> Any:
        return pl.stack(
            panels,
            view.scale,
            z=z,
            spacing_factor=stretch * (flatness if unknown else 1),  # no common unit: any height is as true
            max_cells=at_most,
            cell_size=dots,
            marked=marked,
            style=style,
        )

    st.plotly_chart(
        figure(session.style()),
        key="stack",
        config=CHART,
        alt=f"{len(levels)} levels of {stack.name} in three dimensions, coloured by {str(by).lower()}",
    )
    n_cells = sum(level.n_cells for level in levels)
    if n_cells > at_most:
        st.caption(
            f"Not all of the {n_cells:,} cells are drawn: the fewer, the quicker the stack turns. The table "
            "and the maps of single levels hold all."
        )
    parameters = {
        **view.parameters,
        "height stretched by": f"{stretch * (flatness if unknown else 1):.3g}",
        "positions": "as proposed" if positions else "as measured",
        "cells drawn at most": at_most,
        "size of cells": dots,
    }
    if imputed and by == _IMPUTED:
        parameters["in-painted by"] = imputed.by
    marks = stamp(f"Stack {stack.name}", levels, model, parameters)
    export_row(Export("stack", marks, table=lambda: view.cells, figure=lambda _: figure(PRINT)))


def _flatness(library: Library, stack: Stack) -> float:
    """Find by how much to stretch the height of a stack, so that it is half as high as wide."""
    cells = library.cells(stack.levels[0].id)
    width = float(max(np.ptp(cells["x"]), np.ptp(cells["y"])))
    height = stack.heights[-1] - stack.heights[0]
    return 0.5 * width / height


def _choose_levels(stack: Stack) -> list[Section]:
    """Choose a range of levels."""
    names = [f"{level.z_um:g} µm" for level in stack.levels]
    if len(set(names)) < len(names) or len(names) < 3:
        return list(stack.levels)
    every = (names[0], names[-1])
    session.keep_valid(f"{session.LEVELS}-{stack.name}", [(a, b) for a in names for b in names], every)
    first, last = st.select_slider(
        "Levels shown, by height",
        names,
        value=every,
        key=f"{session.LEVELS}-{stack.name}",
        persist_state="session",
    )
    return list(stack.levels[names.index(first) : names.index(last) + 1])


def _offered(
    library: Library, stack: Stack, imputed: Imputed | None, model: Mapping[str, Any] | None
) -> list[str]:
    """List what cells can be coloured by; without tokens, say so."""
    tokens = model is not None and len(library.tokenised(stack.levels, model["sha256"])) == len(stack.levels)
    if not tokens:
        why = why_no_tokens(library, stack.levels, model)
        st.caption(f"Not all levels have tokens by this model. {why}")
    return [*(_BY_TOKENS if tokens else ()), *_BY_CELLS, *((_IMPUTED,) if imputed else ())]


def _coloured(
    library: Library, levels: Sequence[Section], by: str, model: Mapping[str, Any] | None
) -> views.MapView:
    """Colour the cells of some levels."""
    if model is not None and by == "Activation score":
        every = library.tokenised(library.sections(), model["sha256"])
        request, thresholds = risk.choose(every, model["sha256"])
        how = risk.score(library, request)
        risk.say_cover(how)
        cells = views.cells_of(library, levels, model["sha256"], request.run)
        return views.by_activation(levels, cells, thresholds, how)
    cells = views.cells_of(library, levels, model["sha256"] if model else None)
    if model is not None and by == "Token":
        return views.by_token(levels, cells, choose_tokens(cells), model)
    if by == "Gene":
        return views.by_gene(library, levels, cells, choose_gene(library, levels))
    if keys.CELL_TYPE not in cells or not cells[keys.CELL_TYPE].notna().any():
        st.info("These levels have no cell types; map the column when adding a section that has some.")
    return views.by_type(levels, cells)


def aligned_positions(library: Library, stack: Stack) -> Positions:
    """Give where the cells of each level lie once aligned; nothing if the user keeps them as they are."""
    laid = find(library, _alignment(stack)) if st.session_state.get(session.ALIGNED) else None
    if laid is None:
        return {}
    return {level.id: laid.table(f"aligned_{level.id}").to_numpy(np.float64) for level in stack.levels}


def _alignment(stack: Stack) -> Request:
    return Request("align", {"ids": [level.id for level in stack.levels]})


def show_alignment(library: Library, stack: Stack, model: Mapping[str, Any] | None) -> None:
    """Show how neighbouring levels lie to each other, and let the user lay them onto each other."""
    st.header("Alignment of levels")
    pairs = compute(library, _alignment(stack), "Laying levels onto each other").table("pairs")
    proposed = pairs[pairs["reliable"]]
    st.caption(
        "Each level is laid onto the one below it by turning and shifting, never by stretching or mirroring. "
        "A movement is proposed only where the tissue then agrees clearly better. Lengths are in the unit of "
        "the coordinates."
    )
    if proposed.empty:
        n_pairs = many(len(pairs), "pair")
        st.markdown(f"**No movement is proposed** for the {n_pairs} of levels of {as_text(stack.name)}.")
    shares = {name: 100 * pairs[name] for name in ("overlap_before", "overlap_after")}
    st.dataframe(pairs.assign(**shares)[list(_PAIRS)], hide_index=True, column_config=_PAIRS)
    parameters = {
        "registration": "rigid, pair by pair",
        "shifts": f"in {stack.levels[0].unit}",
        "apart": "in µm",
    }
    marks = stamp(f"Alignment of {stack.name}", stack.levels, model, parameters)
    export_row(Export("alignment", marks, table=lambda: pairs))
    st.toggle(
        "Lay levels onto each other in the figures of this page",
        disabled=proposed.empty,
        key=session.ALIGNED,
    )


_PAIRS: dict[str, Any] = {
    "lower": "Lower level",
    "upper": "Upper level",
    "dz": st.column_config.NumberColumn("Apart", format="%.0f"),
    "rotation": st.column_config.NumberColumn("Rotation, °", format="%+.1f"),
    "shift_x": st.column_config.NumberColumn("Shift x", format="%+.0f"),
    "shift_y": st.column_config.NumberColumn("Shift y", format="%+.0f"),
    "displacement": st.column_config.NumberColumn("Cells move by", format="%.0f"),
    "overlap_before": st.column_config.NumberColumn("Overlap", format="%.0f %%"),
    "overlap_after": st.column_config.NumberColumn("Overlap then", format="%.0f %%"),
    "agreement_before": st.column_config.NumberColumn("Agreement", format="%.2f"),
    "agreement_after": st.column_config.NumberColumn("Agreement then", format="%.2f"),
    "outcome": "Outcome",
}
