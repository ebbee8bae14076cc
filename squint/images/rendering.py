"""What is seen of a picture in a window of the section, for print."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from squint.errors import InputError
from squint.images._picture import Box
from squint.images.placing import Affine, apply, compose, invert, scaling

if TYPE_CHECKING:
    from squint.pl import View

MAX_SIZE = 20_000  # pixels to a side of what is rendered
Read = Callable[[int, Box], NDArray[np.uint8]]  # level and box -> (rows, columns, 3 or 1)


class Rendered(NamedTuple):
    """A picture of a window."""

    pixels: NDArray[np.uint8]  # (height, width, 4): red, green, blue, and 0 where there is no picture
    affine: Affine  # from its own (column, row) to the coordinates of the section


def render(
    read: Read, sizes: Sequence[tuple[int, int]], affine: ArrayLike, view: "View", size: tuple[int, int]
) -> Rendered:
    """Draw what is seen of a picture in a window of the section.

    Parameters
    ----------
    read
        Gives a region of a level in 8 bit, such as :meth:`squint.images.Shown.read`.
    sizes
        Width and height of each level, full resolution first.
    affine
        From full-resolution pixels to the coordinates of the section.
    view
        The window, which may be mirrored and turned.
    size
        Width and height of what is drawn, in pixels.

    Returns
    -------
    The pixels, transparent where there is no picture, and their affine.

    Raises
    ------
    InputError
        If it would be larger than 20,000 pixels to a side.
    """
    if not 0 < min(size) <= max(size) <= MAX_SIZE:
        raise InputError(f"At most {MAX_SIZE:,} pixels to a side can be drawn.")
    placed = _affine_of(view, size)
    to_full = compose(invert(affine), placed)  # from drawn to full-resolution pixels
    level = _choose(sizes, to_full)
    full, own = np.array(sizes[0], dtype=np.float64), np.array(sizes[level], dtype=np.float64)
    ratio = _halvings(full, own)
    to_level = compose(scaling(*(1 / ratio)), to_full)
    box = _box(to_level, size, sizes[level])
    if box is None:
        return Rendered(np.zeros((size[1], size[0], 4), dtype=np.uint8), placed)
    region = read(level, box)
    colours = np.broadcast_to(region, (*region.shape[:2], 3))
    opaque = np.full((*region.shape[:2], 1), 255, dtype=np.uint8)
    picture = Image.fromarray(np.concatenate([colours, opaque], axis=2), "RGBA")
    within = compose(scaling(1, 1, -box.left, -box.top), to_level)
    drawn = picture.transform(
        size, Image.Transform.AFFINE, tuple(within.ravel().tolist()), Image.Resampling.BILINEAR
    )
    return Rendered(np.asarray(drawn), placed)


def _affine_of(view: "View", size: tuple[int, int]) -> Affine:
    """Lead from drawn pixels to the section."""
    corners = np.array([[0.0, 0.0], [view.width, 0.0], [0.0, view.height]])
    origin, right, down = view.locate(corners)
    return np.column_stack([(right - origin) / size[0], (down - origin) / size[1], origin])


def _choose(sizes: Sequence[tuple[int, int]], to_full: Affine) -> int:
    """Choose the smallest level that has a pixel for each drawn one."""
    drawn = min(np.linalg.norm(to_full[:, :2], axis=0))
    fine = [i for i, size in enumerate(sizes) if sizes[0][0] / size[0] <= drawn * 1.01]
    return max(fine, default=0)


def _halvings(full: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give full-resolution pixels per pixel: a power of two where the level was made by halving."""
    power = 2.0 ** np.round(np.log2(full / own))
    return np.where((np.ceil(full / power) == own).all(), power, full / own)


def _box(to_level: Affine, drawn: tuple[int, int], level: tuple[int, int]) -> Box | None:
    corners = np.array([[0, 0], [drawn[0], 0], [0, drawn[1]], drawn], dtype=np.float64)
    points = apply(to_level, corners)
    low = np.clip(np.floor(points.min(axis=0)) - 1, 0, level).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, 0, level).astype(int)
    return Box(*map(int, (*low, *high))) if (high > low).all() else None
