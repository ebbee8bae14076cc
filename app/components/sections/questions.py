"""What an upload leaves open, asked on the page; the answers can be changed as long as it is not kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app import session
from app.text import as_text, sentence
from squint import keys
from squint.io.content import Answers

_COLUMN = "column "
_MAPPED = {
    keys.SECTION: "Section",
    keys.PATIENT: "Patient",
    keys.CELL_TYPE: "Cell type",
    keys.REGION: "Region",
    keys.Z: "Height in µm",
}
_NAMES = {
    "section": "Which of them",
    "table": "Table",
    "bin": "Size of bins",
    "unit": "Unit of the positions",
    "orientation": "Way round",
    "match": "Order",
}
_UNITS = {"um": "µm", "mm": "mm", "nm": "nm", "unknown": "not known: no µm anywhere"}
_OTHER_UNIT = "another: µm of one unit"
_CHOICES = {
    "cells-by-genes": "a row is a cell",
    "genes-by-cells": "a row is a gene",
    "rows": "the same in both files",
}
_AS_FOUND, _NO_COLUMN = "as found", "none: it is one section"


def ask(question: Mapping[str, Any]) -> None:
    """Ask one question, and read the upload again once it is answered."""
    option = question["option"]
    state = session.upload()
    key = f"question-{option}-{state.file_id}"
    with st.container(border=True):
        st.markdown(f"**{sentence(question['words'])}**")
        if question["file"]:
            st.caption(f"From {as_text(question['file'])}")
        if option == "unit":
            _ask_unit(key)
            return
        if option.startswith(_COLUMN):
            choices = [*question["choices"], _NO_COLUMN]
            shown = {_NO_COLUMN: _NO_COLUMN}
            name = "Column that tells sections apart"
        else:
            choices, shown, name = list(question["choices"]), _CHOICES, _NAMES.get(option, option)
        answer = st.radio(
            name, choices, index=None, key=key, horizontal=True, format_func=lambda one: shown.get(one, one)
        )
    if answer is not None:
        _set(option, answer)
        st.rerun()


def _ask_unit(key: str) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    choice = left.radio(
        _NAMES["unit"],
        [*_UNITS, _OTHER_UNIT],
        index=None,
        key=key,
        horizontal=True,
        format_func=lambda one: _UNITS.get(one, one),
    )
    if choice is None:
        return
    answer = choice
    if choice == _OTHER_UNIT:
        um = right.number_input(
            "µm of one unit", 0.0, 1e6, value=None, step=0.0001, format="%.6g", key=f"{key}-um"
        )
        if not um:
            return
        answer = f"{um:.10g}"
    _set("unit", answer)
    st.rerun()


def show_answers() -> None:
    """Say what was answered, and let the user take it back."""
    state = session.upload()
    given = (state.answers or Answers()).given()
    given.pop("columns", None)
    for option, answer in given.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            shown = (_UNITS if option == "unit" else _CHOICES).get(answer, answer)
            more = " µm of one unit" if option == "unit" and answer not in _UNITS else ""
            st.markdown(f"{_NAMES[option]}: **{as_text(shown)}{more}**", width="content")
            st.button("Change", key=f"change-{option}", on_click=_take_back, args=(option,), type="tertiary")


def map_columns(columns: Sequence[str]) -> None:
    """Let the user say which column holds what."""
    state = session.upload()
    chosen = (state.answers or Answers()).columns
    with st.expander("Are columns named differently in this file?"):
        for place, (key, name) in zip(st.columns(len(_MAPPED)), _MAPPED.items(), strict=True):
            widget = f"column-{key}-{state.file_id}"
            current = chosen.get(key)
            st.session_state[widget] = {None: _AS_FOUND, "": _NO_COLUMN}.get(current, current)
            options = [_AS_FOUND, *([_NO_COLUMN] if key == keys.SECTION else []), *columns]
            place.selectbox(
                f"{name} is in",
                options if st.session_state[widget] in options else [*options, st.session_state[widget]],
                key=widget,
                format_func=lambda one: one if one in {_AS_FOUND, _NO_COLUMN} else f"obs: {one}",
                on_change=_map,
                args=(key, widget),
            )


def _map(key: str, widget: str) -> None:
    chosen = st.session_state[widget]
    if chosen == _AS_FOUND:
        _take_back(f"{_COLUMN}{key}")
    else:
        _set(f"{_COLUMN}{key}", chosen)


def _set(option: str, answer: str) -> None:
    state = session.upload()
    told = state.answers or Answers()
    if option.startswith(_COLUMN):
        column = "" if answer == _NO_COLUMN else answer
        state.answers = replace(told, columns={**told.columns, option.removeprefix(_COLUMN): column})
    else:
        changed: dict[str, Any] = {option: answer}
        state.answers = replace(told, **changed)


def _take_back(option: str) -> None:
    state = session.upload()
    told = state.answers or Answers()
    st.session_state.pop(f"question-{option}-{state.file_id}", None)
    if option.startswith(_COLUMN):
        key = option.removeprefix(_COLUMN)
        state.answers = replace(told, columns={k: v for k, v in told.columns.items() if k != key})
    else:
        changed: dict[str, Any] = {option: None}
        state.answers = replace(told, **changed)
