"""What is measured of sections, and of patients: each a mean of the patient's sections."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app.components import risk
from app.components.compare.subject import Subject
from app.components.job import compute
from app.components.tokens import names as token_names
from app.requests import CompareSections, CountScores
from app.requests.compare import Kinds
from squint.library.results import Result
from squint.library.store import Library, Section

N_DRAWS = 999  # of each pair of sections
_MOST_KINDS = 8  # tokens, and types, that are measured each


class Measure(NamedTuple):
    """Something that is measured of each section."""

    name: str  # in words
    values: "pd.Series[float]"  # by id of a section; NaN where it is not known
    percent: bool = False
    by_codes: bool = False  # whether it rests on codes that were picked on some of the patients


def compare_sections(library: Library, subject: Subject, of: Kinds) -> Result:
    """Count the cells of sections, and compare them; done once, then found."""
    named: Sequence[Section] = [one for one in subject.sections if one.named] if of == "types" else []
    labelings = tuple(sorted((one.id, one.named.sha256) for one in named if one.named))
    asked = CompareSections(subject.ids, subject.model.sha256, of, N_DRAWS, labelings)
    return compute(library, asked, "Comparing sections")


def count_scores(library: Library, subject: Subject) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Count the cells of each section by score, and say how they were scored."""
    how = risk.score(library, subject.choice.request)
    result = compute(library, CountScores(subject.ids, subject.choice.request.result), "Counting scores")
    return result.table("scores"), how


def shares(result: Result) -> pd.DataFrame:
    """Give the shares of kinds (sections, kinds) of a result of :func:`compare_sections`."""
    if not result.facts["n_cells"]:
        return pd.DataFrame()
    counts = result.table("counts")
    return counts.div(counts.sum(axis=1), axis=0)


def score_table(scores: pd.DataFrame, subject: Subject) -> pd.DataFrame:
    """Give cells, share above the high threshold and mean score of each section, by its id."""
    low, high = subject.choice.thresholds
    rows = {}
    for section, part in scores.groupby("section"):
        n_cells = part["n"].sum()
        rows[section] = {
            "n_cells": int(n_cells),
            "share_low": part.loc[part["score"] < low, "n"].sum() / n_cells,
            "share_high": part.loc[part["score"] > high, "n"].sum() / n_cells,
            "mean": (part["score"] * part["n"]).sum() / n_cells,
        }
    columns = ["n_cells", "share_low", "share_high", "mean"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).reindex(list(subject.ids))


def all_measures(library: Library, subject: Subject) -> list[Measure]:
    """Measure sections in all ways; what rests on scores only where there are codes."""
    ids = list(subject.ids)
    scores, how = count_scores(library, subject)
    found = []
    if how["codes"]:
        table = score_table(scores, subject)
        high = subject.choice.thresholds[1]
        found = [
            Measure(
                f"share of cells that score above {high:g}", table["share_high"], percent=True, by_codes=True
            ),
            Measure("mean activation score", table["mean"], by_codes=True),
        ]
    else:
        st.caption("No code is enriched in the reference, so there are no scores to compare.")
    names = token_names(library, subject.model)
    for of, word in (("tokens", "token"), ("types", "cell type")):
        result = compare_sections(library, subject, "tokens" if of == "tokens" else "types")
        share = shares(result)
        if share.empty:
            continue
        n_cells = result.facts["n_cells"]
        diversity = result.table("diversity")["shannon"].reindex(ids)
        found.append(Measure(f"effective number of {word}s among {n_cells:,} cells", diversity))
        common = share.mean().sort_values(ascending=False, kind="stable").index[:_MOST_KINDS]
        for kind in common:
            called = names.get(str(kind), str(kind)) if of == "tokens" else str(kind)
            found.append(Measure(f"share of {word} {called}", share[kind].reindex(ids), percent=True))
    return found


def by_patient(measure: Measure, subject: Subject) -> pd.DataFrame:
    """Average the sections of each patient, each section counting alike.

    Returns
    -------
    One row a patient: ``patient``, ``value``, ``n_sections``, ``role``.
    """
    patients = pd.Series(subject.patients)
    values = measure.values.reindex(patients.index)
    groups = values.groupby(patients)
    table = pd.DataFrame({"value": groups.mean(), "n_sections": groups.count()})
    table = table.rename_axis("patient").reset_index()
    return table.assign(role=[subject.roles.get(who, "") for who in table["patient"]])
