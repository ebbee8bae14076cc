"""Maps in print: what a user sees, as a page with title, scale, counts and stamp. No browser is needed."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from squint.pl._captions import count, orientation
from squint.pl._look import Kind, Look, Page
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._plate import Ground, Plate, ground_of, plate_of, rasterise, scales_of, settled
from squint.pl._print_legend import legend_of
from squint.pl._print_page import BUDGET, FINEST, Box, Head, lay_out, printing, save, write_words
from squint.pl._print_panel import (
    draw_cells,
    draw_dots,
    draw_frame,
    draw_ground,
    draw_outlines,
    draw_pixels,
    warp,
)
from squint.pl._raster import Canvas
from squint.pl._sheet import Sheet
from squint.pl._view import View

VECTORS_UP_TO = 50_000  # cells: more are drawn as one picture for each panel
OUTLINED = 5  # cells that are points take as much of a file as one that is drawn by its outline
_PICTURE_DPI = 300  # of what lies below the cells, in a PDF or SVG


def print_map(
    panels: Sequence[Panel],
    scale: Continuous | Categories,
    views: Sequence[View],
    page: Page,
    look: Look | None = None,
    *,
    kind: Kind = "pdf",
    dpi: int = 300,
) -> bytes:
    """Draw sections side by side for print, each as its window shows it.

    Parameters
    ----------
    panels
        One per section, at most six.
    scale
        What the values mean: a colour scale, or labels to highlight.
    views
        The window of each panel.
    page
        Title, counts and stamp.
    look
        What is hidden, how large cells are, and what is drawn below and above them.
    kind
        Of file. Text and lines are vectors in ``"svg"`` and ``"pdf"``, and so are the cells up to 50,000,
        or 10,000 that are drawn by their outlines.
    dpi
        Dots per inch of a PNG, and of pictures of cells in other files: fewer where these would
        make the file larger than 2 MB.

    Returns
    -------
    The file. Equal maps give equal files.

    Raises
    ------
    ValueError
        If there are no sections, or more than six.
    """
    if not 1 <= len(panels) <= 6:
        raise ValueError(f"a map shows 1 to 6 sections, not {len(panels)}")
    look = settled(look, scale)
    scales = scales_of(scale, look, len(panels))
    with printing():
        plates = [plate_of(panels, i, views[i], scales[i], look, look.style) for i in range(len(panels))]
        heads = [Head(plate.panel.title, _notes(plate), plate.view.aspect) for plate in plates]
        layout = lay_out(heads, lambda width: legend_of(panels, scales, look, width), page)
        sheet = layout.sheet
        _draw_plates(sheet, plates, layout.boxes, ground_of(look.style), kind, dpi)
        write_words(sheet, layout)
        return save(sheet, page, kind, dpi)


def _notes(plate: Plate) -> list[str]:
    """Give the lines below a title: the counts, and how the window differs from the section as it lies."""
    part = f"{plate.n_seen:,} in view" if plate.n_seen < len(plate.panel.coordinates) else ""
    return list(filter(None, [count(plate.panel), ", ".join(filter(None, [part, orientation(plate.view)]))]))


def _draw_plates(
    sheet: Sheet, plates: Sequence[Plate], boxes: Sequence[Box], ground: Ground, kind: Kind, dpi: int
) -> None:
    pictures = _pictures(plates, boxes, ground, kind, dpi)
    for plate, box, picture in zip(plates, boxes, pictures, strict=True):
        view = plate.view
        axes = sheet.panel(box.x, box.y, box.width, box.width * view.aspect)
        axes.set(xlim=(0, view.width), ylim=(view.height, 0))
        draw_ground(axes, view, ground)
        if plate.picture is not None:
            fine = dpi if kind == "png" else min(dpi, _PICTURE_DPI)
            draw_pixels(axes, view, warp(plate.picture, view, round(box.width * fine), ground))
        if picture is None:
            draw_cells(axes, plate, 72 * box.width / view.width)
        else:
            smooth = kind == "png" and dpi < FINEST
            pixels = picture.pixels
            draw_pixels(axes, view, np.asarray(Image.fromarray(pixels).reduce(2)) if smooth else pixels)
        draw_dots(axes, plate)
        draw_outlines(axes, plate)
        draw_frame(sheet, plate.panel, plate.view, box.x, box.y, box.width)


def _pictures(
    plates: Sequence[Plate], boxes: Sequence[Box], ground: Ground, kind: Kind, dpi: int
) -> list[Canvas] | list[None]:
    """Draw the cells of all panels as pictures, where there are many."""
    weights = [
        len(cells.points) * (1 if cells.shapes is None else OUTLINED)
        for plate in plates
        for cells in plate.cells
    ]
    if sum(weights) <= VECTORS_UP_TO:
        return [None] * len(plates)
    fine = float(2 * dpi if kind == "png" and dpi < FINEST else dpi)
    longest = [box.width * max(1, plate.view.aspect) for box, plate in zip(boxes, plates, strict=True)]

    def draw(fine: float) -> list[Canvas]:
        grounds = [ground if plate.picture is None else (0, 0, 0, 0) for plate in plates]
        return [
            rasterise(plate, round(fine * side), own)
            for plate, side, own in zip(plates, longest, grounds, strict=True)
        ]

    drawn = draw(fine)
    while kind != "png" and (n_bytes := sum(canvas.n_bytes for canvas in drawn)) > BUDGET:
        fine *= 0.97 * BUDGET / n_bytes  # what is stored are borders of cells, about as long as a side
        drawn = draw(fine)
    return drawn
