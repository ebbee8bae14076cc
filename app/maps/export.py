"""Maps on their way out, as the reader sees them: what a page leaves to the worker, which draws it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.exports.stamp import footer
from app.maps.state import MapState, read_state
from app.maps.views import MapView
from squint import pl

_ONE_LINE = 1_000_000  # letters: the page breaks lines where they do not fit


def write_map(
    folder: Path,
    view: MapView,
    state: Mapping[str, Any],
    marks: Mapping[str, str],
    pictures: Sequence[pl.Picture | None] = (),
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
    pictures, outlines
        What lies below the cells of each panel, and around them.
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
    arrays: dict[str, Any] = {}
    panels = [_pack(i, panel, arrays) for i, panel in enumerate(view.panels)]
    shown = [picture if picture is not None and seen.opacity else None for picture in pictures]
    for i, picture in enumerate(shown):
        if picture is not None:
            arrays[f"picture{i}"], arrays[f"affine{i}"] = picture.pixels, picture.affine
    arrays |= {f"height{i}": np.asarray(height, dtype=np.float64) for i, height in enumerate(heights)}
    np.savez(folder / "map.npz", **arrays)
    facts = {
        "page": asdict(pl.Page(marks["Title"], marks["Cells"], footer(marks, _ONE_LINE))),
        "panels": panels,
        "scale": {"kind": type(view.scale).__name__, **asdict(view.scale)},
        "state": asdict(seen),
        "pictures": [picture is not None for picture in shown],
        "outlines": [[[name, colour, np.asarray(at).tolist()] for name, colour, at in o] for o in outlines],
    }
    (folder / "map.json").write_text(json.dumps(facts))


def _pack(i: int, panel: pl.Panel, arrays: dict[str, Any]) -> dict[str, Any]:
    """Put the cells of a panel among the arrays, and give the rest of it."""
    arrays[f"coordinates{i}"] = panel.coordinates[:, :2]
    facts: dict[str, Any] = {"title": panel.title, "unit": panel.unit, "missing_name": panel.missing_name}
    facts["outlines"] = [np.asarray(corners).tolist() for corners in panel.outlines]
    if panel.imputed is not None:
        arrays[f"imputed{i}"] = panel.imputed
    if panel.values.dtype.kind in "fiu":
        arrays[f"values{i}"] = panel.values
    else:
        labels = pd.Categorical(panel.values)
        arrays[f"codes{i}"] = np.where(panel.missing, -1, labels.codes)
        facts["labels"] = [str(label) for label in labels.categories]
    return facts


def draw_map(folder: Path, kind: pl.Kind, stamp: Mapping[str, str], dpi: int = 300) -> Path:
    """Turn the map in a folder into ``figure.KIND``, the stamp in its metadata.

    Parameters
    ----------
    folder
        Where :func:`write_map` left the map and the file will be.
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.
    stamp
        Text by name.
    dpi
        Dots per inch.
    """
    facts = json.loads((folder / "map.json").read_text())
    seen = MapState.load(facts["state"])
    with np.load(folder / "map.npz", allow_pickle=False) as arrays:
        panels = [_unpack(i, panel, arrays) for i, panel in enumerate(facts["panels"])]
        pictures = [
            pl.Picture(arrays[f"picture{i}"], arrays[f"affine{i}"], seen.opacity) if there else None
            for i, there in enumerate(facts["pictures"])
        ]
        heights = [arrays[f"height{i}"] for i in range(len(panels)) if f"height{i}" in arrays]
    outlines = [[pl.Outline(name, colour, np.array(at)) for name, colour, at in o] for o in facts["outlines"]]
    scale, look = seen.scale(_scale(facts["scale"])), seen.look()
    page = pl.Page(**{**facts["page"], "metadata": stamp})
    if heights:
        orbit = seen.orbit or pl.Orbit()
        drawn = pl.print_stack(panels, scale, heights, orbit, page, look, kind=kind, dpi=dpi)
    else:
        look = replace(look, pictures=pictures, outlines=outlines)
        drawn = pl.print_map(panels, scale, seen.views, page, look, kind=kind, dpi=dpi)
    path = folder / f"figure.{kind}"
    path.write_bytes(drawn)
    return path


def _unpack(i: int, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> pl.Panel:
    values: Any
    if "labels" in facts:
        values = np.array([*facts["labels"], None], dtype=object)[arrays[f"codes{i}"]]  # -1 is the last
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
