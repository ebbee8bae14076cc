"""Which reader reads a source: found by what the source holds, not by its name.

A package that reads another kind of source names its reader as an entry point of the group
``squint.readers``; it is asked before squint's own::

    [project.entry-points."squint.readers"]
    slideseq = "my_package.slideseq:READER"
"""

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError
from squint.io import h5ad
from squint.io.content import Content
from squint.io.mapped import Scratch

GROUP = "squint.readers"


class Reader(NamedTuple):
    """One kind of source."""

    kind: str  # in words
    reads: Callable[[Path], bool]  # whether a source is of this kind; looks, and never raises
    read: Callable[[Path, Scratch | None], Content]  # raises an InputError on a source that it refuses


H5AD = Reader("AnnData's .h5ad", lambda _: True, h5ad.read)  # the last: it says why a file is none


def reader_of(path: Path) -> Reader:
    """Find the reader of a source.

    Raises
    ------
    InputError
        If the reader of another package cannot be loaded.
    """
    return next(reader for reader in (*_of_other_packages(), H5AD) if reader.reads(path))


def _of_other_packages() -> Iterator[Reader]:
    for point in entry_points(group=GROUP):
        try:
            reader = point.load()
        except Exception as error:
            whose = point.dist.name if point.dist else "?"
            raise InputError(
                f"The reader {point.name!r} of the package {whose!r} cannot be loaded: {error}. Mend or "
                "remove that package."
            ) from error
        yield reader
