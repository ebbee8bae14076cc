"""A model trained on sections of the library: which, how long it takes, and how it goes on."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app import session
from app.components.job import run
from app.components.links import to_sections
from app.components.models.panels import Panel, panels, shared
from app.engine.client import jobs_of
from app.exports.stamp import many
from app.models import fitting
from app.requests import EstimateTraining, Tokenise, TrainModel
from app.text import as_text, sentence
from squint.config import ModelConfig
from squint.errors import InputError
from squint.library import models, trainings
from squint.library.store import Library, Section

_LIMIT_S = 7 * 24 * 3600.0
_TOKENS_S = 24 * 3600.0
_ESTIMATE_S = 120.0
_MOST_CODES = 1_000
_ASKED, _TRAINED = "_training", "_trained"
_SECTIONS, _PANEL = "train-sections", "train-panel"


def show_going_on(library: Library) -> None:
    """Show how far the training is that was asked for, and the tokens by what came of one."""
    asked: TrainModel | None = st.session_state.get(_ASKED)
    if asked is not None:
        _go_on(library, asked)
    trainings.sweep(library)
    _tokenise_what_was_asked(library)


def offer_training(library: Library) -> None:
    """Let the user train a model, one at a time."""
    if not session.may_change():
        return
    _find_own(library)
    if _ASKED in st.session_state:
        st.empty()  # takes the place of what is no longer asked: else it stays in sight for as long
        return
    # Drawn only while it is open: the time is measured then, which keeps a worker busy for some seconds.
    box = st.expander(
        "Train a model", key="train", icon=":material/model_training:", expanded=False, on_change="rerun"
    )
    if box.open:
        with box:
            _choose(library)


def _choose(library: Library) -> None:
    found = panels(library)
    if not found:
        st.info("There is no section with counts to train on. Add one on the page Sections.")
        to_sections()
        return
    sections = _choose_sections(found)
    if not sections:
        st.info("Choose at least one section.")
        return
    names = [section.section for section in sections]
    if double := next((name for name in names if names.count(name) > 1), ""):
        st.warning(f"Two of these sections are called {as_text(double)}. Leave one of them out.")
        return
    n_shared = shared(library, sections)
    if not n_shared:
        st.warning("No gene is measured in all of these sections. Choose sections of one panel.")
        return
    left, right = st.columns(2)
    n_codes = left.number_input(
        "Codes",
        min_value=2,
        max_value=_MOST_CODES,
        value=ModelConfig().n_codes,
        key="train-codes",
        help="How many kinds of neighbourhood the model can tell apart.",
    )
    name = right.text_input(
        "Name", _first_name(sections, n_shared), key="train-name", max_chars=models.MOST_LETTERS
    )
    kept = min(n_shared, ModelConfig().n_genes)
    most = f", of which the {kept:,} most variable are kept" if kept < n_shared else ""
    n_cells = sum(section.n_cells for section in sections)
    st.markdown(
        f"{many(len(sections), 'section')}, {many(n_cells, 'cell')}, {many(n_shared, 'shared gene')}{most}."
    )
    ids = tuple(sorted(section.id for section in sections))
    _show_estimate(library, EstimateTraining(ids, int(n_codes)))
    problem = _problem(name)
    if problem:
        st.warning(sentence(problem))
    if st.button("Train", key="train-start", type="primary", disabled=bool(problem)) and not problem:
        # Not before the page runs: what was typed last may come with the click.
        st.session_state[_ASKED] = TrainModel(ids, int(n_codes), name.strip())
        st.rerun()


def _choose_sections(found: Sequence[Panel]) -> list[Section]:
    """Let the user choose sections, beginning with those that share a panel."""
    by_number = dict(enumerate(found))
    session.keep_valid(_PANEL, list(by_number))
    number = st.selectbox(
        "Sections that share a panel",
        list(by_number),
        format_func=lambda number: by_number[number].title,
        key=_PANEL,
    )
    by_id = {section.id: section for panel in found for section in panel.sections}
    chosen = st.multiselect(
        "Train on",
        list(by_id),
        default=[section.id for section in by_number[number].sections],
        format_func=lambda one: by_id[one].title,
        key=f"{_SECTIONS}-{number}",
    )
    return [by_id[one] for one in chosen]


def _first_name(sections: Sequence[Section], n_genes: int) -> str:
    organs = {section.organ for section in sections if section.organ}
    start = f"{organs.pop() if len(organs) == 1 else 'model'} {n_genes} genes"
    taken = {model.name for model in session.models()}
    return next(
        name for n in range(1, len(taken) + 2) if (name := start if n == 1 else f"{start} {n}") not in taken
    )


def _problem(name: str) -> str:
    """Say why a model cannot be called so; nothing if it can."""
    try:
        name = models.fit_name(name)
    except InputError as error:
        return str(error)
    taken = name in {model.name for model in session.models()}
    return f"Another model is called {name!r}. Choose another name." if taken else ""


def _show_estimate(library: Library, asked: EstimateTraining) -> None:
    """Say how long a training will take here, which is measured once."""
    known: dict[EstimateTraining, dict[str, object]] = st.session_state.setdefault("_estimates", {})
    if asked not in known:
        found = run(asked, library, "Measuring how long it will take here", limit_s=_ESTIMATE_S)
        if found is None:
            return
        known[asked] = found
    found = known[asked]
    st.markdown(
        f"**About {_duration(float(str(found['seconds'])))}** on this machine, within a factor of two."
    )
    st.caption(sentence(f"Measured: {found['basis']}."))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def _go_on(library: Library, asked: TrainModel) -> None:
    """Show how far a training is; once it is done, use the model."""
    place = trainings.place(library, asked.args)
    st.caption(
        f"**{as_text(asked.model_name)}**, on {many(len(asked.ids), 'section')}. It goes on when the page is "
        "closed, and after a restart from the last epoch. Cancelled, it leaves nothing."
    )
    folder = run(
        asked,
        library,
        "Training a model",
        limit_s=_LIMIT_S,
        beside=lambda: _draw(place),
        closed=lambda: st.session_state.pop(_ASKED, None),
    )
    if folder is not None:
        del st.session_state[_ASKED]
        session.use_model(folder)
        st.session_state[_TRAINED] = folder
        st.rerun()


def _find_own(library: Library) -> None:
    """Find a training again that this browser asked for before it was closed."""
    for job in jobs_of(library).open() if _ASKED not in st.session_state else []:
        if job.task == TrainModel.name and session.asker() in job.askers and not job.cancel:
            args = dict(job.args)
            st.session_state[_ASKED] = TrainModel(tuple(args.pop("ids")), **args)
            return


def _draw(place: Path) -> None:
    """Draw loss and use of the codes by epoch, as far as the training came."""
    rows = trainings.history(place)
    if len(rows) < 2:
        return
    table = pd.DataFrame(rows).set_index("epoch")
    used = table["codes_used"][table["codes_used"] > 0]  # none before there is a codebook
    left, right = st.columns(2)
    left.line_chart(table["loss"], x_label="Epoch", y_label="Loss", height=200)
    if len(used):
        right.line_chart(used, x_label="Epoch", y_label="Codes used", height=200)


def _tokenise_what_was_asked(library: Library) -> None:
    """Show how far the tokens are that were asked for with a model."""
    folder = st.session_state.get(_TRAINED)
    if folder is None:
        return
    model = next((one for one in session.models() if str(one.folder) == folder), None)
    ids = fitting(library, model.card) if model is not None and model.card is not None else ()
    if model is None or set(ids) <= library.all_token_facts(model.sha256).keys():
        del st.session_state[_TRAINED]
        return
    done = run(
        Tokenise(ids, model.sha256),
        library,
        "Tokenising",
        limit_s=_TOKENS_S,
        closed=lambda: st.session_state.pop(_TRAINED, None),
    )
    if done is not None:
        del st.session_state[_TRAINED]
        st.toast(f"{many(len(done), 'section')} tokenised.", icon=":material/check:", duration="long")
        st.rerun()
