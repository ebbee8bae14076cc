"""Areas of a section that a file marks, and how many cells lie inside. Runs in the worker."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from app.areas import marking
from app.requests import CountInside, ReadRegions
from app.tasks.budgets import READING, check_size
from squint.errors import InputError
from squint.geometry.regions import load
from squint.io.limits import memory_limit
from squint.library.results import Report
from squint.library.store import Library
from squint.parsing import check_values

MAX_VALUES = 500_000  # of R.json, which a page holds
_LESS = "Mark less at a time."


def read_regions(library: Library, asked: ReadRegions, report: Report) -> list[dict[str, Any]]:
    """Read the regions of one section from R.json; return them as its list ``"regions"`` holds them.

    Raises
    ------
    InputError
        If the file is no R.json, names other sections only, or marks more than a page can hold.
    """
    del library
    report(0.1, "reading the file")
    path = Path(asked.path)
    check_size(path, "The file")
    with memory_limit(READING, _LESS):
        check_values(path.read_bytes(), "The file", MAX_VALUES)
        found = load(path)
    own = [region for region in found if region.section == asked.section]
    if not own:
        others = ", ".join(sorted({region.section for region in found})[:5])
        raise InputError(
            f"The file marks nothing in section {asked.section!r}, but in {others[:200]}. Choose that "
            "section, or name this one in the file."
        )
    marking.check(own)
    return [asdict(region) for region in own]


def count_inside(library: Library, asked: CountInside, report: Report) -> int:
    """Count the cells of a section in any of some regions."""
    report(0.1, "finding the cells inside")
    with memory_limit(READING, _LESS):
        cells = library.cells(asked.section)
        places = cells[["x", "y"]].to_numpy(dtype=np.float64)
        return int(marking.inside(asked.regions, cells.index, places).sum())
