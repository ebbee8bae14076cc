"""GeoJSON, as QuPath reads and writes it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from squint.errors import InputError
from squint.geometry.outlines import (
    MAX_BYTES,
    MAX_CORNERS,
    MAX_FEATURES,
    Floats,
    Outline,
    Polygon,
    as_ring,
    closed,
    hex_of,
    points_of,
)
from squint.parsing import parse_json


def read(content: bytes, name: str, *, pixel_size_um: float | None = None) -> list[Outline]:
    """Read outlines from GeoJSON, as QuPath writes it.

    Features of one name, or without a name of one class, are one outline.

    Parameters
    ----------
    content
        A FeatureCollection, or a list of Features, or one.
    name
        Of the file, for messages, and for features without a name or a class.
    pixel_size_um
        Micrometres per pixel, for a file that does not say its unit: QuPath's are pixels of the full image.
        Give 1 for one in um.

    Returns
    -------
    Outlines in um, or in the section's own unit where the file says that it is unknown.

    Raises
    ------
    InputError
        If the file is no GeoJSON, marks nothing, or does not say its unit and no ``pixel_size_um`` is given.

    References
    ----------
    RFC 7946; QuPath 0.5, ``qupath.lib.io.QuPathTypeAdapters`` and ``ROITypeAdapters``: coordinates are
    pixels with two decimals, origin top left; ``properties`` hold ``objectType``, ``name``,
    ``classification`` and, since 0.5, ``metadata``, the one place whose content QuPath hands on.
    """
    features, common = _features(content, name)
    found: dict[str, Outline] = {}
    n_corners = 0
    for number, feature in enumerate(features, start=1):
        where = f"Feature {number} of {name}"
        properties = feature.get("properties") or {}
        geometry = feature.get("geometry")
        if geometry is None:  # as the root of QuPath's hierarchy
            continue
        if not isinstance(properties, dict) or not isinstance(geometry, dict):
            raise InputError(f"{where} is no GeoJSON Feature. Export the objects from QuPath again.")
        scale = _scale([properties, properties.get("metadata"), common], pixel_size_um, where)
        polygons, points = _shapes(geometry, where)
        n_corners += sum(len(ring) for polygon in polygons for ring in polygon) + len(points)
        if n_corners > MAX_CORNERS:
            raise InputError(
                f"{name} has more than {MAX_CORNERS:,} corners. Export fewer objects, or simplify."
            )
        label, colour = _label(properties)
        label = label or Path(name).stem
        before = found.get(label, Outline(label))
        found[label] = Outline(
            label,
            (*before.polygons, *(tuple(ring * scale for ring in polygon) for polygon in polygons)),
            np.concatenate([before.points, points * scale]),
            before.colour or colour,
        )
    if not found:
        raise InputError(f"{name} marks nothing. Draw annotations in QuPath, and export them as GeoJSON.")
    return list(found.values())


def origin(content: bytes) -> str:
    """Give the sections that a file says it was made from, if squint wrote it.

    Parameters
    ----------
    content
        Of the file.

    Returns
    -------
    Their names as they were written, empty if the file names none.

    Raises
    ------
    InputError
        If it is no GeoJSON, or too large.
    """
    _, common = _features(content, "The file")
    stamp = common.get("squint") if isinstance(common, dict) else None
    said = stamp.get("Sections") if isinstance(stamp, dict) else None
    return said if isinstance(said, str) else ""


def _features(content: bytes, name: str) -> tuple[list[dict[str, Any]], Any]:
    """Give the features of a file, and what it says of all of them."""
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Export fewer objects.")
    found = parse_json(content, name, "Export it again as GeoJSON.")
    common = found.get("properties") if isinstance(found, dict) else None
    if isinstance(found, dict) and found.get("type") == "FeatureCollection":
        found = found.get("features")
    elif isinstance(found, dict) and found.get("type") == "Feature":
        found = [found]
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and item.get("type") == "Feature" for item in found
    ):
        raise InputError(
            f"{name} is no GeoJSON FeatureCollection. In QuPath, use File > Export objects as GeoJSON."
        )
    if len(found) > MAX_FEATURES:
        raise InputError(
            f"{name} has {len(found):,} features, and at most {MAX_FEATURES:,} are read. Export annotations "
            "only, without detections."
        )
    return found, common


def _scale(sources: Sequence[Any], pixel_size_um: float | None, where: str) -> float:
    """Give the um of one unit of a feature, by what is said nearest to it."""
    for said in sources:
        if not isinstance(said, dict) or said.get("unit") not in ("um", "px", "unknown"):
            continue
        if said["unit"] != "px":
            return 1.0
        try:
            size = float(said.get("pixel_size_um"))  # type: ignore[arg-type]
        except (TypeError, ValueError):
            size = math.nan
        return _checked(size, where)
    if pixel_size_um is None:
        raise InputError(
            f"{where} does not say its unit. QuPath writes pixels: say how many um a pixel is, or 1 for um."
        )
    return _checked(pixel_size_um, where)


def _checked(size: float, where: str) -> float:
    if not 0 < size <= 1_000:
        raise InputError(f"{where}: um per pixel must be a number above 0, such as 0.2125 for Xenium.")
    return size


def _shapes(geometry: Mapping[str, Any], where: str) -> tuple[list[Polygon], Floats]:
    """Give the polygons and the positions of a geometry."""
    kind, coordinates = str(geometry.get("type"))[:40], geometry.get("coordinates")
    if kind in {"Point", "MultiPoint"}:
        return [], points_of([coordinates] if kind == "Point" else coordinates, where)
    if kind not in {"Polygon", "MultiPolygon"}:
        raise InputError(
            f"{where} is a {kind}. Only Polygon, MultiPolygon, Point and MultiPoint mark cells: "
            "delete it, or export without it."
        )
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(parts, list) or not parts or not all(isinstance(part, list) and part for part in parts):
        raise InputError(f"{where} has no corners. Draw it again.")
    return [tuple(as_ring(ring, where) for ring in part) for part in parts], np.empty((0, 2))


def _label(properties: Mapping[str, Any]) -> tuple[str, str | None]:
    """Give name and colour of a feature: its own, or those of its class."""
    given = properties.get("classification")
    given = given if isinstance(given, dict) else {}
    parts = given.get("names")  # of a class derived from others
    joined = ": ".join(map(str, parts)) if isinstance(parts, list) else ""
    names = (properties.get("name"), given.get("name"), joined)
    colours = (properties.get("color"), given.get("color"), given.get("colorRGB"))
    return (
        next((str(text).strip() for text in names if isinstance(text, str) and text.strip()), ""),
        next((colour for colour in map(hex_of, colours) if colour), None),
    )


def write(
    outlines: Sequence[Outline],
    *,
    unit: str = "um",
    pixel_size_um: float | None = None,
    stamp: Mapping[str, str] | None = None,
) -> str:
    """Write outlines as GeoJSON that QuPath 0.5 imports.

    Parameters
    ----------
    outlines
        In ``unit``.
    unit
        ``"um"`` or ``"unknown"``.
    pixel_size_um
        Write pixels of so many um, as QuPath needs for an image.
    stamp
        Text by name, for the head of the file.

    Returns
    -------
    A FeatureCollection of annotations, one per outline that marks something. Its ``properties`` say
    ``"unit"`` and ``"pixel_size_um"``, and so does the ``metadata`` of each feature, which a file that
    QuPath writes still has.
    """
    scale = 1.0 if pixel_size_um is None else 1 / _checked(pixel_size_um, "The file")
    said: dict[str, Any] = {"unit": unit if pixel_size_um is None else "px"}
    if pixel_size_um is not None:
        said["pixel_size_um"] = pixel_size_um
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": {
                "objectType": "annotation",
                "name": outline.name,
                "classification": {"name": outline.name, "color": _rgb(outline.colour)},
                "isLocked": False,
                "metadata": {key: str(value) for key, value in said.items()},
            },
        }
        for outline in outlines
        for geometry in _geometries(outline, scale)
    ]
    head = {**said, **({"squint": dict(stamp)} if stamp else {})}
    return json.dumps({"type": "FeatureCollection", "properties": head, "features": features})


def _geometries(outline: Outline, scale: float) -> Iterator[dict[str, Any]]:
    parts = [[closed(ring * scale) for ring in polygon] for polygon in outline.polygons]
    if len(parts) == 1:
        yield {"type": "Polygon", "coordinates": parts[0]}
    elif parts:
        yield {"type": "MultiPolygon", "coordinates": parts}
    if len(outline.points):
        yield {"type": "MultiPoint", "coordinates": (outline.points * scale).tolist()}


def _rgb(colour: str | None) -> list[int]:
    digits = (colour or "#808080").lstrip("#")
    return [int(digits[at : at + 2], 16) for at in (0, 2, 4)]
