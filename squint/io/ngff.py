"""Coordinate transformations of SpatialData and OME-NGFF, as 3 x 3 matrices on (x, y, 1)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError

Matrix = NDArray[np.float64]  # (3, 3)
UNITS = {"micrometer": 1.0, "micrometre": 1.0, "micron": 1.0, "um": 1.0, "\u00b5m": 1.0, "\u03bcm": 1.0,
         "millimeter": 1000.0, "mm": 1000.0, "nanometer": 0.001, "nm": 0.001}  # fmt: skip


def to_system(transformations: Any, system: str, axes: Sequence[str]) -> Matrix | None:
    """Give the transformation to a coordinate system, such as ``"global"``; ``None`` if there is none.

    Parameters
    ----------
    transformations
        The list ``coordinateTransformations`` of an element.
    system
        Name of the coordinate system.
    axes
        Names of the element's axes, where a transformation does not name its own.

    Raises
    ------
    InputError
        If it is of a kind that is not read, or broken.
    """
    for one in transformations if isinstance(transformations, list) else []:
        if isinstance(one, Mapping) and _name_of(one.get("output")) == system:
            return matrix_of(one, axes)
    return None


def systems(transformations: Any) -> dict[str, float | None]:
    """Name the coordinate systems that an element has a place in.

    Parameters
    ----------
    transformations
        The list ``coordinateTransformations`` of an element.

    Returns
    -------
    Micrometres of a unit of each, where its axes state it, by name.
    """
    found = {}
    for one in transformations if isinstance(transformations, list) else []:
        if isinstance(one, Mapping) and (name := _name_of(one.get("output"))):
            found[name] = um_of_axes(_parts(one.get("output")).get("axes"))
            if found[name] is None and one.get("type") == "identity":
                found[name] = um_of_axes(_parts(one.get("input")).get("axes"))
    return found


def um_of_axes(axes: Any) -> float | None:
    """Give the micrometres of a unit of axes x and y, where both state the same."""
    stated = {
        str(axis.get("unit"))
        for axis in (axes if isinstance(axes, list) else [])
        if isinstance(axis, Mapping) and axis.get("name") in {"x", "y"}
    }
    return UNITS.get(stated.pop()) if len(stated) == 1 else None


def matrix_of(transformation: Mapping[str, Any], axes: Sequence[str], depth: int = 0) -> Matrix:
    """Give a transformation as a matrix on x and y; what it does to other axes is left out."""
    source = _axes_of(transformation.get("input")) or list(axes)
    target = _axes_of(transformation.get("output")) or source
    kind = transformation.get("type")
    try:
        if depth > 8:
            raise ValueError  # noqa: TRY301 - said below
        if kind == "sequence":
            matrix = np.eye(3)
            for part in transformation["transformations"]:
                matrix = matrix_of(part, source, depth + 1) @ matrix
                source = _axes_of(part.get("output")) or source
        else:
            matrix = _simple(kind, transformation, source, target)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"A place is given by a transformation ({str(kind)[:30]}) that is not read."
        ) from error
    if not np.isfinite(matrix).all():
        raise InputError("A place is given by numbers that are not finite.")
    return matrix


def _simple(kind: Any, one: Mapping[str, Any], source: Sequence[str], target: Sequence[str]) -> Matrix:
    matrix = np.eye(3)
    if kind == "identity":
        return matrix
    at = [source.index("x"), source.index("y")]
    if kind == "scale":
        matrix[[0, 1], [0, 1]] = np.asarray(one["scale"], dtype=np.float64)[at]
    elif kind == "translation":
        matrix[[0, 1], 2] = np.asarray(one["translation"], dtype=np.float64)[at]
    elif kind == "affine":
        full = np.asarray(one["affine"], dtype=np.float64)
        if full.ndim != 2 or full.shape[1] != len(source) + 1:
            raise ValueError
        matrix[:2] = full[[target.index("x"), target.index("y")]][:, [*at, -1]]
    elif kind == "mapAxis":
        for row, axis in enumerate("xy"):
            matrix[row, :2] = [one["mapAxis"][axis] == name for name in "xy"]
    else:
        raise ValueError
    return matrix


def _parts(system: Any) -> Mapping[str, Any]:
    return system if isinstance(system, Mapping) else {}


def _name_of(system: Any) -> str:
    return str(system.get("name", "")) if isinstance(system, Mapping) else str(system or "")


def _axes_of(system: Any) -> list[str]:
    if not isinstance(system, Mapping) or not isinstance(system.get("axes"), list):
        return []
    return [str(axis.get("name") if isinstance(axis, Mapping) else axis) for axis in system["axes"]]
