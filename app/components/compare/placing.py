"""A new patient among the references: where their sections lie, or why that would mean nothing."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components.compare import measures
from app.components.compare.subject import Subject
from app.components.export_row import CHART, Export, export_row
from app.components.links import to_sections
from app.exports.stamp import codes_in_words, stamp
from app.text import as_text, sentence
from squint import pl
from squint.library.quality import doubted, is_newness_known
from squint.library.store import Library, Section
from squint.model.card import NOT_MEASURED
from squint.pl import PRINT
from squint.stats.placing import beside, nearest

_DEPTH = 3.0  # so many times deeper or shallower than all references: another measurement


def show(library: Library, subject: Subject) -> None:
    """Let the user choose the patient and the references, and show where the patient lies."""
    patients = sorted(set(subject.patients.values()))
    if len(patients) < 2:
        st.info("There is one patient here, and nobody to lie among. Add a section of another one.")
        to_sections()
        return
    left, right = st.columns(2, gap="large")
    others = [who for who in patients if who not in subject.roles] or patients
    session.keep_valid(session.NEW_PATIENT, [*others, *(who for who in patients if who not in others)])
    new = str(
        left.selectbox(
            "New patient",
            [*others, *(who for who in patients if who not in others)],
            key=session.NEW_PATIENT,
            persist_state="session",
        )
    )
    rest = [who for who in patients if who != new]
    first = [who for who in rest if who in subject.roles] or rest
    asked = subject.choice.request  # whoever chooses other ones has another list to begin with
    key = f"{session.AMONG}-{new}-{asked.reference}-{asked.against}"
    session.keep_valid(key, rest, first)
    among = right.multiselect(
        "Reference patients",
        rest,
        default=first if key not in st.session_state else None,
        format_func=lambda who: f"{who} ({subject.roles[who]})" if who in subject.roles else who,
        key=key,
        persist_state="session",
    )
    if not among:
        st.info("Choose at least one reference patient.")
        return
    if new in subject.roles:
        st.warning(
            f"{as_text(new)} is one of the patients that the codes were picked on, and so no new one: where "
            "they lie was decided by that choice."
        )
    why = _doubts(library, subject, subject.of(new), [one for who in among for one in subject.of(who)])
    if why:
        st.warning(
            f"**{as_text(new)} is not placed among the references**, for that might mean nothing:  \n"
            + "  \n".join(f"- {sentence(reason)}" for reason in why),
            icon=":material/do_not_disturb_on:",
        )
        return
    if not is_newness_known(library, subject.of(new), subject.model.sha256):
        st.caption(f":material/info: {NOT_MEASURED}")
    _show_scores(library, subject, new, among)
    _show_usage(library, subject, new, among)
    st.caption(
        "Where a patient lies among so few says what their tissue resembles, and nothing of how they will "
        "fare. The codes were picked on the reference patients themselves."
    )


def _doubts(
    library: Library, subject: Subject, own: Sequence[Section], references: Sequence[Section]
) -> list[str]:
    """Say why a patient cannot be placed: what the model does not know, or what was measured otherwise."""
    found = doubted(library, own, subject.model.sha256)
    why = [f"{one.title}: {', '.join(found[one.id])}." for one in own if one.id in found]
    for word, attribute in (("organ", "organ"), ("assay", "assay")):
        here, there = ({getattr(one, attribute).strip() for one in part} - {""} for part in (own, references))
        if here and there and not {one.lower() for one in here} & {one.lower() for one in there}:
            why.append(
                f"Another {word}: {', '.join(sorted(here))}; the references are {', '.join(sorted(there))}."
            )
    trained = session.sound_models().get(subject.model.sha256)
    organs = trained.card.organs if trained is not None and trained.card is not None else []
    here = {one.organ.strip() for one in own} - {""}
    if organs and here and not {one.lower() for one in here} & {one.lower() for one in organs}:
        why.append(f"The model was trained on {', '.join(organs)}, and this is {', '.join(sorted(here))}.")
    if {one.simulated for one in own} != {one.simulated for one in references}:
        why.append("Simulated sections are beside real ones.")
    deep = [one.median_depth for one in references]
    why += [
        f"{one.title}: {one.median_depth:,.0f} counts in the median cell; the references have "
        f"{min(deep):,.0f} to {max(deep):,.0f}."
        for one in own
        if not min(deep) / _DEPTH <= one.median_depth <= max(deep) * _DEPTH
    ]
    return why


def _show_scores(library: Library, subject: Subject, new: str, among: Sequence[str]) -> None:
    """Show the share of high cells of each section, and say between which references the patient lies."""
    st.header("By activation score")
    scores, how = measures.count_scores(library, subject)
    if not how["codes"]:
        st.info("No code is enriched in the reference patient against the other one. Choose another patient.")
        return
    table = measures.score_table(scores, subject)
    high = subject.choice.thresholds[1]
    values = {who: _mean(table["share_high"], subject, who) for who in (new, *among)}
    st.markdown(
        f"Share of cells that score above {high:g}: **{as_text(new)} {values[new]:.1%}**, "
        f"{sentence(beside(values[new], {who: values[who] for who in among}))}. Each is the mean of the "
        "patient's sections."
    )
    rows = _rows(subject, table["share_high"], table["n_cells"], new, among)
    parameters = {
        "new patient": new,
        "references": ", ".join(among),
        "reference patient": how["reference"],
        "codes": codes_in_words(how),
        "high": f"above {high:g}",
    }
    _draw(subject, rows, f"share of cells that score above {high:g}", "placing_scores", parameters)


def _show_usage(library: Library, subject: Subject, new: str, among: Sequence[str]) -> None:
    """Show how far the patient's sections lie from those of each reference, and say which is nearest."""
    st.header("By tokens")
    result = measures.compare_sections(library, subject, "tokens")
    distance = result.table("distance")
    patients = subject.patients
    who = np.array([patients[str(one)] for one in distance.index], dtype=object)
    values = distance.to_numpy()
    lie = nearest(values, list(who), new, list(among))
    st.markdown(f"{sentence(lie)}. 0: the same shares of tokens, 1: no token shared.")
    names = [subject.names[str(one)] for one in distance.index]
    rows = [
        {"patient": names[i], "group": f"to {reference}", "value": values[i, j], "note": f"to {names[j]}"}
        for reference in among
        for i in np.flatnonzero(who == new)
        for j in np.flatnonzero(who == reference)
    ]
    parameters = {
        "new patient": new,
        "references": ", ".join(among),
        "distance": "Jensen-Shannon (bits, square root) of shares of tokens",
    }
    measure = f"distance of the sections of {new}"
    _draw(subject, pd.DataFrame(rows), measure, "placing_tokens", parameters, percent=False)


