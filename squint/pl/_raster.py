"""Many cells as one picture, for print: text stays vector, files stay small, and no WebGL is needed."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.colors
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from squint.pl._frame import Frame

_STEPS = 240  # of a colour scale: with the colours of a legend fewer than the 256 of a small picture
_SHADES = np.round(np.linspace(0, 255, _STEPS)) / 255  # those that a scale of 256 colours has
_BORDERED = 8  # pixels across a polygon, from which on its border is drawn
_MOST_WRITES = 1_000_000_000  # pixels times cells: a second or two


@dataclass(frozen=True)
class Mark:
    """The pixels of a cell around its centre: a disc, a ring or a diamond."""

    radius: float
    hollow: bool = False
    diamond: bool = False

    @property
    def reach(self) -> int:
        """How many pixels it extends from the centre."""
        return math.ceil(self.radius)

    def covers(
        self, down: NDArray[np.int64], right: NDArray[np.int64], *, rim: bool = False
    ) -> NDArray[np.bool_]:
        """Say which pixels at distances from the centre belong to it, or to its border."""
        distance = np.abs(down) + np.abs(right) if self.diamond else np.hypot(down, right)
        width = max(1.5, self.radius / 5) if rim else max(1, self.radius / 4)
        inside = distance <= self.radius
        return np.asarray(inside & (distance > self.radius - width) if rim or self.hollow else inside)

    def pixels(self, *, rim: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give its pixels as distances (k,) down and right from the centre, the farthest first."""
        down, right = np.mgrid[-self.reach : self.reach + 1, -self.reach : self.reach + 1]
        covered = self.covers(down, right, rim=rim)
        down, right = down[covered], right[covered]
        outside_in = np.argsort(-(down**2 + right**2), kind="stable")
        return down[outside_in], right[outside_in]

    def wide(self, n_cells: int) -> bool:
        """Whether it is quicker to draw cell by cell than pixel by pixel."""
        return (2 * self.reach + 1) ** 2 > 10 * n_cells

    def block(
        self, row: int, column: int, shape: tuple[int, ...]
    ) -> tuple[tuple[slice, slice], NDArray[np.int64], NDArray[np.int64]]:
        """Give the part of a picture around a centre, and how far its rows (h, 1) and columns (1, w) are."""
        ends = [
            (max(0, at - self.reach), min(n, at + self.reach + 1))
            for at, n in zip((row, column), shape, strict=True)
        ]
        (top, bottom), (left, right) = ends
        part = slice(top, bottom), slice(left, right)
        return part, np.arange(top, bottom)[:, None] - row, np.arange(left, right)[None] - column


def mark_of(
    diameter: float, n_cells: int, longest: int, *, hollow: bool = False, diamond: bool = False
) -> Mark:
    """Give the mark of so many cells of a diameter in pixels, in a picture whose longer side is known."""
    most = max(1.0, math.sqrt(_MOST_WRITES / (math.pi * max(1, n_cells))))
    return Mark(min(max(1.0, diameter / 2), most, 2.0 * longest), hollow, diamond)


