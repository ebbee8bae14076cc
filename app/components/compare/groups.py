"""Groups of patients compared: a patient is one observation, and few are said to be few."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components.compare import measures
from app.components.compare import table as patient_table
from app.components.compare.measures import Measure, by_patient
from app.components.compare.subject import Subject, roles_in_words
from app.components.export_row import CHART, Export, export_row
from app.exports.stamp import many, simulated, stamp
from app.text import as_text, sentence
from squint import pl
from squint.library.patient_facts import PatientFacts
from squint.library.store import Library
from squint.pl import PRINT
from squint.stats.patient_columns import NUMBERS
from squint.stats.patients import LEAST_PATIENTS, LEAST_RANKED, compare, correct, correlate

_EFFECTS = ("difference", "low", "high", "hedges_g", "cliffs_delta", "p", "smallest_p", "problem")
_FEW = "not compared"
_BY_CODES = "Codes were picked on them, so they have no part in what rests on scores"


def show(library: Library, subject: Subject) -> None:
    """Let the user choose a column of the table of patients, and compare what it says."""
    now = patient_table.show(library, list(subject.sections))
    if not now.columns:
        st.info("Nothing is known of the patients yet. Add a patient table above to group them by.")
        return
    here = sorted(set(subject.patients.values()))
    unknown = [who for who in here if who not in now.rows]
    if unknown:
        st.caption(f"Not in the patient table: {sentence(', '.join(unknown))}.")
    session.keep_valid(session.FACT, list(now.columns))
    column = str(
        st.selectbox(
            "Group patients by",
            list(now.columns),
            format_func=lambda name: f"{name} ({now.columns[name]})",
            key=session.FACT,
            persist_state="session",
        )
    )
    if now.columns[column] == NUMBERS:
        _show_number(library, subject, now, column)
    else:
        _show_groups(library, subject, now, column)


# --- groups -----------------------------------------------------------------------------------------------


def _show_groups(library: Library, subject: Subject, now: PatientFacts, column: str) -> None:
    here = set(subject.patients.values())
    of_patient = {who: group for who, group in now.groups(column).items() if who in here}
    sizes = pd.Series(of_patient, dtype=object).value_counts()
    if len(sizes) < 2:
        st.info(
            f"The patients compared have {many(len(sizes), 'value')} of {as_text(column)}: two are needed. "
            "Choose another column, or more patients."
        )
        return
    groups = [str(one) for one in sizes.index]
    group, reference = _choose_two(column, groups, sizes)
    found = measures.all_measures(library, subject)
    rows = [_compare(one, subject, of_patient, group, reference) for one in found]
    table = pd.DataFrame(rows)
    table["q"] = correct(table["p"].tolist())
    first, second = (int(sizes.get(name, 0)) for name in (group, reference))
    words = f"{column} {group} (n = {first}) against {column} {reference} (n = {second})"
    _say_few(table)
    st.dataframe(_as_shown(table, found), hide_index=True, column_config=_COLUMNS)
    parameters = {
        "groups": words,
        "observation": "a patient: mean of the sections, each counting alike",
        "interval": "95 %, Welch's t over patients",
        "test": "permutation of patients, two-sided",
        "correction": f"Benjamini-Hochberg over {int(table['p'].notna().sum())} measures",
        "codes picked on": roles_in_words(subject.roles),
    }
    _say_how(subject, table)
    marks = stamp("Groups of patients", subject.sections, subject.model, parameters)
    export_row(Export("patient_groups", marks, table=lambda: table))
    measure = _choose_measure(found)
    points = by_patient(measure, subject)
    points["group"] = points["patient"].map(of_patient)
    points = _with_notes(points.dropna(subset=["group"]), measure)
    shown = [group, reference, *(one for one in groups if one not in (group, reference))]
    figure = partial(pl.by_patient_group, points, measure=measure.name, groups=shown, percent=measure.percent)
    st.plotly_chart(
        figure(style=session.style()),
        key="patient_values",
        config=CHART,
        alt=f"{measure.name} of each patient, by {column}",
    )
    st.caption(
        "A point is a patient (where names would hide each other, point at it); an open one has no part "
        f"in the comparison. Bar: mean and its 95 % interval, where {LEAST_PATIENTS} patients have a part."
    )
    _export_points(subject, points, measure, {**parameters, "grouped by": column}, figure)


def _choose_two(column: str, groups: Sequence[str], sizes: "pd.Series[Any]") -> tuple[str, str]:
    """Choose the two groups that are compared; at first those with most patients."""
    left, right = st.columns(2, gap="large")

    def name(group: str) -> str:
        return f"{column} {group} ({many(int(sizes[group]), 'patient')})"

    session.keep_valid(session.FACT_GROUP, list(groups))
    group = str(
        left.selectbox("Group", groups, format_func=name, key=session.FACT_GROUP, persist_state="session")
    )
    others = [one for one in groups if one != group]
    session.keep_valid(session.FACT_REFERENCE, others)
    reference = right.selectbox(
        "Against", others, format_func=name, key=session.FACT_REFERENCE, persist_state="session"
    )
    return group, str(reference)


def _compare(
    measure: Measure, subject: Subject, of_patient: dict[str, str], group: str, reference: str
) -> dict[str, Any]:
    """Compare one measure between both groups."""
    points = _counted(by_patient(measure, subject), measure)
    of_row = points["patient"].map(of_patient)
    one, other = (points.loc[of_row == name, "value"].to_numpy(dtype=float) for name in (group, reference))
    found = compare(one, other)
    return {
        "measure": measure.name,
        "n_group": found.n[0],
        "n_reference": found.n[1],
        "mean_group": found.means[0],
        "mean_reference": found.means[1],
        **{
            name: getattr(found, name)
            for name in (
                "difference",
                "low",
                "high",
                "hedges_g",
                "cliffs_delta",
                "p",
                "smallest_p",
                "problem",
            )
        },
    }


_COLUMNS: dict[str, Any] = {
    "measure": st.column_config.TextColumn("Measure", width="large"),
    "n": st.column_config.TextColumn("n", help="patients of the group, and of the other"),
    "means": "Means",
    "difference": "Difference [95 %]",
    "rho": "Spearman's rho [95 %]",
    "hedges_g": st.column_config.NumberColumn("Hedges' g", format="%+.2f"),
    "cliffs_delta": st.column_config.NumberColumn("Cliff's delta", format="%+.2f"),
    "p": st.column_config.NumberColumn("p", format="%.2g"),
    "q": st.column_config.NumberColumn("q", format="%.2g"),
}


def _as_shown(table: pd.DataFrame, found: Sequence[Measure]) -> pd.DataFrame:
    rows = []
    for (_, row), measure in zip(table.iterrows(), found, strict=True):
        unit = 100 if measure.percent else 1
        end = " %" if measure.percent else ""
        interval = _interval(unit * row["low"], unit * row["high"])
        means = [_number(unit * row[name], end) for name in ("mean_group", "mean_reference")]
        rows.append(
            {
                "measure": measure.name,
                "n": f"{row['n_group']} · {row['n_reference']}",
                "means": " · ".join(means),
                "difference": _FEW if row["problem"] else f"{unit * row['difference']:+.3g} {interval}{end}",
                **{name: row[name] for name in ("hedges_g", "cliffs_delta", "p", "q")},
            }
        )
    return _without_empty(pd.DataFrame(rows))


def _without_empty(shown: pd.DataFrame) -> pd.DataFrame:
    """Leave out columns in which nothing stands, as where nothing was compared."""
    return shown.dropna(axis="columns", how="all")


def _number(value: float, end: str) -> str:
    return "none" if np.isnan(value) else f"{value:.3g}{end}"


def _interval(low: float, high: float) -> str:
    return "[not known]" if np.isnan(low) else f"[{low:+.3g}, {high:+.3g}]"


# --- numbers ----------------------------------------------------------------------------------------------


def _show_number(library: Library, subject: Subject, now: PatientFacts, column: str) -> None:
    numbers = now.numbers(column)
    found = measures.all_measures(library, subject)
    rows = []
    for measure in found:
        points = _counted(by_patient(measure, subject), measure)
        number = np.asarray(points["patient"].map(numbers), dtype=np.float64)
        one = correlate(np.asarray(points["value"], dtype=np.float64), number)
        rows.append({"measure": measure.name, **one._asdict()})
    table = pd.DataFrame(rows)
    table["q"] = correct(table["p"].tolist())
    _say_few(table)
    shown = table.assign(
        n=table["n"].astype(str),
        rho=[
            _FEW if row["problem"] else f"{row['rho']:+.2f} {_interval(row['low'], row['high'])}"
            for _, row in table.iterrows()
        ],
    )
    shown = _without_empty(shown[["measure", "n", "rho", "p", "q"]])
    st.dataframe(shown, hide_index=True, column_config=_COLUMNS)
    parameters = {
        "number": column,
        "observation": "a patient: mean of the sections, each counting alike",
        "interval": "95 %, Bonett and Wright, over patients",
        "test": "permutation of patients, two-sided",
        "correction": f"Benjamini-Hochberg over {int(table['p'].notna().sum())} measures",
        "codes picked on": roles_in_words(subject.roles),
    }
    _say_how(subject, table)
    marks = stamp(f"Measures beside {column}", subject.sections, subject.model, parameters)
    export_row(Export("patient_groups", marks, table=lambda: table))
    measure = _choose_measure(found)
    points = by_patient(measure, subject)
    points["number"] = points["patient"].map(numbers)
    points = _with_notes(points.dropna(subset=["number"]), measure)
    figure = partial(pl.beside_number, points, measure=measure.name, number=column, percent=measure.percent)
    st.plotly_chart(
        figure(style=session.style()),
        key="patient_values",
        config=CHART,
        alt=f"{measure.name} of each patient, beside {column}",
    )
    _export_points(subject, points, measure, parameters, figure)


# --- both -------------------------------------------------------------------------------------------------


def _counted(points: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Leave out who chose the codes, where a measure rests on these."""
    return points[points["role"] == ""] if measure.by_codes else points


