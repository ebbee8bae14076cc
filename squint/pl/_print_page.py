"""A printed page of panels: title and counts above them, the legend beside them, the stamp below."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from squint.pl._frame import grid
from squint.pl._look import Kind, Page
from squint.pl._print_legend import Item
from squint.pl._sheet import GREY, RULE, Sheet, leading, settings, wrap
from squint.pl._stamp import stamp_pdf, stamp_png, stamp_svg

FINEST = 600  # dots per inch: below, edges in a PNG are smoothed
BUDGET = 1_850_000  # bytes of all pictures of cells in a PDF or SVG; finer ones would not fit
_GAP, _LEGEND = 0.22, 1.85  # inches
_TALLEST = {1: 6.0, 2: 3.9}  # a panel, by rows
_NARROWEST = 2.4  # a column, so that its heading has room
_TITLE, _COUNT, _PANEL, _SMALL, _FOOT = 14, 9, 9.5, 8, 7  # points


class Head(NamedTuple):
    """What stands above a panel, and its shape."""

    title: str
    notes: Sequence[str]
    aspect: float  # height over width


@dataclass(frozen=True)
class Box:
    """A place on the page, in inches, and the lines above it."""

    x: float
    y: float
    width: float
    title: Sequence[str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Layout:
    """Where everything is on the page."""

    boxes: Sequence[Box]
    legend: Sequence[Item]
    legend_at: tuple[float, float]
    title: Sequence[str]
    count: Sequence[str]
    footer: Sequence[tuple[str, bool]]  # lines, and whether they are bold
    footer_at: float
    width: float
    height: float
    edge: float

    @property
    def sheet(self) -> Sheet:
        """An empty page."""
        return Sheet(self.width, self.height)


@contextmanager
def printing() -> Iterator[None]:
    """Draw as for paper, whatever else is set."""
    with mpl.rc_context(), warnings.catch_warnings():
        # A name may hold a letter that no font here has: a box is drawn for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(settings())
        yield


def lay_out(heads: Sequence[Head], legend_of: Callable[[float], Sequence[Item]], page: Page) -> Layout:
    """Find a place for panels and for a legend, which is made for a width in inches."""
    rows, columns = grid(len(heads))
    edge, inner = page.edge, page.width - 2 * page.edge
    widest = (inner - _LEGEND - columns * _GAP) / columns
    widths = [min(widest, _TALLEST[rows] / head.aspect) for head in heads]
    column = max(*widths, min(widest, _NARROWEST))
    title = wrap(page.title, inner, _TITLE, bold=True) if page.title else []
    words = wrap(page.count, inner, _COUNT) if page.count else []
    top = edge + len(title) * leading(_TITLE) + len(words) * leading(_COUNT) + (0.14 if title else 0)
    boxes: list[Box] = []
    legend_top = 0.0
    for row in range(rows):
        here = range(row * columns, min((row + 1) * columns, len(heads)))
        titles = {i: wrap(heads[i].title, column, _PANEL, bold=True) for i in here}
        notes = {i: [line for note in heads[i].notes for line in wrap(note, column, _SMALL)] for i in here}
        top += max(len(titles[i]) * leading(_PANEL) + len(notes[i]) * leading(_SMALL) for i in here) + 0.05
        legend_top = legend_top or top
        for i in here:
            x = round(edge + i % columns * (column + _GAP), 2)  # on a dot at any usual resolution
            boxes.append(Box(x, round(top, 2), widths[i], titles[i], notes[i]))
        top = max(boxes[i].y + widths[i] * heads[i].aspect for i in here) + 0.16
    legend_left = edge + columns * (column + _GAP)
    legend = legend_of(min(2.6, page.width - edge - legend_left))
    foot = max(top, legend_top + sum(item.height for item in legend) + 0.1) + 0.04
    footer = [
        (line, i == 0) for i, text in enumerate(page.footer) for line in wrap(text, inner, _FOOT, bold=i == 0)
    ]
    height = round(foot + (0.08 + len(footer) * leading(_FOOT) + 0.25 if footer else 0), 2)
    at = (legend_left, legend_top)
    return Layout(boxes, legend, at, title, words, footer, foot, page.width, height, edge)


def write_words(sheet: Sheet, layout: Layout) -> None:
    """Write all that stands around the panels."""
    y = sheet.write(layout.edge, layout.edge, layout.title, _TITLE, bold=True)
    sheet.write(layout.edge, y + 0.02, layout.count, _COUNT)
    for box in layout.boxes:
        tall = len(box.title) * leading(_PANEL) + len(box.notes) * leading(_SMALL)
        y = sheet.write(box.x, box.y - tall - 0.05, box.title, _PANEL, bold=True)
        sheet.write(box.x, y, box.notes, _SMALL, colour=GREY)
    x, y = layout.legend_at
    for item in layout.legend:
        item.draw(sheet, x, y)
        y += item.height
    if layout.footer:
        across = (layout.edge, layout.width - layout.edge)
        sheet.line(across, (layout.footer_at, layout.footer_at), 0.5, RULE)
    y = layout.footer_at + 0.08
    for line, bold in layout.footer:
        y = sheet.write(layout.edge, y, [line], _FOOT, bold=bold)


def save(sheet: Sheet, page: Page, kind: Kind, dpi: int) -> bytes:
    """Turn a page into a file with its stamp."""
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
