"""The maps of a report, as pictures for paper: two sections beside each other, each under its name."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from squint import keys
from squint.pl import Categories, Continuous, Page, Panel, View, frames_of, most_frequent, print_map
from squint.report.figures import WIDTH
from squint.report.tables import Computed, X, Y

_DPI = 220
_ABREAST = 2


class MapPicture(NamedTuple):
    """A map of one or two sections."""

    png: bytes
    alt: str  # what is to be seen, in words


def by_type(computed: Computed) -> Iterator[MapPicture]:
    """Map the most frequent cell types."""
    shown = most_frequent(computed.cells[keys.CELL_TYPE].to_numpy(dtype=object))
    scale = Categories("cell type", shown, "other types")
    yield from _maps(computed, computed.cells[keys.CELL_TYPE], scale, "no cell type")


def by_token(computed: Computed) -> Iterator[MapPicture]:
    """Map the most frequent tokens, each with its main cell type."""
    shown = most_frequent(computed.cells[keys.TOKEN].to_numpy(dtype=object))
    names = {}
    for _, row in computed.tables["tokens"].iterrows():
        first = str(row["top_types"]).split(",")[0]
        names[str(row["token"])] = f"{row['token']} {first}".strip()
    scale = Categories("token, main cell type", shown, "other tokens", names)
    yield from _maps(computed, computed.cells[keys.TOKEN], scale, "no token")


def by_score(computed: Computed) -> Iterator[MapPicture]:
    """Map activation scores, on one scale from 0 to 1."""
    asked = computed.recipe.activation
    ends = (asked.low, asked.high) if asked is not None else ()
    scale = Continuous("activation score", 0, 1, ends)
    yield from _maps(computed, computed.cells[keys.ACTIVATION].astype(np.float32), scale, "no score")


def _maps(
    computed: Computed, values: "pd.Series[Any]", scale: Categories | Continuous, missing: str
) -> Iterator[MapPicture]:
    records = computed.recipe.shown
    for start in range(0, len(records), _ABREAST):
        some = records[start : start + _ABREAST]
        panels = []
        for record in some:
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
        page = Page("", "", width=WIDTH, edge=0.02)
        picture = print_map(panels, scale, _whole(panels), page, kind="png", dpi=_DPI)
        yield MapPicture(picture, f"Map of {scale.title} in {', '.join(record.name for record in some)}")


def _whole(panels: Sequence[Panel]) -> list[View]:
    return [
        View(f.left + f.width / 2, f.top + f.height / 2, f.width, f.height / f.width)
        for f in frames_of(panels)
    ]
