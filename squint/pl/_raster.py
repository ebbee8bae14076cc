"""Many cells as one picture, for print: text stays vector, files stay small, and no WebGL is needed."""

import base64
import io
from typing import Any

import numpy as np
import plotly.colors
from numpy.typing import NDArray
from PIL import Image, ImageColor

from squint.pl._frame import Frame

_STEPS = 256


class Canvas:
    """A picture of one panel, ``n_pixels`` along its longer side, drawn disc by disc."""

    def __init__(self, frame: Frame, n_pixels: int) -> None:
        self._frame = frame
        self._scale = n_pixels / max(frame.width, frame.height)
        shape = (round(frame.height * self._scale), round(frame.width * self._scale), 4)
        self._pixels = np.zeros(shape, dtype=np.uint8)

    def discs(
        self,
        centres: NDArray[np.float64],
        diameter: float,
        colours: NDArray[np.uint8],
        *,
        hollow: bool = False,
    ) -> None:
        """Draw discs at centres (n, 2), of a diameter in the unit of the frame, in colours (n, 3) or (3,)."""
        radius = max(1.0, diameter * self._scale / 2)
        reach = int(np.ceil(radius))
        row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        distance = np.hypot(row, column)
        inside = (distance <= radius) & ((distance > radius - max(1, radius / 4)) if hollow else True)
        x = ((centres[:, 0] - self._frame.left) * self._scale).astype(int)
        y = ((centres[:, 1] - self._frame.top) * self._scale).astype(int)
        height, width, _ = self._pixels.shape
        for down, right in zip(row[inside], column[inside], strict=True):
            y_there, x_there = np.clip(y + down, 0, height - 1), np.clip(x + right, 0, width - 1)
            self._pixels[y_there, x_there, :3] = colours
            self._pixels[y_there, x_there, 3] = 255

    def layout_image(self, axes: tuple[str, str]) -> dict[str, Any]:
        """Give the picture as plotly places it."""
        buffer = io.BytesIO()
        Image.fromarray(self._pixels).save(buffer, "PNG")
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
    scale = plotly.colors.sample_colorscale(palette, np.linspace(0, 1, _STEPS), colortype="tuple")
    table: NDArray[np.uint8] = np.round(255 * np.array(scale)).astype(np.uint8)
    steps = np.clip((values - low) / (high - low) * (_STEPS - 1), 0, _STEPS - 1).astype(np.int64)
    return np.take(table, steps, axis=0)
