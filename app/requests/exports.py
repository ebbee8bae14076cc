"""What tasks about what leaves the dashboard are asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Task
from squint.pl import Kind


@dataclass(frozen=True)
class Draw(Task[str]):
    """Draw a figure to a file."""

    name: ClassVar[str] = "draw"
    folder: str  # where the page left what is to be drawn
    format: str
    stamp: Mapping[str, str]
    dpi: int


@dataclass(frozen=True)
class DrawMap(Task[str]):
    """Draw a map to a file."""

    name: ClassVar[str] = "draw_map"
    folder: str
    format: Kind
    stamp: Mapping[str, str]
    dpi: int


@dataclass(frozen=True)
class DrawStage(Task[str]):
    """Draw a map as a picture, for a browser that cannot."""

    name: ClassVar[str] = "draw_stage"
    folder: str  # where the route left the map


@dataclass(frozen=True)
class WriteCsv(Task[str]):
    """Write all rows of a table as CSV."""

    name: ClassVar[str] = "write_csv"
    folder: str
    stamp: Mapping[str, str]