def _with_notes(points: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    left_out = (points["role"] != "") & measure.by_codes
    notes = [many(n, "section") for n in points["n_sections"]]
    picked = [
        f", {role}: codes were picked on it" if out else ""
        for role, out in zip(points["role"], left_out, strict=True)
    ]
    return points.assign(left_out=left_out, note=[a + b for a, b in zip(notes, picked, strict=True)])


def _say_few(table: pd.DataFrame) -> None:
    """Say so in plain words where patients are too few."""
    few = table.loc[table["problem"] != "", "problem"]
    if not len(few):
        return
    least = few.value_counts().index[0]
    of_all = "" if len(few) == len(table) else f" ({many(len(few), 'measure')} of {len(table)})"
    st.info(
        f"{least[0].upper()}{least[1:]}{of_all}. Their values are shown as points; what differs "
        "between them may be the patients and nothing else.",
        icon=":material/group:",
    )


def _say_how(subject: Subject, table: pd.DataFrame) -> None:
    smallest = table["smallest_p"].dropna()
    ends = list(dict.fromkeys(f"{end:.2g}" for end in (smallest.min(), smallest.max())))
    so_few = f" It cannot fall below {' or '.join(ends)} here." if len(smallest) else ""
    least = f"{LEAST_PATIENTS} in each group, or {LEAST_RANKED} beside a number"
    said = simulated(subject.sections)
    st.caption(
        "A patient is one observation: the mean of the sections, each counting alike; cells never are. "
        f"p: patients dealt anew.{so_few} q: Benjamini-Hochberg over the measures. Fewer than {least} are "
        f"not compared: of two, nothing is known of how much patients differ. {_BY_CODES}: "
        f"{sentence(roles_in_words(subject.roles))}.{f' Patients are {said}.' if said else ''}"
    )


def _choose_measure(found: Sequence[Measure]) -> Measure:
    by_name = {one.name: one for one in found}
    session.keep_valid(session.MEASURE, list(by_name))
    name = st.selectbox("Measure shown", list(by_name), key=session.MEASURE, persist_state="session")
    return by_name[str(name)]


def _export_points(
    subject: Subject, points: pd.DataFrame, measure: Measure, parameters: dict[str, Any], figure: Any
) -> None:
    title = f"{measure.name[0].upper()}{measure.name[1:]} of patients"
    marks = stamp(title, subject.sections, subject.model, parameters)
    export_row(Export("patient_values", marks, table=lambda: points, figure=lambda _: figure(style=PRINT)))
