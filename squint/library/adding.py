"""Sources put into the library: the same for whoever gives one, on a page or by a command.

A source is staged under a harmless name (:meth:`Library.upload_folder`), unpacked if it is a zip, read, and
kept: its sections cleaned, and the source itself unmodified beside them, with the recipe to make them again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData

import squint.io
from squint import keys
from squint.errors import InputError
from squint.io import archives, folders
from squint.io.boundaries import Boundaries
from squint.io.content import Answers, Placed
from squint.io.facts import Settled
from squint.io.limits import memory_limit, reading_limit
from squint.io.registry import sources_in
from squint.library import answers, ingest, originals, sharing, tiling
from squint.library.images import FROM_FILE, Addition, Images
from squint.library.ingest import Labels, Part
from squint.library.results import Report
from squint.library.store import Library, Section
from squint.pp import QualityFilter

ZIP = ".zip"
_SAY_WHAT = (".h5ad", ".h5", ".zarr")  # endings that are kept


class Kept(NamedTuple):
    """A section of a source that was kept."""

    section: Section
    new: bool  # whether it was not in the library before


def kind_of(path: Path) -> str:
    """Say what kind of source it is, in words, and of which columns: files alike have answers alike.

    Raises
    ------
    InputError
        If it is no source.
    """
    kinds = sorted({source.reader.kind for source in sources_in(path)})
    columns = hashlib.sha256(json.dumps(squint.io.obs_columns(path)).encode()).hexdigest()[:8]
    return f"{' and '.join(kinds)} {columns}"


def unpacked(staged: Path, max_bytes: int, report: Report) -> Path:
    """Give what a reader is to read of a staged source: a zip is unpacked beside it, once.

    What lies in it alone is called as the staged zip is, whose name names nobody.

    Parameters
    ----------
    staged
        The file or folder.
    max_bytes
        How many bytes may come out of a zip.
    report
        Is told that it is unpacked.

    Raises
    ------
    InputError
        If a folder holds what no source should, or a zip cannot be unpacked.
    """
    if staged.is_dir():
        folders.check(staged)
    if staged.suffix != ZIP:
        return staged
    folder = staged.with_suffix("")
    if not folder.exists():
        report(0.05, "unpacking")
        archives.unpack(staged, folder, max_bytes=max_bytes)
    inside = list(folder.iterdir())
    if len(inside) > 1:
        return folder
    ending = inside[0].suffix.lower()
    return inside[0].rename(folder / f"{staged.stem}{ending if ending in _SAY_WHAT else ''}")


def read(path: Path, given: Answers) -> Settled:
    """Read a source that strangers made, with no more memory than its size admits.

    Raises
    ------
    InputError
        If it is refused, or needs more.
    AskedError
        If it leaves something open without which it would be misread.
    """
    with memory_limit(reading_limit(path)):
        return squint.io.read_settled(path, given)


def clean_parts(settled: Settled, labels: Labels) -> Iterator[tuple[AnnData, Boundaries | None]]:
    """Yield each section that was read alone, with allow-listed content only, and the outlines of its cells.

    Raises
    ------
    InputError
        If a section holds cells of several patients.
    """
    names: Any = settled.adata.obs[keys.SECTION]
    for section, name in zip(ingest.clean(settled.adata, labels), names.cat.categories, strict=True):
        rings = settled.boundaries
        if rings is not None and len(names.cat.categories) > 1:
            rings = rings.of(np.flatnonzero((names == name).to_numpy()))
        yield section, rings


def keep(
    library: Library,
    staged: Path,
    settled: Settled,
    labels: Labels,
    given: Answers,
    quality: QualityFilter,
    report: Report,
) -> list[Kept]:
    """Put all sections of a source into the library, or none; the source itself is kept, unmodified.

    One that is there already stays as it is.

    Parameters
    ----------
    library
        Where to.
    staged
        The source as it was given.
    settled
        What was read of it.
    labels
        What the user says of it.
    given
        How its questions were answered when it was read.
    quality
        Which of its cells to keep; the others lie beside the section.
    report
        Is told how far it is.

    Returns
    -------
    The sections in the order of the source.

    Raises
    ------
    InputError
        If a section holds cells of several patients or none that meets the criteria, or the library is full.
    """
    parts = [ingest.leave_out(part, rings, quality) for part, rings in clean_parts(settled, labels)]
    recipe = {"answers": given.given(), "quality": asdict(quality)}
    if settled.transcripts is not None and len(parts) == 1:
        recipe[originals.PLACING] = asdict(settled.transcripts)

    def told() -> Iterator[Part]:
        for i, part in enumerate(parts):
            report(0.3 + 0.7 * i / len(parts), f"keeping section {i + 1} of {len(parts)}")
            yield Part(*part, {**recipe, "part": i})

    original = originals.stage(library, staged)
    try:
        kept = [Kept(*one) for one in ingest.add_all(library, told(), labels, original)]
        sharing.share(library, original.sha256)
        return kept
    finally:
        shutil.rmtree(original.folder, ignore_errors=True)


def remember(library: Library, path: Path, given: Answers) -> None:
    """Keep the answers to a source that was read for the next of its kind."""
    answers.remember(library, kind_of(path), given)


def placed_pictures(settled: Settled, n_sections: int) -> list[Placed]:
    """Give the pictures of a source that can lie under its cells: of several sections, none is sure to."""
    return [one for one in settled.pictures if one.to_section is not None] if n_sections == 1 else []


def keep_pictures(
    library: Library, section_id: str, pictures: Sequence[Placed], report: Report
) -> Mapping[str, str]:
    """Keep pictures that a source holds and places, as tiles under the cells.

    Parameters
    ----------
    library, section_id
        Whose pictures they become.
    pictures
        Of :func:`placed_pictures`; their files must still be there.
    report
        Is told how far it is.

    Returns
    -------
    Of each, by name, why it could not be kept; empty where it was. The section is there without it.
    """
    said = {}
    for picture in pictures:
        try:
            image = tiling.keep(library, Addition(section_id, str(picture.path)), report)
            Images(library).place(section_id, image.id, np.array(picture.to_section), FROM_FILE)
            said[picture.name] = ""
        except InputError as error:
            said[picture.name] = str(error)
    return said
