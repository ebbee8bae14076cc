"""Work that goes on behind the pages, and what every page says of it."""

from collections.abc import Sequence

import streamlit as st

from app import session
from app.components.job import follow, is_followed
from app.exports.stamp import many
from app.models import ModelFacts, facts_of
from app.requests import ImportSamples, Tokenise
from app.settings import settings


def work_behind() -> None:
    """Import the samples into a new library, and tokenise what was kept or asked for; pages go on."""
    _import_samples()
    state = session.upload()
    _tokenise(state.kept, session.find_model())  # as the foot of the page says, if there is none
    _tokenise(state.samples, _model_of(state.samples))


def samples_are_coming() -> bool:
    """Say whether the samples are on their way into the library."""
    library, samples = session.library(), settings().samples
    if not session.may_change():
        return False
    if library.samples_imported():
        return is_followed(ImportSamples(str(samples)), library)
    return not session.without_samples() and any(samples.glob("*.h5ad"))


def _import_samples() -> None:
    if not samples_are_coming():
        return
    library = session.library()
    asked, what = ImportSamples(str(settings().samples)), "First start: importing the simulated sample cohort"
    kept = follow(
        asked,
        library,
        what,
        grown=lambda: len(library.sections()),
        closed=lambda: session.want_samples(wanted=False),
    )
    if kept is not None:
        session.upload().samples += kept
        if not session.wants_samples() and any(not one.simulated for one in library.sections()):
            library.hide(kept)  # somebody's own were faster
    elif not library.samples_imported():
        st.button("Do without the samples", on_click=library.note_samples)


def _model_of(samples: Sequence[str]) -> ModelFacts | None:
    """Give a model that knows samples: the one that was chosen if it does, else the one that knows most.

    To know is to have learned from some of them, or at least from simulated tissue: what a model of other
    tissue says of them means nothing.
    """
    if not samples:
        return None
    library, chosen, sound = session.library(), session.find_model(), session.sound_models()
    here = [*library.sections(), *library.hidden()]
    wanted = {one.section for one in here if one.id in samples}
    n_known = {
        sha256: sum(one.name in wanted for one in model.card.sections)
        for sha256, model in sound.items()
        if model.card is not None
    }
    is_alike = chosen is not None and chosen.simulated and not any(n_known.values())
    if chosen is not None and (is_alike or n_known.get(chosen.sha256)):
        return chosen
    best = max(n_known, key=n_known.__getitem__, default="")
    return facts_of(sound[best]) if n_known.get(best) else None


def _tokenise(section_ids: list[str], model: ModelFacts | None) -> None:
    """Tokenise sections by a model, if there is one; in the end none of them waits."""
    if model is None:
        section_ids.clear()
    if model is None or not section_ids:
        return
    asked = Tokenise(tuple(sorted(set(section_ids))), model.sha256)
    done = follow(asked, session.library(), "Tokenising", closed=section_ids.clear)
    if done is not None:
        section_ids.clear()
        if done:
            st.toast(f"{many(len(done), 'section')} tokenised.", icon=":material/check:", duration="long")
