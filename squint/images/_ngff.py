"""Coordinate transformations of SpatialData and OME-NGFF, as 3 x 3 matrices on (x, y, 1)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError

Matrix = NDArray[np.float64]  # (3, 3)


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
            f"The place of the picture is given by a transformation ({str(kind)[:30]}) that is not read."
        ) from error
    if not np.isfinite(matrix).all():
        raise InputError("The place of the picture is given by numbers that are not finite.")
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


def _name_of(system: Any) -> str:
    return str(system.get("name", "")) if isinstance(system, Mapping) else str(system or "")


def _axes_of(system: Any) -> list[str]:
    if not isinstance(system, Mapping) or not isinstance(system.get("axes"), list):
        return []
    return [str(axis.get("name") if isinstance(axis, Mapping) else axis) for axis in system["axes"]]
