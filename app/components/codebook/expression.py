"""A gene, or a gene set, in every token."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.components.export_row import CHART, Export, export_row
from app.components.gene_sets import change_sets, find_sets
from app.components.job import compute
from app.components.links import to_sections
from app.components.tokens import choose_gene, profiles, with_names
from app.components.tokens import names as token_names
from app.exports.stamp import counts, stamp
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
_WHAT = "mean of log(1 + counts)"


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
    _show_bars(library, table, f"{gene}: {_WHAT}", model, "codebook_gene")
    _say_how(result, sections)
    _export(library, f"{gene} in each token", table, gene, sections, result, model, "codebook_gene")


def show_set(library: Library, model: ModelFacts) -> None:
    """Show which tokens are high in a gene set of the library."""
    sections = _counted(library, model)
    sets = find_sets(library)
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
    _show_bars(library, table, f"{name}: {_WHAT}, mean over genes", model, "codebook_set")
    _say_how(result, sections)
    _export(library, f"{name} in each token", table, name, sections, result, model, "codebook_set")
    _show_dots(library, found, expression, list(table.index), name, sections, result, model)


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


def _say_how(result: Result, sections: Sequence[Section]) -> None:
    st.caption(
        f"Mean over the token's cells of log(1 + x), each cell brought to {result.facts['depth']:,.0f} "
        "counts, the median of all cells with a token; per cent: cells with at least one count. Over the "
        f"sections that measure the gene, of {counts(sections)}. Cells of one patient are not independent, "
        "so no test is made."
    )


def _show_bars(library: Library, table: pd.DataFrame, title: str, model: ModelFacts, key: str) -> None:
    names = token_names(library, model)
    known = table[table["mean"].notna()]
    st.plotly_chart(
        pl.token_means(known.head(_MOST_TOKENS), names=names, title=title, style=session.style()),
        key=key,
        config=CHART,
        alt=f"{title}, the {min(len(known), _MOST_TOKENS)} highest tokens",
    )
    if len(known) > _MOST_TOKENS:
        st.caption(f"The {_MOST_TOKENS} highest of {len(known)} tokens; the table of the export has all.")


def _export(
    library: Library,
    title: str,
    table: pd.DataFrame,
    what: str,
    sections: Sequence[Section],
    result: Result,
    model: ModelFacts,
    place: str,
) -> None:
    names = token_names(library, model)
    marks = stamp(title, sections, model, _parameters(result))

    def figure(_: int) -> Any:
        shown = table[table["mean"].notna()].head(_MOST_TOKENS)
        return pl.token_means(shown, names=names, title=f"{what}: {_WHAT}", style=PRINT)

    rows = with_names(library, model.sha256, table.reset_index(), {"token": "name"})
    export_row(Export(f"{place}_export", marks, table=lambda: rows, figure=figure))


def _show_dots(
    library: Library,
    found: SetMean,
    expression: TokenExpression,
    order: Sequence[str],
    name: str,
    sections: Sequence[Section],
    result: Result,
    model: ModelFacts,
) -> None:
    """Show the genes of a set one by one, in the tokens that are highest in it."""
    st.subheader("Gene by gene")
    names, genes = token_names(library, model), found.measured[:_MOST_GENES]
    table = expression.table(found.measured)
    rank = {token: number for number, token in enumerate(order)}
    table = table.sort_values("token", key=lambda column: column.map(rank), kind="stable")
    shown = table[table["token"].isin(order[:_MOST_TOKENS]) & table["gene"].isin(genes)]
    per_gene = st.toggle(
        "Colour each gene from its lowest to its highest token", key="codebook_per_gene", value=False
    )

    def figure(style: pl.Style) -> Any:
        return pl.token_expression(shown, names=names, per_gene=per_gene, style=style)

    st.plotly_chart(
        figure(session.style()),
        key="codebook_dots",
        config=CHART,
        alt=f"{len(genes)} genes in the {min(len(order), _MOST_TOKENS)} tokens highest in {name}",
    )
    if len(found.measured) > len(genes):
        st.caption(f"The first {len(genes)} of {len(found.measured)} measured genes.")
    marks = stamp(f"Genes of {name} in each token", sections, model, _parameters(result))
    rows = with_names(library, model.sha256, table, {"token": "name"})
    export_row(Export("codebook_dots_export", marks, table=lambda: rows, figure=lambda _: figure(PRINT)))


def _parameters(result: Result) -> dict[str, object]:
    return {"expression": f"log(1 + x), cells brought to {result.facts['depth']:,.0f} counts"}
