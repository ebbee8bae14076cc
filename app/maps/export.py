"""Maps on their way out, as the reader sees them: what a page leaves to the worker, which prints it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.exports.stamp import footer
from app.maps.packed import pack
from app.maps.state import read_state
from app.maps.views import MapView
from squint import pl

_ONE_LINE = 1_000_000  # letters: the page breaks lines where they do not fit


def write_map(
    folder: Path,
    view: MapView,
    state: Mapping[str, Any],
    marks: Mapping[str, str],
    pictures: Sequence[tuple[str, str] | None] = (),
    outlines: Sequence[Sequence[pl.Outline]] = (),
    heights: Sequence[float | NDArray[Any]] = (),
    stretch: float = 1.0,
) -> None:
    """Leave a map where the worker can draw it.

    Parameters
    ----------
    folder
        An empty folder.
    view
        What the map shows.
    state
        What the reader set, as the browser told it.
    marks
        The stamp.
    pictures
        What lies below the cells of each panel: the section, and which of its pictures, by id.
    outlines
        What lies around the cells of each panel.
    heights
        Of each panel in um, or of each of its cells (n,), for panels that are drawn above each other.
    stretch
        How much farther apart these are drawn than they are, before the reader changed it.

    Raises
    ------
    InputError
        If no reader can have set this.
    """
    seen = read_state(state, view, stretch if len(heights) else None)
    pack(
        folder,
        view.panels,
        view.scale,
        seen,
        heights,
        page=asdict(pl.Page(marks["Title"], marks["Cells"], footer(marks, _ONE_LINE))),
        pictures=list(pictures) if seen.opacity else [],
        genes=view.gene_colours(pl.PRINT),
        sections=[section.id for section in view.sections] if view.whole else [],
        outlines=[[[name, colour, np.asarray(at).tolist()] for name, colour, at in o] for o in outlines],
    )
