"""Labelings carried from a section to one that has its cells and more."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError
from squint.library import labelings
from squint.library.labelings import KnownLabeling, Made
from squint.library.store import Library
from squint.library.stored import DamagedError

_FROM = "carried_from"  # among the facts of a labeling: the id of what it was carried from


def check(library: Library, section_id: str) -> None:
    """See that the names that cells have now can be carried.

    Raises
    ------
    InputError
        If they are damaged: other names would take their place without a word.
    """
    section = library.get(section_id)
    if section.named and not section.named.file:
        raise InputError(
            f"The names of the cells of {section.title} are damaged. Choose others on the page Cell types "
            "first, or none."
        )


def carry(library: Library, old: str, new: str, places: NDArray[np.integer[Any]]) -> None:
    """Give a section the labelings of another; the one in use stays in use, unless somebody chose one there.

    Damaged ones are left, and so are those that were carried before; a name that is taken gets a number.

    Parameters
    ----------
    library
        Whose sections they are.
    old, new
        Ids of the sections.
    places
        Place of each of the old section's cells among those of the new one. Cells beside them have no name.
    """
    section = library.get(new)
    done = {one.facts.get(_FROM) for one in labelings.known(library, new)}
    for one in reversed(labelings.known(library, old)):  # the oldest first
        if not one.damage and one.id not in done:
            made = _spread(library, one, section.n_cells, places)
            free = replace(made, name=labelings.free_name(library, new, one.name))
            labelings.add(library, new, free, in_use=one.in_use and section.named is None)


def _spread(library: Library, one: KnownLabeling, n_cells: int, places: NDArray[np.integer[Any]]) -> Made:
    """Make a labeling of ``n_cells`` cells of one of some of them."""
    names, confidence = labelings.read(library, one)
    codes = np.full(n_cells, -1, dtype=np.int64)
    codes[places] = names.codes
    sure = np.full(n_cells, np.nan, dtype=np.float32)
    sure[places] = confidence
    evidence = None
    with suppress(DamagedError):  # names stand without it
        evidence = labelings.read_evidence(library, one)
    by_hand = f", changed {one.now.n_changes} times by hand" if one.now.n_changes else ""
    return Made(
        one.name,
        one.method,
        one.how + by_hand,
        pd.Categorical.from_codes(codes, pd.Index(names.names, dtype=object)),
        sure,
        {**one.facts, _FROM: one.id},
        evidence,
        one.added,
    )
