"""A gene, or a gene set, in every token."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.gene_sets import change_sets, offered_sets
from app.components.job import compute
from app.components.links import to_sections
from app.components.tokens import choose_gene, profiles, with_names
from app.components.tokens import names as token_names
from app.exports.stamp import counts, many, stamp
from app.models import ModelFacts
from app.requests import ExpressTokens
from app.text import as_text, sentence
from squint import pl
from squint.library import profiles as token_profiles
from squint.library.results import Result
from squint.library.store import Library, Section
from squint.pl import PRINT
from squint.stats.token_expression import SetMean, TokenExpression, set_mean

_MOST_TOKENS, _MOST_GENES = 20, 24  # that are drawn; tables have all
_LEAST_CELLS = 20  # of a token that is drawn, at first


def show_gene(library: Library, model: ModelFacts) -> None:
    """Show which tokens are high in a gene."""
    sections = _counted(library, model)
    gene = choose_gene(library, sections)
    result = _compute(library, sections, model)
    found = set_mean(_expression(result, [gene]), [gene])
    table = found.table.sort_values("mean", ascending=False, kind="stable").drop(columns="n_genes")
    if not found.measured:
        st.info(f"No section with counts measures {as_text(gene)}. Choose another gene.")
        return
    st.subheader(f"Tokens high in {as_text(gene)}")
    means = _Means(gene, table, _enough(table), sections, result, model)
    _show_means(library, means, "codebook_gene")


def show_set(library: Library, model: ModelFacts) -> None:
    """Show which tokens are high in a gene set of the library."""
    sections = _counted(library, model)
    sets = offered_sets(library, sections)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    session.keep_valid(session.GENE_SET, list(sets))
    name = str(
        left.selectbox(
            "Gene set",
            list(sets),
            format_func=lambda name: f"{name} ({len(sets[name])} genes)",
            key=session.GENE_SET,
            persist_state="session",
        )
    )
    with right.container(horizontal=True):
        change_sets(library)
    result = _compute(library, sections, model)
    expression = _expression(result, sets[name])
    found = set_mean(expression, sets[name])
    _say_coverage(found)
    if not found.measured:
        st.info("No section with counts measures a gene of this set. Choose another one.")
        return
    table = found.table.sort_values("mean", ascending=False, kind="stable")
    st.subheader(f"Tokens high in {sentence(name)}")
    means = _Means(name, table, _enough(table), sections, result, model)
    weights = " Mean and per cent are means over the measured genes, each of one weight."
    _show_means(library, means, "codebook_set", weights)
    _show_dots(library, means, expression, found.measured)


class _Means(NamedTuple):
    """The mean of a gene, or of a gene set, in each token."""

    what: str  # the gene or the set
    table: pd.DataFrame  # by token, the highest first
    drawn: pd.DataFrame  # those tokens of it that have enough cells
    sections: Sequence[Section]
    result: Result
    model: ModelFacts

    @property
    def parameters(self) -> dict[str, object]:
        """For the stamp."""
        return {"expression": f"log(1 + x), cells brought to {self.result.facts['depth']:,.0f} counts"}


def _counted(library: Library, model: ModelFacts) -> list[Section]:
    """List the sections with counts that say what tokens are; if there are none, stop the page."""
    profiles(library, model)
    found = [s for s in token_profiles.described_by(library, model.sha256) if s.values == "counts"]
    if not found:
        st.info("No section with tokens by this model holds counts, so genes cannot be compared by token.")
        to_sections()
        st.stop()
    return found


def _compute(library: Library, sections: Sequence[Section], model: ModelFacts) -> Result:
    asked = ExpressTokens(tuple(sorted(section.id for section in sections)), model.sha256)
    return compute(library, asked, "Adding up genes in each token")


def _expression(result: Result, genes: Sequence[str]) -> TokenExpression:
    """Take some genes of what was computed, those that are not there left out."""
    tables = {name: result.table(name) for name in ("n_cells", "mean", "share")}
    there = tables["mean"].index
    own = [gene for gene in dict.fromkeys(genes) if gene in there]
    n_cells, mean, share = (table.loc[own].to_numpy().T for table in tables.values())
    return TokenExpression([str(token) for token in tables["mean"].columns], own, n_cells, mean, share)


def _say_coverage(found: SetMean) -> None:
    n, measured = len(found.measured) + len(found.missing), len(found.measured)
    listed = ", ".join(found.missing[:12]) + (" and more" if len(found.missing) > 12 else "")
    missing = f" Not measured: {sentence(listed)}." if found.missing else ""
    st.caption(f"{measured} of {n} genes of the set are measured ({measured / max(n, 1):.0%}).{missing}")


def _enough(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out tokens of few cells, as the user says: a mean of a handful of cells leads by chance."""
    least = st.number_input(
        "Tokens with at least so many cells",
        1,
        100_000,
        _LEAST_CELLS,
        key="codebook_least",
        help="A mean over a handful of cells is high or low by chance. The exported table has all tokens.",
        width=280,
    )
    kept = table[table["mean"].notna() & (table["n_cells"] >= least)]
    if n := int(table["mean"].notna().sum()) - len(kept):
        st.caption(f"{many(n, 'token')} with fewer cells left out.")
    if kept.empty:
        st.info("No token has so many cells. Ask for fewer.")
        st.stop()
    return kept


