"""Areas of a section that somebody marked, as R.json holds them, and the cells inside. Imports no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError

if TYPE_CHECKING:
    from squint.geometry.regions import Region

Item = dict[str, Any]  # one region of R.json
Floats = NDArray[np.float64]


def read(path: Path, section: str) -> list[Item]:
    """Read the regions of one section from R.json.

    Raises
    ------
    InputError
        If the file is no R.json, or names other sections only.
    """
    from squint.geometry import regions  # noqa: PLC0415 - it imports anndata, which a page needs only here

    found = regions.load(path)
    own = [region for region in found if region.section == section]
    if not own:
        others = ", ".join(sorted({region.section for region in found})[:5])
        raise InputError(
            f"The file marks nothing in section {section!r}, but in {others}. Choose that section, or name "
            "this one in the file."
        )
    return [json.loads(json.dumps(asdict(region))) for region in own]  # type: ignore[call-overload]


def write(items: Sequence[Item]) -> str:
    """Write regions as R.json."""
    return json.dumps({"regions": list(items)}, indent=1)


def rectangle(section: str, xs: Sequence[float], ys: Sequence[float]) -> Item:
    """Mark a rectangle between any two x and any two y."""
    x, y = [_short(value) for value in sorted(xs)], [_short(value) for value in sorted(ys)]
    return {"section": section, "x0": x[0], "x1": x[-1], "y0": y[0], "y1": y[-1]}


def drawn(event: Mapping[str, Any], section: str) -> list[Item]:
    """Mark what was drawn on a map; nothing if that is no area."""
    corners = [[_short(float(x)), _short(float(y))] for x, y in event.get("polygon", ())]
    if len({tuple(corner) for corner in corners}) < 3 or not np.isfinite(corners).all():
        return []
    if event.get("box"):
        return [rectangle(section, *zip(*corners, strict=True))]
    return [{"section": section, "polygon": corners}]


def from_set(section: str, drawn: Sequence[Sequence[Floats]], names: Sequence[str]) -> list[Item]:
    """Mark a cell set: by its outline where each part has one line around it, else by its cells."""
    if drawn and all(len(rings) == 1 for rings in drawn):
        return [{"section": section, "polygon": rings[0].tolist()} for rings in drawn]
    return [{"section": section, "cells": list(names)}]


def inside(items: Sequence[Item], names: pd.Index, coordinates: Floats) -> NDArray[np.bool_]:
    """Mark the cells (n,) in any of the regions.

    Parameters
    ----------
    items
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
    for item in items:
        mask |= region(item).mask(names, coordinates, rng)
    return mask


def outlines(items: Sequence[Item]) -> list[Floats]:
    """Give the corners (k, 2) of each region that has a border."""
    found = []
    for item in items:
        if "x0" in item:
            x, y = [item["x0"], item["x1"]], [item["y0"], item["y1"]]
            found.append(np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]], dtype=np.float64))
        elif "polygon" in item:
            found.append(np.array(item["polygon"], dtype=np.float64))
    return found


def area(outline: Floats) -> float:
    """Give the area within corners (k, 2), in the square of their unit."""
    x, y = outline.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def describe(items: Sequence[Item]) -> str:
    """Say in a few words what is marked."""
    words = []
    for item in items[:3]:
        if "x0" in item:
            words.append(
                f"rectangle x {item['x0']:.4g} to {item['x1']:.4g}, y {item['y0']:.4g} to {item['y1']:.4g}"
            )
        elif "polygon" in item:
            words.append(f"polygon of {len(item['polygon'])} corners")
        elif "cells" in item:
            words.append(f"{len(item['cells']):,} named cells")
        elif "fraction" in item:
            words.append(f"{item['fraction']:.0%} of all cells at random")
        else:
            words.append(f"{len(item['points']):,} positions")
    return "; ".join(words) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def region(item: Item) -> "Region":
    """Give a region of R.json as squint knows it."""
    from squint.geometry import regions  # noqa: PLC0415 - it imports anndata, which a page needs only here

    kinds = (regions.Rectangle, regions.Polygon, regions.Cells, regions.Fraction, regions.Points)
    kind: Any = next(kind for kind in kinds if {field.name for field in fields(kind)} == set(item))
    return kind(**item)  # type: ignore[no-any-return]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
