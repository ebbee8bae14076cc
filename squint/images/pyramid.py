"""Cut a picture into the tiles of a pyramid, each level half the one above, without holding it in memory."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from squint.images._picture import Box
from squint.images._shown import Shown

TILE = 512  # pixels to a side; those at the right and lower edge are cropped
_DEEP = 3  # a block is at most TILE << _DEEP pixels to a side
_BLOCK_BYTES = 96 * 2**20  # of a block, as stored


class Tile(NamedTuple):
    """A piece of a level. A pixel of level l covers exactly 2**l x 2**l pixels of the picture."""

    level: int  # 0 is full resolution
    column: int
    row: int
    pixels: NDArray[np.uint8]  # (rows, columns, 3 or 1)
    done: float  # share of the picture that is cut


def n_levels(width: int, height: int) -> int:
    """Count levels until one tile is enough.

    Parameters
    ----------
    width, height
        Of the picture, in pixels.

    Returns
    -------
    At least 1.
    """
    return max(0, (max(width, height) - 1) // TILE).bit_length() + 1


def tiles(shown: Shown) -> Iterator[Tile]:
    """Cut a picture into tiles, from its full resolution, in rows of blocks.

    A block is as high as what the file stores together, so that little is decoded twice. What is left of a
    row of blocks is halved into bands of the levels below, of which each holds one.

    Parameters
    ----------
    shown
        The picture in 8 bit.

    Yields
    ------
    Tile
        Each tile of each of the :func:`n_levels` levels once.
    """
    width, height = shown.levels[0].width, shown.levels[0].height
    last = n_levels(width, height) - 1
    deep = _depth(shown, last)
    size = TILE << deep
    columns = _columns(shown, size)
    bands = _Bands(last)
    for top in range(0, height, size):
        bottom = min(top + size, height)
        left_over = []
        for left in range(0, width, columns):
            right = min(left + columns, width)
            done = (top + (bottom - top) * right / width) / height
            pixels = shown.read(0, Box(left, top, right, bottom))
            for level in range(deep):
                yield from _cut(pixels, level, left >> level, top >> level, done)
                pixels = halve(pixels)
            left_over.append(pixels)
        band = left_over[0] if len(left_over) == 1 else np.concatenate(left_over, axis=1)
        yield from bands.add(band, deep, top // size, bottom / height, final=bottom == height)


class _Bands:
    """The upper half of a band of each level, waiting for the lower."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._waiting: dict[int, NDArray[np.uint8]] = {}

    def add(
        self, band: NDArray[np.uint8], level: int, row: int, done: float, *, final: bool
    ) -> Iterator[Tile]:
        """Cut a band, and those of lower levels that it completes."""
        while True:
            yield from _cut(band, level, 0, row * TILE, done)
            if level == self._last:
                return
            half, level = halve(band), level + 1
            if level in self._waiting:
                half = np.concatenate([self._waiting.pop(level), half])
            elif not final:
                self._waiting[level] = half
                return
            band, row = half, row // 2


def _depth(shown: Shown, last: int) -> int:
    """Choose how many levels are cut within a block: enough for it to hold a few of the stored pieces."""
    rows, columns = shown.levels[0].block
    wanted = rows if columns >= shown.levels[0].width else 4 * rows
    deep = 0
    while deep < min(_DEEP, last) and TILE << deep < wanted:
        deep += 1
    while deep and (TILE << deep) * _columns(shown, TILE << deep) * _bytes(shown) > _BLOCK_BYTES:
        deep -= 1
    return deep


def _columns(shown: Shown, size: int) -> int:
    """Choose the width of a block: all of it where the file stores whole rows."""
    level = shown.levels[0]
    return level.width if level.block[1] >= level.width else size


def _bytes(shown: Shown) -> int:
    pixel: NDArray[Any] = shown.levels[0].read(Box(0, 0, 1, 1), shown.channels)
    return pixel.nbytes


def _cut(pixels: NDArray[np.uint8], level: int, left: int, top: int, done: float) -> Iterator[Tile]:
    for y in range(0, pixels.shape[0], TILE):
        for x in range(0, pixels.shape[1], TILE):
            piece = pixels[y : y + TILE, x : x + TILE]
            yield Tile(level, (left + x) // TILE, (top + y) // TILE, piece, done)


def halve(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average squares of 2 x 2 pixels; at an odd edge, the last pixels count twice."""
    rows, columns = pixels.shape[:2]
    if rows % 2 or columns % 2:
        pixels = np.pad(pixels, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")
    total = pixels[0::2, 0::2].astype(np.uint16)
    for y, x in ((0, 1), (1, 0), (1, 1)):
        total += pixels[y::2, x::2]
    total += 2  # rounds
    total >>= 2
    return total.astype(np.uint8)
