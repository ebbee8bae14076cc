"""What the types of a section rest on: markers, genes that set them apart, and how a transfer was judged."""

import pandas as pd
import streamlit as st

from app import session
from app.components.cell_types.subject import Types
from app.components.export_row import CHART, Export, export_row
from app.components.job import follow
from app.exports.stamp import many, stamp
from app.requests import DescribeTypes
from app.text import sentence
from squint.library import gene_sets, labelings
from squint.library.labelings import KnownLabeling
from squint.library.results import find
from squint.library.store import Library, Section
from squint.pl import PRINT, dot_plot

_LIMIT_S = 3600.0
_CLOSED = "_types-closed"  # results that this session does without


def show_evidence(library: Library, section: Section, types: Types) -> None:
    """Show what supports the names, computed while the page stays usable."""
    st.header("What the types rest on")
    if types.labeling is not None:
        _show_calibration(types.labeling)
        _show_scores(library, section, types.labeling)
    if section.values != "counts":
        st.caption("The section holds intensities, not counts: genes are not compared between its types.")
        return
    named = section.named.sha256 if section.named else ""
    asked = DescribeTypes((section.id,), named, gene_sets.sha256(library))
    closed: set[str] = st.session_state.setdefault(_CLOSED, set())
    if find(library, asked) is None:
        if asked.result in closed:
            st.button("Compare the genes of the types", on_click=closed.discard, args=(asked.result,))
            return
        follow(
            asked,
            library,
            "Comparing the genes of the types",
            limit_s=_LIMIT_S,
            closed=lambda: closed.add(asked.result),
        )
    found = find(library, asked)
    if found is None:
        return
    if (found.folder / "markers.parquet").is_file():
        _show_dots(
            section,
            found.table("markers"),
            "cell_type_markers",
            "Markers",
            "Markers of the lineages that these types are called after, those that most of their cells show.",
        )
    _show_dots(
        section,
        found.table("distinct"),
        "cell_type_genes",
        "Genes that set each type apart",
        "Of each type the genes whose share of its counts is largest against all cells. They describe the "
        "types, and do not prove them: clusters were found by the same genes.",
    )


def _show_dots(section: Section, table: pd.DataFrame, place: str, title: str, words: str) -> None:
    st.subheader(title)
    st.caption(words)
    genes, groups = table["gene"].nunique(), table["group"].nunique()
    st.plotly_chart(
        dot_plot(table, per_gene=True, style=session.style()),
        key=place,
        config=CHART,
        alt=f"Dot plot of {many(genes, 'gene')} in {many(groups, 'type')}",
    )
    parameters = {"expression": "counts scaled to the median depth", "colour": "mean, per gene from 0 to 1"}
    marks = stamp(f"Cell types: {title.lower()}", [section], None, parameters)
    export_row(
        Export(
            place, marks, table=lambda: table, figure=lambda _: dot_plot(table, per_gene=True, style=PRINT)
        )
    )


def _show_calibration(labeling: KnownLabeling) -> None:
    """Say how often a transfer was right on cells that were held out."""
    found = labeling.facts.get("facts", {}).get("calibration")
    if not found:
        return
    st.subheader("How often it was right")
    st.caption(
        sentence(
            f"Measured on {many(found['n_cells'], 'cell')} of the labelled section that were not learned "
            f"from ({found['split']}). In another section, by another instrument or of another disease it is "
            "right less often."
        )
    )
    told = [
        ("Held out", f"{found['n_cells']:,}", "cells"),
        ("Stayed unknown", f"{found['share_unknown']:.0%}", ""),
        ("Named rightly", f"{found['accuracy_of_named']:.0%}", "of those named"),
        ("Balanced accuracy", f"{found['balanced_accuracy']:.2f}", "mean over types"),
        ("Calibration error", f"{found['expected_calibration_error']:.2f}", "confidence against truth"),
    ]
    for column, (label, value, beside) in zip(st.columns(len(told)), told, strict=True):
        column.markdown(f"{label}  \n**{value}** {beside}")
    if found["not_scored"]:
        st.caption(
            sentence(f"Not judged, for too few cells were held out: {', '.join(found['not_scored'])}.")
        )


def _show_scores(library: Library, section: Section, labeling: KnownLabeling) -> None:
    """Show the score of the best marker set of each cluster, and which were too weak to name it."""
    evidence = labelings.read_evidence(library, labeling)
    if evidence is None:
        return
    st.subheader("Scores of the markers")
    st.caption(
        "Of each cluster the lineage whose markers it shows most, as proposed, before changes by hand. "
        "Score: t of the markers against all other genes; lead: by how much it is ahead of the second. If "
        "either is small, the cluster stays unknown."
    )
    types = evidence[evidence["kind"] == "type"]
    best = types.groupby("cluster", sort=False).head(2)
    rows = [_row(cluster, own) for cluster, own in best.groupby("cluster", sort=False)]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Cells": st.column_config.NumberColumn(format="localized"),
            "Score": st.column_config.NumberColumn(format="%.1f"),
            "Lead": st.column_config.NumberColumn(format="%.1f"),
        },
    )
    marks = stamp("Scores of markers", [section], None, {"labeling": labeling.name})
    export_row(Export("marker_scores", marks, table=lambda: evidence))


def _row(cluster: object, own: pd.DataFrame) -> dict[str, object]:
    """Give what the names of a cluster rest on, in one row."""
    best = own.iloc[0]
    return {
        "Cluster": str(cluster),
        "Cells": int(best["n_cells"]),
        "Best lineage": str(best["set"]),
        "Score": float(best["score"]),
        "Lead": float(best["margin"]),
        "Markers measured": f"{int(best['n_measured'])} of {int(best['n_markers'])}",
        "Second": str(own.iloc[1]["set"]) if len(own) > 1 else "",
        "Named": str(best["set"]) if best["named"] else "unknown: weak",
    }
