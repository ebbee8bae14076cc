"""Adding a section: a file or folder, report, names, and only then keeping it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app import session
from app.components.file_drop.component import Taken, choose_importable, show_arrived, show_drop, some_of
from app.components.job import run
from app.components.links import to_models
from app.components.sections import questions
from app.components.sections.fitting import TRAIN, Chosen, choose_tokens_by
from app.components.sections.quality import choose_quality
from app.components.sections.report import show_report
from app.components.sections.simulated import step_aside
from app.requests import AddFound, FoundPicture, Keep, Validate
from app.text import as_text, sentence
from app.unkept import Upload
from app.uploads.arrivals import stage_import
from app.uploads.parts import Arrived
from squint.errors import InputError
from squint.files import why_refused
from squint.io.content import Answers
from squint.io.folders import stored_bytes
from squint.io.transcript_files import is_drawn
from squint.library import naming
from squint.library.answers import remembered
from squint.library.store import Library
from squint.sensitive import looks_like

_LIMIT_S = 3600
_LEAST_S, _S_PER_MB = 300, 1  # sections take a tenth of it: whatever takes longer is made to


def show_upload(library: Library) -> None:
    """Take a file or folder through the steps; nothing is kept before the last."""
    state = session.upload()
    show_drop(library, "section", _TAKEN, lambda arrived: _take(library, arrived))
    name = choose_importable(library, _TAKEN, f"upload-import-{state.widget}")
    steps = st.empty()  # takes the place of what an earlier upload showed
    if name is None and state.arrived is None:
        _show_nothing(library, state)
        return
    if name is not None and state.file_id != f"import {name}":
        _reset(library, state.widget)
        state = session.upload()
        try:
            state.staged = stage_import(library, name, naming.file_name, naming.ENDINGS, naming.folder_name)
        except (OSError, InputError) as error:
            reason = why_refused(error) if isinstance(error, OSError) else str(error)
            steps.error(f"The server could not take it. {sentence(reason)}")
            return
        state.file_id, state.likeness = f"import {name}", looks_like(naming.split_name(name)[0])
    with steps.container():
        if state.likeness:
            what = "folder" if state.staged and state.staged.is_dir() else "file"
            st.warning(f"The {what}'s name looks like {state.likeness}; it will not be kept.")
        if state.arrived:
            show_arrived(state.arrived, "upload", lambda: _reset(library, session.upload().widget))
        _show_steps(library, state)


def _show_nothing(library: Library, state: Upload) -> None:
    if state.staged:
        _reset(library, state.widget)
    for title in state.known:
        st.info(f"Already in the library as **{as_text(title)}**; its cells were not changed.")
    st.caption("Nothing is kept before you have seen the report and given a study code.")


def show_next_step() -> None:
    """Say what can be done for what was kept last, where no model fits it or it has no cell types."""
    if unfit := session.upload().unfit:
        named = ", ".join(as_text(title) for title in unfit)
        st.info(f"No model fits **{named}**, kept for viewing. Next: {TRAIN}")
        to_models()
    there = session.library().sections()
    if nameless := [s for s in there if s.id in session.upload().nameless and not s.n_cell_types]:
        named = ", ".join(as_text(section.title) for section in nameless)
        st.info(f"**{named}** has no cell types. Next: name the cells, on the page *Cell types*.")
        st.page_link(
            "../pages/cell_types.py",
            label="Name the cells",
            icon=":material/category:",
            query_params={"section": nameless[0].id},
        )


def _take(library: Library, arrived: Arrived) -> None:
    """Go on with what has come; the widgets are emptied."""
    _reset(library, session.upload().widget + 1)
    state = session.upload()
    state.arrived, state.staged = arrived, arrived.path
    state.file_id, state.likeness = arrived.sha256, arrived.likeness


_TAKEN = Taken(
    naming.ENDINGS,
    naming.file_name,
    naming.folder_name,
    "The output folder of an instrument, .zarr, .h5ad, .h5 or .zip",
)


def _show_steps(library: Library, state: Upload) -> None:
    found = _look(library, state)
    if found is None:
        return
    _remember(library, state, found["kind"])
    if drawn := [name for name in found["left_alone"] if is_drawn(name)]:
        st.caption(f"Not unpacked before the map asks for it: {some_of(drawn)}.")
    if left := [name for name in found["left_alone"] if not is_drawn(name)]:
        st.caption(f"Not unpacked, as nothing here reads it: {some_of(left)}.")
    questions.show_answers()
    if found["question"]:
        questions.ask(found["question"])
    elif found["problem"]:
        st.error(sentence(found["problem"]))
    else:
        show_report(found["report"])
        organ = st.session_state.get(f"organ-{state.file_id}", "")  # is asked below
        chosen = choose_tokens_by(found["models"], organ)
        for question in found["report"]["asked"]:
            questions.ask(question)
    questions.map_columns(found["columns"])
    if found["report"] and choose_quality(found["quality"]):
        _ask_names(library, state, found["report"], chosen)


def _look(library: Library, state: Upload) -> dict[str, Any] | None:
    """Read an upload as it was answered; it is not read again for what changes nothing of that."""
    models = tuple(session.sound_models())
    asked = Validate(str(state.staged), state.answers or Answers(), state.quality, models)
    if state.looked is None or state.looked[0] != asked:
        found = run(asked, library, "Reading the file", limit_s=_limit_s(Path(asked.path)))
        if found is None:
            return None
        state.looked = asked, found
    return state.looked[1]


def _remember(library: Library, state: Upload, kind: str) -> None:
    """Answer as for the last of its kind, at the first look at an upload."""
    if state.answers is None:
        state.answers = remembered(library, kind)
        if state.answers != Answers():
            st.toast("Questions are answered as for the last file of this kind.")
            st.rerun()


def _limit_s(path: Path) -> float:
    """Give the seconds that reading a file may take, by its size."""
    n_bytes = stored_bytes(path)
    return min(_LIMIT_S, _LEAST_S + _S_PER_MB * n_bytes / 1_000_000)


def _reset(library: Library, widget: int) -> None:
    staged = session.upload().staged
    if staged:
        library.unstage(staged)
    before = session.upload()
    st.session_state["_upload"] = Upload(
        widget=widget,
        kept=before.kept,
        samples=before.samples,
        pictures=before.pictures,
        taking_back=before.taking_back,
    )


def _ask_names(library: Library, state: Upload, report: Mapping[str, Any], chosen: Chosen) -> None:
    unnamed = any(not section["patients"] for section in report["sections"])
    patients = {
        name: _ask_code(
            f"Study code of patient {as_text(name)}" if name else "Study code of the patient", name, "patient"
        )
        for name in [*report["patients"], *([""] if unnamed else [])]
    }
    flagged = [s["section_id"] for s in report["sections"] if looks_like(s["section_id"])]
    sections = {name: _ask_code(f"Code of section {as_text(name)}", name, "section") for name in flagged}
    left, right = st.columns(2)
    organ = left.text_input("Organ (optional)", key=f"organ-{state.file_id}", max_chars=40)
    assay = right.text_input("Assay (optional)", report["assay"], key=f"assay-{state.file_id}", max_chars=40)
    complete = all(patients.values()) and all(sections.values())
    will = "keep and tokenise" if chosen.model else "keep for viewing"
    if st.button(will.capitalize(), type="primary", disabled=not complete, key="keep"):
        state.keeping = True
    if not complete:
        what = "patient and for each section asked for" if flagged else "patient"
        st.caption(f"A study code is needed for each {what}.")
    if state.keeping and complete:
        answers = state.answers or Answers()
        asked = Keep(str(state.staged), answers, patients, sections, organ, assay, state.quality)
        kept = run(asked, library, "Keeping the section", limit_s=_LIMIT_S)
        if kept is None:
            return
        _go_on(library, state, kept, chosen)
        st.rerun()


def _go_on(library: Library, state: Upload, kept: list[dict[str, Any]], chosen: Chosen) -> None:
    """Begin with the next upload, and note what is to be done with the sections of this one."""
    pictures = None
    if found := [FoundPicture(**one) for section in kept for one in section["pictures"]]:
        pictures = AddFound(kept[0]["id"], str(state.staged), tuple(found))
        state.staged = None  # it stays until its pictures are kept too
    _reset(library, state.widget + 1)
    session.has_added()
    step_aside(library, [section["id"] for section in kept if section["new"]])
    session.show([section["id"] for section in kept])
    after = session.upload()
    after.pictures = pictures
    after.known = [section["title"] for section in kept if not section["new"]]
    after.nameless = [one["id"] for one in kept]
    if chosen.is_told:
        after.kept += [section["id"] for section in kept if section["new"]]
    if chosen.model:
        session.use_model(str(chosen.model.folder))
    elif not chosen.any_fits:
        after.unfit = [section["title"] for section in kept]


def _ask_code(question: str, name: str, what: str) -> str:
    """Ask for a code; return it once it is fit to be kept, else an empty text."""
    file_id = session.upload().file_id
    start = "" if looks_like(name) else name
    code = st.text_input(question, start, key=f"{what}-{name}-{file_id}", max_chars=40).strip()
    likeness = looks_like(code)
    if likeness:
        st.warning(f"{as_text(code)} looks like {likeness}. Keep codes that identify nobody.")
        if not st.checkbox("This code identifies nobody", key=f"{what}-{name}-{file_id}-sure"):
            return ""
    return code
