"""Transcripts of a section: whether its original brought them, and those of chosen genes, kept by gene.

They are kept as results: until the section is deleted, or nobody looks at them for long.
"""

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io.transcript_files import preferred
from squint.library import originals
from squint.library.points import progressive_order
from squint.library.records import Original, SectionRow, StoredFile
from squint.library.results import Computation, Report, find, keep
from squint.library.store import Library

_TABLE = "places"
LACKING = (
    "Its transcripts are not in the library: a folder that is dropped on the page is sent without them. Add "
    "it as a zip, by the import folder or by the command import."
)


@dataclass(frozen=True)
class OfGene(Computation):
    """The transcripts of one gene in one section."""

    name: ClassVar[str] = "transcripts"
    gene: str


@dataclass(frozen=True)
class Spots:
    """Transcripts of one gene in one section."""

    gene: str
    places: NDArray[np.float32]  # (n, 2), um; any first k are spread over the tissue as all are
    n: int  # of all, of which ``places`` may be the first
    n_low: int  # left out, as their quality is too low
    n_other: int  # of the whole file that are of no gene of the section: controls among them
    file: str  # where they are from


def file_of(library: Library, section_id: str) -> str | None:
    """Name the file with transcripts in the original of a section, if there is one that squint reads.

    Where an original gave several sections, it is not known which transcripts are whose.
    """
    with library.database.reading() as session:
        row = session.get(SectionRow, section_id)
        original = session.get(Original, row.original) if row is not None and row.original else None
        if row is None or original is None or not original.intact:
            return None
        alike = sa.select(sa.func.count()).where(SectionRow.original == row.original)
        if row.recipe.get("part", 0) or session.scalar(alike) != 1:
            return None
        names = session.scalars(
            sa.select(StoredFile.path).where(StoredFile.original == original.sha256)
        ).all()
        name, sha256 = original.name, original.sha256
    own = library.originals / sha256 / name
    if own.suffix == ".zip":
        return _in_zip(own)
    return preferred([Path(path).relative_to(*Path(path).parts[:3]).as_posix() for path in names])


def _in_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return preferred(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return None


def spots(library: Library, section_id: str, gene: str, most: int | None = None) -> Spots | None:
    """Give the transcripts of a gene, or the first of them; ``None`` if they were not read yet."""
    found = find(library, OfGene((section_id,), gene))
    if found is None:
        return None
    facts = found.facts
    places = found.table(_TABLE)[["x", "y"]].to_numpy(np.float32)[:most]
    return Spots(gene, places, facts["n"], facts["n_low"], facts["n_other"], facts["file"])


def read(library: Library, section_id: str, genes: Sequence[str], report: Report) -> None:
    """Read the transcripts of some genes from the original of a section, in one go, and keep them by gene.

    Raises
    ------
    InputError
        If the section has no original with transcripts, or that is damaged.
    """
    name = file_of(library, section_id)
    report(0.01, "looking whether the original is as it was kept")
    original = originals.find(library, section_id) if name is not None else None
    if name is None or original is None:
        raise InputError(LACKING)
    known = library.genes(section_id)
    with library.staged() as staged:
        path = _unpacked(original, name, staged) if original.is_file() else original / name
        from squint.io import transcripts  # noqa: PLC0415 - it reads files, which pages do not

        read = transcripts.read(
            path, genes, known, lambda share: report(0.05 + 0.85 * share, f"reading {Path(name).name}")
        )
    for gene, own in read.genes.items():
        places = own.places[progressive_order(own.places.astype(np.float64))]
        facts = {"n": len(places), "n_low": own.n_low, "n_other": read.n_other, "file": Path(name).name}
        table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
        keep(library, OfGene((section_id,), gene), facts, {_TABLE: table})


def _unpacked(path: Path, name: str, folder: Path) -> Path:
    """Take one file out of a zip; nothing else of it is looked at."""
    target = folder / Path(name).name
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as source, target.open("wb") as file:
            if shutil.disk_usage(folder).free < 2 * archive.getinfo(name).file_size:
                raise InputError(f"There is no room on the disk to unpack {target.name}.")
            shutil.copyfileobj(source, file, 1 << 20)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{target.name} could not be taken out of {path.name}: {error}.") from error
    return target
