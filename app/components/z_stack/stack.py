"""Widgets and figures of a stack: in three dimensions, and level by level."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.components import risk
from app.components.export_row import Export, export_row
from app.components.job import compute
from app.components.links import to_sections
from app.components.map.colouring import DEPTH, GENE, OF_MODEL, SET, TOKEN, TYPE, coloured, first_colour
from app.components.map.tissue_map import show_map
from app.components.tokens import say_why_no_tokens
from app.components.z_stack.imputation import Imputed, by_imputed
from app.components.z_stack.imputation import choose_gene as choose_imputed_gene
from app.exports.stamp import counts, many, simulated, stamp
from app.maps import views
from app.maps.message import Stack as Depth
from app.models import ModelFacts
from app.requests import Align
from app.text import as_text
from squint.library.results import find
from squint.library.stacks import Positions, Stack, find_blocks, find_stacks
from squint.library.store import Library

_IMPUTED = "In-painted gene"


def choose(library: Library) -> Stack:
    """Let the user choose a stack; if there is none, say how to get one and stop the page."""
    sections = library.sections()
    stacks = [*find_stacks([s for s in sections if s.values == "counts"]), *find_blocks(library, sections)]
    stacks.sort(key=lambda stack: stack.simulated)
    if not stacks:
        st.info(
            "There is no stack yet. A stack is two or more sections of one patient at different heights. "
            "Add a file on the page Sections whose `obs` holds `z_um`, the height of each section in µm; "
            "best is one file with all levels."
        )
        to_sections()
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
    levels = "a block of cells at all heights" if stack.block else many(len(stack.levels), "level")
    return f"{stack.name}: {levels}, {many(n_cells, 'cell')}"


def say_depth(stack: Stack) -> None:
    """Say how high the stack is and how far its levels are apart."""
    if stack.block:
        (section,) = stack.levels
        values = "" if section.values == "counts" else " · intensities, for viewing only"
        said = simulated(stack.levels)
        st.caption(f"{counts(stack.levels)} · cells at all heights{values}" + (f" · {said}" if said else ""))
        return
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
    model: ModelFacts | None,
) -> None:
    """Show the levels above each other, to turn."""
    st.header("In three dimensions")
    offered = _offered(library, stack, imputed, model)
    by = st.segmented_control(
        "Colour cells by",
        offered,
        default=TOKEN if TOKEN in offered else first_colour(library, stack.levels, model, offered),
        required=True,
        key=session.STACK_COLOUR,
        bind="query-params",
    )
    if imputed and by == _IMPUTED:
        cells = views.cells_of(library, stack.levels)
        view = by_imputed(imputed, stack.levels, cells, choose_imputed_gene(imputed, "stack"))
        marked = [replace(panel, imputed=~panel.missing) for panel in view.panels]
        view = replace(
            view, panels=tuple(marked), parameters={**view.parameters, "in-painted by": imputed.by}
        )
    else:
        tokens = model.sha256 if model and by in OF_MODEL else None
        cells = views.cells_of(library, stack.levels, tokens)
        view = coloured(library, stack.levels, cells, str(by), model)
    panels = tuple(
        replace(panel, coordinates=positions.get(level.id, panel.coordinates))
        for level, panel in zip(stack.levels, view.panels, strict=True)
    )
    laid = "as proposed" if positions else "as measured"
    view = replace(
        view, title=f"Stack {stack.name}", panels=panels, parameters={**view.parameters, "positions": laid}
    )
    unknown = any(level.unit == "unknown" for level in stack.levels)
    depth = Depth(
        title=stack.name,
        n=counts(stack.levels),
        heights=_heights(stack, cells),
        stretch=1.0 if stack.block else round(float(np.clip(_flatness(library, stack), 1, 10)), 1),
        unit="unknown" if unknown and not stack.block else "um",
    )
    show_map(view, model, "stack", on=risk.DRAGGED, stack=depth)


def _heights(stack: Stack, cells: pd.DataFrame) -> list[float] | list[NDArray[np.float32]]:
    """Give the height of each level, or of each cell of a block (n,)."""
    if stack.block:
        return [cells["z"].to_numpy(dtype=np.float32)]
    return list(stack.heights)


def _flatness(library: Library, stack: Stack) -> float:
    """Find by how much to stretch the height of a stack, so that it is half as high as wide."""
    cells = library.cells(stack.levels[0].id)
    width = float(max(np.ptp(cells["x"]), np.ptp(cells["y"])))
    height = stack.heights[-1] - stack.heights[0]
    return 0.5 * width / height


def _offered(library: Library, stack: Stack, imputed: Imputed | None, model: ModelFacts | None) -> list[str]:
    """List what cells can be coloured by; without tokens, say so."""
    tokens = model is not None and len(library.tokenised(stack.levels, model.sha256)) == len(stack.levels)
    if not tokens and not stack.block:
        say_why_no_tokens("Not all levels have tokens by this model.", library, stack.levels, model)
    return [*(OF_MODEL if tokens else ()), GENE, TYPE, DEPTH, SET, *((_IMPUTED,) if imputed else ())]


def aligned_positions(library: Library, stack: Stack) -> Positions:
    """Give where the cells of each level lie once aligned; nothing if the user keeps them as they are."""
    laid = find(library, _alignment(stack)) if st.session_state.get(session.ALIGNED) else None
    if laid is None:
        return {}
    return {level.id: laid.table(f"aligned_{level.id}").to_numpy(np.float64) for level in stack.levels}


def _alignment(stack: Stack) -> Align:
    return Align(tuple(level.id for level in stack.levels))


def show_alignment(library: Library, stack: Stack, model: ModelFacts | None) -> None:
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
