"""Which model gives the tokens of an upload: how each fits, and the best of them proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.components.links import to_models
from app.text import as_text, sentence
from squint.library.models import KnownModel
from squint.model.card import NEW_ABOVE, REFUSE_BELOW, WARN_BELOW
from squint.model.ranking import Fit, is_same_organ, ranked

TRAIN = "train a model on it, on the page Models under *Train a model*."
_NONE = ""  # is chosen where no model is
_SHOWN = 8  # models in the table
_NAMED = 6  # sections


class Chosen(NamedTuple):
    """What gives an upload its tokens."""

    model: KnownModel | None  # None: it is kept for viewing
    is_told: bool  # whether the model of all pages is to tokenise it, or to note why it cannot
    any_fits: bool  # whether some model fits


def choose_tokens_by(found: Sequence[Mapping[str, Any]], organ: str) -> Chosen:
    """Show how all models fit an upload, and let the user choose which gives its tokens.

    Parameters
    ----------
    found
        Of each model :class:`app.tasks.fitting.Fitting`, as JSON.
    organ
        Of the sections, as far as it was said.
    """
    rows = {row["sha256"]: row for row in found}
    fits = {
        sha256: replace(Fit(**row["fit"]), same_organ=is_same_organ(row["organs"], organ))
        for sha256, row in rows.items()
    }
    names = {sha256: str(row["name"]) for sha256, row in rows.items()}
    order = ranked(fits)
    best = next((sha256 for sha256 in order if fits[sha256].is_good), _NONE)
    usable = [sha256 for sha256 in order if fits[sha256].is_usable]
    st.markdown("**Models for this upload**")
    if rows:
        _show_table([(names[sha256], fits[sha256], sha256 == best) for sha256 in order])
    for name, problem in session.damaged_models().items():
        st.caption(f"Not compared: {as_text(name)}, which cannot be used. {sentence(problem)}")
    if not best:
        what = "No model fits this upload" if rows else "There is no model here that can be used"
        unless = ", unless you choose one below" if usable else ""
        st.warning(f"{what}: it is kept for viewing, without tokens{unless}. Next: {TRAIN}")
        to_models()
    chosen = _choose(usable, names, best) if usable else _NONE
    current = session.find_model()
    if not chosen:
        cannot = current is not None and current.sha256 in fits and not fits[current.sha256].is_usable
        return Chosen(None, is_told=cannot, any_fits=bool(best))
    _say_doubts(names[chosen], fits[chosen], rows[chosen]["unseen"])
    if current is None or current.sha256 != chosen:
        st.info(
            f"All pages show the model **{as_text(session.model_name())}** now. Keeping this switches them "
            f"to **{as_text(names[chosen])}**; tokens by other models stay."
        )
    return Chosen(session.sound_models()[chosen], is_told=True, any_fits=bool(best))


def _choose(usable: Sequence[str], names: Mapping[str, str], best: str) -> str:
    """Let the user choose; what is proposed changes as long as nothing was."""
    key = f"tokens-by-{session.upload().file_id}"
    options = [*usable, _NONE]
    if session.has_chosen(key):
        session.keep_valid(key, options, best)
    else:
        st.session_state[key] = best
    several = len(set(names.values())) < len(names)

    def title(sha256: str) -> str:
        if not sha256:
            return "No model: keep for viewing"
        name = f"{names[sha256]} ({sha256[:6]})" if several else names[sha256]
        return f"{name}, fits best" if sha256 == best else name

    chosen: str = st.selectbox(
        "Tokens by",
        options,
        format_func=title,
        key=key,
        persist_state="session",
        on_change=session.note_chosen,
        args=(key,),
        width=420,
    )
    return chosen


def _show_table(rows: Sequence[tuple[str, Fit, bool]]) -> None:
    shown = rows[:_SHOWN]
    table = pd.DataFrame(
        {
            "Model": [as_text(name) for name, _, _ in shown],
            "Its genes measured": [
                f"{fit.n_shared:,} of {fit.n_genes:,} ({fit.share:.0%})" for _, fit, _ in shown
            ],
            "Cells new to it": [_share_new(fit) for _, fit, _ in shown],
            "Counts per cell": [_depths(fit) for _, fit, _ in shown],
            "Verdict": [sentence(_verdict(fit, is_best=is_best)) for _, fit, is_best in shown],
        }
    )
    st.table(table.set_index("Model"))
    more = f"And {len(rows) - _SHOWN} more models, which fit less. " if len(rows) > _SHOWN else ""
    st.caption(
        f"{more}Counts in the genes that both have; 1 % of the cells of a training are new to its model. Of "
        "several sections, the numbers are of the one that a model fits least."
    )


def _share_new(fit: Fit) -> str:
    return "not measured" if isnan(fit.novelty) else f"{fit.novelty:.1%}"


def _depths(fit: Fit) -> str:
    return (
        "not measured" if isnan(fit.depth) else f"{fit.depth:,.0f}, in training {fit.depth_in_training:,.0f}"
    )


def _verdict(fit: Fit, *, is_best: bool) -> str:
    """Say in a few words whether a model fits, and what else speaks for or against it."""
    if fit.problem:
        return f"cannot be used: {fit.problem}"
    if not fit.is_usable:
        return f"cannot be used: at least {REFUSE_BELOW:.0%} of its genes are needed"
    said = (
        [] if isnan(fit.novelty) else ["fits best" if is_best else "fits" if fit.is_good else "fits poorly"]
    )
    said += _doubts(fit)
    if fit.is_trained_on:
        said.append("trained on this very section")
    if fit.same_organ is not None:
        said.append("trained on this organ" if fit.same_organ else "trained on other organs")
    return "; ".join(said)


def _doubts(fit: Fit) -> list[str]:
    """Say what speaks against the tokens by a model that can be used."""
    doubts = []
    if not fit.is_sure:
        doubts.append(f"below {WARN_BELOW:.0%} of its genes tokens are uncertain")
    if isnan(fit.novelty):
        doubts.append("how many cells are new to it is not known")
    elif fit.novelty > NEW_ABOVE:
        doubts.append(f"{fit.novelty:.0%} of the cells are new to it")
    if fit.made_up:
        doubts.append("knows simulated tissue alone")
    return doubts


def _say_doubts(name: str, fit: Fit, unseen: Sequence[str]) -> None:
    doubts = "; ".join(_doubts(fit))
    if not fit.is_good:
        st.warning(f"Tokens by {as_text(name)} may mean nothing: {sentence(doubts)}.")
    elif doubts:
        st.warning(f"{as_text(name)}: {sentence(doubts)}.")
    if unseen:
        more = ", …" if len(unseen) > _NAMED else ""
        named = ", ".join(as_text(section) for section in unseen[:_NAMED])
        st.caption(f"{as_text(name)} was not trained on {named}{more}, and takes it as an unseen section.")
