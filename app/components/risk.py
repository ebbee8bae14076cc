"""Widgets and numbers of the risk map."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.job import compute
from app.components.tokens import listed, profiles
from app.exports.stamp import stamp
from app.maps import views
from app.models import ModelFacts
from app.requests import Activate
from app.text import as_text, sentence
from squint import keys
from squint.library.quality import doubted
from squint.library.stacks import outside_stacks
from squint.library.store import Library, Section
from squint.pl import (
    PRINT,
    activation_histogram,
    activation_table,
    composition,
    composition_table,
)

_THRESHOLDS = (0.25, 0.75)
_UNTOLD = " · only in sections that the model knows too little of, so what it means is not known"
_ENRICHED, _FREQUENT = "Most enriched against another patient", "Most frequent in the reference"


class Choice(NamedTuple):
    """What the user asks of the risk map."""

    request: Activate
    thresholds: tuple[float, float]  # low below the first, high above the second


def choose(library: Library, sections: Sequence[Section], model: str) -> Choice:
    """Let the user choose the reference patient, how its codes are picked, and the thresholds."""
    doubts = doubted(library, sections, model)
    doubtful = {section.patient for section in sections if section.id in doubts}
    simulated = {section.patient for section in sections if section.simulated}
    # Those that the model knows come first, and of these those of people: codes of a patient that it does not
    # know may mean nothing, whoever it is.
    patients = sorted(
        {section.patient for section in sections},
        key=lambda name: (name in doubtful, name in simulated, name),
    )

    def called(name: str) -> str:
        return f"{name} (tokens uncertain)" if name in doubtful else name

    whom, how, how_many, where = st.columns([2, 3, 2, 3], gap="large")
    session.keep_valid(session.REFERENCE, patients)
    reference = whom.selectbox(
        "Reference patient", patients, format_func=called, key=session.REFERENCE, persist_state="session"
    )
    others = [patient for patient in patients if patient != reference]
    against = None
    with how:
        ranked_by = _choose_ranking() if others else _say_alone(reference)
    if ranked_by == _ENRICHED:
        session.keep_valid(session.AGAINST, others)
        against = whom.selectbox(
            "Against patient", others, format_func=called, key=session.AGAINST, persist_state="session"
        )
    _say_uncertain([who for who in (reference, against) if who in doubtful])
    n_codes = how_many.slider("Number of codes", 1, 10, 5, key=session.N_CODES, bind="query-params")
    ends: Any = where.slider(
        "Thresholds: low below, high above",
        0.0,
        1.0,
        None if session.THRESHOLDS in st.session_state else _THRESHOLDS,
        step=0.01,
        key=session.THRESHOLDS,
        bind="query-params",
    )
    low, high = sorted(ends)  # a link may hold them the wrong way round
    ids = tuple(section.id for section in sections)
    # A stack is many levels of one place, and would outweigh the rest of its patient.
    own = [[section for section in sections if section.patient == patient] for patient in patients]
    ranked = tuple(section.id for mine in own for section in outside_stacks(mine))
    return Choice(Activate(ids, ranked, model, reference, against, n_codes), (float(low), float(high)))


def _say_uncertain(patients: Sequence[str]) -> None:
    """Say of those who choose the codes that the model knows little of them."""
    if patients:
        st.warning(
            f"**Codes picked on {as_text(' and '.join(patients))} may mean nothing**, and so may scores by "
            "them: the model knows little of that tissue. Choose another patient where there is one.",
            icon=":material/warning:",
        )


def _choose_ranking() -> str:
    """Let the user choose how codes are ranked; at first so that tissue of all patients is no reason."""
    return str(
        st.radio(
            "Top codes",
            [_ENRICHED, _FREQUENT],
            key=session.MODE,
            persist_state="session",
            help="Most enriched: codes that the reference has and the other patient lacks, by "
            "p log2(p / q), p and q being the shares of the two patients' cells. Most frequent: the paper's "
            "choice; tissue that every patient has is often among it, and lights up in all of them.",
        )
    )


def _say_alone(reference: str) -> str:
    """Say why codes cannot be ranked against another patient."""
    st.markdown(
        f"**Top codes: most frequent in the reference.** {as_text(reference)} is the only patient here with "
        "tokens, so there is nobody to tell apart: common tissue scores high too. Add a section of another "
        "patient to use the codes most enriched against that one."
    )
    return _FREQUENT


def _take_thresholds(_: object, dragged: Mapping[str, Any]) -> None:
    """Take the thresholds that were dragged on the colour bar of a map."""
    low, high = sorted(min(1.0, max(0.0, round(float(end), 2))) for end in dragged["values"])
    st.session_state[session.THRESHOLDS] = (low, high)


DRAGGED = {"thresholds": _take_thresholds}  # what a map does when a threshold is dragged on it


def score(library: Library, asked: Activate) -> dict[str, Any]:
    """Score all sections; done once, then found. Return what was done, and how users call the codes."""
    facts = compute(library, asked, "Scoring neighbourhoods").facts
    return facts | {"named": listed(library, asked.model, facts["codes"])}


def say_cover(library: Library, how: Mapping[str, Any], model: str) -> None:
    """Say which codes count and how much of the reference they cover."""
    if not how["codes"]:
        st.warning(
            "No code is enriched in the reference patient against the other one. Choose another patient, or "
            "the most frequent codes."
        )
        st.stop()
    reference = as_text(how["reference"])
    against = f" against {as_text(how['against'])}" if how["against"] else ""
    st.markdown(
        f"The **{len(how['codes'])} codes {how['mode']}** in patient **{reference}**{against} "
        f"cover **{how['share_covered']:.1%}** of that patient's cells: tokens "
        f"{sentence(listed(library, model, how['codes']))}."
    )


def describe_codes(
    library: Library, sections: Sequence[Section], how: Mapping[str, Any], model: ModelFacts
) -> None:
    """Say in plain words what the codes are, and how common in the reference patient."""
    st.subheader(f"The codes, in patient {as_text(how['reference'])}")
    mine = [section for section in sections if section.patient == how["reference"]]
    share = views.cells_of(library, mine, model.sha256)[keys.TOKEN].value_counts(normalize=True)
    table = profiles(library, model)
    lines = []
    for code in how["codes"]:
        called = sentence(listed(library, model.sha256, [code]))
        told = _UNTOLD if code not in table.index else _told(table.loc[code])
        lines.append(f"- **Token {called}**, {share[code]:.1%} of cells{told}")
    st.markdown("\n".join(lines))


def _told(token: "pd.Series[Any]") -> str:
    types = f" · {sentence(token['top_types'])}" if token["top_types"] else ""
    return f"{types} · top genes {sentence(token['top_genes'])}"


def show_spread(view: views.MapView, thresholds: tuple[float, float], model: ModelFacts) -> None:
    """Show how the scores of each patient are spread."""
    st.subheader("Spread of the scores")
    low, high = thresholds
    scores = {
        str(patient): part[keys.ACTIVATION].to_numpy()
        for patient, part in view.cells.groupby(keys.PATIENT, observed=True)
    }
    st.plotly_chart(
        activation_histogram(scores, low=low, high=high, style=session.style()),
        key="spread",
        config=CHART,
        alt="Histogram of the activation scores of each patient, with both thresholds",
    )
    export_row(
        Export(
            "spread",
            stamp("Spread of the activation scores", view.sections, model, view.parameters),
            table=lambda: activation_table(view.cells, [keys.PATIENT], low=low, high=high),
            figure=lambda _: activation_histogram(scores, low=low, high=high, style=PRINT),
        )
    )


def show_composition(view: views.MapView, thresholds: tuple[float, float], model: ModelFacts) -> None:
    """Show which cell types the high and the low cells are."""
    st.subheader("High against low cells")
    if keys.CELL_TYPE not in view.cells or not view.cells[keys.CELL_TYPE].notna().any():
        st.info("There are no cell types in these sections, so the composition cannot be shown.")
        return
    low, high = thresholds
    table = composition_table(view.cells, low=low, high=high)
    if not table[["n_low", "n_high"]].to_numpy().sum():
        st.info("No cell is low or high at these thresholds.")
        return
    st.plotly_chart(
        composition(table, style=session.style()),
        key="composition",
        config=CHART,
        alt="Share of each cell type among high and low cells",
    )
    n_patients = view.cells[keys.PATIENT].nunique()
    st.caption(
        f"Cells of one patient are not independent of each other: n = {n_patients} "
        f"patient{'s' if n_patients > 1 else ''}, so no test is made."
    )
    export_row(
        Export(
            "composition",
            stamp("Cell types of high against low cells", view.sections, model, view.parameters),
            table=table.reset_index,
            figure=lambda _: composition(table, style=PRINT),
        )
    )


def show_numbers(view: views.MapView, thresholds: tuple[float, float], model: ModelFacts) -> None:
    """Show n and share of high, intermediate and low cells of each patient and section."""
    st.subheader("High, intermediate and low cells")
    low, high = thresholds
    whole = activation_table(view.cells, [keys.PATIENT], low=low, high=high).assign(
        **{keys.SECTION: "all shown"}
    )
    single = activation_table(view.cells, [keys.PATIENT, keys.SECTION], low=low, high=high)
    table = pd.concat([whole, single], ignore_index=True).sort_values(keys.PATIENT, kind="stable")
    shown = pd.DataFrame(
        {"Patient": table[keys.PATIENT], "Section": table[keys.SECTION], "Cells": table["n_cells"]}
    )
    for level in ("high", "intermediate", "low"):
        shown[level.capitalize()] = [
            f"{n:,} ({share:.1%})"
            for n, share in zip(table[f"n_{level}"], table[f"share_{level}"], strict=True)
        ]
    shown["Without a score"] = table["n_missing"]
    shown["Median score [IQR]"] = [
        f"{median:.2f} [{q1:.2f}, {q3:.2f}]"
        for median, q1, q3 in zip(table["median"], table["q1"], table["q3"], strict=True)
    ]
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"Cells": st.column_config.NumberColumn(format="localized")},
    )
    marks = stamp("High, intermediate and low cells", view.sections, model, view.parameters)
    export_row(Export("levels", marks, table=lambda: table))
