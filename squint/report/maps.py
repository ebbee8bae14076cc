"""The maps of a report, as pictures for paper: two sections beside each other, each under its name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from squint import keys
from squint.pl import (
    Categories,
    Continuous,
    Look,
    Outline,
    Page,
    Panel,
    View,
    frames_of,
    most_frequent,
    print_map,
)
from squint.pl._style import BLUE
from squint.report import words
from squint.report.figures import VERMILION, WIDTH
from squint.report.tables import GROUP, REFERENCE, Computed, X, Y

_DPI = 220
_ABREAST, _EDGE = 2, 0.02
_NARROW = 4.45  # inches: the width of a page with one of two panels and the legend
_ARMS = {GROUP: VERMILION, REFERENCE: BLUE}  # as in the volcano plot
_NEITHER = "neither"


class MapPicture(NamedTuple):
    """A map of one or two sections."""

    png: bytes
    alt: str  # what is to be seen, in words
    is_narrow: bool = False  # of one section, as large as those abreast before it


def by_type(computed: Computed) -> Iterator[MapPicture]:
    """Map the most frequent cell types."""
    shown = most_frequent(computed.cells[keys.CELL_TYPE].to_numpy(dtype=object))
    scale = Categories("cell type", shown, "other types")
    yield from _maps(computed, computed.cells[keys.CELL_TYPE], scale, "no cell type")


def by_token(computed: Computed) -> Iterator[MapPicture]:
    """Map the most frequent tokens, each with its name or else its main cell type."""
    shown = most_frequent(computed.cells[keys.TOKEN].to_numpy(dtype=object))
    names = {}
    for _, row in computed.tables["tokens"].iterrows():
        first = str(row["top_types"]).split(",")[0]
        token = str(row["token"])
        named = token in computed.recipe.token_names
        names[token] = words.token(computed.recipe, token) if named else f"{token} {first}".strip()
    scale = Categories("token, its name or main cell type", shown, "other tokens", names)
    yield from _maps(computed, computed.cells[keys.TOKEN], scale, "no token")


def by_score(computed: Computed) -> Iterator[MapPicture]:
    """Map activation scores, on one scale from 0 to 1."""
    asked = computed.recipe.activation
    ends = (asked.low, asked.high) if asked is not None else ()
    scale = Continuous("activation score", 0, 1, ends)
    yield from _maps(computed, computed.cells[keys.ACTIVATION].astype(np.float32), scale, "no score")


def by_group(computed: Computed) -> Iterator[MapPicture]:
    """Map the cells of both groups that were compared, with the outlines of sets that were drawn."""
    asked = computed.recipe.comparison
    if asked is None or computed.arms is None:
        return
    called = words.groups(asked, computed.recipe)
    names = [
        f"{arm}: {what.removeprefix('cells of the set ')}" for arm, what in zip(_ARMS, called, strict=True)
    ]
    scale = Categories(
        "compared", tuple(_ARMS), "in neither", dict(zip(_ARMS, names, strict=True)), dict(_ARMS)
    )
    sides = ((asked.group, GROUP), (asked.reference, REFERENCE))
    drawn = {name: _ARMS[side] for labels, side in sides for name in labels if asked.by == "cell_set"}
    values = computed.arms.where(computed.arms.notna(), _NEITHER)
    yield from _maps(computed, values, scale, "in neither", drawn)


def _outlines(computed: Computed, section: str, drawn: Mapping[str, str]) -> list[Outline]:
    """Give the outlines in a section of sets, which have these colours."""
    return [
        Outline(f"outline of {name}", colour, ring)
        for name, colour in drawn.items()
        for polygon in computed.outlines.get(name, {}).get(section, ())
        for ring in polygon
    ]


def _maps(
    computed: Computed,
    values: "pd.Series[Any]",
    scale: Categories | Continuous,
    missing: str,
    drawn: Mapping[str, str] | None = None,
) -> Iterator[MapPicture]:
    records = computed.recipe.shown
    panels = []
    for record in records:
        here = (computed.cells[keys.SECTION] == record.name).to_numpy()
        own: Any = values[here].to_numpy()
        panels.append(
            Panel(
                title=record.name + (" (simulated)" if record.simulated else ""),
                coordinates=computed.cells.loc[here, [X, Y]].to_numpy(dtype=np.float64),
                values=own if own.dtype.kind == "f" else pd.Categorical(own),
                unit=record.unit,
                missing_name=missing,
            )
        )
    views = _whole(panels)  # of all, so that one length is as long in every picture
    for start in range(0, len(records), _ABREAST):
        some = slice(start, start + _ABREAST)
        is_last_alone = len(records) > 1 and start + 1 == len(records)
        page = Page("", "", width=_NARROW if is_last_alone else WIDTH, edge=_EDGE)
        look = Look(outlines=[_outlines(computed, record.name, drawn or {}) for record in records[some]])
        picture = print_map(panels[some], scale, views[some], page, look, kind="png", dpi=_DPI)
        named = ", ".join(record.name for record in records[some])
        yield MapPicture(picture, f"Map of {scale.title} in {named}", is_narrow=is_last_alone)


def _whole(panels: Sequence[Panel]) -> list[View]:
    return [
        View(f.left + f.width / 2, f.top + f.height / 2, f.width, f.height / f.width)
        for f in frames_of(panels)
    ]
