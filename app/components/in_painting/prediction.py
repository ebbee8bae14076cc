"""What a model says of a marked area: asked for, scored where that is fair, and to download."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from app import session
from app.areas import marking
from app.areas.filled import CELL, NEIGHBOURHOOD, Filled
from app.components.download import File, Left, download
from app.components.export_row import Export, export_row
from app.components.in_painting.marking import Marked
from app.components.in_painting.subject import Choice
from app.components.job import run, try_to_compute
from app.components.links import to_models
from app.exports.stamp import many, stamp
from app.models import ModelFacts
from app.requests import InpaintArea, TrainWithoutArea
from squint.geometry.regions import Shape, dump
from squint.library.chain import REGIONS
from squint.library.results import find
from squint.library.store import Library
from squint.model.card import NOT_IN_TRAINING, TRAINED_ON, TRAINED_WITHOUT, weights_sha256

TARGETS = {"Neighbourhood mean": NEIGHBOURHOOD, "Cell's own counts": CELL}
UNITS = {NEIGHBOURHOOD: "mean of neighbourhood", CELL: "counts of the cell"}
_N_DRAWS, _MOST_DRAWS = 20, 100
_SEED = 0
_LIMIT_S = 3600
BADGES = {
    TRAINED_WITHOUT: ("trained without these cells", "blue", ":material/visibility_off:"),
    NOT_IN_TRAINING: ("section not in training", "blue", ":material/visibility_off:"),
    TRAINED_ON: ("seen in training", "orange", ":material/visibility:"),
}


class Imputed(NamedTuple):
    """A marked area, predicted."""

    chosen: Choice
    regions: Sequence[Shape]
    filled: Filled

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted with the prediction."""
        return self.filled.result.facts

    @property
    def model(self) -> ModelFacts:
        """Facts of the model, for the stamp."""
        return ModelFacts(**self.facts["model"])

    @property
    def training(self) -> str:
        """What training knew of the cells; of those at simulated positions, only whether of the section."""
        protocol = str(self.facts["protocol"])
        if not self.chosen.fill:
            return BADGES[protocol][0]
        return "section not in training" if protocol == NOT_IN_TRAINING else "section in training"

    @property
    def parameters(self) -> dict[str, object]:
        """For the stamp."""
        positions = "of the hidden cells"
        if self.chosen.fill:
            told = "predicted from the tissue around, no cell measured"
            positions = told if self.chosen.predicted else "simulated, at the section's spacing"
        return {
            "in-painted": f"{self.facts['n_hidden']:,} cells, a prediction from the surroundings",
            "area": marking.describe(self.regions),
            "positions": positions,
            "training": self.training,
            "draws": self.facts["n_draws"] or "none",
            "seed": _SEED,
        }


def impute(library: Library, chosen: Choice, marked: Marked) -> Imputed | None:
    """Predict the marked area once the user asks for it; ``None`` until then."""
    regions = marked.regions
    with marked.beside:
        n_draws = _choose_draws()
    asked = InpaintArea(
        (chosen.section.id,),
        str(chosen.model.folder),
        weights_sha256(chosen.model.folder),
        tuple(regions),
        chosen.fill,
        n_draws,
        _SEED,
        chosen.predicted,
    )
    if find(library, asked) is None:
        if marked.beside.button(
            "In-paint the marked area", type="primary", key="in-paint", icon=":material/healing:"
        ):
            st.session_state[session.ASKED] = asked.result
        if st.session_state.get(session.ASKED) != asked.result:
            return None
    else:
        marked.beside.caption("In-painted, see below.")
    result = try_to_compute(library, asked, "In-painting")
    return Imputed(chosen, regions, Filled(result, chosen.section, chosen.fill)) if result else None


def _choose_draws() -> int:
    return int(
        st.slider(
            "Draws, for the uncertainty",
            0,
            _MOST_DRAWS,
            _N_DRAWS,
            step=5,
            key=session.N_DRAWS,
            persist_state="session",
            help="How often a possible tissue is drawn. The spread of the draws says how far the "
            "surroundings leave open what a cell expresses. 0: only the expected profile.",
        )
    )


