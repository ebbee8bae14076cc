"""Transcripts of a section: whether its original brought them, and those of chosen genes, kept by gene.

They are kept as results: until the section is deleted, or nobody looks at them for long.
"""

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray

from squint.errors import InputError
from squint.io.transcript_files import Placing, label_of, placed, preferred
from squint.library import originals
from squint.library.points import progressive_order
from squint.library.records import Original, SectionRow, StoredFile
from squint.library.results import Computation, Report, find, keep
from squint.library.store import Library

_TABLE = "places"
LACKING = (
    "Its transcripts are not in the library: a folder that is larger with them than the server takes is sent "
    "without. Add it by the import folder or by the command import."
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
    n_nowhere: int = 0  # left out, as they lie in a field of view whose place nothing shows


class Source(NamedTuple):
    """Transcripts in the original of a section."""

    file: str  # relative to the original: a file, or a folder of parts
    placing: Placing | None  # None: places are positions, in micrometres

    @property
    def label(self) -> str:
        """What to call it on a page."""
        return label_of(self.file)

    @property
    def why_not(self) -> str:
        """Why they cannot be drawn, as the end of a sentence; empty if they can."""
        return self.placing.why_not if self.placing else ""


def source_of(library: Library, section_id: str) -> Source | None:
    """Find the transcripts of a section in its original; ``None`` if that brought none that squint reads.

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
        paths = session.scalars(
            sa.select(StoredFile.path).where(StoredFile.original == original.sha256)
        ).all()
        name, sha256 = original.name, original.sha256
        told, chosen = row.recipe.get(originals.PLACING), row.recipe.get("answers", {}).get("section", "")
    own = library.originals / sha256 / name
    names = [Path(path).relative_to(*Path(path).parts[:3]).as_posix() for path in paths]
    names = originals.names_in(own) if own.suffix == ".zip" else names
    placing = Placing.from_json(told) if told else None
    file = placed(names, placing) if placing else preferred(names, chosen)
    return Source(file, placing) if file else None


def spots(library: Library, section_id: str, gene: str, most: int | None = None) -> Spots | None:
    """Give the transcripts of a gene, or the first of them; ``None`` if they were not read yet."""
    found = find(library, OfGene((section_id,), gene))
    if found is None:
        return None
    facts = found.facts
    places = found.table(_TABLE)[["x", "y"]].to_numpy(np.float32)[:most]
    nowhere = facts.get("n_nowhere", 0)  # nothing of what was read before this was counted lacks a place
    return Spots(gene, places, facts["n"], facts["n_low"], facts["n_other"], facts["file"], nowhere)


def read(library: Library, section_id: str, genes: Sequence[str], report: Report) -> None:
    """Read the transcripts of some genes from the original of a section, in one go, and keep them by gene.

    Raises
    ------
    InputError
        If the section has no original with transcripts, or that is damaged.
    """
    source = source_of(library, section_id)
    report(0.01, "looking whether the original is as it was kept")
    original = originals.find(library, section_id) if source is not None else None
    if source is None or original is None:
        raise InputError(LACKING)
    known = library.genes(section_id)
    with library.staged() as staged:
        path = _unpacked(original, source.file, staged) if original.is_file() else original / source.file
        from squint.io import transcripts  # noqa: PLC0415 - it reads files, which pages do not

        read = transcripts.read(
            path,
            genes,
            known,
            lambda share: report(0.05 + 0.85 * share, f"reading {source.label}"),
            source.placing,
        )
    for gene, own in read.genes.items():
        places = own.places[progressive_order(own.places.astype(np.float64))]
        facts = {
            "n": len(places),
            "n_low": own.n_low,
            "n_nowhere": own.n_nowhere,
            "n_other": read.n_other,
            "file": source.label,
        }
        table = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
        keep(library, OfGene((section_id,), gene), facts, {_TABLE: table})


def _unpacked(path: Path, name: str, folder: Path) -> Path:
    """Take one file out of a zip, or the parts that lie in one of its folders; nothing else is looked at."""
    target = folder / PurePosixPath(name).name
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename == name]
            if not entries:  # a folder of parts
                target.mkdir()
                parent = PurePosixPath(name)
                inside = (entry for entry in archive.infolist() if not entry.is_dir())
                entries = [entry for entry in inside if PurePosixPath(entry.filename).parent == parent]
            if shutil.disk_usage(folder).free < 2 * sum(entry.file_size for entry in entries):
                raise InputError(f"There is no room on the disk to unpack {target.name}.")
            for entry in entries:
                into = target / PurePosixPath(entry.filename).name if target.is_dir() else target
                with archive.open(entry) as source, into.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{target.name} could not be taken out of {path.name}: {error}.") from error
    return target
