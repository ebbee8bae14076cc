"""Files of profiles, read for a perturbation. Runs in the worker."""

from pathlib import Path

from app.requests import ReadProfile
from app.tasks.budgets import READING
from squint.formats.profiles import MAX_BYTES, parse
from squint.io.limits import memory_limit
from squint.library.results import Report
from squint.library.store import Library


def read_profile(library: Library, asked: ReadProfile, report: Report) -> list[list[str | float]]:
    """Read the genes of a file and their expression.

    Raises
    ------
    InputError
        If it holds no profile.
    """
    del library
    report(0.1, "reading the file")
    with Path(asked.path).open("rb") as file, memory_limit(READING, "Keep the genes that you need."):
        found = parse(file.read(MAX_BYTES + 1), asked.file)
    return [[gene, value] for gene, value in found.items()]
