"""Cells of low quality: offered to be left out before a section is kept, and to be taken back after."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import streamlit as st

from app import session
from app.exports.stamp import many
from app.text import sentence
from squint.errors import InputError
from squint.library.store import Section
from squint.pp import QualityFilter

_LARGEST = 1e9  # a number that is typed
_NUMBERS = {  # criterion -> label, and what one unit of the field is
    "min_counts": ("Fewest counts of a cell", 1.0),
    "min_area": ("Smallest area in µm²", 1.0),
    "max_area": ("Largest area in µm²", 1.0),
    "max_control_share": ("Largest share of controls in %", 0.01),
}


def choose_quality(found: Mapping[str, Any]) -> bool:
    """Offer what the upload can be filtered by, all off at first; return whether it can be kept as it is."""
    state = session.upload()
    off_tissue = found["n_off_tissue"]
    numbers = [name for name in _NUMBERS if name in found["offered"]]
    if numbers or off_tissue:
        tissue = f" ({off_tissue:,} of {found['n_before']:,} not in tissue)" if off_tissue else ""
        with st.expander(f"Leave out cells of low quality{tissue}", icon=":material/filter_alt:"):
            st.caption("Nothing is left out unless you say so. What is left out can be taken back later.")
            _ask(numbers, off_tissue)
    if found["problem"]:
        st.error(sentence(found["problem"]))
    elif state.quality.given():
        before, after = found["n_before"], found["n_after"]
        st.info(
            f"{many(before, 'cell')} before, **{after:,}** after.  \n"
            + "  \n".join(f"{sentence(said)}." for said in found["said"]),
            icon=":material/filter_alt:",
        )
    if state.quality.given():
        st.button("Keep all cells", key="quality-off", on_click=_turn_off)
    return not found["problem"]


def _ask(numbers: Sequence[str], off_tissue: int) -> None:
    state = session.upload()
    with st.form(f"quality-{state.file_id}", border=False):
        said: dict[str, Any] = {}
        for place, name in zip(st.columns(len(_NUMBERS)), numbers, strict=False):
            label, unit = _NUMBERS[name]
            most = 100.0 if name == "max_control_share" else _LARGEST
            number = place.number_input(
                label, 0.0, most, value=None, step=1.0, format="%.10g", key=_key(name), placeholder="off"
            )
            said[name] = None if number is None else number * unit
        if off_tissue:
            said["in_tissue"] = st.checkbox(
                f"Leave out the {off_tissue:,} that are not in tissue", key=_key("in_tissue")
            )
        if st.form_submit_button("Apply", key="quality-apply"):
            try:
                state.quality = QualityFilter(**said)
            except InputError as error:
                st.error(sentence(str(error)))
            else:
                st.rerun()


def _turn_off() -> None:
    session.upload().quality = QualityFilter()
    for item in fields(QualityFilter):
        if _key(item.name) in st.session_state:
            st.session_state[_key(item.name)] = False if item.name == "in_tissue" else None


def _key(name: str) -> str:
    return f"quality-{name}-{session.upload().file_id}"


def show_left_out(section: Section) -> None:
    """Say on a section's card what was left out of it, and offer to take it back."""
    if not section.left_out:
        return
    st.caption(sentence(f"{section.left_out}."))
    st.button(
        "Take them back",
        key=f"take-back-{section.id}",
        on_click=_ask_back,
        args=(section.id,),
        help="The section of all cells takes the place of this one, with its pictures and cell sets. Tokens "
        "are made anew; scores, and models trained on it, are removed.",
    )


def _ask_back(section_id: str) -> None:
    session.upload().taking_back = section_id
