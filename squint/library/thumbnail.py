"""Small pictures of sections, for the gallery."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw

from squint.pl import DARK, extent, most_frequent, spacing

SIZE = (480, 320)
_SHARPER = 2  # drawn larger, then reduced
_AT_MOST = 60_000  # cells drawn
_GREY = "#8A8D96"


def thumbnail(coordinates: NDArray[np.float64], labels: NDArray[Any] | None) -> Image.Image:
    """Draw cells (n, 2), y down, coloured by their most frequent labels, on a transparent ground."""
    width, height = SIZE[0] * _SHARPER, SIZE[1] * _SHARPER
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    span = extent(coordinates)
    scale = 0.96 * float(
        min(side / length for side, length in zip((width, height), span, strict=True) if length)
    )
    points = (coordinates - (coordinates.min(axis=0) + coordinates.max(axis=0)) / 2) * scale + [
        width / 2,
        height / 2,
    ]
    radius = float(np.clip(0.6 * (spacing(coordinates) or 1) * scale, 1, 12))
    colours = _colours(labels, len(points))
    for i in range(0, len(points), max(1, len(points) // _AT_MOST)):
        x, y = points[i]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours[i])
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def _colours(labels: NDArray[Any] | None, n: int) -> list[tuple[int, ...]]:
    if labels is None:
        return [ImageColor.getrgb(_GREY)] * n
    present = np.array([label if isinstance(label, str) else None for label in labels], dtype=object)
    palette = (*DARK.categories[:-1], "#332288")
    known = dict(zip(most_frequent(present), map(ImageColor.getrgb, palette), strict=False))
    return [known.get(label, ImageColor.getrgb(_GREY)) for label in present]
