"""What tasks about outlines of cells are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Task


@dataclass(frozen=True)
class MakeTiles(Task[None]):
    """Make the tiles of a section's outlines that the map draws, if it has none yet."""

    name: ClassVar[str] = "make_tiles"
    section: str  # id
