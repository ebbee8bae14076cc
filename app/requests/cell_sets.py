"""What tasks about cell sets are asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from squint.library.results import Task


@dataclass(frozen=True)
class BringIn(Task[list[str]]):
    """Make cell sets of a staged file of outlines or groups; say what was made, and what was not."""

    name: ClassVar[str] = "bring_in"
    private: ClassVar[bool] = True  # a file may be called as a person is
    section: str  # id
    path: str
    file: str  # its name, as the user knows it
    pixel_size_um: float | None  # um per pixel, for GeoJSON that does not say its unit
    skip_unknown: bool  # leave out cells that the section does not have


@dataclass(frozen=True)
class WriteSet(Task[str]):
    """Write the cells of a set in a section to a file for other programs."""

    name: ClassVar[str] = "write_set"
    cell_set: str  # id
    section: str  # id
    form: Literal["geojson", "groups", "selection"]
    pixel_size_um: float | None = None  # um per pixel, for QuPath
    stamp: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TakeArea(Task[str]):
    """Make or change a cell set by an area that was drawn and takes long; answers with the set's id."""

    name: ClassVar[str] = "take_area"
    section: str  # id
    corners: tuple[tuple[float, float], ...]
    mode: str  # "new", "add" or "subtract"
    chosen: str | None = None  # the set to change
