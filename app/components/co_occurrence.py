"""Widgets and figures of tokens that go together."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.components.download import Left
from app.components.export_row import CHART, Export, export_row
from app.components.file_job import Made, offer_made
from app.components.job import compute
from app.components.links import to_sections
from app.components.map.tissue_map import show_map
from app.components.tokens import listed, with_names
from app.components.tokens import names as token_names
from app.exports.stamp import many, simulated, stamp
from app.maps import views
from app.models import ModelFacts
from app.requests import CoOccurrence, Neighbours, WriteSequences
from squint import keys, pl
from squint.files import list_sha256
from squint.library.chain import TOKENS
from squint.library.profiles import without_number
from squint.library.results import Result
from squint.library.stacks import find_stacks, outside_stacks
from squint.library.store import Library, Section
from squint.pl import MAX_HIGHLIGHTED, PRINT, Categories
from squint.stats import trees

LEAST_GROUPS = 3
_N_ORDERS, _N_DRAWS = 10_000, 1_000  # shuffles of groups, of tokens within sections
_PAIR = {"token_1": "name_1", "token_2": "name_2"}  # columns of tokens, and of their names
_NOTE_LEVELS = 0.3  # mean correlation of neighbouring levels that is worth a word


class Over(NamedTuple):
    """Groups over which the usage of tokens is compared."""

    name: str
    groups: str  # what a group is
    by: str  # column
    sections: tuple[Section, ...]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        if self.by == keys.PATIENT:
            return len({section.patient for section in self.sections})
        return len(self.sections)

    @property
    def n_in_words(self) -> str:
        """Number of groups, and whether they are simulated."""
        said = simulated(self.sections)
        return f"n = {self.n_groups}" + (f", {said}" if said else "")


class Found(NamedTuple):
    """Correlated tokens, their tree and their communities."""

    over: Over
    result: Result
    values: dict[str, Any]  # as `squint.tl.co_occurrence` gives it, with communities
    names: dict[str, str]  # token -> its number and main cell type

    @property
    def words(self) -> dict[str, str]:
        """What each token is called, without its number, where it is called anything."""
        words = {token: without_number(token, name) for token, name in self.names.items()}
        return {token: word for token, word in words.items() if word}

    @property
    def community(self) -> "pd.Series[str]":
        """Community of each token."""
        labels: pd.Series[str] = self.values["tokens"]["community"]
        return labels


def choose(sections: Sequence[Section]) -> Over:
    """Let the user choose what usage is compared over; if there is too little, say so and stop the page."""
    offered = [
        Over(f"levels of {stack.name}", "level", keys.SECTION, stack.levels)
        for stack in find_stacks(sections)
    ]
    plain = tuple(outside_stacks(sections))
    offered += [
        Over("sections", "section", keys.SECTION, plain),
        Over("patients", "patient", keys.PATIENT, plain),
    ]
    offered.sort(key=lambda over: all(section.simulated for section in over.sections))
    by_name = {over.name: over for over in offered if over.n_groups >= LEAST_GROUPS}
    if not by_name:
        st.info(
            f"At least {LEAST_GROUPS} sections, levels of a stack or patients with tokens are needed, as a "
            f"correlation over two is always +1 or -1: here is {many(len(plain), 'section')}. Add one on the "
            "page Sections."
        )
        to_sections()
        st.stop()
    session.keep_valid(session.OVER, list(by_name))
    name = st.selectbox(
        "Usage of tokens over",
        list(by_name),
        format_func=lambda name: f"{name} ({by_name[name].n_in_words})",
        key=session.OVER,
        persist_state="session",
    )
    return by_name[str(name)]


def correlate(library: Library, over: Over, model: ModelFacts) -> Found:
    """Correlate tokens over the groups, and cut their tree where the user says."""
    left, middle, right = st.columns([2, 2, 2], gap="large")
    n_tokens = left.slider(
        "Most frequent tokens", 5, 100, 50, step=5, key=session.N_TOKENS, bind="query-params"
    )
    clr = right.toggle(
        "Log-ratios instead of shares",
        key=session.LOG_RATIOS,
        help="Shares add up to one: where one token dominates, all others shrink as it grows. Centred "
        "log-ratios undo that.",
    )
    ids = tuple(section.id for section in over.sections)
    asked = CoOccurrence(ids, model.sha256, over.by, n_tokens, clr, _N_ORDERS)
    result = compute(library, asked, "Correlating tokens")
    values = result.facts
    for name in ("correlation", "p", "q", "usage", "profiles", "groups", "tokens"):
        values[name] = result.table(name)
    linkage = np.asarray(values["linkage"], dtype=np.float64)
    n_cells = values["tokens"]["n_cells"].to_numpy()
    by_rule = trees.cut(linkage, n_cells, height=1 - values["null_quantile"])
    key = f"{session.N_COMMUNITIES}-{asked.result}"
    n_communities = middle.slider(
        "Communities",
        1,
        len(n_cells),
        len(set(by_rule)),
        key=key,
        help="At first the tree is cut where chance stops.",
    )
    named = trees.cut(linkage, n_cells, n_communities=n_communities)
    values |= {"linkage": linkage, "order": np.asarray(values["order"])}
    values["tokens"] = tokens = values["tokens"].assign(community=named)
    values["communities"] = trees.describe(
        tokens["community"], tokens["n_cells"], linkage, values["profiles"]
    )
    return Found(over, result, values, token_names(library, model))


def show_map_of_tokens(found: Found, model: ModelFacts) -> None:
    """Show which tokens are used together; a click chooses a community."""
    values, over = found.values, found.over
    selected = st.session_state.get(session.COMMUNITY)

    def figure(style: pl.Style) -> Any:
        return pl.co_occurrence(
            values, names=found.words, selected=selected, targets=style is not PRINT, style=style
        )

    st.plotly_chart(
        figure(session.style()),
        width="content",
        key="co_occurrence",
        on_select=_community_of_point,
        selection_mode="points",
        config=CHART,
        alt=f"Correlation of {len(values['tokens'])} tokens over {over.n_groups} {over.groups}s, clustered",
    )
    say_chance(found)
    parameters = {
        "usage over": f"{over.name}, n = {over.n_groups}",
        "tokens": len(values["tokens"]),
        "profiles": "centred log-ratios" if values["clr"] else "shares of cells",
        "linkage": "average, on 1 - r",
        "communities": found.community.nunique(),
        "framed": selected or "none",
        "null": f"{values['n_draws']:,} shuffles of the {over.groups}s"
        + (", all there are" if values["exact"] else "")
        + f", p two-sided, at least {values['smallest_p']:.2g}",
        "correction": f"Benjamini-Hochberg over {_n_pairs(values['q']):,} pairs of tokens",
    }
    marks = stamp("Token co-occurrence", over.sections, model, parameters)
    export_row(
        Export(
            "co_occurrence",
            marks,
            table=lambda: with_names(session.library(), model.sha256, pairs(found), _PAIR),
            figure=lambda _: figure(PRINT),
        )
    )


def say_chance(found: Found) -> None:
    """Say what chance gives with so few groups."""
    values, over = found.values, found.over
    drawn = f"all {values['n_draws']:,}" if values["exact"] else f"{values['n_draws']:,} random"
    q = values["q"].to_numpy()
    below = np.triu(np.nan_to_num(q, nan=1) <= 0.05, 1).sum()
    st.caption(
        f"Pearson correlation over n = {over.n_groups} {over.groups}s, of {len(values['tokens'])} tokens "
        f"that cover {values['share_covered']:.0%} of cells. In {drawn} orders of the {over.groups}s, drawn "
        f"for each token by itself, 95 % of pairs stay below |r| = {values['null_quantile']:.2f}; the "
        f"smallest p that can be reached is {values['smallest_p']:.2g}. {many(int(below), 'pair')} with "
        "q ≤ 0.05."
    )
    if values.get("autocorrelation", 0) > _NOTE_LEVELS:
        st.warning(
            "Levels that follow each other resemble each other here "
            f"(r = {values['autocorrelation']:.2f} in the mean), so p and q are too small: read them as a "
            "ranking."
        )


def _n_pairs(q: pd.DataFrame) -> int:
    """Count the pairs of different tokens that have a q."""
    return int(np.triu(q.notna(), 1).sum())


def pairs(found: Found) -> pd.DataFrame:
    """List every pair of tokens, the most correlated first."""
    values = found.values
    one, other = np.triu_indices(len(values["tokens"]), 1)
    tokens = values["correlation"].columns.to_numpy()
    table = pd.DataFrame({"token_1": tokens[one], "token_2": tokens[other]})
    for name in ("correlation", "p", "q"):
        table[name] = values[name].to_numpy()[one, other]
    table["n_groups"] = found.over.n_groups
    for i, column in enumerate(("token_1", "token_2"), start=1):
        table[f"community_{i}"] = table[column].map(found.community)
    return table.sort_values("correlation", ascending=False, kind="stable")


def _community_of_point() -> None:
    points = st.session_state["co_occurrence"]["selection"]["points"]
    if points and "customdata" in points[0]:
        st.session_state[session.COMMUNITY] = str(np.ravel(points[0]["customdata"])[-1])


def show_communities(library: Library, found: Found, model: ModelFacts) -> None:
    """Show the communities on the tissue, and how their use changes."""
    st.header("Communities")
    table = found.values["communities"]
    of_several = table.index[table["n_tokens"] > 1]
    several = [str(name) for name in (of_several if len(of_several) else table.index)]
    st.caption(
        "Chance makes communities too. The p of a community is the share of shuffles whose largest "
        "community, cut at the same height, has as many tokens or more."
    )

    def describe(community: str) -> str:
        row = table.loc[community]
        tokens = listed(library, model.sha256, _tokens(found, community))
        return f"{community}: tokens {tokens} ({many(int(row['n_cells']), 'cell')}, p = {row['p']:.2g})"

    options = ["all", *several]
    session.keep_valid(session.COMMUNITY, options)
    chosen = st.selectbox(
        "Community on the map (or click one above)",
        options,
        format_func=lambda name: "all, one colour each" if name == "all" else describe(name),
        key=session.COMMUNITY,
        persist_state="session",
    )
    sections = session.choose_sections(found.over.sections, key=f"{session.SHOWN}-{found.over.name}")
    cells = views.cells_of(library, sections, model.sha256)
    show_map(_view(found, sections, cells, str(chosen), several), model, "communities")
    if chosen != "all":
        _show_usage(found, str(chosen), model)


def _tokens(found: Found, community: str) -> list[str]:
    members = found.community[found.community == community].index
    return [str(token) for token in members]


def _view(
    found: Found, sections: Sequence[Section], cells: pd.DataFrame, chosen: str, several: Sequence[str]
) -> views.MapView:
    """Colour cells by community, or by token within one."""
    if chosen == "all":
        tokens = cells[keys.TOKEN].astype(object)
        values = tokens.map(found.community).fillna("none").where(tokens.notna())
        names = {name: f"{name}: {len(_tokens(found, name))} tokens" for name in several}
        scale = Categories("community, cells", tuple(several[:MAX_HIGHLIGHTED]), "other tokens", names)
        return views.by_labels("Communities of tokens", sections, cells, values, scale, views.NO_TOKEN)
    members = _tokens(found, chosen)
    scale = Categories(
        f"tokens of community {chosen}", tuple(members[:MAX_HIGHLIGHTED]), "other tokens", found.names
    )
    return views.by_labels(f"Community {chosen}", sections, cells, cells[keys.TOKEN], scale, views.NO_TOKEN)


def _show_usage(found: Found, chosen: str, model: ModelFacts) -> None:
    tokens = _tokens(found, chosen)

    def figure(style: pl.Style) -> Any:
        return pl.token_usage(found.values, tokens, names=found.words, relative=True, style=style)

    st.plotly_chart(
        figure(session.style()),
        key="usage",
        config=CHART,
        alt=f"Share of cells of the tokens of community {chosen}",
    )
    parameters = {
        "community": chosen,
        "tokens": listed(session.library(), model.sha256, tokens),
        "usage": f"share of the cells of each {found.over.groups}",
        "over": f"{found.over.name}, n = {found.over.n_groups}",
    }
    export_row(
        Export(
            "usage",
            stamp(f"Usage of the tokens of community {chosen}", found.over.sections, model, parameters),
            table=lambda: usage(found),
            figure=lambda _: figure(PRINT),
        )
    )


def usage(found: Found) -> pd.DataFrame:
    """List the share of each token in each group, beside the group's number of cells."""
    shares: pd.DataFrame = found.values["usage"]
    table: pd.DataFrame = found.values["groups"][["n_cells"]].join(shares)
    return table.reset_index(names="group")


