"""How well sections between levels are told: measured on levels that were left out."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import streamlit as st

from app.components.export_row import Export, export_row
from app.exports.stamp import many, stamp
from app.requests import JudgeLevels
from squint.library.results import find
from squint.library.stacks import Stack
from squint.library.store import Library

LEARNED = "learned"
LEAST_TOLD = 0.1  # PG, below which levels say next to nothing of what lies between
_BADGES = {
    "above": ("blue", ":material/trending_up:"),
    "level": ("gray", ":material/trending_flat:"),
    "below": ("orange", ":material/trending_down:"),
}
_WHAT = {"neighbourhood": "Neighbourhoods", "cell": "Single cells"}
_COLUMNS: dict[str, Any] = {
    "target": "Predicted",
    "by": "Shown is",
    "learned": st.column_config.NumberColumn("Learned, PG", format="%.3f"),
    "nearest": st.column_config.NumberColumn("Nearest cells, PG", format="%.3f"),
    "k": st.column_config.NumberColumn("K", format="%d"),
    "difference": st.column_config.NumberColumn("Difference", format="%+.3f"),
    "se": st.column_config.NumberColumn("s.e.", format="%.3f"),
    "pc_learned": st.column_config.NumberColumn("Learned, PC", format="%.3f"),
    "pc_nearest": st.column_config.NumberColumn("Nearest cells, PC", format="%.3f"),
}


def method(how: Mapping[str, Any]) -> str:
    """Say how something was predicted."""
    if how["method"] == LEARNED:
        return "learned from the levels of the stack"
    if "agreement" in how:
        return f"vote of the {how['k']} nearest cells of both levels"
    return f"z-weighted mean of the {how['k']} nearest cells of both levels"


def show(library: Library, stack: Stack, judged: JudgeLevels, facts: Mapping[str, Any]) -> None:
    """Say how good the prediction is, where levels were told that were measured."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("predicted, not measured", color="orange", icon=":material/blur_on:")
        if stack.simulated:
            st.badge("simulated data", color="gray")
        for target, words in _WHAT.items():
            _badge(words, facts["how"][target])
        if agreement := facts["how"].get("token", {}).get("agreement"):
            st.badge(f"Tokens: {agreement:.0%} told right", color="gray", icon=":material/tag:")
    rows = [_row(target, facts["how"][target]) for target in _WHAT if "pg" in facts["how"][target]]
    if not rows:
        st.info(
            "How good this is could not be measured: that takes a level between two others, and more to "
            "learn from. Shown is the mean of the nearest cells of both levels."
        )
        return
    _say_if_nothing_is_told(rows)
    n_levels = facts["how"]["neighbourhood"]["pg"]["n_levels"]
    with st.expander("How good it is", icon=":material/fact_check:"):
        st.dataframe(rows, hide_index=True, column_config=_COLUMNS)
        st.caption(
            f"n = {many(n_levels, 'level')} left out, one at a time, and told from the others. PG: mean over "
            "genes of Pearson's r across cells; PC: mean over cells of r across genes. Nearest cells: the "
            "z-weighted mean over the K nearest of the level below and of the level above, with the K of 1 "
            "to 512 that does best on these very levels. What is learned is shown only where its PG is above "
            "that by more than 0.01 and two standard errors; level with it, the plain mean is shown. With a "
            "level left out those around it are farther apart than here, so this section should be told "
            "rather better."
        )
        result = find(library, judged)
        if result is not None:
            parameters = {"levels": "left out one at a time", "PG, PC": "Pearson's r across cells, genes"}
            marks = stamp(f"Levels of {stack.name} told from the others", stack.levels, None, parameters)
            export_row(Export("levels_left_out", marks, table=lambda: result.table("quality")))


def _badge(words: str, how: Mapping[str, Any]) -> None:
    said = str(how["quality"])
    colour, icon = _BADGES.get(said.split(" ", 1)[0], ("gray", ":material/help:"))
    if "pg" in how:
        score = how["pg"]["score"] if how["method"] == LEARNED else how["pg"]["nearest"]
        compared = f"learned is {said}" if said.split(" ", 1)[0] in _BADGES else said
        said = f"PG {score:.2f}, {compared}"
    st.badge(f"{words}: {said}", color=colour, icon=icon, help=method(how).capitalize())  # type: ignore[arg-type]


def _say_if_nothing_is_told(rows: Sequence[Mapping[str, Any]]) -> None:
    """Warn where levels left out were hardly told from the others."""
    best = max(
        (row[name] for row in rows for name in ("learned", "nearest") if isfinite(row[name])), default=0
    )
    if best < LEAST_TOLD:
        st.warning(
            "**The levels tell next to nothing of what lies between them.** Levels left out and told "
            f"from the others agree with what was measured by a PG of {best:.2f} at best, where 0 is chance. "
            "They probably lie too far apart, or not on each other.",
            icon=":material/warning:",
        )


def _row(target: str, how: Mapping[str, Any]) -> dict[str, Any]:
    gene, cell = how["pg"], how["pc"]
    return {
        "target": _WHAT[target],
        "by": method(how),
        "learned": gene["score"],
        "nearest": gene["nearest"],
        "k": gene["k"],
        "difference": gene["difference"],
        "se": gene["se"],
        "pc_learned": cell["score"],
        "pc_nearest": cell["nearest"],
    }
