"""Figure and tables of what lies around a border."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from app import session
from app.cell_sets.split import LEVEL
from app.components.borders.subject import Subject
from app.components.export_row import CHART, Export, export_row
from app.components.gene_sets import cover_of, stamped
from app.components.job import compute
from app.components.tokens import names as token_names
from app.exports.stamp import codes_in_words, many, stamp
from app.models import ModelFacts
from app.requests import BorderProfile
from app.text import sentence
from squint.library.store import Library
from squint.pl import PRINT, border_profile
from squint.stats import set_scores

_TABLES = ("profile", "sections", "cells")
_DRAWN = "the outline that was drawn"  # as `squint.tl.border_profile` says it


class Profile(NamedTuple):
    """What cells are like by their distance to a border."""

    asked: BorderProfile
    subject: Subject
    values: dict[str, Any]  # as `squint.tl.border_profile` gives it
    names: Mapping[str, str]  # of tokens

    @property
    def unit(self) -> str:
        """The unit of distances, in words."""
        return "µm" if self.values["unit"] == "um" else "units of the section, µm unknown"

    @property
    def bordered(self) -> dict[str, str]:
        """How the border of each section that has one was found."""
        return {name: how for name, how in self.values["border"].items() if not how.startswith("none")}


def profile(library: Library, subject: Subject, asked: BorderProfile) -> Profile:
    """Compute what cells are like by their distance to the border; done once, then found.

    Where there is no border, say so and stop the page.
    """
    result = compute(library, asked, "Looking around the border")
    if not result.facts["border"]:
        st.info(
            f"There is no border of **{sentence(subject.words)}** in the tissue shown: such cells fill a "
            "section, are not in it, or lie scattered among the others in patches of fewer than "
            f"{asked.min_patch:,} cells, which count as what is around. Look at other sections or cells, "
            "or let smaller patches count."
        )
        st.stop()
    values = {**result.facts, **{name: result.table(name) for name in _TABLES}}
    names = token_names(library, subject.model) if subject.model and asked.tokens else {}
    return Profile(asked, subject, values, names)


def say_border(found: Profile) -> None:
    """Say where the border is, in how many sections, and what was left out."""
    values, bordered = found.values, found.bordered
    n = len(bordered)
    here = [one for one in found.subject.sections if values["names"][one.id] in bordered]
    n_patients = len({section.patient for section in here})
    drawn = [name for name, how in bordered.items() if how == _DRAWN]
    st.markdown(
        f"**Border of {sentence(found.subject.words)}**: n = {many(n, 'section')}, "
        f"{many(n_patients, 'patient')}, {many(int(values['cells']['n_cells'].sum()), 'cell')} within "
        f"{values['reach']:g} {found.unit}."
    )
    lines = []
    if drawn:
        where = "" if len(drawn) == n else f" in {sentence(', '.join(drawn))}"
        lines.append(f"The border is the outline that was drawn{where}.")
    if len(drawn) < n:
        where = f" in {sentence(', '.join(name for name in bordered if name not in drawn))}" if drawn else ""
        lines.append(
            f"A cell is inside where most of its neighbourhood is of these cells{where}, and the border runs "
            "halfway between a cell inside and the nearest one outside; the edge of the tissue is none. "
            f"Patches and holes of fewer than {values['min_patch']:,} cells have no border. So "
            f"{many(values['n_left_out'], 'cell')} of these lie outside, and "
            f"{many(values['n_filled'], 'other cell')} inside."
        )
    lines.append(
        "Each section has one vote; ribbons are Student's 95 % intervals over sections."
        if n > 1
        else "Of one section there is no interval: its cells are not independent."
    )
    if n > n_patients:
        lines.append(f"Nor are sections of one patient independent: n = {many(n_patients, 'patient')}.")
    if none := [name for name in values["border"] if name not in bordered]:
        lines.append(f"All cells are on one side, and there is no border, in {sentence(', '.join(none))}.")
    n_thin = int(values["sections"]["value"].isna().sum())
    if n_thin:
        lines.append(
            f"{many(n_thin, 'mean')} of a section and bin with fewer than {values['min_cells']} cells are "
            "left out."
        )
    if values["n_beyond"]:
        lines.append(f"{many(values['n_beyond'], 'cell')} lie farther away.")
    if values["n_without_side"]:
        lines.append(f"{many(values['n_without_side'], 'cell')} without counts or label are left out.")
    st.caption(" ".join(lines))


def show_profile(library: Library, found: Profile, model: ModelFacts | None) -> None:
    """Show the profile as a figure and as tables, with exports."""
    values = found.values
    if values["profile"].empty:
        st.info(
            f"No bin has {values['min_cells']} cells. Choose wider bins, or ask for fewer cells in a bin."
        )
        return
    draw = partial(border_profile, values, group=found.subject.words, names=found.names)
    st.plotly_chart(
        draw(style=session.style()),
        key="border",
        config=CHART,
        alt=f"Means by the distance to the border of {found.subject.words}, in {found.unit}",
    )
    parameters = parameters_of(library, found)
    marks = stamp("Around a border", found.subject.sections, model, parameters)
    export_row(
        Export(
            "border",
            marks,
            table=lambda: named(found, values["profile"]),
            figure=lambda _: draw(style=PRINT),
        )
    )
    st.subheader("Means over sections")
    st.dataframe(named(found, values["profile"]), hide_index=True, column_config=_columns(found))
    st.subheader("Each section")
    st.dataframe(named(found, values["sections"]), hide_index=True, column_config=_columns(found))
    marks = stamp("Around a border, each section", found.subject.sections, model, parameters)
    export_row(Export("border_sections", marks, table=lambda: named(found, values["sections"])))


def named(found: Profile, table: pd.DataFrame) -> pd.DataFrame:
    """Say tokens in words, and the unit, in a table for readers."""
    of_token = (table["kind"] == "token").to_numpy()
    names = table["name"].map(found.names).where(of_token).fillna(table["name"])
    return table.drop(columns="middle").assign(name=names, unit=found.values["unit"])


def _columns(found: Profile) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    alone = found.values["profile"]["low"].isna().all()  # one section has no interval
    return {
        "kind": "Kind",
        "name": "Name",
        "section_id": "Section",
        "from": number(f"From ({found.unit})", format="%g"),
        "to": number("To", format="%g"),
        "n_sections": number("Sections"),
        "n_cells": number("Cells", format="localized"),
        "mean": number("Mean", format="%.3g", help="Of the sections' means; shares are from 0 to 1."),
        "value": number("Mean", format="%.3g", help="Empty where there are too few cells."),
        "low": None if alone else number("95 % from", format="%.3g"),
        "high": None if alone else number("95 % to", format="%.3g"),
        "unit": None,
    }


def parameters_of(library: Library, found: Profile) -> dict[str, object]:
    """Say what was done, for the stamp."""
    asked, values, subject = found.asked, found.values, found.subject
    how = sorted(set(found.bordered.values()))
    said: dict[str, object] = {
        "inside": subject.words,
        "border": "; ".join(how),
        "distance": f"{found.unit}, negative inside",
        "bins": f"{values['width']:g} wide, up to {values['reach']:g}",
        "least cells": f"{values['min_cells']} in a bin, {values['min_patch']} in a patch",
        "interval": "Student's 95 % over sections, each with one vote",
    }
    if asked.split.members:
        said["cells of the set"] = ", ".join(group or "none" for _, group, _ in asked.split.members)
    if asked.split.by == LEVEL:
        said["reference patient"] = subject.how["reference"]
        said["codes"] = codes_in_words(subject.how)
    if asked.genes:
        said["expression"] = "counts scaled to the median depth of the cells with a distance"
    for name, genes in asked.sets:
        cover = stamped(cover_of(library, subject.sections, genes))
        said[f"gene set {name}"] = "; ".join(f"{key}: {value}" for key, value in cover.items())
    if asked.sets:
        said["score"] = set_scores.DEFINITION + " (Tirosh et al. 2016)"
    return said