def show_neighbours(library: Library, found: Found, model: ModelFacts) -> None:
    """Show which tokens are neighbours in the tissue more or less than chance."""
    st.header("Neighbours in the tissue")
    ids = tuple(section.id for section in found.over.sections)
    n_tokens = len(found.values["tokens"])
    result = compute(library, Neighbours(ids, model.sha256, n_tokens, _N_DRAWS), "Counting neighbours")
    values = result.facts
    for name in ("observed", "expected", "log2_ratio", "z", "p", "q", "tokens"):
        values[name] = result.table(name)
    order = [str(token) for token in found.values["correlation"].columns[found.values["order"]]]

    def figure(style: pl.Style) -> Any:
        return pl.neighbor_enrichment(
            values, order=order, names=found.words, targets=style is not PRINT, style=style
        )

    st.plotly_chart(
        figure(session.style()),
        width="content",
        key="neighbours",
        config=CHART,
        alt=f"How often {n_tokens} tokens are neighbours, against chance",
    )
    st.caption(
        f"{values['n_edges']:,} pairs of neighbouring cells in {many(values['n_sections'], 'section')}; "
        f"chance is {values['n_permutations']:,} shuffles of the tokens within each section; the smallest p "
        f"that can be reached is {values['smallest_p']:.2g}. {values['note']}"
    )
    parameters = {
        "tokens": n_tokens,
        "pairs of neighbouring cells": f"{values['n_edges']:,}",
        "null": f"{values['n_permutations']:,} shuffles of the tokens within each section, p two-sided, "
        f"at least {values['smallest_p']:.2g}",
        "correction": f"Benjamini-Hochberg over {_n_pairs(values['q']):,} pairs of different tokens",
    }
    marks = stamp("Tokens as neighbours", found.over.sections, model, parameters)
    export_row(
        Export(
            "neighbours",
            marks,
            table=lambda: with_names(library, model.sha256, _edges(values), _PAIR),
            figure=lambda _: figure(PRINT),
        )
    )


