"""Maps in print: what a user sees, as a page with title, scale, counts and stamp. No browser is needed."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from squint.pl._captions import count, orientation
from squint.pl._frame import grid
from squint.pl._look import Kind, Look, Page
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._print_legend import Item, legend_of
from squint.pl._print_panel import (
    Plate,
    draw_cells,
    draw_frame,
    draw_outlines,
    draw_pixels,
    plate_of,
    rasterise,
    warp,
)
from squint.pl._raster import Canvas
from squint.pl._sheet import GREY, RULE, Sheet, leading, settings, wrap
from squint.pl._stamp import stamp_pdf, stamp_png, stamp_svg
from squint.pl._view import View

VECTORS_UP_TO = 50_000  # cells: more are drawn as one picture for each panel
_BUDGET = 1_850_000  # bytes of all these pictures in a PDF or SVG; finer ones would not fit
_FINEST = 600  # dots per inch: below, edges in a PNG are smoothed
_PICTURE_DPI = 300  # of what lies below the cells, in a PDF or SVG
_WIDTH, _EDGE, _GAP, _LEGEND = 10.0, 0.4, 0.22, 1.85  # inches
_TALLEST = {1: 6.0, 2: 3.9}  # a panel, by rows
_NARROWEST = 2.4  # a column, so that its heading has room
_TITLE, _COUNT, _PANEL, _SMALL, _FOOT = 14, 9, 9.5, 8, 7  # points


@dataclass(frozen=True)
class _Box:
    """A place on the page, in inches, and the lines above it."""

    x: float
    y: float
    width: float
    title: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True)
class _Layout:
    boxes: Sequence[_Box]
    legend: Sequence[Item]
    legend_at: tuple[float, float]
    title: Sequence[str]
    count: Sequence[str]
    footer: Sequence[tuple[str, bool]]  # lines, and whether they are bold
    footer_at: float
    height: float


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
        Of file. Text and lines are vectors in ``"svg"`` and ``"pdf"``, and so are the cells up to 50,000.
    dpi
        Dots per inch of a PNG, and of pictures of cells in other files: fewer where these would
        make the file larger than 2 MB.

    Returns
    -------
    The file. Equal maps give equal files.
    """
    if not 1 <= len(panels) <= 6:
        raise ValueError(f"a map shows 1 to 6 sections, not {len(panels)}")
    look = look or Look()
    scales = _scales(scale, look, len(panels))
    look = replace(
        look, classes=look.classes and isinstance(scale, Continuous) and len(scale.thresholds) == 2
    )
    with mpl.rc_context(), warnings.catch_warnings():
        # A name may hold a letter that no font here has: a box is drawn for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(settings())
        plates = [plate_of(panels, i, views[i], scales[i], look) for i in range(len(panels))]
        layout = _lay_out(plates, scales, page, look)
        sheet = Sheet(_WIDTH, layout.height)
        _draw_plates(sheet, plates, layout.boxes, kind, dpi)
        _draw_words(sheet, layout)
        return _save(sheet, page, kind, dpi)


def _scales(scale: Continuous | Categories, look: Look, n_panels: int) -> list[Continuous | Categories]:
    if isinstance(scale, Continuous) and look.ranges:
        return [replace(scale, low=low, high=high) for low, high in look.ranges]
    return [scale] * n_panels


def _lay_out(
    plates: Sequence[Plate], scales: Sequence[Continuous | Categories], page: Page, look: Look
) -> _Layout:
    rows, columns = grid(len(plates))
    widest = (_WIDTH - 2 * _EDGE - _LEGEND - columns * _GAP) / columns
    widths = [min(widest, _TALLEST[rows] / plate.view.aspect) for plate in plates]
    column = max(*widths, min(widest, _NARROWEST))
    title = wrap(page.title, _WIDTH - 2 * _EDGE, _TITLE, bold=True)
    words = wrap(page.count, _WIDTH - 2 * _EDGE, _COUNT)
    top = _EDGE + len(title) * leading(_TITLE) + len(words) * leading(_COUNT) + 0.14
    boxes: list[_Box] = []
    legend_top = 0.0
    for row in range(rows):
        here = range(row * columns, min((row + 1) * columns, len(plates)))
        titles = {i: wrap(plates[i].panel.title, column, _PANEL, bold=True) for i in here}
        notes = {i: _notes(plates[i], column) for i in here}
        top += max(len(titles[i]) * leading(_PANEL) + len(notes[i]) * leading(_SMALL) for i in here) + 0.05
        legend_top = legend_top or top
        for i in here:
            x = round(_EDGE + i % columns * (column + _GAP), 2)  # on a dot at any usual resolution
            boxes.append(_Box(x, round(top, 2), widths[i], titles[i], notes[i]))
        top = max(boxes[i].y + widths[i] * plates[i].view.aspect for i in here) + 0.16
    legend_left = _EDGE + columns * (column + _GAP)
    legend = legend_of(
        [plate.panel for plate in plates], scales, look, min(2.6, _WIDTH - _EDGE - legend_left)
    )
    foot = max(top, legend_top + sum(item.height for item in legend) + 0.1) + 0.04
    footer = [
        (line, i == 0)
        for i, text in enumerate(page.footer)
        for line in wrap(text, _WIDTH - 2 * _EDGE, _FOOT, bold=i == 0)
    ]
    height = foot + 0.08 + len(footer) * leading(_FOOT) + 0.25
    return _Layout(boxes, legend, (legend_left, legend_top), title, words, footer, foot, round(height, 2))


