"""One panel of a printed map: what its window shows of the picture, the cells and the outlines."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray
from PIL import Image

from squint.pl._captions import length
from squint.pl._frame import nice_length
from squint.pl._look import Outline, Picture, Shapes
from squint.pl._panel import Panel
from squint.pl._plate import BORDER, EDGE, Cells, Ground, Plate
from squint.pl._sheet import INK, RULE, Sheet, leading, width_of
from squint.pl._view import View

_SMALLEST = 0.5  # points
_DOT, _DOTS_AS_VECTORS = 2.5, 20_000  # points across a transcript; and how many are no picture
_BAR_SIZE = 8  # points, of the words below a scale bar


def draw_cells(axes: Axes, plate: Plate, points_per_unit: float) -> None:
    """Draw the cells of a panel as vectors."""
    diameter = max(_SMALLEST, plate.diameter * points_per_unit)
    line = min(1.0, max(0.25, diameter / 8))
    for cells in plate.cells:
        colours = np.atleast_2d(cells.colours) / 255
        if cells.shapes is not None:
            _draw_shapes(axes, cells, cells.shapes, colours, line)
            continue
        edges: Any = INK if cells.predicted else colours if cells.hollow else "none"
        axes.scatter(
            cells.points[:, 0],
            cells.points[:, 1],
            s=(diameter - (line if cells.hollow else 0)) ** 2,
            marker="D" if cells.predicted else "o",
            facecolors="none" if cells.hollow else colours,
            edgecolors=edges,
            linewidths=line if cells.hollow or cells.predicted else 0,
        )


def _draw_shapes(axes: Axes, cells: Cells, shapes: Shapes, colours: NDArray[np.float64], line: float) -> None:
    edges: Any = colours if cells.hollow else (BORDER if cells.predicted else EDGE) / 255
    axes.add_collection(
        PolyCollection(
            np.split(shapes.corners, shapes.offsets[1:-1]),
            facecolors="none" if cells.hollow else colours,
            edgecolors=edges,
            linewidths=line if cells.hollow or cells.predicted else line / 2,
        ),
        autolim=False,
    )


def draw_ground(axes: Axes, view: View, ground: Ground) -> None:
    """Fill a panel with one colour, unless it is the paper's."""
    if ground[:3] != (255, 255, 255):
        colour = [part / 255 for part in ground]
        axes.add_patch(Rectangle((0, 0), view.width, view.height, facecolor=colour, linewidth=0, zorder=0))


def draw_pixels(axes: Axes, view: View, pixels: NDArray[np.uint8]) -> None:
    """Fill a panel with a picture."""
    extent = (0, view.width, view.height, 0)
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="none")


def warp(picture: Picture, view: View, n_columns: int, ground: Ground) -> NDArray[np.uint8]:
    """Give the part of a picture that a window shows, on one colour (h, n_columns, 4)."""
    affine = np.asarray(picture.affine, dtype=np.float64)
    step = view.width / n_columns
    back = (
        np.linalg.inv(affine[:, :2]) @ view.matrix.T * step
    )  # a pixel of the window in those of the picture
    corner = np.linalg.solve(affine[:, :2], view.locate(np.zeros((1, 2)))[0] - affine[:, 2])
    image = Image.fromarray(picture.pixels)
    fewer = max(1, int(np.sqrt(abs(np.linalg.det(back)))))  # else most of its pixels would be skipped
    if fewer > 1:
        image = image.reduce(fewer)
    shape = (n_columns, max(1, round(view.height / step)))
    data = tuple((np.column_stack([back, corner]) / fewer).ravel().tolist())
    seen = image.transform(shape, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    seen.putalpha(seen.getchannel("A").point(lambda alpha: round(alpha * picture.opacity)))
    return np.asarray(Image.alpha_composite(Image.new("RGBA", shape, ground), seen))


def draw_dots(axes: Axes, plate: Plate) -> None:
    """Draw transcripts, seen on cells of any colour; many of them as a picture."""
    n_dots = sum(len(dots.places) for dots in plate.dots)
    for dots in plate.dots:
        for colour, size in (("white", _DOT + 1), (dots.colour, _DOT)):
            x, y = dots.places.T
            axes.scatter(
                x, y, s=size**2, c=colour, linewidths=0, zorder=2.5, rasterized=n_dots > _DOTS_AS_VECTORS
            )


def draw_outlines(axes: Axes, plate: Plate) -> None:
    """Draw the borders of areas, seen on cells of any colour."""
    plain = [Outline("", INK, corners) for corners in plate.panel.outlines]
    for outline in [*plain, *plate.outlines]:
        corners = plate.view.place(outline.corners)
        for colour, points in (("white", 3.2), (outline.colour, 1.5)):
            line = {"edgecolor": colour, "linewidth": points, "joinstyle": "round"}
            axes.add_patch(Polygon(corners, closed=True, fill=False, zorder=3, **line))


def draw_frame(sheet: Sheet, panel: Panel, view: View, x: float, y: float, width: float) -> None:
    """Draw the border of a panel and its scale bar."""
    height = width * view.aspect
    span = nice_length(view.width)
    words = length(panel, span)
    known = panel.unit != "unknown"
    bar = span / view.width * width
    wide = max(width_of(words, _BAR_SIZE), bar if known else 0) + 0.12
    tall = leading(_BAR_SIZE) + (0.12 if known else 0.06)
    left, top = x + 0.06, y + height - tall - 0.06
    sheet.box(left, top, wide, tall, facecolor="white", alpha=0.85, linewidth=0)
    if known:
        sheet.line((left + 0.06, left + 0.06 + bar), (top + 0.06, top + 0.06), 2.5)
    sheet.write(left + 0.06, top + tall - leading(_BAR_SIZE), [words], _BAR_SIZE)
    sheet.box(x, y, width, height, fill=False, edgecolor=RULE, linewidth=0.6)
