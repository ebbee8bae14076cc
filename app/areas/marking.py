"""Areas of a section that somebody marked, and the cells inside. Imports no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.bounds import FARTHEST
from squint.errors import InputError
from squint.geometry.regions import Cells, Polygon, Rectangle, Shape, load
from squint.parsing import check_values

MAX_VALUES = 500_000  # of R.json: a page holds what it marks, and draws it

Floats = NDArray[np.float64]


def read(path: Path, section: str) -> list[Shape]:
    """Read the regions of one section from R.json.

    Raises
    ------
    InputError
        If the file is no R.json, or names other sections only.
    """
    check_values(path.read_bytes(), "The file", MAX_VALUES)
    found = load(path)
    own = [region for region in found if region.section == section]
    if not own:
        others = ", ".join(sorted({region.section for region in found})[:5])
        raise InputError(
            f"The file marks nothing in section {section!r}, but in {others}. Choose that section, or name "
            "this one in the file."
        )
    return own


def rectangle(section: str, xs: Sequence[float], ys: Sequence[float]) -> Rectangle:
    """Mark a rectangle between any two x and any two y."""
    x, y = [_short(value) for value in sorted(xs)], [_short(value) for value in sorted(ys)]
    return Rectangle(section, x[0], x[-1], y[0], y[-1])


def drawn(event: Mapping[str, Any], section: str) -> list[Shape]:
    """Mark what was drawn on a map; nothing if that is no area."""
    corners = tuple((_short(float(x)), _short(float(y))) for x, y in event.get("polygon", ()))
    if len(set(corners)) < 3 or not (np.abs(corners) <= FARTHEST).all():
        return []
    if event.get("box"):
        xs, ys = zip(*corners, strict=True)
        return [rectangle(section, xs, ys)]
    return [Polygon(section, corners)]


def from_set(section: str, drawn: Sequence[Sequence[Floats]], names: Sequence[str]) -> list[Shape]:
    """Mark a cell set: by its outline where each part has one line around it, else by its cells."""
    if drawn and all(len(rings) == 1 for rings in drawn):
        return [Polygon(section, tuple((float(x), float(y)) for x, y in rings[0])) for rings in drawn]
    return [Cells(section, tuple(names))]


def inside(regions: Sequence[Shape], names: pd.Index, coordinates: Floats) -> NDArray[np.bool_]:
    """Mark the cells (n,) in any of the regions.

    Parameters
    ----------
    regions
        Regions of one section.
    names, coordinates
        The section's cells (n,), and where they are (n, 2 | 3).

    Raises
    ------
    InputError
        If a named cell is not there.
    """
    rng = np.random.default_rng(0)
    mask = np.zeros(len(names), dtype=bool)
    for region in regions:
        mask |= region.mask(names, coordinates, rng)
    return mask


def outlines(regions: Sequence[Shape]) -> list[Floats]:
    """Give the corners (k, 2) of each region that has a border."""
    return [region.outline for region in regions if region.outline is not None]


def area(outline: Floats) -> float:
    """Give the area within corners (k, 2), in the square of their unit."""
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def describe(regions: Sequence[Shape]) -> str:
    """Say in a few words what is marked."""
    words = "; ".join(region.words for region in regions[:3])
    return words + (f" and {len(regions) - 3} more" if len(regions) > 3 else "")


def _short(value: float) -> float:
    """Drop the digits that a mouse does not mean: at 1.2e7 um, as at 1, what is left is far below a cell."""
    return float(f"{value:.12g}")
