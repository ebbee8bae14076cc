"""A damaged section made again: of its data where they are intact, else of its original."""

from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import squint.io
from squint import keys
from squint.errors import InputError
from squint.io.boundaries import Boundaries, read_boundaries
from squint.library import adding, ingest, keeping, originals
from squint.library.records import SectionRow
from squint.library.results import Report
from squint.library.section import Section, of_row
from squint.library.store import BOUNDARIES, DATA, UNFILTERED, UNFILTERED_BOUNDARIES, Library
from squint.pp import QualityFilter

_SOURCES = {DATA, BOUNDARIES, UNFILTERED, UNFILTERED_BOUNDARIES}  # what the other files are made of
_LOST = "What the library knew of this section was damaged: organ and assay are not known any more."

Made = tuple[Any, ingest.Labels, Boundaries | None, ingest.Whole | None]


@dataclass(frozen=True)
class Rebuilt:
    """What was made again of a damaged section."""

    title: str
    files: tuple[str, ...]  # that were damaged or missing
    record: bool  # whether what the library knew of it was damaged
    source: str  # what it was made of, in words; empty if nothing was damaged
    left: tuple[str, ...]  # files of it that are damaged and made elsewhere: tokens, cells of sets


def rebuild(library: Library, section_id: str, report: Report) -> Rebuilt:
    """Make the files of a damaged section again, of what of it is intact.

    Parameters
    ----------
    library
        Whose section it is.
    section_id
        Of the section. One of which nothing is damaged stays as it is.
    report
        Is told how far it is.

    Raises
    ------
    InputError
        If neither its data nor its original are intact, or they do not give the same section.
    """
    folder = library.folder(section_id)
    with library.database.reading() as session:
        row = session.get(SectionRow, section_id)
        if row is None:
            raise InputError(keeping.GONE)
        problems = library.files.problems(session, section_id=section_id)
    damaged = {path.name for path in problems if path.parent == folder}
    left = tuple(str(path.relative_to(folder)) for path in sorted(problems) if path.parent != folder)
    known = of_row(row) if row.intact and row.sha256 else None
    if known is not None and not damaged and not library.why_damaged(row):
        return Rebuilt(known.title, (), record=False, source="", left=left)
    report(0.1, "reading what is intact")
    if library.files.is_recorded(folder / DATA) and not damaged & _SOURCES:
        made, source = _of_data(library, folder, known), "its data"
    elif known is not None and row.recipe:
        made, source = _of_original(library, known, row.recipe), "its original"
    else:
        raise InputError("Neither its data nor an original of it are intact. Delete it and add it again.")
    report(0.5, "writing the section again")
    with library.staged() as staged:
        section = ingest.write(staged, *made)
        if section.id != section_id or (known and section.sha256 != known.sha256):
            raise InputError("What was read is not the section that was kept. Delete it and add it again.")
        keeping.mend_section(library, staged, known or section)
    return Rebuilt(
        (known or section).title, tuple(sorted(damaged)), record=known is None, source=source, left=left
    )


def _of_data(library: Library, folder: Path, known: Section | None) -> Made:
    answers = squint.io.Answers(unit=known.unit) if known else squint.io.Answers()
    adata = squint.io.read(folder / DATA, answers=answers)
    facts = adata.uns[keys.PROVENANCE]
    if known is None:
        facts["notes"] = [*facts["notes"], _LOST]
    else:
        facts |= _provenance(known)
    labels = ingest.Labels({}, {}, known.organ if known else "", known.assay if known else "")
    whole = None
    if library.files.is_recorded(folder / UNFILTERED):
        every = squint.io.read(folder / UNFILTERED, answers=answers)
        every.uns[keys.PROVENANCE] = dict(facts)
        rings = _outlines(library, folder / UNFILTERED_BOUNDARIES)
        whole = ingest.Whole(every, rings, known.quality if known else QualityFilter())
    return adata, labels, _outlines(library, folder / BOUNDARIES), whole


def _of_original(library: Library, known: Section, recipe: dict[str, Any]) -> Made:
    path = originals.find(library, known.id)
    if path is None:
        raise InputError("The original of this section is not there. Delete it and add it again.")
    settled = adding.read(path, squint.io.Answers(**recipe["answers"]))
    names: Any = settled.adata.obs[keys.SECTION]
    part = int(recipe["part"])
    if part >= len(names.cat.categories):
        raise InputError("The original holds other sections than it did. Delete this one and add it again.")
    patients = settled.adata.obs[keys.PATIENT].dropna().unique() if keys.PATIENT in settled.adata.obs else []
    labels = ingest.Labels(
        dict.fromkeys(["", *map(str, patients)], known.patient),
        {str(names.cat.categories[part]): known.section},
        known.organ,
        known.assay,
    )
    clean, rings = next(islice(adding.clean_parts(settled, labels), part, None))
    adata, rings, whole = ingest.leave_out(clean, rings, QualityFilter(**recipe["quality"]))
    adata.uns[keys.PROVENANCE] |= _provenance(known)
    return adata, labels, rings, whole if whole is None else replace(whole, quality=known.quality)


def _provenance(known: Section) -> dict[str, Any]:
    return {
        "unit": known.unit,
        "values": known.values,
        "simulated": known.simulated,
        "stack": known.stack,
        "notes": list(known.notes),
    }


def _outlines(library: Library, path: Path) -> Boundaries | None:
    return read_boundaries(library.files.checked(path)) if library.files.is_recorded(path) else None
