"""Figures of a comparison: every gene, some genes, one gene."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import session
from app.cell_sets.split import GROUP, REFERENCE
from app.components.comparison.groups import Comparison, pseudobulk
from app.components.export_row import CHART, Export, export_row
from app.components.gene_sets import change_sets, offered_sets
from app.components.map.tissue_map import show_map
from app.exports.stamp import stamp
from app.maps import views
from app.models import ModelFacts
from app.text import as_text, sentence
from squint import keys
from squint.library import gene_sets
from squint.library.store import Library, Section
from squint.pl import PRINT, dot_plot, violins, volcano
from squint.stats import arms
from squint.stats.expression import by_group, depth_factors

_PER_SIDE = 6  # genes with the largest effects that the dot plot shows of each group
_AT_MOST = 24  # genes of a dot plot
_FOLD, _Q = 1.0, 0.05  # what the volcano calls different
_SMALLEST = 1e-300  # below it, p is more than a computer can say


def choose_set(library: Library, sections: Sequence[Section]) -> tuple[str, tuple[str, ...]]:
    """Let the user choose the gene set that is marked, or add one."""
    found = offered_sets(library, sections)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="bottom")
    session.keep_valid(session.GENE_SET, list(found))
    name = left.selectbox(
        "Marked gene set",
        list(found),
        format_func=lambda name: f"{name} ({len(found[name])} genes)",
        key=session.GENE_SET,
        persist_state="session",
    )
    right = right.container(horizontal=True)
    with right:
        change_sets(library)
    if name == gene_sets.AGGRESSIVE:
        with right.popover("Sources", icon=":material/menu_book:"):
            for gene, source in gene_sets.sources().items():
                st.markdown(f"**{as_text(gene)}**: {sentence(source)}")
    return name, found[name]


def show_genes(
    found: Comparison, table: pd.DataFrame, marked: Sequence[str], model: ModelFacts | None
) -> None:
    """Show every gene as a volcano and as a table; a click in either chooses a gene."""
    genes = [str(gene) for gene in table.index]
    session.keep_valid(session.GENE, genes)
    selected = st.session_state.get(session.GENE)
    words = {"group": found.group, "reference": found.reference}
    left, right = st.columns([10, 11])
    with left:
        st.plotly_chart(
            volcano(
                table, marked=marked, selected=selected, q=_Q, fold=_FOLD, style=session.style(), **words
            ),
            key="volcano",
            config=CHART,
            on_select=_gene_of_point,
            selection_mode="points",
            alt=f"Volcano plot: fold change and q of {len(table)} genes",
        )
    with right:
        st.dataframe(
            _as_shown(table, marked),
            hide_index=True,
            height=560,
            key="gene_table",
            on_select=partial(_gene_of_row, genes),
            selection_mode="single-row",
            column_config=_COLUMNS,
        )
    st.caption(
        "AUC: the probability that a cell of the group has more of the gene than one of the reference "
        "(0.5: no difference). Fold change: of mean scaled counts, "
        f"{table.attrs['pseudo_count']:g} added to both. q: Benjamini-Hochberg over all "
        f"{len(table)} genes. Cells are not independent of each other, so p and q are far too small; "
        "trust effects, and patients below."
    )
    parameters = {
        **found.parameters,
        "test": f"{found.test_in_words}, cells as observations, which are not independent",
        "correction": f"Benjamini-Hochberg over {len(table):,} genes",
        "pseudo-count": f"{table.attrs['pseudo_count']:g}",
        "marked": ", ".join(marked),
    }
    export_row(
        Export(
            "genes",
            stamp("Differential expression", found.sections, model, parameters),
            table=lambda: table.assign(marked=table.index.isin(marked)).reset_index(),
            figure=lambda _: volcano(
                table, marked=marked, selected=None, q=_Q, fold=_FOLD, style=PRINT, **words
            ),
        )
    )


_COLUMNS: dict[str, Any] = {
    "Gene": st.column_config.TextColumn(width=88),
    "log2_fold_change": st.column_config.NumberColumn("log2 fold", format="%+.2f", width=64),
    "auc": st.column_config.NumberColumn("AUC", format="%.3f", width=52),
    "share_group": st.column_config.NumberColumn("% group", format="%.0f", width=60),
    "share_reference": st.column_config.NumberColumn("% ref.", format="%.0f", width=60),
    "mean_group": st.column_config.NumberColumn("mean", format="%.2f", width=54, help="in the group"),
    "mean_reference": st.column_config.NumberColumn("ref.", format="%.2f", width=54, help="in the reference"),
    "q": st.column_config.NumberColumn("q", format="%.0e", width=58, help="at least 1e-300"),
    "p": st.column_config.NumberColumn("p", format="%.0e", width=58, help="at least 1e-300"),
}


def _as_shown(table: pd.DataFrame, marked: Sequence[str]) -> pd.DataFrame:
    shown = table.reset_index()
    shown.insert(0, "Gene", [f"{gene} ◆" if gene in marked else str(gene) for gene in table.index])
    for share in ("share_group", "share_reference"):
        shown[share] *= 100
    for name in ("p", "q"):
        shown[name] = shown[name].clip(lower=_SMALLEST)
    return shown[list(_COLUMNS)]


def _gene_of_point() -> None:
    points = st.session_state["volcano"]["selection"]["points"]
    if points:
        session.choose_gene(str(np.ravel(points[0]["customdata"])[0]))


def _gene_of_row(genes: Sequence[str]) -> None:
    rows = st.session_state["gene_table"]["selection"]["rows"]
    if rows:
        session.choose_gene(genes[rows[0]])


def show_gene(library: Library, found: Comparison, table: pd.DataFrame, model: ModelFacts | None) -> None:
    """Show one gene: its spread in both groups, and where it is."""
    genes = [str(gene) for gene in table.index]
    st.header("One gene")
    gene = st.selectbox(
        "Gene (or click one in the volcano or the table)", genes, key=session.GENE, persist_state="session"
    )
    row = table.loc[gene]
    st.markdown(
        f"**{as_text(gene)}**: log2 fold change **{row['log2_fold_change']:+.2f}**, "
        f"AUC **{row['auc']:.3f}**, in {row['share_group']:.0%} of the group's cells and "
        f"{row['share_reference']:.0%} of the reference's."
    )
    scaled = scaled_counts(library, found, [gene])[gene]
    groups = _groups(found)
    spread = {name: scaled[(groups == name).to_numpy()] for name in groups.cat.categories}
    st.plotly_chart(
        violins(spread, gene=gene, style=session.style()),
        key="violins",
        config=CHART,
        alt=f"Spread of {gene} in both groups, by patient",
    )
    export_row(
        Export(
            "violins",
            stamp(f"Gene {gene} in both groups", found.sections, model, found.parameters),
            table=lambda: found.cells.assign(group=groups, scaled_counts=scaled)[groups.notna()],
            figure=lambda _: violins(spread, gene=gene, style=PRINT),
        )
    )
    show_map(views.by_gene(library, found.sections, found.cells, gene), model, "gene_map")


def scaled_counts(library: Library, found: Comparison, genes: Sequence[str]) -> pd.DataFrame:
    """Bring counts (n, genes) to the median depth of the compared cells; NaN where not measured."""
    depth = found.cells["n_counts"].to_numpy(dtype=float)
    factor = depth_factors(depth, found.arm.notna().to_numpy())
    columns = {}
    for gene in genes:
        parts: list[NDArray[np.float32]] = []
        for section in found.sections:
            counts = library.gene(section.id, gene)
            parts.append(np.full(section.n_cells, np.nan, np.float32) if counts is None else counts)
        columns[gene] = np.concatenate(parts) * factor
    return pd.DataFrame(columns, index=found.cells.index)


def _groups(found: Comparison) -> "pd.Series[Any]":
    """Name the group and the patient of each compared cell (n,); the group comes before the reference."""
    words = found.arm.map({GROUP: found.group, REFERENCE: found.reference})
    if found.cells[keys.PATIENT].nunique() > 1:
        words = (
            found.cells[keys.PATIENT].astype(str).str.cat(words, sep=" · ")
        )  # the end of a long label is cut
    named = (
        pd.DataFrame({"arm": found.arm, "words": words})
        .dropna()
        .drop_duplicates()
        .sort_values(["arm", "words"])
    )
    return words.astype(pd.CategoricalDtype(named["words"].to_list()))


def show_dots(
    library: Library,
    found: Comparison,
    table: pd.DataFrame,
    marked: tuple[str, tuple[str, ...]],
    model: ModelFacts | None,
) -> None:
    """Show the marked set and the genes with the largest effects, by group and patient."""
    name, genes = marked
    st.header("Marked set and largest effects")
    there = [gene for gene in genes if gene in table.index]
    absent = [gene for gene in genes if gene not in table.index]
    if absent:
        st.caption(f"Not measured here: {sentence(', '.join(absent[:20]))}.")
    ranked = [str(gene) for gene in table.index]
    ends = [*ranked[:_PER_SIDE], *ranked[-_PER_SIDE:]]
    shown = list(dict.fromkeys([*there[: _AT_MOST - len(ends)], *ends]))
    if len(there) > _AT_MOST - len(ends):
        st.caption(f"{_AT_MOST - len(ends)} of the {len(there)} marked genes are shown.")
    groups = _groups(found)
    dots = by_group(scaled_counts(library, found, shown), groups).dropna(subset="mean")
    dots = dots[["gene", "group", "mean", "share", "n_cells"]].reset_index(drop=True)
    st.plotly_chart(
        dot_plot(dots, style=session.style()),
        key="dots",
        config=CHART,
        alt=f"Dot plot of {len(shown)} genes by group and patient",
    )
    export_row(
        Export(
            "dots",
            stamp(
                "Marked genes and the largest effects",
                found.sections,
                model,
                {**found.parameters, "marked": name},
            ),
            table=lambda: dots,
            figure=lambda _: dot_plot(dots, style=PRINT),
        )
    )


_ACROSS: dict[str, Any] = {
    "gene": "Gene",
    "n_patients_group": "Patients in group",
    "n_patients_reference": "Patients in reference",
    "base_mean": st.column_config.NumberColumn("Mean count", format="%.1f"),
    "log2_fold_change": st.column_config.NumberColumn("log2 fold", format="%+.2f"),
    "se": st.column_config.NumberColumn("Standard error", format="%.2f"),
    "p": st.column_config.NumberColumn("p", format="%.2g"),
    "q": st.column_config.NumberColumn("q", format="%.2g"),
}


def show_patients(library: Library, found: Comparison, model: ModelFacts | None) -> None:
    """Compare patients instead of cells, or say why that cannot be done."""
    st.header("Across patients")
    compared = found.arm.notna()
    who = found.cells[keys.PATIENT][compared].astype(str)
    in_group = (found.arm[compared] == GROUP).to_numpy()
    patients = arms.patients(who, arms.Arms(in_group, ~in_group))
    if patients.problem:
        st.info(sentence(patients.problem) + " The genes above rank effects within these patients, no more.")
        return
    table = pseudobulk(library, found, model)
    how = "each patient with itself" if patients.paired else "patients of either group"
    st.caption(
        f"Counts summed by patient and group, compared by DESeq2 ({how}): "
        f"{len(patients.group)} patients in the group, {len(patients.reference)} in the reference."
    )
    st.dataframe(table.reset_index(), hide_index=True, column_config=_ACROSS)
    for warning in table.attrs.get("warnings", []):
        st.caption(f"DESeq2 said: {sentence(warning)}")
    parameters = {name: value for name, value in found.parameters.items() if name != "expression"}
    parameters |= {
        "test": "DESeq2, Wald, patients as observations",
        "patients": f"{len(patients.group)} in the group, {len(patients.reference)} in the reference",
        "correction": f"Benjamini-Hochberg over the {table['q'].notna().sum():,} genes that DESeq2 kept",
        "design": table.attrs["design"],
        "least cells": table.attrs["min_cells"],
    }
    marks = stamp("Differential expression across patients", found.sections, model, parameters)
    export_row(Export("pseudobulk", marks, table=table.reset_index))