def _draw(
    subject: Subject,
    rows: pd.DataFrame,
    measure: str,
    place: str,
    parameters: Mapping[str, object],
    *,
    percent: bool = True,
) -> None:
    figure = partial(pl.by_patient_group, rows, measure=measure, percent=percent, means=False)
    st.plotly_chart(
        figure(style=session.style()), key=place, config=CHART, alt=f"{measure}, a point for each section"
    )
    marks = stamp(f"{measure[0].upper()}{measure[1:]}", subject.sections, subject.model, parameters)
    export_row(
        Export(
            place,
            marks,
            table=lambda: rows.rename(columns={"patient": "section", "group": "row"}),
            figure=lambda _: figure(style=PRINT),
        )
    )


def _rows(
    subject: Subject, values: "pd.Series[float]", n_cells: "pd.Series[Any]", new: str, among: Sequence[str]
) -> pd.DataFrame:
    """Give a point for each section of the patients, the new one on top."""
    return pd.DataFrame(
        [
            {
                "patient": subject.names[one.id],
                "group": f"{who}, {'new' if who == new else subject.roles.get(who, 'among the references')}",
                "value": values[one.id],
                "note": f"{n_cells[one.id]:,} cells",
            }
            for who in (new, *among)
            for one in subject.of(who)
        ]
    )


def _mean(values: "pd.Series[float]", subject: Subject, who: str) -> float:
    return float(values[[one.id for one in subject.of(who)]].mean())
