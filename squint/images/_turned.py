"""Pictures as they are meant to be seen: turned as the file notes, on white where they are clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.images._picture import Box, Level

UPRIGHT = 1
_MIRRORED_X, _MIRRORED_Y, _SWAPPED = {2, 3, 6, 7}, {3, 4, 7, 8}, {5, 6, 7, 8}  # of Orientation in TIFF 6.0


@dataclass(frozen=True)
class TurnedLevel:
    """A level whose rows and columns are swapped, mirrored, or both."""

    level: Level
    orientation: int  # as in TIFF 6.0 and EXIF: 1 to 8

    @property
    def is_swapped(self) -> bool:
        """Whether stored rows are columns."""
        return self.orientation in _SWAPPED

    @property
    def width(self) -> int:
        """Columns."""
        return self.level.height if self.is_swapped else self.level.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.level.width if self.is_swapped else self.level.height

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a tile or strip."""
        rows, columns = self.level.block
        return (columns, rows) if self.is_swapped else (rows, columns)

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region."""
        left, top, right, bottom = box
        if self.orientation in _MIRRORED_X:
            left, right = self.width - right, self.width - left
        if self.orientation in _MIRRORED_Y:
            top, bottom = self.height - bottom, self.height - top
        stored = Box(top, left, bottom, right) if self.is_swapped else Box(left, top, right, bottom)
        pixels = self.level.read(stored, channels)
        if self.is_swapped:
            pixels = pixels.transpose(1, 0, 2)
        if self.orientation in _MIRRORED_X:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(pixels[::-1] if self.orientation in _MIRRORED_Y else pixels)


@dataclass(frozen=True)
class LevelOnWhite:
    """A level of red, green, blue and opacity, seen on white: three channels."""

    level: Level
    weighted: bool = False  # colours are multiplied by the opacity already

    @property
    def width(self) -> int:
        """Columns."""
        return self.level.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.level.height

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a tile, strip or chunk."""
        return self.level.block

    def read(self, box: Box, channels: Sequence[int]) -> NDArray[Any]:
        """Read a region."""
        pixels = self.level.read(box, (*channels, 3))
        return on_white(pixels[:, :, :-1], pixels[:, :, -1:], weighted=self.weighted)


def on_white(colours: NDArray[Any], opacity: NDArray[Any], *, weighted: bool = False) -> NDArray[Any]:
    """Lay colours (rows, columns, k) of some opacity (rows, columns, 1) on white."""
    whole = float(np.iinfo(colours.dtype).max) if colours.dtype.kind in "ui" else 1.0
    share = np.clip(opacity / whole, 0, 1)
    seen = (colours if weighted else colours * share) + whole * (1 - share)
    if colours.dtype.kind in "ui":
        seen = np.clip(seen, 0, whole).round()
    return np.asarray(seen, dtype=colours.dtype)
