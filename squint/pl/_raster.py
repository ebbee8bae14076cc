"""Many cells as one picture, for print: text stays vector, files stay small, and no WebGL is needed."""

import base64
import io
import math
import zlib
from typing import Any

import numpy as np
import plotly.colors
from numpy.typing import NDArray
from PIL import Image, ImageColor

from squint.pl._frame import Frame

_STEPS = 240  # of a colour scale: with the colours of a legend fewer than the 256 of a small picture
_SHADES = np.round(np.linspace(0, 255, _STEPS)) / 255  # those that a scale of 256 colours has
_MOST_WRITES = 1_000_000_000  # pixels times cells: a second or two


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
        radius, row, column = self._grid(diameter, len(centres))
        distance = np.hypot(row, column)
        inside = (distance <= radius) & ((distance > radius - max(1, radius / 4)) if hollow else True)
        self._write(centres, row[inside], column[inside], colours)

    def diamonds(
        self,
        centres: NDArray[np.float64],
        diameter: float,
        colours: NDArray[np.uint8],
        border: NDArray[np.uint8],
    ) -> None:
        """Draw diamonds of a diagonal in the unit of the frame, with a border in one colour (3,)."""
        radius, row, column = self._grid(diameter, len(centres))
        distance = np.abs(row) + np.abs(column)
        inside = distance <= radius
        rim = inside & (distance > radius - max(1.5, radius / 5))
        self._write(centres, row[inside], column[inside], colours)
        self._write(centres, row[rim], column[rim], border)

    def _grid(self, diameter: float, n_cells: int) -> tuple[float, NDArray[np.int64], NDArray[np.int64]]:
        """Give a radius in pixels, and the rows and columns of the square around it."""
        most = max(1.0, math.sqrt(_MOST_WRITES / (math.pi * max(1, n_cells))))
        radius = min(max(1.0, diameter * self._scale / 2), most, float(max(self._codes.shape)))
        reach = math.ceil(radius)
        row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        return radius, row, column

    def _write(
        self,
        centres: NDArray[np.float64],
        down: NDArray[np.int64],
        right: NDArray[np.int64],
        colours: NDArray[np.uint8],
    ) -> None:
        """Colour the pixels that lie ``down`` and ``right`` (k,) of each centre, the farthest first."""
        if not len(down):
            return
        reach = int(max(np.abs(down).max(), np.abs(right).max()))
        corner = np.array([self._frame.left, self._frame.top])
        column, row = np.floor((centres[:, :2] - corner) * self._scale).T
        height, width = self._codes.shape
        seen = (row >= -reach) & (row < height + reach) & (column >= -reach) & (column < width + reach)
        padded = np.pad(self._codes, 2 * reach)  # cells at the edge need no care
        places = (row[seen].astype(np.intp) + 2 * reach) * padded.shape[1]
        places += column[seen].astype(np.intp) + 2 * reach
        codes = self._encode(colours)
        in_memory = np.argsort(places, kind="stable")  # neighbours in the picture are written together
        places = places[in_memory]
        code = codes[seen][in_memory] if codes.ndim else codes
        pixels = padded.reshape(-1)
        for i in np.argsort(-(down**2 + right**2), kind="stable"):
            pixels[places + (down[i] * padded.shape[1] + right[i])] = code
        self._codes = np.ascontiguousarray(padded[2 * reach : -2 * reach, 2 * reach : -2 * reach])

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

    def layout_image(self, axes: tuple[str, str]) -> dict[str, Any]:
        """Give the picture as plotly places it."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels).save(buffer, "PNG")
        return {
            "source": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
            "xref": axes[0],
            "yref": axes[1],
            "x": self._frame.left,
            "y": self._frame.top,
            "sizex": self._frame.width,
            "sizey": self._frame.height,
            "sizing": "stretch",
            "layer": "below",
        }


def rgb(colour: str) -> NDArray[np.uint8]:
    """Give a colour name as (3,)."""
    return np.array(ImageColor.getrgb(colour)[:3], dtype=np.uint8)


def shades(values: NDArray[np.float64], low: float, high: float, palette: str) -> NDArray[np.uint8]:
    """Give the colours (n, 3) of values (n,) on a colour scale."""
    scale = plotly.colors.sample_colorscale(palette, _SHADES, colortype="tuple")
    table: NDArray[np.uint8] = np.round(255 * np.array(scale)).astype(np.uint8)
    steps = np.clip((values - low) / (high - low) * (_STEPS - 1), 0, _STEPS - 1).astype(np.int64)
    return np.take(table, steps, axis=0)
