"""The vocabularies of two models on the same cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.job import compute
from app.components.links import to_models
from app.components.tokens import names as token_names
from app.exports.stamp import Marks, counts, many, stamp
from app.models import ModelFacts, facts_of
from app.requests import CompareVocabularies
from app.text import as_text, sentence
from squint import pl
from squint.library.profiles import token_names as names_of
from squint.library.results import Result
from squint.library.store import Library, Section
from squint.pl import PRINT

_N_SHUFFLES, _N_RESAMPLES, _SEED = 50, 1_000, 0
_WORDS = {
    "AMI": "adjusted mutual information",
    "NMI": "normalised mutual information",
    "ARI": "adjusted Rand index",
}


def show_comparison(library: Library, sections: Sequence[Section], model: ModelFacts) -> None:
    """Show which token of this model is which of another, and how sure."""
    other = _choose_other(library, sections, model)
    common = library.tokenised(sections, other.sha256)
    asked = CompareVocabularies(
        tuple(sorted(section.id for section in common)),
        model.sha256,
        other.sha256,
        _N_SHUFFLES,
        _N_RESAMPLES,
        _SEED,
    )
    result = compute(library, asked, "Comparing vocabularies")
    names, others = token_names(library, model), dict(names_of(library, other.sha256))
    _show_agreement(result, common)
    parameters = {
        "other model": f"{other.name}, sha256 {other.sha256[:12]}",
        "cells": f"{result.facts['n_cells']:,} with tokens by both",
        "chance": f"{_N_SHUFFLES} shuffles of tokens within sections",
        "intervals": f"95 %, {_N_RESAMPLES:,} draws of sections with replacement",
        "seed": _SEED,
    }
    titles = (f"tokens of {model.name}", f"tokens of {other.name}")
    if titles[0] == titles[1]:
        titles = (f"{titles[0]} ({model.sha256[:6]})", f"{titles[1]} ({other.sha256[:6]})")
    _show_heatmap(result, names, others, titles, stamp("Two vocabularies", common, model, parameters))
    _show_matches(result, names, others, titles, stamp("Matches of tokens", common, model, parameters))


def _choose_other(library: Library, sections: Sequence[Section], model: ModelFacts) -> ModelFacts:
    """Let the user choose another model with tokens of these sections; if there is none, stop the page."""
    found = {
        sha256: facts
        for sha256, one in session.sound_models().items()
        if sha256 != model.sha256 and (facts := facts_of(one)) and library.tokenised(sections, sha256)
    }
    if not found:
        st.info(
            f"Of the sections with tokens by {as_text(model.name)}, none has tokens by another model. "
            "Choose another model at the top, tokenise a section on the page Sections, and come back."
        )
        to_models()
        st.stop()
    session.keep_valid(session.OTHER_MODEL, list(found))
    chosen = st.selectbox(
        "Compare with the tokens of",
        list(found),
        format_func=lambda one: f"{found[one].name} ({one[:6]}, {found[one].n_codes} codes)",
        key=session.OTHER_MODEL,
        persist_state="session",
    )
    return found[str(chosen)]


def _show_agreement(result: Result, sections: Sequence[Section]) -> None:
    table = result.table("agreement")
    for place, (score, row) in zip(st.columns(3), table.iterrows(), strict=True):
        place.metric(f"{score}: {_WORDS[str(score)]}", f"{row['value']:.2f}", help="1: the same vocabulary")
        place.caption(f"By chance {row['chance']:.2f} [{row['chance_low']:.2f}, {row['chance_high']:.2f}]")
    st.caption(
        f"Over {many(int(result.facts['n_cells']), 'cell')} with tokens by both models, of "
        f"{counts(sections)}. Chance: the tokens of one model shuffled within each section, {_N_SHUFFLES} "
        "times, mean and 95 % of the shuffles; sections of other tissue alone raise it above 0."
    )


def _show_heatmap(
    result: Result,
    names: Mapping[str, str],
    others: Mapping[str, str],
    titles: tuple[str, str],
    marks: Marks,
) -> None:
    st.subheader("Which token is which")
    table = result.table("contingency")

    def figure(style: pl.Style) -> Any:
        return pl.compare_vocabularies(
            {"contingency": table}, names=names, other_names=others, titles=titles, style=style
        )

    st.plotly_chart(
        figure(session.style()),
        key="codebook_heatmap",
        config=CHART,
        alt=f"Share of the cells of each of {len(table)} tokens that have each of {table.shape[1]} others",
    )
    export_row(
        Export(
            "codebook_pairs",
            marks,
            table=lambda: _pairs(table),
            figure=lambda _: figure(PRINT),
        )
    )


def _pairs(table: pd.DataFrame) -> pd.DataFrame:
    """List the pairs of tokens that any cell has."""
    long: Any = table.rename_axis("token").rename_axis("token_of_other", axis=1).stack()
    rows: pd.DataFrame = long[long > 0].reset_index(name="n_cells")
    rows["share"] = rows["n_cells"] / rows["token"].map(table.sum(axis=1))
    return rows


def _show_matches(
    result: Result,
    names: Mapping[str, str],
    others: Mapping[str, str],
    titles: tuple[str, str],
    marks: Marks,
) -> None:
    turned = st.segmented_control(
        "The best match of each of the", titles, default=titles[0], required=True, key="codebook_direction"
    )
    if turned == titles[1]:
        table, names, others = result.table("matches_of_other"), others, names
    else:
        table = result.table("matches")
    n_alone = int((table["n_sections"] < 2).sum())
    shown = pd.DataFrame(
        {
            "token": [names.get(str(one), str(one)) for one in table.index],
            "n_cells": table["n_cells"],
            "match": [others.get(one, one) for one in table["match"]],
            "share": table["share"],
            "interval": [
                "none" if pd.isna(low) else f"{low:.0%} to {high:.0%}"
                for low, high in zip(table["share_low"], table["share_high"], strict=True)
            ],
            "kept": table["kept"],
            "jaccard": table["jaccard"],
            "mutual": table["mutual"],
            "partner": [others.get(one, one) for one in table["partner"]],
            "n_sections": table["n_sections"],
        }
    ).sort_values("n_cells", ascending=False)
    st.dataframe(shown, hide_index=True, column_config=_COLUMNS)
    alone = (
        f" {n_alone} of {len(table)} tokens are in one section only, so how sure their match is over "
        "sections cannot be said."
        if n_alone
        else ""
    )
    few = (
        f" With {many(int(result.facts['n_sections']), 'section')}, intervals are rough."
        if 2 <= result.facts["n_sections"] < 6
        else ""
    )
    st.caption(
        f"Interval and kept: {_N_RESAMPLES:,} draws of sections with replacement; kept is how often the same "
        "match is best. Jaccard: cells with both tokens, of those with either. Partner: the counterpart "
        f"where each token has at most one.{sentence(few)}{sentence(alone)}"
    )
    export_row(
        Export(
            "codebook_matches", Marks({**marks, "Of": str(turned)}, marks.sections), table=table.reset_index
        )
    )


_COLUMNS = {
    "token": st.column_config.TextColumn("Token", width=190),
    "n_cells": st.column_config.NumberColumn("Cells", format="localized", width=80),
    "match": st.column_config.TextColumn("Best match", width=190),
    "share": st.column_config.ProgressColumn(
        "Share of its cells", format="percent", min_value=0, max_value=1, width=130
    ),
    "interval": st.column_config.TextColumn("95 % over sections", width=120),
    "kept": st.column_config.NumberColumn("Kept", format="percent", width=70),
    "jaccard": st.column_config.NumberColumn("Jaccard", format="%.2f", width=70),
    "mutual": st.column_config.CheckboxColumn("Mutual", help="It is its match's best match too", width=70),
    "partner": st.column_config.TextColumn("Partner", width=190),
    "n_sections": st.column_config.NumberColumn("Sections", width=70),
}
