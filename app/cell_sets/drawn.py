"""What a reader draws on a map, or clicks in its legend, as a change of a cell set."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.cell_sets.store import ADD, SUBTRACT, CellSet, CellSets, clean_name
from app.library.store import Library, Section
from squint.errors import InputError
from squint.geometry import outlines as shapes
from squint.geometry.outlines import Polygon

MAX_CORNERS = 10_000  # of an area that a browser posts


def take(
    library: Library,
    event: Mapping[str, Any],
    sections: Sequence[Section],
    coordinates_of: Callable[[str], NDArray[np.float64]],
    rows: Mapping[str, ArrayLike] | None = None,
) -> CellSet:
    """Turn what a browser posts into a change.

    Parameters
    ----------
    library
        Where sets are kept.
    event
        ``{"mode": "new" | "add" | "subtract", "set": id | None}`` with ``"panels": [{"section": id,
        "polygon": [[x, y], ...]}, ...]``, corners in the section's unit; or with ``"labels"``, names of
        legend entries, whose cells come in ``rows``; and ``"name"`` for a new set, if it has one. It is
        checked and not trusted.
    sections
        Those shown; others are refused.
    coordinates_of
        Gives the coordinates (n, 2 | 3) of a section's cells by its id.
    rows
        By section, of what was clicked in a legend.

    Returns
    -------
    The new set, or the changed one.

    Raises
    ------
    InputError
        If the event is none of the above, or no cell is concerned.
    """
    mode = event.get("mode")
    if mode not in ("new", ADD, SUBTRACT):
        raise InputError("An area can make a set, be added to one, or be subtracted from one.")
    by_id = {section.id: section for section in sections}
    drawn = _areas(event, by_id)
    if drawn:
        members: Mapping[str, ArrayLike] = {
            key: np.flatnonzero(shapes.inside(rings, coordinates_of(key))) for key, rings in drawn.items()
        }
        how, name = "drawn on the map", "Set"
    else:
        members = {key: found for key, found in (rows or {}).items() if key in by_id}
        labels = event.get("labels")
        listed = list(labels.values()) if isinstance(labels, Mapping) else labels
        name = ", ".join(map(str, listed)) if isinstance(listed, list) and listed else "Set"
        how = f"legend entry {name}"
    members = {key: found for key, found in members.items() if np.size(found)}
    if not members:
        raise InputError("No cell lies there. Draw around cells, or click another entry of the legend.")
    sets = CellSets(library)
    if mode == "new":
        return sets.make(_given(event) or _harmless(name), members, drawn, how)
    if event.get("set") is None:
        raise InputError("Choose the cell set that these cells are to be added to or subtracted from.")
    return sets.change(event["set"], members, drawn, how, mode)


def _areas(event: Mapping[str, Any], by_id: Mapping[str, Section]) -> dict[str, list[Polygon]]:
    """Read the areas that a browser posted, by section."""
    panels = event.get("panels", [])
    if not isinstance(panels, list) or len(panels) > len(by_id):
        raise InputError("The areas drawn do not belong to the sections shown. Load the page again.")
    drawn: dict[str, list[Polygon]] = {}
    for panel in panels:
        section_id = panel.get("section") if isinstance(panel, dict) else None
        if not isinstance(section_id, str) or section_id not in by_id:
            raise InputError("This section is not shown here. Load the page again.")
        corners = panel.get("polygon")
        if isinstance(corners, list) and len(corners) > MAX_CORNERS:
            raise InputError(f"The area has more than {MAX_CORNERS:,} corners. Draw it more simply.")
        drawn.setdefault(section_id, []).append((shapes.as_ring(corners, "The area"),))
    return drawn


def _given(event: Mapping[str, Any]) -> str:
    name = event.get("name")
    return clean_name(name) if isinstance(name, str) and name.strip() else ""


def _harmless(name: str) -> str:
    """Take a name from a file or a label where it identifies nobody, else none."""
    with suppress(InputError):
        return clean_name(name)
    return "Set"
