"""What the windows of a map show: which cells, where, in which colours. Drawn without matplotlib."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.pl._frame import Frame, spacing
from squint.pl._layers import IMPUTED, MEASURED, MISSING, REST, Layer, layers
from squint.pl._look import TRANSCRIPTS, Dots, Look, Outline, Picture, Shapes
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._raster import Canvas, rgb, shades
from squint.pl._style import PRINT, Style
from squint.pl._view import View

LEVELS = ("__low__", "__intermediate__", "__high__")
Ground = tuple[int, int, int, int]  # red, green, blue, alpha
DIAMOND = 2**0.5  # diagonal of a predicted cell, in diameters
BORDER = rgb("#000000")  # of a predicted cell
EDGE = rgb("#404040")  # of a cell that is drawn by its outline
_NAMED = {MEASURED: "__measured__", IMPUTED: "__imputed__", REST: "__rest__", MISSING: "__missing__"}
_DISC = 1.7  # diameter of a cell, in distances between nearest cells: tissue looks filled


@dataclass(frozen=True)
class Cells:
    """Cells of one look, in the window."""

    points: NDArray[np.float64]  # (n, 2)
    colours: NDArray[np.uint8]  # (n, 3) or (3,)
    hollow: bool
    predicted: bool
    shapes: Shapes | None = None  # in place of the points, in the coordinates of the window


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
    dots: Sequence[Dots] = ()  # in the coordinates of the window


def scales_of(
    scale: Continuous | Categories, look: Look, n_panels: int
) -> Sequence[Continuous] | Sequence[Categories]:
    """Give the colour scale of each panel."""
    if isinstance(scale, Categories):
        return [scale] * n_panels
    if not look.ranges:
        return [scale] * n_panels
    return [replace(scale, low=low, high=high) for low, high in look.ranges]


def settled(look: Look | None, scale: Continuous | Categories) -> Look:
    """Give a look with three colours only where there are two thresholds."""
    look = look or Look()
    parted = isinstance(scale, Continuous) and len(scale.thresholds) == 2
    return replace(look, classes=look.classes and parted)


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


def diameter_of(panel: Panel, look: Look, otherwise: float) -> float:
    """Give the diameter of a cell, in the unit of the coordinates."""
    # cells at one point have no spacing
    return (look.diameter or _DISC * spacing(panel.coordinates[:, :2]) or otherwise) * look.size


def plate_of(
    panels: Sequence[Panel],
    i: int,
    view: View,
    scale: Continuous | Categories,
    look: Look,
    style: Style = PRINT,
) -> Plate:
    """Find what the window of panel ``i`` shows."""
    panel = panels[i]
    diameter = diameter_of(panel, look, view.width / 20)
    points = view.place(panel.coordinates)
    size = np.array([view.width, view.height])
    touched = within(points, -diameter, size + diameter)
    shapes = look.boundaries[i] if look.boundaries else None
    if shapes is not None:
        shapes = replace(shapes, corners=view.place(shapes.corners))
        touched[shapes.cells] = _meet(shapes, size)
    return Plate(
        panel,
        view,
        [
            cells
            for drawn, colours, layer in coloured(panels, i, touched, scale, look, style)
            for cells in _cells(points, drawn, colours, layer, shapes)
        ],
        diameter,
        int(within(points, 0, size).sum()),
        look.pictures[i] if look.pictures else None,
        look.outlines[i] if look.outlines else (),
        [
            dots._replace(places=at[within(at, 0, size)])
            for dots in (look.dots[i] if look.dots else ())
            if f"{TRANSCRIPTS}{dots.gene}" not in look.hidden
            for at in [view.place(dots.places)]
        ],
    )


def _cells(
    points: NDArray[np.float64],
    drawn: NDArray[np.intp],
    colours: NDArray[np.uint8],
    layer: Layer,
    shapes: Shapes | None,
) -> Iterator[Cells]:
    """Part some cells into those that are drawn as points and those that have outlines."""
    if shapes is None:
        yield Cells(points[drawn], colours, layer.hollow, layer.outlined)
        return
    has, own = shapes.of(drawn)
    for which, outlines in ((~has, None), (has, own)):
        if which.any():
            some = colours[which] if colours.ndim > 1 else colours
            yield Cells(points[drawn[which]], some, layer.hollow, layer.outlined, outlines)


def _meet(shapes: Shapes, size: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the outlines (p,) whose boxes meet a window from 0 to ``size``."""
    if not len(shapes.cells):
        return np.zeros(0, bool)
    low = np.minimum.reduceat(shapes.corners, shapes.offsets[:-1])
    high = np.maximum.reduceat(shapes.corners, shapes.offsets[:-1])
    return np.asarray(((high >= 0) & (low <= size)).all(axis=1))


def within(points: NDArray[np.float64], low: float, high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points (n, 2) between a number and two ends (2,)."""
    x, y = points.T  # column by column, which is faster than by axis
    return np.asarray((x >= low) & (x <= high[0]) & (y >= low) & (y <= high[1]))


def coloured(
    panels: Sequence[Panel],
    i: int,
    touched: NDArray[np.bool_],
    scale: Continuous | Categories,
    look: Look,
    style: Style = PRINT,
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.uint8], Layer]]:
    """Give those of some cells of panel ``i`` that are not hidden, with their colours, layer by layer."""
    for layer in layers(panels, panels[i], scale, style):
        if key_of(layer, scale) in look.hidden:
            continue
        found = np.flatnonzero(layer.cells & touched)
        if layer.colour is not None or isinstance(scale, Categories):
            yield found, rgb(layer.colour or style.rest), layer
            continue
        values = numbers(panels[i], found)
        if not look.classes:
            yield found, shades(values, scale.low, scale.high, scale.palette), layer
            continue
        classes = classify(values, scale)
        shown = ~np.isin(classes, [i for i, name in enumerate(LEVELS) if name in look.hidden])
        yield found[shown], class_colours(scale)[classes[shown]], layer


def ground_of(style: Style) -> Ground:
    """Give the colour behind the tissue in print: the paper's, unless there is another."""
    colour = style.ground if style.ground.startswith("#") else style.paper
    red, green, blue = (int(part) for part in rgb(colour))
    return red, green, blue, 255


def rasterise(plate: Plate, n_pixels: int, ground: Ground) -> Canvas:
    """Draw the cells of a panel as a picture, ``n_pixels`` along its longer side."""
    canvas = Canvas(Frame(0, 0, plate.view.width, plate.view.height), n_pixels, ground)
    for cells in plate.cells:
        if cells.shapes is not None:
            canvas.polygons(
                np.split(cells.shapes.corners, cells.shapes.offsets[1:-1]),
                cells.colours,
                cells.colours if cells.hollow else BORDER if cells.predicted else EDGE,
                filled=not cells.hollow,
            )
        elif cells.predicted:
            canvas.diamonds(cells.points, DIAMOND * plate.diameter, cells.colours, BORDER)
        else:
            canvas.discs(cells.points, plate.diameter, cells.colours, hollow=cells.hollow)
    return canvas
