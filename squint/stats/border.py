"""What cells are like by their distance to a border: in each section, and over sections.

Sections are what is repeated, cells are not: neighbours are alike, so an interval over cells would be far too
narrow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_matrix

from squint.errors import InputError

GENE, SET, TOKEN, TYPE = "gene", "gene set", "token", "cell type"  # kinds of what is measured
KINDS = (GENE, SET, TOKEN, TYPE)
MIN_CELLS = 10  # of a section in a bin, below which its mean there is left out
MAX_BINS = 200  # on each side
LEVEL = 0.95  # of the interval
_POSSIBLE: Mapping[str, tuple[float, float]] = {GENE: (0, np.inf), TOKEN: (0, 1), TYPE: (0, 1)}

Floats = NDArray[np.float64]


def bins(distance: Floats, width: float, reach: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Put signed distances into bins that are as wide on both sides, with an edge at the border.

    Parameters
    ----------
    distance
        Of the cells (n,), negative inside; a cell on the border is inside. NaN for none.
    width, reach
        Of a bin, and how far they go on each side; in the unit of the distances.

    Returns
    -------
    Number of each cell's bin (n,), -1 for the first inside and 0 for the first outside; and whether the cell
    is in a bin at all.

    Raises
    ------
    InputError
        If width and reach give no bin, or too many.
    """
    if not 0 < width < np.inf or not width <= reach <= MAX_BINS * width:
        raise InputError(
            f"Bins {width:g} wide up to {reach:g} from the border: there must be from 1 to {MAX_BINS} on "
            "each side. Choose another width or reach."
        )
    n_bins = int(np.floor(reach / width + 1e-9))
    known = np.isfinite(distance)
    far = np.floor(np.abs(np.where(known, distance, 0)) / width)
    there = known & (far < n_bins)
    place = np.where(there, far, 0).astype(np.int64)
    return np.where(np.where(known, distance, 0) > 0, place, -place - 1), there


def by_section(
    distance: Floats,
    section: NDArray[np.object_],
    values: pd.DataFrame,
    *,
    width: float,
    reach: float,
    min_cells: int = MIN_CELLS,
) -> pd.DataFrame:
    """Average over the cells of each section and bin.

    Parameters
    ----------
    distance
        Of the cells (n,), negative inside; NaN for cells to leave out.
    section
        Name of each cell's section (n,).
    values
        Columns ``(kind, name)`` of numbers (n,), NaN where a cell has none: those do not count there.
    width, reach
        As for :func:`bins`.
    min_cells
        Cells, below which there is no mean.

    Returns
    -------
    One row per ``kind``, ``name``, ``section_id`` and bin with cells: ``from``, ``to`` and ``middle`` of the
    bin; ``n_cells`` with a value; ``value``, their mean, NaN of fewer than ``min_cells``.

    Raises
    ------
    InputError
        If no cell is in a bin.
    """
    place, there = bins(distance, width, reach)
    if not there.any():
        raise InputError("No cell lies within reach of the border. Choose a longer reach, or another border.")
    names, code = np.unique(np.asarray(section, dtype=object)[there].astype(str), return_inverse=True)
    low = int(place[there].min())
    n_places = int(place[there].max()) - low + 1
    group = code * n_places + place[there] - low
    member = csr_matrix(
        (np.ones(len(group)), (group, np.arange(len(group)))), shape=(len(names) * n_places, len(group))
    )
    numbers = values.to_numpy(dtype=np.float64)[there]
    measured = np.isfinite(numbers)
    n_cells = np.asarray(member @ measured.astype(np.float64)).astype(np.int64)  # (groups, k)
    total = np.asarray(member @ np.where(measured, numbers, 0))
    mean = np.divide(total, n_cells, out=np.full(total.shape, np.nan), where=n_cells >= max(1, min_cells))
    at = np.arange(len(names) * n_places)
    edge = (at % n_places + low) * width
    pairs: list[Any] = values.columns.to_list()
    parts = [
        pd.DataFrame(
            {
                "kind": kind,
                "name": name,
                "section_id": names[at // n_places],
                "from": edge,
                "to": edge + width,
                "middle": edge + width / 2,
                "n_cells": n_cells[:, column],
                "value": mean[:, column],
            }
        )
        for column, (kind, name) in enumerate(pairs)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[table["n_cells"] > 0].reset_index(drop=True)


def over_sections(sections: pd.DataFrame) -> pd.DataFrame:
    """Average over sections, each with one vote, with an interval where there are two or more.

    Parameters
    ----------
    sections
        As :func:`by_section` gives it.

    Returns
    -------
    One row per ``kind``, ``name`` and bin in which a section has a mean: ``from``, ``to``, ``middle``;
    ``n_sections`` with a mean there; ``n_cells`` of those; ``mean``; ``low`` and ``high``, Student's 95 %
    interval over the sections, cut to what is possible for counts and shares; NaN for one section.
    """
    known = sections[sections["value"].notna()]
    by = known.groupby(["kind", "name", "from", "to", "middle"], sort=False, observed=True)
    table = by.agg(
        n_sections=("value", "size"), n_cells=("n_cells", "sum"), mean=("value", "mean"), sd=("value", "std")
    ).reset_index()
    n = table["n_sections"].to_numpy()
    half = table.pop("sd").to_numpy() / np.sqrt(n) * stats.t.ppf((1 + LEVEL) / 2, np.maximum(n - 1, 1))
    ends: list[Any] = [_POSSIBLE.get(kind, (-np.inf, np.inf)) for kind in table["kind"]]
    lowest, highest = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    table["low"] = np.maximum(table["mean"] - half, lowest)
    table["high"] = np.minimum(table["mean"] + half, highest)
    order = {pair: i for i, pair in enumerate(zip(sections["kind"], sections["name"], strict=True))}
    rank = [order[pair] for pair in zip(table["kind"], table["name"], strict=True)]
    return table.iloc[np.lexsort([table["from"].to_numpy(), np.array(rank)])].reset_index(drop=True)


def cells_in_bins(
    distance: Floats, section: NDArray[np.object_], *, width: float, reach: float
) -> pd.DataFrame:
    """Count the cells of each section and bin: ``section_id``, ``from``, ``to``, ``middle``, ``n_cells``."""
    place, there = bins(distance, width, reach)
    where = pd.DataFrame(
        {"section_id": np.asarray(section, dtype=object)[there].astype(str), "place": place[there]}
    )
    table = (
        where.value_counts(sort=False).rename("n_cells").reset_index().sort_values(["section_id", "place"])
    )
    edge = table.pop("place") * width
    table.insert(1, "from", edge)
    table.insert(2, "to", edge + width)
    table.insert(3, "middle", edge + width / 2)
    return table.reset_index(drop=True)


def nice_width(spacing: float) -> float:
    """Give a round width for bins: at least twice the distance between neighbouring cells."""
    if not 0 < spacing < np.inf:
        return 1.0
    power = 10 ** np.floor(np.log10(2 * spacing))
    steps = np.array([1, 2, 2.5, 5, 10]) * power
    return float(f"{steps[np.searchsorted(steps, 2 * spacing * (1 - 1e-9))]:.6g}")
