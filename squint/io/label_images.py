"""Centres of cells in an image of their numbers, a block at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io.ngff import matrix_of
from squint.io.shapes import moved
from squint.io.zarr_group import Group
from squint.io.zarr_store import Store

ENOUGH_PIXELS = 10**8  # of a level to begin with; finer ones are read only where cells are lost in it
MAX_PIXELS = 4 * 10**9
BLOCK = 4_000  # pixels along each side of what is read at once, if chunks are not larger


def centres(store: Store, element: str, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Find the centres of cells in an image of labels.

    Parameters
    ----------
    store
        The store, which was looked through.
    element
        Its folder: ``"labels/cells"``.
    numbers
        (n,) of the cells in the image.

    Returns
    -------
    (n, 2) x and y in pixels of full resolution, where the middle of the first pixel is .5; NaN of cells that
    are not in the image.

    Raises
    ------
    InputError
        If the image is missing, damaged, too large, or has other axes than y and x.
    """
    where = f"{store.name}: {element}"
    scales = multiscales_of(store.attributes(element))
    axes = [str(axis.get("name") if isinstance(axis, Mapping) else axis) for axis in scales.get("axes", [])]
    if axes != ["y", "x"]:
        raise InputError(f"{where} is no image of labels with axes y and x.")
    with store.open(element) as group:
        levels = scales["datasets"]
        sizes = [int(np.prod(group.node(str(level["path"])).shape, dtype=object)) for level in levels]
        order = [i for i in sorted(range(len(levels)), key=lambda i: sizes[i]) if sizes[i] <= MAX_PIXELS]
        if not order:
            raise InputError(
                f"{where} has {min(sizes, default=0):,} pixels, which are more than are read here."
            )
        first = max((at for at, i in enumerate(order) if sizes[i] <= ENOUGH_PIXELS), default=0)
        found = np.full((len(numbers), 2), np.nan)
        for i in order[first:]:
            if np.isfinite(found).all():
                break
            matrix = np.eye(3)
            for one in levels[i].get("coordinateTransformations") or []:
                matrix = matrix_of(one, axes) @ matrix
            found = moved(_centres(group, str(levels[i]["path"]), numbers, where), matrix)
    return found


def multiscales_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the description of a picture's resolutions, of either version; empty where there is none."""
    inside = attributes.get("ome", attributes)
    scales = inside.get("multiscales") if isinstance(inside, Mapping) else None
    return scales[0] if isinstance(scales, list) and scales and isinstance(scales[0], Mapping) else {}


def _centres(group: Group, path: str, numbers: NDArray[np.int64], where: str) -> NDArray[np.float64]:
    array: Any = group[path]
    if array.dtype.kind not in "ui" or array.ndim != 2:
        raise InputError(f"{where} holds no whole numbers. Write it again with spatialdata.")
    order = np.argsort(numbers, kind="stable")
    wanted = numbers[order]
    sums = np.zeros((3, len(numbers)))  # pixels, and the sums of their x and y
    steps = [max(1, BLOCK // chunk) * chunk for chunk in array.chunks]
    for top in range(0, array.shape[0], steps[0]):
        for left in range(0, array.shape[1], steps[1]):
            block = np.asarray(array[top : top + steps[0], left : left + steps[1]])
            rows, columns = np.nonzero(block)
            labels = block[rows, columns].astype(np.int64)
            at = np.minimum(np.searchsorted(wanted, labels), len(wanted) - 1)
            hit = wanted[at] == labels
            np.add.at(sums[0], at[hit], 1)
            np.add.at(sums[1], at[hit], left + columns[hit] + 0.5)
            np.add.at(sums[2], at[hit], top + rows[hit] + 0.5)
    first = np.searchsorted(wanted, wanted)  # of cells with one number, sums are those of the first
    with np.errstate(invalid="ignore"):
        middle = (sums[1:, first] / sums[0, first]).T
    found = np.empty((len(numbers), 2))
    found[order] = middle
    return found
