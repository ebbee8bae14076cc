"""Files of gene sets, read when they are added. Runs in the worker."""

from pathlib import Path

from app.requests import AddGeneSets, ReadGeneSets
from app.tasks.budgets import READING
from squint.errors import InputError
from squint.formats.gene_sets import MAX_BYTES, parse, read
from squint.io.limits import memory_limit
from squint.library import gene_sets
from squint.library.results import Report
from squint.library.store import Library

_LESS = "Keep the gene sets that you need."


def add(library: Library, asked: AddGeneSets, report: Report) -> int:
    """Put a file of gene sets into the library; return how many sets it holds.

    Raises
    ------
    InputError
        If it holds none, or the library is full.
    """
    report(0.1, "reading the file")
    with Path(asked.path).open("rb") as file, memory_limit(READING, _LESS):
        content = file.read(MAX_BYTES + 1)
        found = parse(content, asked.file)  # which says what is wrong under the name that the user knows
    gene_sets.add(library, asked.file, found)
    return len(found)


def read_all(library: Library, asked: ReadGeneSets, report: Report) -> int:
    """Take the files that an older squint left, or somebody put there by hand; return how many there were."""
    del asked
    unread = gene_sets.unread(library)
    for i, path in enumerate(unread):
        report(i / len(unread), path.name)
        try:
            with memory_limit(READING, _LESS):
                found = read(path)
            gene_sets.take(library, path, found)
        except InputError as error:  # a stray file is no reason to show none
            gene_sets.put_aside(path, error)
    return len(unread)
