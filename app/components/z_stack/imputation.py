"""In-painting of cells that were held out of a stack: how good it is, and what it looks like."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.job import run, try_to_compute
from app.components.links import to_models
from app.components.map.tissue_map import show_map
from app.exports.stamp import many, stamp
from app.maps import views
from app.maps.views import MapView
from app.models import ModelFacts, find_models
from app.requests import InpaintStack, TrainOnStack
from app.text import as_text, sentence
from squint import pl
from squint.library.results import Result
from squint.library.stacks import ROW, Positions, Stack
from squint.library.store import Library, Section
from squint.model.card import weights_sha256
from squint.pl import PRINT, Continuous, Panel

CELL, NEIGHBOURHOOD = "cell", "neighbourhood"
_TARGETS = {"Single cell": CELL, "Neighbourhood": NEIGHBOURHOOD}
_HOLD_OUT, _N_EPOCHS = 0.1, 30
_LIMIT_S = 12 * 3600
_ICONS = {
    "above kNN": ("blue", ":material/trending_up:"),
    "level with kNN": ("gray", ":material/trending_flat:"),
    "below kNN": ("orange", ":material/trending_down:"),
    "too few cells": ("gray", ":material/help:"),
}


class Imputed(NamedTuple):
    """What a model says of the cells that were held out of a stack."""

    result: Result
    model: Path
    hidden: pd.DataFrame  # (m,) of held-out cells: id of the section, row within it

    @property
    def by(self) -> str:
        """Name and hash of the model, for the stamp."""
        return f"{self.model.name}, sha256 {self.result.facts['model_sha256'][:12]}"


def impute(library: Library, stack: Stack) -> Imputed | None:
    """Predict the held-out cells by a model that was trained without them, if there is one.

    Of several it is the one in use, or else the first, as :func:`app.models.known_models` has them.
    """
    models = find_models(library, stack, session.models())
    models.sort(key=lambda folder: str(folder) != st.session_state[session.MODEL])
    if not models:
        return None
    ids = tuple(level.id for level in stack.levels)
    asked = InpaintStack(ids, str(models[0]), weights_sha256(models[0]))
    result = try_to_compute(library, asked, "In-painting")
    return Imputed(result, models[0], result.table("hidden")) if result else None


def introduce(library: Library, stack: Stack, imputed: Imputed | None) -> None:
    """Say what was predicted, by what; without a model, offer to train one."""
    st.header("In-painting of held-out cells")
    st.caption(
        "A model that is trained on a stack without some cells of each level can be asked what these cells "
        "express, from their neighbours alone. What it says is compared with what was measured."
    )
    if imputed is None:
        _offer_training(library, stack)
        return
    facts = imputed.result.facts
    st.markdown(
        f"Model **{as_text(imputed.model.name)}** ({facts['model_sha256'][:12]}): "
        f"**{many(facts['n_hidden'], 'cell')}** held out of training. Of several such models, the one in use "
        "is taken."
    )
    for warning in facts["warnings"]:
        st.warning(sentence(warning))


def _offer_training(library: Library, stack: Stack) -> None:
    if not session.may_change():
        st.info("No model here was trained on this stack with cells held out, so nothing can be said of it.")
        return
    n_cells = sum(level.n_cells for level in stack.levels)
    minutes = 1 + round(n_cells * _N_EPOCHS / 500_000)  # in-painting takes one, whatever the size
    st.info(
        "No model here was trained on this stack with cells held out, so nothing can be said of in-painting. "
        f"Train one now: about {many(minutes, 'minute')} on two cores. Or add one on the page Models that "
        "was trained on it elsewhere, by `squint train STACK.h5ad --hold-out 0.1 --out MODEL`; models that "
        "are trained on that page hold no cells out."
    )
    to_models()
    key = f"train-{stack.name}"
    if st.button("Train a model on this stack", key=key, type="primary"):
        st.session_state[f"_{key}"] = True
    if st.session_state.get(f"_{key}"):
        ids = tuple(level.id for level in stack.levels)
        asked = TrainOnStack(ids, _HOLD_OUT, _N_EPOCHS, model_name="stack")
        closed = partial(st.session_state.pop, f"_{key}", None)
        if run(asked, library, "Training", limit_s=_LIMIT_S, closed=closed) is not None:
            del st.session_state[f"_{key}"]
            st.rerun()


def show_quality(imputed: Imputed, stack: Stack, model: ModelFacts | None) -> None:
    """Show how well each level was predicted, for groups of genes, beside the best kNN."""
    quality = imputed.result.table("quality")
    target = _choose_target("quality")
    st.plotly_chart(
        pl.imputation_quality(quality, target, style=session.style()),
        key="imputation_quality",
        config=CHART,
        alt=f"Mean Pearson correlation per level and group of genes, {target}, model beside nearest cells",
    )
    ks = quality.loc[(quality["target"] == target) & (quality["method"] == "knn"), "k"]
    k = int(ks.iloc[0]) if len(ks) else 0
    st.caption(
        "Mean over genes of the Pearson correlation between measured and in-painted expression across the "
        "held-out cells of a level. Genes are ranked by the model's correlation over all levels, as in the "
        "paper: small groups flatter both methods. kNN is the mean of the "
        f"{k} nearest observed cells, the number that does best here."
        + (
            " Most of a neighbourhood is observed even where its cell is held out, which lifts both."
            if target == NEIGHBOURHOOD
            else ""
        )
    )
    badges = imputed.result.table(f"badges_{target}")
    with st.container(horizontal=True):
        for _, row in badges.iterrows():
            colour, icon = _ICONS[str(row["verdict"])]
            st.badge(
                f"z {row['z_um']:g}: {row['pearson']:.2f} {row['verdict']}, n = {row['n_cells']}",
                color=colour,  # type: ignore[arg-type]
                icon=icon,
                help=f"kNN {row['knn']:.2f}, difference {row['difference']:+.3f} (s.e. {row['se']:.3f}), "
                f"{row['group']} genes",
            )
    n_hidden = len(imputed.hidden)
    parameters = {
        "held-out cells": f"{n_hidden:,}",
        "in-painted by": imputed.by,
        "target": target,
        "score": "mean over genes of Pearson's r across the held-out cells of a level",
        "genes ranked": "by the model, over all levels",
        "kNN": f"mean of the {k} nearest observed cells",
    }
    export_row(
        Export(
            "quality",
            stamp(f"In-painting of {stack.name}, {target}", stack.levels, model, parameters),
            table=lambda: quality,
            figure=lambda _: pl.imputation_quality(quality, target, style=PRINT),
        )
    )


def _choose_target(place: str) -> str:
    name = st.segmented_control(
        "Predicted",
        list(_TARGETS),
        default=next(iter(_TARGETS)),
        required=True,
        key=f"{session.TARGET}-{place}",
        help="The mean over a cell and its neighbours, or the cell's own counts.",
    )
    return _TARGETS[str(name)]


def show_level(
    imputed: Imputed, stack: Stack, positions: Positions, library: Library, model: ModelFacts | None
) -> None:
    """Show one level at a time, what was measured beside what was in-painted, on one scale."""
    st.subheader("Level by level")
    left, middle, right = st.columns([3, 2, 2], gap="large")
    names = {f"z = {level.z_um:g} µm": level for level in stack.levels}
    if len(names) < len(stack.levels):
        names = {f"z = {level.z_um:g} µm, {level.section}": level for level in stack.levels}
    with left:
        name = st.select_slider("Level", list(names), key=f"{session.LEVEL}-{stack.name}")
    with middle:
        gene = choose_gene(imputed, "level")
    with right:
        target = _choose_target("level")
    level = names[str(name)]
    show_map(_level_view(imputed, level, gene, target, positions, library), model, "level")


def choose_gene(imputed: Imputed, place: str) -> str:
    """Let the user choose a gene, those first that are predicted best."""
    observed = imputed.result.table(f"observed_{NEIGHBOURHOOD}")
    predicted = imputed.result.table(f"imputed_{NEIGHBOURHOOD}")
    pearson = observed.corrwith(predicted).fillna(-1)
    genes = [str(gene) for gene in pearson.sort_values(ascending=False, kind="stable").index]
    key = f"{session.STACK_GENE}-{place}"
    session.keep_valid(key, genes)
    return str(st.selectbox("Gene, best predicted first", genes, key=key))


def in_level(imputed: Imputed, level: Section, values: str, gene: str) -> NDArray[np.float32]:
    """Give a gene in every cell of a level (n,), NaN in those that were not held out."""
    here = (imputed.hidden["id"] == level.id).to_numpy()
    filled = np.full(level.n_cells, np.nan, dtype=np.float32)
    filled[imputed.hidden.loc[here, ROW]] = imputed.result.table(values, [gene])[gene].to_numpy()[here]
    return filled


def by_imputed(imputed: Imputed, levels: Sequence[Section], cells: pd.DataFrame, gene: str) -> MapView:
    """Colour the held-out cells by what was predicted of their neighbourhood."""
    values = np.concatenate([in_level(imputed, level, f"imputed_{NEIGHBOURHOOD}", gene) for level in levels])
    return views.by_number(f"{gene}, in-painted neighbourhood", levels, cells, values)


def _level_view(
    imputed: Imputed, level: Section, gene: str, target: str, positions: Positions, library: Library
) -> MapView:
    """Put measured and in-painted expression of the held-out cells of a level side by side."""
    cells = library.cells(level.id).reset_index()
    place = positions.get(level.id, cells[["x", "y"]].to_numpy(dtype=np.float64))
    columns, panels = {}, []
    for what in ("observed", "imputed"):
        values = in_level(imputed, level, f"{what}_{target}", gene)
        columns[f"{what} {gene}"] = values
        title = f"{'Measured' if what == 'observed' else 'In-painted'}, z = {level.z_um:g} µm"
        title += " (simulated)" if level.simulated else ""
        hover = {"cell": cells["cell"].to_numpy(), what: np.round(values, 2)}
        panels.append(Panel(title, place, values, level.unit, hover))
    both = np.concatenate(list(columns.values()))
    top = float(f"{np.nanquantile(both, 0.995):.2g}") if np.isfinite(both).any() else 1.0
    unit = "neighbourhood mean" if target == NEIGHBOURHOOD else "counts"
    scale = Continuous(f"{gene}, {unit}", 0, max(top, 0.1))
    table = cells.assign(**columns, unit=level.unit)
    laid = "as proposed" if positions else "as measured"
    parameters = {"gene": gene, "predicted": target, "in-painted by": imputed.by, "positions": laid}
    return MapView(f"{gene}, measured and in-painted", (level,), tuple(panels), scale, table, parameters)
