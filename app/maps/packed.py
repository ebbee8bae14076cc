"""What a map shows, in a folder: a page leaves it there, and a worker draws it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.maps.state import MapState
from squint import pl

_FACTS, _ARRAYS = "map.json", "map.npz"


class Packed(NamedTuple):
    """A map as the worker finds it."""

    panels: Sequence[pl.Panel]
    scale: pl.Continuous | pl.Categories
    seen: MapState  # what the reader set
    heights: Sequence[NDArray[np.float64]]  # of each panel or of its cells (n,), where they form a stack
    facts: Mapping[str, Any]  # what else was left, as JSON


def pack(
    folder: Path,
    panels: Sequence[pl.Panel],
    scale: pl.Continuous | pl.Categories,
    seen: MapState,
    heights: Sequence[float | NDArray[Any]] = (),
    **facts: object,
) -> None:
    """Leave a map in an empty folder, with ``facts`` that are JSON."""
    arrays: dict[str, Any] = {}
    packed = [_pack(i, panel, arrays) for i, panel in enumerate(panels)]
    arrays |= {f"height{i}": np.asarray(height, dtype=np.float64) for i, height in enumerate(heights)}
    np.savez(folder / _ARRAYS, **arrays)
    kind = {"kind": type(scale).__name__, **asdict(scale)}
    said = {**facts, "panels": packed, "scale": kind, "state": asdict(seen)}
    (folder / _FACTS).write_text(json.dumps(said))


def unpack(folder: Path) -> Packed:
    """Find the map that :func:`pack` left in a folder."""
    facts = json.loads((folder / _FACTS).read_text())
    with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
        panels = [_unpack(i, panel, arrays) for i, panel in enumerate(facts["panels"])]
        heights = [arrays[f"height{i}"] for i in range(len(panels)) if f"height{i}" in arrays]
    return Packed(panels, _scale(facts["scale"]), MapState.load(facts["state"]), heights, facts)


def _pack(i: int, panel: pl.Panel, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put the cells of a panel among the arrays, and give the rest of it."""
    arrays[f"coordinates{i}"] = panel.coordinates[:, :2]
    facts: dict[str, Any] = {"title": panel.title, "unit": panel.unit, "missing_name": panel.missing_name}
    facts["outlines"] = [np.asarray(corners).tolist() for corners in panel.outlines]
    if panel.imputed is not None:
        arrays[f"imputed{i}"] = panel.imputed
    if panel.numeric:
        arrays[f"values{i}"] = panel.values
    else:
        arrays[f"codes{i}"] = panel.labels.codes
        facts["labels"] = list(panel.labels.categories)
    return facts


def _unpack(i: int, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> pl.Panel:
    values: Any
    if "labels" in facts:
        labels = pd.Index(facts["labels"], dtype=object)
        values = pd.Categorical.from_codes(arrays[f"codes{i}"], categories=labels)
    else:
        values = arrays[f"values{i}"]
    return pl.Panel(
        facts["title"],
        arrays[f"coordinates{i}"],
        values,
        facts["unit"],
        imputed=arrays.get(f"imputed{i}"),
        missing_name=facts["missing_name"],
        outlines=[np.array(corners) for corners in facts["outlines"]],
    )


def _scale(facts: Mapping[str, Any]) -> pl.Continuous | pl.Categories:
    given: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()
    }
    kind = given.pop("kind")
    return pl.Categories(**given) if kind == "Categories" else pl.Continuous(**given)