class Canvas:
    """A picture of one panel, ``n_pixels`` along its longer side, drawn cell by cell.

    Where cells of one call overlap, each pixel takes the colour of the nearest, in whatever order they come.
    """

    def __init__(self, frame: Frame, n_pixels: int, ground: tuple[int, int, int, int] = (0, 0, 0, 0)) -> None:
        self._frame = frame
        self._scale = n_pixels / max(frame.width, frame.height)
        shape = (max(1, round(frame.height * self._scale)), max(1, round(frame.width * self._scale)))
        self._codes = np.zeros(shape, dtype=np.uint8)  # one byte a pixel is written faster than four
        self._table = np.array([ground], dtype=np.uint8)  # colours by code; 0 is where nothing is drawn

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The picture (height, width, 4), of the colour of the ground where nothing is drawn."""
        packed = self._table.view(np.uint32)[:, 0][self._codes]
        return packed.view(np.uint8).reshape(*self._codes.shape, 4)

    @property
    def n_bytes(self) -> int:
        """How many bytes the picture takes in a PDF."""
        return len(zlib.compress(self._codes.tobytes()))

    def discs(
        self,
        centres: NDArray[np.float64],
        diameter: float,
        colours: NDArray[np.uint8],
        *,
        hollow: bool = False,
    ) -> None:
        """Draw discs at centres (n, 2), of a diameter in the unit of the frame, in colours (n, 3) or (3,)."""
        self._write(centres, self._mark(diameter, len(centres), hollow=hollow), colours)

    def diamonds(
        self,
        centres: NDArray[np.float64],
        diameter: float,
        colours: NDArray[np.uint8],
        border: NDArray[np.uint8],
    ) -> None:
        """Draw diamonds of a diagonal in the unit of the frame, with a border in one colour (3,)."""
        mark = self._mark(diameter, len(centres), diamond=True)
        self._write(centres, mark, colours)
        self._write(centres, mark, border, rim=True)

    def polygons(
        self,
        rings: Sequence[NDArray[np.float64]],
        colours: NDArray[np.uint8],
        border: NDArray[np.uint8],
        *,
        filled: bool = True,
    ) -> None:
        """Fill rings of corners (k, 2) in colours (n, 3) or (3,), with borders in one colour.

        Where a ring is a few pixels wide, the border alone would be seen of it: it has none.
        """
        fills = np.broadcast_to(self._encode(colours), len(rings)).tolist()
        edge = int(np.ravel(self._encode(border))[0]) if len(rings) else 0
        image = Image.fromarray(self._codes)
        draw = ImageDraw.Draw(image)
        corner = np.array([self._frame.left, self._frame.top])
        for ring, fill in zip(rings, fills, strict=True):
            at = (ring - corner) * self._scale
            wide = np.ptp(at, axis=0).max() >= _BORDERED
            outline = edge if wide else fill
            draw.polygon(np.floor(at).ravel().tolist(), fill=fill if filled else None, outline=outline)
        self._codes = np.array(image)

    def _mark(self, diameter: float, n_cells: int, **kind: bool) -> Mark:
        return mark_of(diameter * self._scale, n_cells, max(self._codes.shape), **kind)

    def _write(
        self, centres: NDArray[np.float64], mark: Mark, colours: NDArray[np.uint8], *, rim: bool = False
    ) -> None:
        """Colour the pixels of marks around centres, or of their borders."""
        corner = np.array([self._frame.left, self._frame.top])
        column, row = np.floor((centres[:, :2] - corner) * self._scale).T
        (height, width), reach = self._codes.shape, mark.reach
        seen = (row >= -reach) & (row < height + reach) & (column >= -reach) & (column < width + reach)
        row, column = row[seen].astype(np.intp), column[seen].astype(np.intp)
        codes = self._encode(colours)
        codes = codes[seen] if codes.ndim else np.broadcast_to(codes, len(row))
        draw = self._write_cells if mark.wide(len(row)) else self._write_pixels
        draw(row, column, mark, codes, rim=rim)

    def _write_cells(
        self,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        mark: Mark,
        codes: NDArray[np.uint8],
        *,
        rim: bool,
    ) -> None:
        """Draw one cell after the other, each where none is nearer."""
        nearest = np.full(self._codes.shape, np.inf, dtype=np.float32)
        for row, column, code in zip(rows.tolist(), columns.tolist(), codes, strict=True):
            part, down, right = mark.block(row, column, self._codes.shape)
            distance = (down**2 + right**2).astype(np.float32)
            nearer = mark.covers(down, right, rim=rim) & (distance < nearest[part])
            nearest[part][nearer] = distance[nearer]
            self._codes[part][nearer] = code

    def _write_pixels(
        self,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        mark: Mark,
        codes: NDArray[np.uint8],
        *,
        rim: bool,
    ) -> None:
        """Draw one pixel of all cells after the other, the farthest from the centre first."""
        margin = 2 * mark.reach  # cells at the edge need no care
        padded = np.pad(self._codes, margin)
        places = (rows + margin) * padded.shape[1] + columns + margin
        in_memory = np.argsort(places, kind="stable")  # neighbours in the picture are written together
        places, codes = places[in_memory], codes[in_memory]
        pixels = padded.reshape(-1)
        for down, right in zip(*mark.pixels(rim=rim), strict=True):
            pixels[places + (down * padded.shape[1] + right)] = codes
        self._codes = np.ascontiguousarray(padded[margin:-margin, margin:-margin])

    def _encode(self, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give the codes (n,) or () of colours (n, 3) or (3,), and take new ones into the table."""
        opaque = np.concatenate([colours, np.full((*colours.shape[:-1], 1), 255, np.uint8)], axis=-1)
        packed = np.ascontiguousarray(opaque).view(np.uint32)[..., 0]
        known = self._table.view(np.uint32)[:, 0]
        new = np.setdiff1d(packed, known)
        known = np.concatenate([known, new])
        if len(known) > 256:
            raise ValueError(f"a picture has at most 255 colours, not {len(known) - 1}")
        self._table = known.view(np.uint8).reshape(-1, 4)
        order = np.argsort(known)
        return order[np.searchsorted(known, packed, sorter=order)].astype(np.uint8)


def rgb(colour: str) -> NDArray[np.uint8]:
    """Give a colour name as (3,)."""
    return np.array(ImageColor.getrgb(colour)[:3], dtype=np.uint8)


def shades(values: NDArray[np.float64], low: float, high: float, palette: str) -> NDArray[np.uint8]:
    """Give the colours (n, 3) of values (n,) on a colour scale."""
    steps = np.clip((values - low) / (high - low) * (_STEPS - 1), 0, _STEPS - 1).astype(np.int64)
    return np.take(_table(palette), steps, axis=0)


@lru_cache(maxsize=8)
def _table(palette: str) -> NDArray[np.uint8]:
    scale = plotly.colors.sample_colorscale(palette, _SHADES, colortype="tuple")
    table: NDArray[np.uint8] = np.round(255 * np.array(scale)).astype(np.uint8)
    return table
