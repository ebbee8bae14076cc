"""What a reader draws on a map, or clicks in its legend, as a change of a cell set.

Both take what a browser posted, which is checked and not trusted: how the cells are meant (``"new"``,
``"add"`` or ``"subtract"``) and, for an area, its corners.
"""

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.cell_sets.names import clean_name
from app.cell_sets.store import ADD, SUBTRACT, CellSet, CellSets
from squint.errors import InputError
from squint.geometry import outlines as shapes
from squint.geometry.outlines import Floats, LaboriousError, Polygon
from squint.library.store import Library, Section

MAX_POSTED = 10_000  # corners of an area that a browser posts
MAX_CORNERS = 3_000  # of them that somebody could tell apart
QUICK_CORNERS = 1_000  # of an area, with those of the set that it changes: 0.1 s
QUICK_COMPARED = 5_000_000  # pairs of a line and a cell beside it: 0.1 s
NEW, UNNAMED = "new", "Set"


def take_area(
    library: Library,
    section: Section,
    coordinates: NDArray[np.float64],
    corners: object,
    *,
    mode: object,
    chosen: str | None = None,
    quick: bool = False,
) -> CellSet:
    """Take the cells of a section inside what was drawn.

    Parameters
    ----------
    library
        Where sets are kept.
    section
        In which it was drawn.
    coordinates
        Of the section's cells (n, 2 | 3).
    corners
        ``[[x, y], ...]``, as posted.
    mode
        ``"new"``, ``"add"`` or ``"subtract"``, as posted.
    chosen
        The set to add to or subtract from.
    quick
        Refuse what takes half a second or more on a map of a million cells.

    Returns
    -------
    The new set, or the changed one.

    Raises
    ------
    LaboriousError
        If it is to be quick, and would not be.
    InputError
        If that is no area or no mode, no cell lies there, or there is no set to change.
    """
    area: Polygon = (ring_of(corners),)
    sets = CellSets(library)
    if quick and len(area[0]) + _n_corners(sets, chosen, section) > QUICK_CORNERS:
        raise LaboriousError(
            "The area, with what is there of the set, has many corners. Draw it more simply."
        )
    shapes.check_outline([area], "The area")
    most = QUICK_COMPARED if quick else shapes.MAX_COMPARED
    rows = np.flatnonzero(shapes.inside([area], coordinates, most=most))
    change = {section.id: rows}, {section.id: [area]}, "drawn on the map"
    return _change(sets, *change, name=UNNAMED, mode=mode, chosen=chosen)


def ring_of(corners: object) -> Floats:
    """Check corners that were posted, ``[[x, y], ...]``, and leave out those that nobody sees (k, 2).

    Raises
    ------
    InputError
        If they are no area, or too many.
    """
    if isinstance(corners, list) and len(corners) > MAX_POSTED:
        raise InputError(f"The area has more than {MAX_POSTED:,} corners. Draw it more simply.")
    ring = shapes.simplified(shapes.as_ring(corners, "The area"))
    if len(ring) > MAX_CORNERS:
        raise InputError(f"The area winds through more than {MAX_CORNERS:,} corners. Draw it more simply.")
    return ring


def _n_corners(sets: CellSets, set_id: str | None, section: Section) -> int:
    """Count the corners of a set in a section."""
    one = next((one for one in sets.all() if one.id == set_id), None) if set_id else None
    return sum(len(ring) for rings in sets.outline(one, section.id) for ring in rings) if one else 0


def take_entry(
    library: Library,
    name: str,
    rows: Mapping[str, ArrayLike],
    *,
    mode: object,
    chosen: str | None = None,
) -> CellSet:
    """Take the cells that an entry of the legend stands for.

    Parameters
    ----------
    library
        Where sets are kept.
    name
        What the entry is called.
    rows
        The cells, by id of the section.
    mode, chosen
        As for :func:`take_area`.

    Returns
    -------
    The new set, or the changed one.

    Raises
    ------
    InputError
        If that is no mode, the entry stands for no cell, or there is no set to change.
    """
    harmless = UNNAMED
    with suppress(InputError):  # a label that may identify somebody names no set
        harmless = clean_name(name)
    how = f"legend entry {name}"
    return _change(CellSets(library), rows, {}, how, name=harmless, mode=mode, chosen=chosen)


def _change(
    sets: CellSets,
    rows: Mapping[str, ArrayLike],
    drawn: Mapping[str, list[Polygon]],
    how: str,
    *,
    name: str,
    mode: object,
    chosen: str | None,
) -> CellSet:
    if mode not in (NEW, ADD, SUBTRACT):
        raise InputError("An area can make a set, be added to one, or be subtracted from one.")
    members = {key: found for key, found in rows.items() if np.size(found)}
    if not members:
        raise InputError("No cell lies there. Draw around cells, or click another entry of the legend.")
    if mode == NEW:
        return sets.make(name, members, drawn, how)
    if chosen is None:
        raise InputError("Choose the cell set that these cells are to be added to or subtracted from.")
    return sets.change(chosen, members, drawn, how, str(mode))
