"""A damaged section made again: of its data where they are intact, else of its original."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import squint.io
from app.engine.client import Report
from app.engine.limits import memory_limit, reading_limit
from app.requests import Rebuild
from app.tasks import quality
from squint import keys
from squint.errors import InputError
from squint.io.boundaries import Boundaries, read_boundaries
from squint.library import ingest, keeping, originals
from squint.library.records import SectionRow
from squint.library.section import Section, of_row
from squint.library.store import BOUNDARIES, DATA, UNFILTERED, UNFILTERED_BOUNDARIES, Library
from squint.pp import QualityFilter

_SOURCES = {DATA, BOUNDARIES, UNFILTERED, UNFILTERED_BOUNDARIES}  # what the other files are made of
_LOST = "What the library knew of this section was damaged: organ and assay are not known any more."

Made = tuple[Any, ingest.Labels, Boundaries | None, ingest.Whole | None]


def rebuild(library: Library, asked: Rebuild, report: Report) -> str:
    """Make the files of a damaged section again; return its title.

    Raises
    ------
    InputError
        If neither its data nor its original are intact, or they do not give the same section.
    """
    folder = library.folder(asked.section)
    with library.database.reading() as session:
        row = session.get(SectionRow, asked.section)
        if row is None:
            raise InputError(keeping.GONE)
        damaged = {
            path.name
            for path in library.files.problems(session, section_id=asked.section)
            if path.parent == folder
        }
    known = of_row(row) if row.intact and row.sha256 else None
    report(0.1, "reading what is intact")
    if library.files.is_recorded(folder / DATA) and not damaged & _SOURCES:
        made = _of_data(library, folder, known)
    elif known is not None and row.recipe:
        made = _of_original(library, known, row.recipe)
    else:
        raise InputError("Neither its data nor an original of it are intact. Delete it and add it again.")
    report(0.5, "writing the section again")
    with library.staged() as staged:
        section = ingest.write(staged, *made)
        if section.id != asked.section or (known and section.sha256 != known.sha256):
            raise InputError("What was read is not the section that was kept. Delete it and add it again.")
        keeping.mend_section(library, staged, known or section)
    return (known or section).title


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
    with memory_limit(reading_limit(path)):
        settled = squint.io.read_settled(path, squint.io.Answers(**recipe["answers"]))
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
    clean = next(islice(ingest.clean(settled.adata, labels), part, None))
    rings = settled.boundaries
    if rings is not None and len(names.cat.categories) > 1:
        rings = rings.of(np.flatnonzero((names == names.cat.categories[part]).to_numpy()))
    adata, rings, whole = quality.leave_out(clean, rings, QualityFilter(**recipe["quality"]))
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
