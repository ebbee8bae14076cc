"""One panel of a printed map: what its window shows of the picture, the cells and the outlines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from numpy.typing import NDArray
from PIL import Image

from squint.pl._captions import length
from squint.pl._frame import Frame, nice_length, spacing
from squint.pl._layers import IMPUTED, MEASURED, MISSING, REST, Layer, layers
from squint.pl._look import Look, Outline, Picture
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._raster import Canvas, rgb, shades
from squint.pl._sheet import INK, RULE, Sheet, leading, width_of
from squint.pl._style import PRINT
from squint.pl._view import View

LEVELS = ("__low__", "__intermediate__", "__high__")
_NAMED = {MEASURED: "__measured__", IMPUTED: "__imputed__", REST: "__rest__", MISSING: "__missing__"}
_DISC = 1.7  # diameter of a cell, in distances between nearest cells: tissue looks filled
_DIAMOND = 2**0.5  # diagonal of a predicted cell, in diameters
_SMALLEST = 0.5  # points
_WHITE = (255, 255, 255, 255)
_BAR_SIZE = 8  # points, of the words below a scale bar


@dataclass(frozen=True)
class Cells:
    """Cells of one look, in the window."""

    points: NDArray[np.float64]  # (n, 2)
    colours: NDArray[np.uint8]  # (n, 3) or (3,)
    hollow: bool
    predicted: bool


@dataclass(frozen=True)
class Plate:
    """A panel with all that its window shows."""

    panel: Panel
    view: View
    cells: Sequence[Cells]  # from the lowest to the uppermost
    diameter: float  # of a cell, in the unit of the coordinates
    n_seen: int  # cells whose centre lies in the window, drawn or hidden
    picture: Picture | None
    outlines: Sequence[Outline]


def key_of(layer: Layer, scale: Continuous | Categories) -> str:
    """Give the name by which a user hides a set of cells."""
    if layer.rank in _NAMED or isinstance(scale, Continuous):
        return _NAMED[layer.rank]
    return scale.highlighted[layer.rank]


def numbers(panel: Panel, cells: NDArray[Any]) -> NDArray[np.float64]:
    """Give the values (n,) of some cells."""
    return np.asarray(panel.values[cells], dtype=np.float64)


def classify(values: NDArray[np.float64], scale: Continuous) -> NDArray[np.int64]:
    """Call values (n,) low (0, below the first threshold), high (2, above the second) or intermediate (1)."""
    return 1 - (values < scale.thresholds[0]).astype(np.int64) + (values > scale.thresholds[1])


def class_colours(scale: Continuous) -> NDArray[np.uint8]:
    """Give the colours (3, 3) of low, intermediate and high values."""
    return shades(np.array([0.1, 0.5, 0.9]), 0, 1, scale.palette)


def plate_of(
    panels: Sequence[Panel], i: int, view: View, scale: Continuous | Categories, look: Look
) -> Plate:
    """Find what the window of panel ``i`` shows."""
    panel = panels[i]
    # cells at one point have no spacing
    diameter = look.diameter or _DISC * spacing(panel.coordinates[:, :2]) or view.width / 20
    diameter *= look.size
    points = view.place(panel.coordinates)
    size = np.array([view.width, view.height])
    touched = ((points > -diameter) & (points < size + diameter)).all(axis=1)
    return Plate(
        panel,
        view,
        [
            Cells(points[drawn], colours, layer.hollow, layer.outlined)
            for layer in layers(panels, panel, scale, PRINT)
            if key_of(layer, scale) not in look.hidden
            for drawn, colours in _coloured(panel, layer, layer.cells & touched, scale, look)
        ],
        diameter,
        int(((points >= 0) & (points <= size)).all(axis=1).sum()),
        look.pictures[i] if look.pictures else None,
        look.outlines[i] if look.outlines else (),
    )


def _coloured(
    panel: Panel, layer: Layer, drawn: NDArray[np.bool_], scale: Continuous | Categories, look: Look
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
    """Give those of a layer's cells that are not hidden, and their colours."""
    found = np.flatnonzero(drawn)
    if layer.colour is not None or isinstance(scale, Categories):
        yield found, rgb(layer.colour or PRINT.rest)
        return
    values = numbers(panel, found)
    if not look.classes:
        yield found, shades(values, scale.low, scale.high, scale.palette)
        return
    classes = classify(values, scale)
    shown = ~np.isin(classes, [i for i, name in enumerate(LEVELS) if name in look.hidden])
    yield found[shown], class_colours(scale)[classes[shown]]


def rasterise(plate: Plate, n_pixels: int) -> Canvas:
    """Draw the cells of a panel as a picture, ``n_pixels`` along its longer side."""
    frame = Frame(0, 0, plate.view.width, plate.view.height)
    canvas = Canvas(frame, n_pixels, _WHITE if plate.picture is None else (0, 0, 0, 0))
    for cells in plate.cells:
        if cells.predicted:
            canvas.diamonds(cells.points, _DIAMOND * plate.diameter, cells.colours, rgb(INK))
        else:
            canvas.discs(cells.points, plate.diameter, cells.colours, hollow=cells.hollow)
    return canvas


def draw_cells(axes: Axes, plate: Plate, points_per_unit: float) -> None:
    """Draw the cells of a panel as vectors."""
    diameter = max(_SMALLEST, plate.diameter * points_per_unit)
    line = min(1.0, max(0.25, diameter / 8))
    for cells in plate.cells:
        colours = np.atleast_2d(cells.colours) / 255
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


def draw_pixels(axes: Axes, view: View, pixels: NDArray[np.uint8]) -> None:
    """Fill a panel with a picture."""
    extent = (0, view.width, view.height, 0)
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="none")


def warp(picture: Picture, view: View, n_columns: int) -> NDArray[np.uint8]:
    """Give the part of a picture that a window shows, on white (h, n_columns, 4)."""
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
    return np.asarray(Image.alpha_composite(Image.new("RGBA", shape, "white"), seen))


def draw_outlines(axes: Axes, plate: Plate) -> None:
    """Draw the borders of areas, seen on cells of any colour."""
    plain = [Outline("", INK, corners) for corners in plate.panel.outlines]
    for outline in [*plain, *plate.outlines]:
        corners = plate.view.place(outline.corners)
        for colour, points in (("white", 3.2), (outline.colour, 1.5)):
            line = {"edgecolor": colour, "linewidth": points, "joinstyle": "round"}
            axes.add_patch(Polygon(corners, closed=True, fill=False, zorder=3, **line))


def draw_frame(sheet: Sheet, plate: Plate, x: float, y: float, width: float) -> None:
    """Draw the border of a panel and its scale bar."""
    height = width * plate.view.aspect
    span = nice_length(plate.view.width)
    words = length(plate.panel, span)
    known = plate.panel.unit != "unknown"
    bar = span / plate.view.width * width
    wide = max(width_of(words, _BAR_SIZE), bar if known else 0) + 0.12
    tall = leading(_BAR_SIZE) + (0.12 if known else 0.06)
    left, top = x + 0.06, y + height - tall - 0.06
    sheet.box(left, top, wide, tall, facecolor="white", alpha=0.85, linewidth=0)
    if known:
        sheet.line((left + 0.06, left + 0.06 + bar), (top + 0.06, top + 0.06), 2.5)
    sheet.write(left + 0.06, top + tall - leading(_BAR_SIZE), [words], _BAR_SIZE)
    sheet.box(x, y, width, height, fill=False, edgecolor=RULE, linewidth=0.6)
