"""Areas of a section that somebody marked, and the cells inside. Imports no torch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.cell_sets.drawn import MAX_POSTED, QUICK_COMPARED, QUICK_CORNERS
from squint.bounds import FARTHEST
from squint.errors import InputError
from squint.geometry import outlines as shapes
from squint.geometry.outlines import LaboriousError
from squint.geometry.regions import Cells, Fraction, Polygon, Rectangle, Shape

MAX_REGIONS = 1_000  # a page holds what it marks, and draws it
MAX_CORNERS = 20_000  # of all of them
MAX_NAMED = 500_000  # cells that are marked by name
_QUICK_REGIONS, _QUICK_CELLS = 20, 20_000

Floats = NDArray[np.float64]


def rectangle(section: str, xs: Sequence[float], ys: Sequence[float]) -> Rectangle:
    """Mark a rectangle between any two x and any two y."""
    x, y = [_short(value) for value in sorted(xs)], [_short(value) for value in sorted(ys)]
    return Rectangle(section, x[0], x[-1], y[0], y[-1])


def drawn(event: Mapping[str, Any], section: str) -> list[Shape]:
    """Mark what was drawn on a map; nothing if that is no area."""
    posted = event.get("polygon", ())
    if len(posted) > MAX_POSTED:
        return []
    corners = tuple((_short(float(x)), _short(float(y))) for x, y in posted)
    if len(set(corners)) < 3 or not (np.abs(corners) <= FARTHEST).all():
        return []
    if event.get("box"):
        xs, ys = zip(*corners, strict=True)
        return [rectangle(section, xs, ys)]
    ring = shapes.simplified(np.array(corners))
    return [Polygon(section, tuple((float(x), float(y)) for x, y in ring))]


def check(regions: Sequence[Shape]) -> None:
    """Refuse more than a page can hold and draw.

    Raises
    ------
    InputError
        If there is more.
    """
    n_corners = sum(len(region.polygon) for region in regions if isinstance(region, Polygon))
    n_named = sum(len(region.cells) for region in regions if isinstance(region, Cells))
    if len(regions) > MAX_REGIONS or n_corners > MAX_CORNERS or n_named > MAX_NAMED:
        raise InputError(
            f"That is more than {MAX_REGIONS:,} areas, {MAX_CORNERS:,} corners or {MAX_NAMED:,} cells by "
            "name. Mark less at a time, or use the command `squint inpaint`."
        )


def from_set(section: str, drawn: Sequence[Sequence[Floats]], names: Sequence[str]) -> list[Shape]:
    """Mark a cell set: by its outline where each part has one line around it, else by its cells."""
    if drawn and all(len(rings) == 1 for rings in drawn):
        return [Polygon(section, tuple((float(x), float(y)) for x, y in rings[0])) for rings in drawn]
    return [Cells(section, tuple(names))]


def inside(
    regions: Sequence[Shape], names: pd.Index, coordinates: Floats, *, most: int = shapes.MAX_COMPARED
) -> NDArray[np.bool_]:
    """Mark the cells (n,) in any of the regions.

    Parameters
    ----------
    regions
        Regions of one section.
    names, coordinates
        The section's cells (n,), and where they are (n, 2 | 3).
    most
        Pairs of an edge of a polygon and a cell beside it that are compared.

    Raises
    ------
    InputError
        If a named cell is not there, or polygons run up and down past too many cells.
    """
    rng = np.random.default_rng(0)
    polygons = [(region.outline,) for region in regions if isinstance(region, Polygon)]
    mask = shapes.inside(polygons, coordinates, most=most)
    for region in regions:
        if not isinstance(region, Polygon):
            mask |= region.mask(names, coordinates, rng)
    return mask


def count_quickly(regions: Sequence[Shape], names: pd.Index, coordinates: Floats) -> int:
    """Count the cells in any of the regions, if that takes a fraction of a second.

    Raises
    ------
    LaboriousError
        If it would take longer.
    InputError
        As :func:`inside` does.
    """
    n_corners = sum(len(region.polygon) for region in regions if isinstance(region, Polygon))
    by_name = any(isinstance(region, Cells | Fraction) for region in regions)
    if len(regions) > _QUICK_REGIONS or n_corners > QUICK_CORNERS or (by_name and len(names) > _QUICK_CELLS):
        raise LaboriousError("It takes a while to count the cells of so many areas.")
    return int(inside(regions, names, coordinates, most=QUICK_COMPARED).sum())


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
