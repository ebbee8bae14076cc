"""Sections beside each other: what they hold, how diverse, how they score, and which lie near which."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components import risk
from app.components.compare import measures
from app.components.compare.subject import Subject, roles_in_words, simulated_ids
from app.components.export_row import CHART, Export, export_row
from app.components.links import to_cell_types
from app.components.tokens import names as token_names
from app.exports.stamp import codes_in_words, many, stamp
from app.maps.type_colours import type_colours
from app.requests.compare import Kinds
from squint import keys, pl
from squint.library.results import Result
from squint.library.stacks import name_sections
from squint.library.store import Library
from squint.pl import PRINT
from squint.stats.section_distances import nearness

_BY: dict[str, Kinds] = {"Tokens": "tokens", "Cell types": "types"}
_LARGE = 0.15  # of a section's side: structures that reach so far, or farther, leave little to compare
_TABLES = ("distance", "expected", "high", "p", "q", "sections")


def show(library: Library, subject: Subject) -> None:
    """Show all of it."""
    by = st.segmented_control(
        "Compare sections by",
        list(_BY),
        default="Tokens" if session.COMPARED_BY not in st.session_state else None,
        required=True,
        key=session.COMPARED_BY,
        persist_state="session",
    )
    of = _BY[str(by)]
    result = measures.compare_sections(library, subject, of)
    if not result.facts["n_cells"]:
        st.info("None of these sections has cell types. Name their cells on the page Cell types.")
        to_cell_types()
    else:
        _show_composition(library, subject, of, result)
        _show_diversity(subject, of, result)
        _show_distances(subject, of, result)
    _show_scores(library, subject)


def _show_composition(library: Library, subject: Subject, of: Kinds, result: Result) -> None:
    st.header("What the sections hold")
    share, counts = measures.shares(result), result.table("counts")
    lacking = [name for one, name in subject.names.items() if one not in share.index]
    if lacking:
        st.caption(f"Without cell types, and not shown: {', '.join(lacking)}.")
    share = share.loc[[one for one in subject.ids if one in share.index]]
    n_cells = counts.sum(axis=1)
    kinds = token_names(library, subject.model) if of == "tokens" else {}
    common = share.mean().sort_values(ascending=False, kind="stable").index[: pl.MAX_HIGHLIGHTED - 1]
    colours = type_colours(library, list(common)) if of == "types" else {}
    figure = partial(
        pl.section_composition,
        share,
        {str(one): int(n) for one, n in n_cells.items()},
        names=subject.names,
        kinds=kinds,
        colours=colours,
    )
    st.plotly_chart(
        figure(style=session.style()),
        key="section_composition",
        config=CHART,
        alt=f"Shares of {_word(of)} in {len(share)} sections",
    )
    what = "with a token" if of == "tokens" else "with a type"
    marks = stamp(
        f"{_word(of).capitalize()} of sections",
        subject.sections,
        subject.model,
        {"shares": f"of cells {what}"},
    )

    def table() -> pd.DataFrame:
        long = (
            counts.rename_axis("library_id")
            .reset_index()
            .melt("library_id", var_name=of[:-1], value_name="n")
        )
        long["n_cells"] = long["library_id"].map(n_cells)
        return _named(subject, long.assign(share=long["n"] / long["n_cells"]))

    export_row(Export("section_composition", marks, table=table, figure=lambda _: figure(style=PRINT)))


def _show_diversity(subject: Subject, of: Kinds, result: Result) -> None:
    st.header("How diverse they are")
    n_cells = result.facts["n_cells"]
    values = result.table("diversity").sort_values("shannon", ascending=False, kind="stable")
    figure = partial(pl.section_diversity, values, names=subject.names, marked=subject.marked)
    st.plotly_chart(
        figure(style=session.style()),
        key="diversity",
        config=CHART,
        alt=f"Effective numbers of {_word(of)} of {len(values)} sections, with their intervals",
    )
    table = _named(subject, values.rename_axis("library_id").reset_index())
    st.dataframe(
        table[["section", "n_cells", "shannon", "simpson", "richness", "richness_of_all"]],
        hide_index=True,
        column_config={
            "section": "Section",
            "n_cells": st.column_config.NumberColumn("Cells", format="localized"),
            "shannon": st.column_config.NumberColumn("Effective number (Shannon)", format="%.1f"),
            "simpson": st.column_config.NumberColumn("… of common ones (Simpson)", format="%.1f"),
            "richness": st.column_config.NumberColumn("Kinds", format="%.1f"),
            "richness_of_all": st.column_config.NumberColumn("Kinds among all cells", format="%.0f"),
        },
    )
    st.caption(
        f"Effective numbers of {_word(of)} (Hill): as many as there would be, all as common as each other. "
        f"Expected among {n_cells:,} cells of each section, as the smallest has: sizes do not decide. "
        "Lines: 95 %, each block of tissue left out in turn; too narrow where structures are as "
        "large as blocks, and nothing of how patients differ."
    )
    parameters = {
        "numbers": f"Hill, expected among {n_cells:,} cells of each section",
        "interval": "95 %, jackknife over up to 8 blocks of tissue of a section",
    }
    marks = stamp(f"Diversity of {_word(of)}", subject.sections, subject.model, parameters)
    export_row(Export("diversity", marks, table=lambda: table, figure=lambda _: figure(style=PRINT)))


def _show_distances(subject: Subject, of: Kinds, result: Result) -> None:
    st.header("Which lie near which")
    if not result.facts["compared"]:
        st.info("There is one section, and two are needed to say how far apart they lie.")
        return
    values: dict[str, Any] = {name: result.table(name) for name in _TABLES}
    values |= {"linkage": np.asarray(result.facts["linkage"]), "order": np.asarray(result.facts["order"])}
    table = partial(pl.section_distances, values, names=subject.names)
    plane = partial(
        pl.section_plane,
        values,
        subject.patients,
        names=name_sections(subject.sections),
        marked=subject.roles,
        simulated=simulated_ids(subject.sections),
    )
    pairs = _pairs(subject, values)
    parameters = {
        "distance": f"Jensen-Shannon (bits, square root) of shares of {_word(of)}",
        "null": f"8 blocks of tissue of each section of a pair, dealt anew, {measures.N_DRAWS:,} draws, "
        "widened by how alike blocks of a section are",
        "correction": f"Benjamini-Hochberg over {pairs['p'].notna().sum():,} pairs",
        "diagonal": "two halves of one section",
    }
    st.plotly_chart(
        table(style=session.style()),
        key="section_distances",
        width="content",
        config=CHART,
        alt=f"Distances of {len(values['sections'])} sections, ordered by a tree",
    )
    _say_chance(values, pairs)
    marks = stamp("Distances of sections", subject.sections, subject.model, parameters)
    export_row(Export("section_distances", marks, table=lambda: pairs, figure=lambda _: table(style=PRINT)))
    st.plotly_chart(
        plane(style=session.style()),
        key="section_plane",
        width="content",
        config=CHART,
        alt="The same distances as a plane",
    )
    stress = result.facts["stress"]
    st.caption(
        f"Classical scaling of the distances: the plane misses {stress:.0%} of them (Kruskal's stress 1 = "
        f"{stress:.2f}{'; read the table instead' if stress > 0.2 else ''}). Squares: "
        f"{roles_in_words(subject.roles)}. Open: simulated."
    )
    parameters |= {"plane": f"classical scaling, stress 1 = {stress:.3f}"}
    marks = stamp("Sections on a plane", subject.sections, subject.model, parameters)
    points = values["sections"].rename_axis("library_id").reset_index()
    export_row(
        Export(
            "section_plane",
            marks,
            table=lambda: _named(subject, points),
            figure=lambda _: plane(style=PRINT),
        )
    )
    _say_nearness(subject, values)


def _say_chance(values: dict[str, Any], pairs: pd.DataFrame) -> None:
    """Say how many pairs lie beyond chance, and what that is."""
    known = pairs["p"].notna()
    n_known = many(int(known.sum()), "pair")
    beyond = int((pairs["q"] <= pl.SMALL_Q).sum())
    halves = values["sections"]["halves"].dropna()
    inside = (
        f" Two halves of one section lie {halves.min():.2f} to {halves.max():.2f} apart."
        if len(halves)
        else ""
    )
    if not known.any():
        st.caption("Too few cells to say what chance gives: a section needs 80.")
        return
    st.caption(
        f"0: the same shares, 1: nothing shared. The diagonal (½): two halves of the section.{inside} "
        "Chance: each section is cut into 8 blocks of tissue, since cells beside each other are alike, and "
        "the blocks of both are dealt anew; what this gives is widened by as much as blocks of one section "
        f"are alike. {beyond:,} of {n_known} lie farther (dot: q ≤ {pl.SMALL_Q:g})."
    )
    reach = values["sections"]["reach"].dropna()
    large = int((reach > _LARGE).sum())
    if large:
        st.caption(
            f":material/info: Structures reach far in {many(large, 'section')} of {len(reach)}: over more "
            f"than {_LARGE:.0%} of the side. So few of them fit in that only very different sections lie "
            "beyond chance; that no dot is there does not say that sections are alike."
        )


def _say_nearness(subject: Subject, values: dict[str, Any]) -> None:
    """Say whether sections of one patient lie nearer than those of different patients."""
    st.subheader("Do sections of one patient lie nearer?")
    distance = values["distance"]
    who = [subject.patients[str(one)] for one in distance.index]
    found = nearness(distance.to_numpy(), who)
    if np.isnan(found.p):
        st.info(
            "Too few to compare: two patients are needed, and one of them with two sections. Here are "
            f"{many(len(who), 'section')} of {many(len(set(who)), 'patient')}."
        )
        return
    drawn = f"all {found.n_draws:,}" if found.exact else f"{found.n_draws:,} random"
    st.markdown(
        f"Sections of one patient lie **{found.within:.2f}** apart in the mean, those of different patients "
        f"**{found.between:.2f}** (n = {len(who)} sections, {len(set(who))} patients). p = {found.p:.2g}, "
        f"one-sided, by {drawn} ways to deal the patients to the sections; so few sections can reach "
        f"{found.smallest_p:.2g} at least."
    )


def _show_scores(library: Library, subject: Subject) -> None:
    st.header("How their cells score")
    scores, how = measures.count_scores(library, subject)
    if not how["codes"]:
        st.info("No code is enriched in the reference patient against the other one. Choose another patient.")
        return
    risk.say_cover(library, how, subject.model.sha256)
    low, high = subject.choice.thresholds
    rank = {one: place for place, one in enumerate(subject.ids)}
    scores = scores.sort_values("section", key=lambda ids: ids.map(rank), kind="stable")
    figure = partial(
        pl.activation_by_section, scores, low=low, high=high, names=subject.names, marked=subject.marked
    )
    st.plotly_chart(
        figure(style=session.style()),
        key="section_scores",
        config=CHART,
        alt=f"Spread of the activation scores of {len(rank)} sections, with both thresholds",
    )
    st.caption(
        "Heights are square roots of shares, so that few cells can be seen. The codes were picked on the "
        "reference patient, so that its own sections score high in any case."
    )
    table = measures.score_table(scores, subject).rename_axis("library_id").reset_index()
    parameters = {
        "reference patient": how["reference"],
        "codes": codes_in_words(how),
        "low": f"below {low:g}",
        "high": f"above {high:g}",
        "heights": "square roots of shares",
    }
    marks = stamp("Activation scores of sections", subject.sections, subject.model, parameters)
    export_row(
        Export(
            "section_scores",
            marks,
            table=lambda: _named(subject, table),
            figure=lambda _: figure(style=PRINT),
        )
    )


def _pairs(subject: Subject, values: dict[str, Any]) -> pd.DataFrame:
    """List every pair of sections, the nearest first."""
    ids = values["distance"].index.to_numpy()
    one, other = np.triu_indices(len(ids), 1)
    names = np.array([subject.names[str(key)] for key in ids], dtype=object)
    who = np.array([subject.patients[str(key)] for key in ids], dtype=object)
    table = pd.DataFrame({"section_1": names[one], "section_2": names[other]})
    table["same_patient"] = who[one] == who[other]
    for name in ("distance", "expected", "high", "p", "q"):
        table[name] = values[name].to_numpy()[one, other]
    return table.sort_values("distance", kind="stable")


def _named(subject: Subject, table: pd.DataFrame) -> pd.DataFrame:
    """Add the title and the patient of each section, and drop its id."""
    table = table.copy()
    table.insert(0, "section", table["library_id"].map(subject.names))
    table.insert(1, keys.PATIENT, table["library_id"].map(subject.patients))
    return table.drop(columns="library_id")


def _word(of: Kinds) -> str:
    return "tokens" if of == "tokens" else "cell types"