def show_quality(library: Library, imputed: Imputed) -> None:
    """Score the prediction beside the nearest cells, if no scored cell was known to training."""
    st.header("How good it is")
    facts = imputed.facts
    if imputed.chosen.fill:
        st.info("Nothing was measured in a gap, so there is no truth to compare with and no score.")
        return
    if facts["protocol"] == TRAINED_ON:
        st.info(
            "**Seen in training.** The model was trained on these very cells, so comparing its prediction "
            "with them would not tell what it can do elsewhere. No score is shown."
        )
        _offer_training(library, imputed)
        return
    scores = imputed.filled.scores()
    if scores is None:
        st.info("There are too few cells in the area for a score: mark one with 30 or more.")
        return
    words = {
        TRAINED_WITHOUT: "Training did not see these cells, only where they are.",
        NOT_IN_TRAINING: "**Section not in training.** The model's card does not list this section.",
    }
    st.markdown(words[facts["protocol"]])
    target = NEIGHBOURHOOD if st.session_state.get(f"{session.TARGET}-area") != "Cell's own counts" else CELL
    table = imputed.filled.best_scores(target)
    st.dataframe(
        table,
        hide_index=True,
        width=760,
        column_config={
            "method": "Predicted by",
            "pc": st.column_config.NumberColumn("PC, over genes per cell", format="%.3f"),
            "pg": st.column_config.NumberColumn("PG, over cells per gene", format="%.3f"),
        },
    )
    model, *others = table.to_dict("records")
    best_pc, best_pg = (max(row[name] for row in others) for name in ("pc", "pg"))
    st.caption(
        f"{_compare('PC', model['pc'], best_pc)}; {_compare('PG', model['pg'], best_pg)}. PC: mean over "
        "cells of Pearson's r across genes, which the mean profile alone lifts. PG: mean over genes of "
        "Pearson's r across cells, which needs the place. Of the means of the 1 to 512 nearest cells, those "
        f"that do best on these very cells. n = {many(facts['n_hidden'], 'cell')}, "
        f"{many(int(scores['n_genes'].iloc[0]), 'gene')} that vary. Expression: {UNITS[target]}."
    )
    marks = stamp(
        f"Scores of the in-painting, {UNITS[target]}",
        (imputed.chosen.section,),
        imputed.model,
        {
            **imputed.parameters,
            "PC": "mean over cells of r across genes",
            "PG": "mean over genes of r across cells",
        },
    )
    export_row(Export("in_painting_scores", marks, table=lambda: scores))


def _offer_training(library: Library, imputed: Imputed) -> None:
    """Train a model that does not see the area, for a fair score."""
    if not session.may_change():
        st.caption("A model that is trained without the area can be scored by it. There is none here.")
        return
    st.caption(
        "A model that is trained without the area can be scored by it. Train one on this section, in one to "
        "ten minutes by its size; or add one on the page Models that was trained elsewhere, by `squint train "
        "SECTION.h5ad --regions R.json --out MODEL`."
    )
    to_models()
    asked = TrainWithoutArea(imputed.chosen.section.id, tuple(imputed.regions), model_name="without-area")
    key = f"train-{imputed.filled.result.folder.name}"
    if st.button("Train a model without this area", key="train-without"):
        st.session_state[f"_{key}"] = True
    if st.session_state.get(f"_{key}"):
        folder = run(asked, library, "Training", limit_s=_LIMIT_S)
        if folder is not None:
            del st.session_state[f"_{key}"]
            st.session_state[session.TRAINED] = folder
            st.rerun()


def _compare(name: str, model: float, knn: float) -> str:
    if abs(model - knn) <= 0.01:
        return f"{name}: the model is level with the nearest cells"
    return f"{name}: the model is {'above' if model > knn else 'below'} the nearest cells"


def offer_tables(library: Library, imputed: Imputed) -> None:
    """Offer every gene of every in-painted cell, and the positions that were filled."""
    filled, chosen = imputed.filled, imputed.chosen
    st.header("All genes")
    st.caption(
        f"{many(len(filled.genes), 'gene')} of {many(imputed.facts['n_hidden'], 'in-painted cell')}: "
        "prediction, and s.d. where draws were made. The tables under the maps hold the gene shown."
    )
    for target, unit in ((NEIGHBOURHOOD, UNITS[NEIGHBOURHOOD]), (CELL, UNITS[CELL])):
        marks = stamp(
            f"In-painted expression, {unit}",
            (chosen.section,),
            imputed.model,
            {"expression": unit, **imputed.parameters},
        )
        st.markdown(f"{unit[0].upper()}{unit[1:]}")
        export_row(
            Export(f"in_painted_{target}", marks, table=lambda target=target: filled.every_gene(target))  # type: ignore[misc]
        )
    if chosen.fill:
        download(
            f"{chosen.positions.capitalize()} as R.json",
            dump(filled.positions()),
            File("R_points.json", "application/json"),
            Left(REGIONS, [chosen.section.id]),
            key="positions-download",
        )
    del library