def _show_means(library: Library, means: _Means, place: str, more: str = "") -> None:
    """Show the tokens that are highest, how that was found, and its export."""
    names, what = token_names(library, means.model), means.what

    def figure(style: pl.Style) -> Any:
        return pl.token_means(means.drawn.head(_MOST_TOKENS), what, names=names, style=style)

    n_drawn = min(len(means.drawn), _MOST_TOKENS)
    st.plotly_chart(
        figure(session.style()),
        key=place,
        config=CHART,
        alt=f"Mean of {what}, the {n_drawn} highest tokens",
    )
    if len(means.drawn) > _MOST_TOKENS:
        st.caption(f"The {_MOST_TOKENS} highest of {len(means.drawn)} tokens; the exported table has all.")
    st.caption(
        f"Mean over the token's cells of log(1 + x), each cell brought to {means.result.facts['depth']:,.0f} "
        "counts, the median of all cells with a token; per cent: cells with at least one count. Over the "
        f"sections that measure the gene, of {counts(means.sections)}. Cells of one patient are not "
        f"independent, so no test is made.{more}"
    )
    marks = stamp(f"{what} in each token", means.sections, means.model, means.parameters)
    rows = with_names(library, means.model.sha256, means.table.reset_index(), {"token": "name"})
    export_row(Export(f"{place}_export", marks, table=lambda: rows, figure=lambda _: figure(PRINT)))


def _show_dots(library: Library, means: _Means, expression: TokenExpression, measured: Sequence[str]) -> None:
    """Show the genes of a set one by one, in the tokens that are highest in it."""
    st.subheader("Gene by gene")
    names, genes = token_names(library, means.model), measured[:_MOST_GENES]
    order = [str(token) for token in means.drawn.index]
    rank = {token: number for number, token in enumerate(order)}
    table = expression.table(measured)
    by_rank = table["token"].map(lambda token: rank.get(token, len(rank)))
    table = table.iloc[by_rank.to_numpy().argsort(kind="stable")]
    shown = table[table["token"].isin(order[:_MOST_TOKENS]) & table["gene"].isin(genes)]
    per_gene = st.toggle("Colour each gene from its lowest to its highest token", key="codebook_per_gene")

    def figure(style: pl.Style) -> Any:
        return pl.token_expression(shown, names=names, per_gene=per_gene, style=style)

    n_drawn = min(len(order), _MOST_TOKENS)
    st.plotly_chart(
        figure(session.style()),
        key="codebook_dots",
        config=CHART,
        alt=f"{len(genes)} genes in the {n_drawn} tokens highest in {means.what}",
    )
    if len(measured) > len(genes):
        st.caption(f"The first {len(genes)} of {len(measured)} measured genes; the exported table has all.")
    marks = stamp(f"Genes of {means.what} in each token", means.sections, means.model, means.parameters)
    rows = with_names(library, means.model.sha256, table, {"token": "name"})
    export_row(Export("codebook_dots_export", marks, table=lambda: rows, figure=lambda _: figure(PRINT)))
