"""What an upload holds: the report before anything is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.exports.stamp import many
from app.text import as_text, sentence

_UNITS = {"um": "µm", "unknown": "not known"}
_SHOWN = 12  # rows of a table; what is beyond is counted


def show_report(report: Mapping[str, Any]) -> None:
    """Show the numbers, and what was left out, assumed and noted."""
    what = "counts" if report["values"] == "counts" else "intensity"
    numbers = {
        "Cells": f"{report['n_cells']:,}",
        "Genes": f"{report['n_genes']:,}",
        "Sections": f"{len(report['sections']):,}",
        "Patients": f"{len(report['patients']):,}" if report["patients"] else "not named",
        "Cell types": f"{report['n_cell_types']:,}" if report["n_cell_types"] else "none",
        f"Median {what}": f"{report['median_depth']:,.0f}",
        "Unit": _UNITS.get(report["unit"], report["unit"]),
    }
    for column, (name, value) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(name, value)
    _show_what_comes_along(report)
    _show_items("Left out", report["left_out"])
    _show_items("Assumed", report["assumed"])
    for note in report["notes"]:
        st.caption(f"Note: {sentence(note)}")
    _show_sensitive(report["sensitive"])


def _show_what_comes_along(report: Mapping[str, Any]) -> None:
    parts = [f"Read as {as_text(report['assay'])}"] if report["assay"] else []
    if report["n_boundaries"]:
        parts.append(f"outlines of {many(report['n_boundaries'], 'cell')} come along")
    if report["pictures"]:
        parts.append(f"pictures of the tissue: {', '.join(map(as_text, report['pictures']))}")
    if parts:
        said = "; ".join(parts)
        st.caption(f"{said[0].upper()}{said[1:]}.")


def _show_items(title: str, items: Sequence[Mapping[str, Any]]) -> None:
    if not items:
        return
    st.markdown(f"**{title}**")
    shown = items[:_SHOWN]
    table = pd.DataFrame(
        {
            "What": [sentence(item["what"]) for item in shown],
            "Number": ["" if item["n"] is None else f"{item['n']:,}" for item in shown],
            "Why": [sentence(item["why"]) for item in shown],
            "From": [sentence(item["file"]) for item in shown],
        }
    )
    st.table(table.set_index("What"))
    if len(items) > _SHOWN:
        st.caption(f"And {len(items) - _SHOWN} more.")


def _show_sensitive(sensitive: Sequence[Mapping[str, Any]]) -> None:
    if not sensitive:
        return
    places = "; ".join(f"{as_text(s['where'])} {as_text(s['key'])} ({as_text(s['why'])})" for s in sensitive)
    st.warning(
        f"May identify a person: {places}. Of this upload only counts, positions, outlines, names of cells "
        "and genes, cell types, what the instrument measured of cells, and the codes given below are kept."
    )
