"""The table of patients on a page: brought in, shown, its columns numbers or groups, undone, deleted."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import session
from app.components.export_row import Export, export_row
from app.components.file_job import work_on
from app.exports.stamp import many, stamp
from app.requests import AddPatients
from app.text import as_text, sentence
from squint.errors import InputError
from squint.library import patient_facts
from squint.library.patient_facts import PatientFacts
from squint.library.store import Library, Section
from squint.stats.patient_columns import GROUPS, NUMBERS

_SAID = "_patients_said"  # what was left out of the last file
_MOST_MB = 1


def show(library: Library, sections: list[Section]) -> PatientFacts:
    """Show what is known of the patients, and let the user change it."""
    now = patient_facts.known(library)
    if now.damage:
        st.error(sentence(now.damage))
    with st.expander(_title(now), expanded=not now.columns, icon=":material/table:"):
        if session.may_change():
            _bring_in(library, now)
        if now.columns:
            st.dataframe(now.table.rename(columns={"patient_id": "Patient"}), hide_index=True)
            if session.may_change():
                _choose_kinds(library, now)
            marks = stamp(
                "What is known of the patients", sections, None, {"columns": ", ".join(now.columns)}
            )
            export_row(Export("patients", marks, table=lambda: now.table))
        if session.may_change():
            _offer_back(library, now)
    if _SAID in st.session_state:
        _say_left_out(st.session_state[_SAID])
    return now


def _title(now: PatientFacts) -> str:
    if not now.columns:
        return "Patient table: none yet"
    return f"Patient table: {many(len(now.rows), 'patient')}, {many(len(now.columns), 'column')}"


def _bring_in(library: Library, now: PatientFacts) -> None:
    """Take a file, and say what was left out of it."""
    st.caption(
        "A CSV file with one row for each patient: the study code as in the library, and columns such as "
        "grade, stage or outcome. No names, dates or record numbers: columns that look so are left out."
    )
    left, right = st.columns([3, 2], gap="large")
    file = left.file_uploader("Patient table as .csv", key="patients_file", max_upload_size=_MOST_MB)
    replace = False
    if now.columns:
        how = right.radio(
            "The file",
            ["is added to the table", "takes the place of the table"],
            key="patients_how",
            help="Added: what the file says of a patient counts, what it does not say stays.",
        )
        replace = how == "takes the place of the table"
    sure = right.checkbox(
        "Values that look like names, dates or record numbers identify nobody", key="patients_sure"
    )
    given = file.name if file else ""
    with left:
        said = work_on(
            library,
            file,
            lambda path: AddPatients(path, given, replace=replace, sure=sure),
            "Add",
            "Reading the patient table",
            "patients_add",
        )
    if said is not None:
        st.session_state[_SAID] = said
        st.rerun()


def _say_left_out(said: Mapping[str, Any]) -> None:
    kinds = [f"{as_text(name)} ({kind})" for name, kind in said["columns"].items()]
    who = f"{many(said['n_patients'], 'patient')} by column {as_text(said['code_column'])}"
    lines = [f"{who}; kept: {', '.join(kinds)}."]
    lines += [f"Left out: {as_text(name)}, {sentence(why)}." for name, why in said["left_out"].items()]
    if said["unknown"]:
        lines.append(f"No patients of the library: {sentence(', '.join(said['unknown']))}.")
    if said["n_unlisted"]:
        lines.append(f"{many(said['n_unlisted'], 'more code')} may name a person, and were left out.")
    is_whole = len(lines) == 1
    (st.success if is_whole else st.warning)("  \n".join(lines))


def _choose_kinds(library: Library, now: PatientFacts) -> None:
    """Say of each column of numbers whether it is taken as such, and let that be changed."""
    for name, kind in now.columns.items():
        if not now.can_be_numbers(name):
            continue
        key = f"patients_kind-{now.version}-{name}"
        chosen = st.radio(
            f"{as_text(name)} holds",
            [GROUPS, NUMBERS],
            index=[GROUPS, NUMBERS].index(kind),
            key=key,
            horizontal=True,
        )
        if chosen != kind:
            _do(lambda name=name, chosen=chosen: patient_facts.take_as(library, name, str(chosen)))


def _offer_back(library: Library, now: PatientFacts) -> None:
    with st.container(horizontal=True):
        for label, by, what in (("Undo", -1, now.undo), ("Redo", 1, now.redo)):
            if what and st.button(f"{label}: {what}", key=f"patients_{label.lower()}"):
                st.session_state.pop(_SAID, None)
                _do(lambda by=by: patient_facts.step(library, by, now.version))
        if now.columns or now.undo or now.redo or now.damage:
            with st.popover("Delete", icon=":material/delete:"):
                st.caption("The table goes for everyone, with all that can be undone.")
                if st.button("Delete the patient table", key="patients_delete"):
                    st.session_state.pop(_SAID, None)
                    _do(lambda: patient_facts.delete(library))


def _do(change: Any) -> None:
    try:
        change()
    except InputError as error:  # somebody changed it just now
        st.error(sentence(str(error)))
    else:
        st.rerun()
