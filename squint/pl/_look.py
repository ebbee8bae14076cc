"""How a map is drawn for print, beyond what the value of each cell says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from squint.pl._style import PRINT, Style

TRANSCRIPTS = "__transcripts__"  # what a user hides, before the name of a gene
Kind = Literal["png", "svg", "pdf"]  # of a file


@dataclass(frozen=True)
class Picture:
    """A picture of the tissue, drawn below the cells."""

    pixels: NDArray[np.uint8]  # (h, w, 4)
    affine: NDArray[np.float64]  # (2, 3): column and row, 0 at the upper left corner, to coordinates
    opacity: float = 1.0


class Outline(NamedTuple):
    """An area with a name, such as a set of cells."""

    name: str
    colour: str
    corners: NDArray[np.float64]  # (k, 2)


class Dots(NamedTuple):
    """Transcripts of a gene, drawn above the cells."""

    gene: str
    colour: str
    places: NDArray[np.float64]  # (n, 2)
    n: int  # all there are, in view or not


@dataclass(frozen=True)
class Shapes:
    """Outlines of some cells of a panel, which are drawn in place of points."""

    cells: NDArray[np.int64]  # (p,) which, ascending
    offsets: NDArray[np.int64]  # (p + 1,) where the corners of each begin
    corners: NDArray[np.float64]  # (k, 2)

    def of(self, cells: NDArray[np.integer]) -> "tuple[NDArray[np.bool_], Shapes]":
        """Mark which of some cells (n,) have one, and give these outlines in their order."""
        at = np.minimum(np.searchsorted(self.cells, cells), max(len(self.cells) - 1, 0))
        has = self.cells[at] == cells if len(self.cells) else np.zeros(len(cells), bool)
        at = at[has]
        sizes = np.diff(self.offsets)[at]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        taken = np.repeat(self.offsets[at] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return has, Shapes(np.asarray(cells)[has], offsets, self.corners[taken])


@dataclass(frozen=True)
class Look:
    """What a user has set on the map."""

    hidden: Collection[str] = ()  # labels not drawn, or one of "__rest__", "__missing__", "__measured__",
    # "__imputed__", and of classes "__low__", "__intermediate__", "__high__"
    diameter: float | None = None  # of a cell, in the unit of the coordinates; None: tissue looks filled
    size: float = 1.0  # of cells, in diameters
    classes: bool = False  # three colours, parted by two thresholds
    ranges: Sequence[tuple[float, float]] = ()  # low and high end of each panel's own colour scale
    pictures: Sequence[Picture | None] = ()  # one per panel
    outlines: Sequence[Sequence[Outline]] = ()  # those of each panel
    boundaries: Sequence[Shapes | None] = ()  # of the cells of each panel; None: all are points
    dots: Sequence[Sequence[Dots]] = ()  # above the cells of each panel
    dark: bool = False  # a dark ground behind the tissue

    @property
    def style(self) -> Style:
        """Colours in print."""
        return PRINT.on_dark() if self.dark else PRINT


@dataclass(frozen=True)
class Page:
    """What stands around the map."""

    title: str
    count: str  # what is shown: cells, sections, patients
    footer: Sequence[str] = ()  # the first line is bold
    metadata: Mapping[str, str] = field(default_factory=dict)  # kept in the file, by name
    width: float = 10.0  # of the page, in inches
    edge: float = 0.4  # around all that stands on it, in inches
