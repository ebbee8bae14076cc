"""Outlines of cells for the map. Runs in the worker."""

from app.requests import MakeTiles
from app.tasks.budgets import DRAWING
from squint.io.limits import memory_limit
from squint.library.boundary_tiles import make_tiles as make
from squint.library.results import Report
from squint.library.store import Library


def make_tiles(library: Library, asked: MakeTiles, report: Report) -> None:
    """Make the tiles of a section's outlines, if it has none yet."""
    report(0.1, "cutting cells into triangles")
    with memory_limit(DRAWING, "The map shows its cells as points."):
        make(library, asked.section)