def _edges(values: Mapping[str, Any]) -> pd.DataFrame:
    one, other = np.triu_indices(len(values["tokens"]))
    tokens = values["observed"].columns.to_numpy()
    table = pd.DataFrame({"token_1": tokens[one], "token_2": tokens[other]})
    for name in ("observed", "expected", "log2_ratio", "z", "p", "q"):
        table[name] = values[name].to_numpy()[one, other]
    return table.sort_values("log2_ratio", ascending=False, kind="stable")


def offer_sequences(library: Library, found: Found, model: ModelFacts) -> None:
    """Offer the tokens as sequences, for models downstream."""
    st.header("Tokens as sequences")
    st.caption(
        "One row per section, its cells in the order of a Z-curve, so that neighbours stay together, with "
        "coordinates: for training language models. The same on the command line: `squint export-tokens`."
    )
    ids = tuple(section.id for section in found.over.sections)
    made = Made(
        "tokens.parquet",
        "application/vnd.apache.parquet",
        "Prepare Parquet",
        f"Download {many(len(ids), 'sequence')}",
        "Writing sequences",
        Left(TOKENS, ids),
    )
    of = list_sha256([model.sha256, *ids])[:16]
    offer_made(library, lambda: WriteSequences(ids, model.sha256, "parquet"), made, "sequences-parquet", of)
