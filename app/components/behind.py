"""Work that goes on behind the pages, and what every page says of it."""

import streamlit as st

from app import session
from app.components.job import follow, is_followed
from app.exports.stamp import many
from app.requests import ImportSamples, Tokenise
from app.settings import settings


def work_behind() -> None:
    """Import the samples into a new library, and tokenise what was kept or asked for; pages go on."""
    _import_samples()
    _tokenise()


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
        session.upload().kept += kept
    elif not library.samples_imported():
        st.button("Do without the samples", on_click=library.note_samples)


def _tokenise() -> None:
    state, model = session.upload(), session.find_model()
    if model is None:  # as the foot of the page says
        state.kept = []
    if model is None or not state.kept:
        return
    asked = Tokenise(tuple(sorted(set(state.kept))), model.sha256)
    done = follow(asked, session.library(), "Tokenising", closed=state.kept.clear)
    if done is not None:
        state.kept = []
        if done:
            st.toast(f"{many(len(done), 'section')} tokenised.", icon=":material/check:", duration="long")