def _notes(plate: Plate, width: float) -> list[str]:
    """Give the lines below a title: the counts, and how the window differs from the section as it lies."""
    part = f"{plate.n_seen:,} in view" if plate.n_seen < len(plate.panel.coordinates) else ""
    notes = [count(plate.panel), ", ".join(filter(None, [part, orientation(plate.view)]))]
    return [line for note in notes if note for line in wrap(note, width, _SMALL)]


def _draw_plates(sheet: Sheet, plates: Sequence[Plate], boxes: Sequence[_Box], kind: Kind, dpi: int) -> None:
    pictures = _pictures(plates, boxes, kind, dpi)
    for plate, box, picture in zip(plates, boxes, pictures, strict=True):
        view = plate.view
        axes = sheet.panel(box.x, box.y, box.width, box.width * view.aspect)
        axes.set(xlim=(0, view.width), ylim=(view.height, 0))
        if plate.picture is not None:
            fine = dpi if kind == "png" else min(dpi, _PICTURE_DPI)
            draw_pixels(axes, view, warp(plate.picture, view, round(box.width * fine)))
        if picture is None:
            draw_cells(axes, plate, 72 * box.width / view.width)
        else:
            smooth = kind == "png" and dpi < _FINEST
            pixels = picture.pixels
            draw_pixels(axes, view, np.asarray(Image.fromarray(pixels).reduce(2)) if smooth else pixels)
        draw_outlines(axes, plate)
        draw_frame(sheet, plate, box.x, box.y, box.width)


def _pictures(
    plates: Sequence[Plate], boxes: Sequence[_Box], kind: Kind, dpi: int
) -> list[Canvas] | list[None]:
    """Draw the cells of all panels as pictures, where there are many."""
    if sum(len(cells.points) for plate in plates for cells in plate.cells) <= VECTORS_UP_TO:
        return [None] * len(plates)
    fine = float(2 * dpi if kind == "png" and dpi < _FINEST else dpi)
    longest = [box.width * max(1, plate.view.aspect) for box, plate in zip(boxes, plates, strict=True)]

    def draw(fine: float) -> list[Canvas]:
        return [rasterise(plate, round(fine * side)) for plate, side in zip(plates, longest, strict=True)]

    drawn = draw(fine)
    while kind != "png" and (n_bytes := sum(canvas.n_bytes for canvas in drawn)) > _BUDGET:
        fine *= 0.97 * _BUDGET / n_bytes  # what is stored are borders of cells, about as long as a side
        drawn = draw(fine)
    return drawn


def _draw_words(sheet: Sheet, layout: _Layout) -> None:
    y = sheet.write(_EDGE, _EDGE, layout.title, _TITLE, bold=True)
    sheet.write(_EDGE, y + 0.02, layout.count, _COUNT)
    for box in layout.boxes:
        tall = len(box.title) * leading(_PANEL) + len(box.notes) * leading(_SMALL)
        y = sheet.write(box.x, box.y - tall - 0.05, box.title, _PANEL, bold=True)
        sheet.write(box.x, y, box.notes, _SMALL, colour=GREY)
    x, y = layout.legend_at
    for item in layout.legend:
        item.draw(sheet, x, y)
        y += item.height
    sheet.line((_EDGE, _WIDTH - _EDGE), (layout.footer_at, layout.footer_at), 0.5, RULE)
    y = layout.footer_at + 0.08
    for line, bold in layout.footer:
        y = sheet.write(_EDGE, y, [line], _FOOT, bold=bold)


def _save(sheet: Sheet, page: Page, kind: Kind, dpi: int) -> bytes:
    if kind == "png":
        sheet.figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(sheet.figure)
        canvas.draw()
        return stamp_png(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), page.metadata, dpi)
    nothing: dict[str, None] = dict.fromkeys(
        ("Creator", "Producer", "CreationDate") if kind == "pdf" else ("Creator", "Date", "Format", "Type")
    )
    file = io.BytesIO()
    sheet.figure.savefig(file, format=kind, dpi=dpi, metadata=nothing)
    if kind == "pdf":
        return stamp_pdf(file.getvalue(), page.metadata)
    return stamp_svg(file.getvalue().decode(), page.metadata).encode()
