"""Maps of an in-painted area: measured beside in-painted, and how sure the model is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.areas import marking
from app.areas.filled import NEIGHBOURHOOD, Filled
from app.components.in_painting.prediction import BADGES, TARGETS, UNITS, Imputed
from app.components.map.tissue_map import show_map
from app.exports.stamp import many
from app.maps.views import MapView
from app.text import as_text, sentence
from squint.library.store import Library
from squint.pl import Continuous, Panel

_AROUND, _WHOLE = "The area", "Whole section"
_SPREAD, _RELATIVE = "s.d., in counts", "s.d. / prediction"
_LEAST_EXPECTED = 0.05  # counts, below which a relative spread says nothing


def show_maps(library: Library, imputed: Imputed) -> None:
    """Show one gene, measured beside in-painted on one scale, and below it how sure the model is."""
    facts, filled = imputed.facts, imputed.filled
    st.header("Measured and in-painted")
    _say_what(imputed)
    left, middle, right = st.columns([3, 3, 3], gap="large")
    with left:
        gene = _choose_gene(filled)
    target = TARGETS[
        str(
            middle.segmented_control(
                "Expression",
                list(TARGETS),
                default=next(iter(TARGETS)),
                required=True,
                key=f"{session.TARGET}-area",
                help="The mean over a cell and its neighbours, or the cell's own counts. Of single cells the "
                "surroundings know less.",
            )
        )
    ]
    around = right.segmented_control(
        "Show", [_AROUND, _WHOLE], default=_AROUND, required=True, key=session.WHOLE
    )
    place = filled.place(library)
    shown = place.around() if around == _AROUND else np.ones(len(place.cells), dtype=bool)
    show_map(_side_by_side(library, imputed, gene, target, shown), imputed.model, "in_painted")
    st.subheader("How sure the model is")
    if not facts["n_draws"]:
        st.info("Nothing was drawn, so there is no spread to show. Set *Draws* above to 5 or more.")
        return
    how = st.segmented_control(
        "Spread over the draws",
        [_SPREAD, _RELATIVE],
        default=_SPREAD,
        required=True,
        key=session.RELATIVE,
        help=f"The second divides by the prediction, where that is at least {_LEAST_EXPECTED:g} counts.",
    )
    of = target if filled.has_spread(target) else NEIGHBOURHOOD
    view = _spread(library, imputed, gene, of, shown, relative=how == _RELATIVE)
    show_map(view, imputed.model, "in_painted_spread")
    st.caption(
        f"Standard deviation over n = {many(facts['n_draws'], 'draw')} of what the model holds possible. It "
        "says how far the model is unsure, not how far it is wrong."
        + ("" if of == target else " Shown is the spread of the neighbourhood mean, also for single cells.")
    )


def _say_what(imputed: Imputed) -> None:
    facts = imputed.facts
    _, colour, icon = BADGES[facts["protocol"]]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"n = **{many(facts['n_hidden'], 'in-painted cell')}**, **{many(facts['n_draws'], 'draw')}**, by "
            f"**{as_text(imputed.model.name)}** ({facts['model_sha256'][:12]})",
            width="content",
        )
        if imputed.chosen.fill:
            st.badge(imputed.training, color="gray")
        else:
            st.badge(imputed.training, color=colour, icon=icon)  # type: ignore[arg-type]
        if imputed.chosen.section.simulated:
            st.badge("simulated data", color="gray")
        if imputed.chosen.fill:
            if imputed.chosen.predicted:
                st.badge("predicted positions", color="violet", icon=":material/scatter_plot:")
            else:
                st.badge("simulated positions", color="gray", icon=":material/grid_on:")
    _say_how_many(facts.get("positions"))
    for warning in facts["warnings"]:
        st.warning(sentence(warning))


def _say_how_many(told: Mapping[str, Any] | None) -> None:
    """Say how many cells the tissue around leads to expect, where positions were predicted."""
    if told is None:
        return
    said = f"The tissue around leads to expect **{round(told['expected']):,} cells** in the area"
    if np.isfinite(told["low"]):
        said += (
            f" (95 % of such places: {round(told['low']):,} to {round(told['high']):,}), learned from "
            f"{many(told['n_learned'], 'place')} of this section that were measured"
        )
    st.caption(f"{said}. Predicted positions are one possibility of many, no cell was measured there.")


def _choose_gene(filled: Filled) -> str:
    genes = filled.genes
    first = filled.most_varied()
    if session.GENE not in st.session_state:
        st.session_state[session.GENE] = first
    session.keep_valid(session.GENE, genes, first)
    return str(
        st.selectbox(
            "Gene",
            genes,
            key=session.GENE,
            persist_state="session",
        )
    )


def _side_by_side(
    library: Library, imputed: Imputed, gene: str, target: str, shown: NDArray[np.bool_]
) -> MapView:
    filled, section = imputed.filled, imputed.chosen.section
    place = filled.place(library)
    values = filled.values(library, gene, target)
    both = np.concatenate([values.measured[shown], values.imputed[shown]])
    top = float(f"{np.nanquantile(both, 0.995):.2g}") if np.isfinite(both).any() else 1.0
    scale = Continuous(f"{gene}, {UNITS[target]}", 0, max(top, 0.1))
    simulated = " (simulated)" if section.simulated else ""
    outlines = tuple(marking.outlines(imputed.regions))
    at = place.coordinates[shown]
    names = place.cells["cell"].to_numpy(dtype=object)[shown]
    panels = (
        Panel(
            f"Measured: {section.title}{simulated}",
            at,
            values.measured[shown],
            section.unit,
            {"cell": names, "measured": _rounded(values.measured[shown])},
            missing_name="not measured",
            outlines=outlines,
        ),
        Panel(
            f"In-painted at {imputed.chosen.positions}" if imputed.chosen.fill else f"In-painted{simulated}",
            at,
            values.imputed[shown],
            section.unit,
            {"cell": names, "shown": _rounded(values.imputed[shown])},
            imputed=place.hidden[shown],
            missing_name="not measured",
            outlines=outlines,
        ),
    )
    return MapView(
        f"{gene}, measured and in-painted",
        (section,),
        panels,
        scale,
        _rows(imputed, library, gene, target),
        {"gene": gene, "expression": UNITS[target], **imputed.parameters},
        linked=True,
        n=_count(imputed),
    )


def _spread(
    library: Library, imputed: Imputed, gene: str, target: str, shown: NDArray[np.bool_], *, relative: bool
) -> MapView:
    filled, section = imputed.filled, imputed.chosen.section
    place = filled.place(library)
    spread, expected = filled.spread(gene, target), filled.expected(gene, target)
    if relative:
        enough = expected >= _LEAST_EXPECTED
        spread = np.divide(spread, expected, out=np.full_like(spread, np.nan), where=enough)
    values = np.full(len(place.cells), np.nan, dtype=np.float32)
    values[place.hidden] = spread
    known = spread[np.isfinite(spread)]
    top = float(f"{np.quantile(known, 0.995):.2g}") if len(known) else 1.0
    what = "s.d. / prediction" if relative else f"s.d., {UNITS[target]}"
    simulated = " (simulated)" if section.simulated else ""
    panel = Panel(
        f"Uncertainty: {section.title}{simulated}",
        place.coordinates[shown],
        values[shown],
        section.unit,
        {"cell": place.cells["cell"].to_numpy(dtype=object)[shown], "spread": _rounded(values[shown])},
        imputed=place.hidden[shown],
        missing_name="measured, or too little expected" if relative else "measured",
        outlines=tuple(marking.outlines(imputed.regions)),
    )
    return MapView(
        f"{gene}, uncertainty of the in-painting",
        (section,),
        (panel,),
        Continuous(f"{gene}, {what}", 0, max(top, 1e-3), palette="Cividis"),
        _rows(imputed, library, gene, target),
        {"gene": gene, "expression": UNITS[target], "spread": what, **imputed.parameters},
        n=_count(imputed),
    )


def _rounded(values: NDArray[np.float32]) -> NDArray[np.object_]:
    """Write numbers for a reader (n,), "none" where there is none."""
    return np.array([f"{value:.3g}" if np.isfinite(value) else "none" for value in values], dtype=object)


def _positions(imputed: Imputed) -> str:
    return imputed.chosen.positions.split(" ")[0] if imputed.chosen.fill else "measured"


def _count(imputed: Imputed) -> str:
    facts, section = imputed.facts, imputed.chosen.section
    return (
        f"n = {many(facts['n_hidden'], 'in-painted cell')}, {many(facts['n_draws'], 'draw')}, in 1 section "
        f"of {many(section.n_cells, 'cell')}"
    )


def _rows(imputed: Imputed, library: Library, gene: str, target: str) -> pd.DataFrame:
    """Give a row per in-painted cell: where it is, and the gene measured, predicted and spread."""
    filled, place = imputed.filled, imputed.filled.place(library)
    rows = filled.cells.assign(
        simulated_position=imputed.chosen.fill,
        positions=_positions(imputed),
        unit=imputed.chosen.section.unit,
    )
    if not imputed.chosen.fill:
        rows[f"measured {gene}"] = filled.values(library, gene, target).measured[place.hidden]
    rows[f"in-painted {gene}"] = filled.expected(gene, target)
    if filled.has_spread(target):
        rows[f"sd {gene}"] = filled.spread(gene, target)
    return rows
