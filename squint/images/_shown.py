"""Pixels as they are shown: 8 bit, colour as it is, one channel white on black."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import InputError
from squint.images._picture import Box, Level, Picture

PERCENTILES = (1.0, 99.8)  # of a channel: black and white
_SAMPLE = 256  # pixels to a side of the pieces looked at
_PIECES = 12  # to a side, at most


@dataclass(frozen=True)
class Shown:
    """A picture, or one channel of it, in 8 bit."""

    picture: Picture
    channels: tuple[int, ...]
    window: tuple[float, float]  # the values that become 0 and 255

    @property
    def grey(self) -> bool:
        """Whether there is one channel only."""
        return len(self.channels) == 1

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its resolutions."""
        return self.picture.levels

    def read(self, level: int, box: Box) -> NDArray[np.uint8]:
        """Read a region (rows, columns, 3 or 1)."""
        pixels = self.levels[level].read(box, self.channels)
        low, high = self.window
        if pixels.dtype == np.uint8 and (low, high) == (0.0, 255.0):
            return pixels
        scaled = pixels.astype(np.float32)
        scaled -= low
        scaled *= 255.0 / (high - low)
        np.nan_to_num(scaled, copy=False, nan=0.0)
        return np.clip(scaled, 0.0, 255.0).round().astype(np.uint8)


def show(picture: Picture, channel: int = 0) -> Shown:
    """Choose what is shown of a picture.

    Parameters
    ----------
    picture
        The picture.
    channel
        Which channel, where the picture is no colour picture.

    Returns
    -------
    The picture in 8 bit: its colours, or the channel from black to white between its percentiles 1 and 99.8.

    Raises
    ------
    InputError
        If there is no such channel.
    """
    if picture.is_rgb:
        return Shown(picture, (0, 1, 2), _colour_window(picture))
    if not 0 <= channel < picture.n_channels:
        raise InputError(f"There is no channel {channel + 1}: the picture has {picture.n_channels}.")
    values = np.concatenate([piece.ravel() for piece in _pieces(picture, (channel,))]).astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, PERCENTILES) if len(values) else (0.0, 0.0)
    return Shown(picture, (channel,), (float(low), float(max(high, low + _least_step(values)))))


def _least_step(values: NDArray[np.float64]) -> float:
    """Give a width for the window of an even picture, which is then black."""
    return max(float(np.abs(values).max()) * 1e-6, 1e-6) if len(values) else 1.0


def _colour_window(picture: Picture) -> tuple[float, float]:
    """Scale colours by one factor, so that no hue changes: by the bits that are used of more than eight."""
    first = picture.levels[-1].read(Box(0, 0, 1, 1), (0,))
    if first.dtype == np.uint8:
        return 0.0, 255.0
    most = max(float(np.nan_to_num(piece).max(initial=0)) for piece in _pieces(picture, (0, 1, 2)))
    if first.dtype.kind == "f" and most <= 1.0:
        return 0.0, 1.0
    return 0.0, 2.0 ** max(8, ceil(log2(most + 1))) - 1


def _pieces(picture: Picture, channels: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """Read pieces spread evenly over the smallest level: all of it, if it is small."""
    level = picture.levels[-1]
    tops = _spread(level.height)
    for top in tops:
        for left in _spread(level.width):
            box = Box(left, top, min(left + _SAMPLE, level.width), min(top + _SAMPLE, level.height))
            yield level.read(box, channels)


def _spread(length: int) -> list[int]:
    starts = range(0, length, _SAMPLE)
    return [starts[int(i)] for i in np.linspace(0, len(starts) - 1, min(len(starts), _PIECES))]
