"""Uploads looked at and kept, damaged sections made again, the samples imported. Runs in the worker."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import squint.io
from app.requests import AddFound, ImportSamples, Keep, Rebuild, Validate
from app.tasks import quality
from app.uploads.disk import room
from squint.errors import InputError
from squint.io import archives
from squint.io.content import Placed
from squint.io.findings import AskedError
from squint.io.limits import memory_limit, reading_limit
from squint.library import adding, ingest
from squint.library import rebuild as rebuilding
from squint.library.results import Report
from squint.library.store import Library


def validate(library: Library, asked: Validate, report: Report) -> dict[str, Any]:
    """Read a staged upload and say what it holds; nothing is kept.

    What cannot be opened is refused. What leaves open how it is to be read has a ``question``, and what may
    just have columns that are named differently has a ``problem``.
    """
    staged = Path(asked.path)
    path = adding.unpacked(staged, room(staged.parent), report)
    left_alone = archives.left_alone(staged) if staged.suffix == adding.ZIP else []
    said: dict[str, Any] = {"problem": "", "question": None, "report": None, "models": [], "quality": None}
    report(0.1, "looking what it is")
    with memory_limit(reading_limit(path)):
        said |= {
            "left_alone": left_alone,
            "kind": adding.kind_of(path),
            "columns": squint.io.obs_columns(path),
        }
    report(0.3, "reading counts and positions")
    try:
        settled = adding.read(path, asked.answers)
    except AskedError as error:
        return said | {"question": asdict(error.question)}
    except InputError as error:
        return said | {"problem": str(error)}
    known: Any = settled.adata.obs
    settled, sifted = quality.sift(settled, asked.quality)
    found = squint.io.report_on(settled, path.name)
    from app.tasks.fitting import fit_all  # noqa: PLC0415 - with torch, which takes longer than a small file

    fits = fit_all(library, settled.adata, asked.models, report)
    return said | {
        "report": asdict(found),
        "models": [asdict(one) for one in fits],
        "quality": asdict(sifted),
        "columns": sorted({*said["columns"], *map(str, known.columns)}),
    }


def keep(library: Library, asked: Keep, report: Report) -> list[dict[str, Any]]:
    """Put the sections of a staged upload into the library.

    Returns id and title of each, and whether it is new: one that is there already stays as it is; and the
    pictures that lie under it.
    """
    staged = Path(asked.path)
    path = adding.unpacked(staged, room(staged.parent), report)
    report(0.1, "reading the file")
    settled = adding.read(path, asked.answers)
    labels = ingest.Labels(asked.patients, asked.sections, asked.organ, asked.assay)
    kept = adding.keep(library, staged, settled, labels, asked.answers, asked.quality, report)
    adding.remember(library, path, asked.answers)
    pictures = [
        {"path": str(one.path), "name": one.name, "to_section": one.to_section}
        for one in adding.placed_pictures(settled, len(kept))
    ]
    return [
        {"id": one.section.id, "title": one.section.title, "new": one.new, "pictures": pictures}
        for one in kept
    ]


def add_found(library: Library, asked: AddFound, report: Report) -> dict[str, str]:
    """Keep pictures that a staged upload holds and places, as tiles under the cells.

    Returns of each, by name, why it could not be kept; empty where it was. The section is there without it.
    """
    pictures = [Placed(Path(one.path), one.name, one.to_section) for one in asked.pictures]
    return dict(adding.keep_pictures(library, asked.section, pictures, report))


def rebuild(library: Library, asked: Rebuild, report: Report) -> str:
    """Make the files of a damaged section again; return its title."""
    return rebuilding.rebuild(library, asked.section, report).title


def import_samples(library: Library, asked: ImportSamples, report: Report) -> list[str]:
    """Put the simulated cohort into a new library; return the ids of its sections."""
    paths = sorted(Path(asked.samples).glob("*.h5ad"))
    kept = []
    for i, path in enumerate(paths):
        report(i / len(paths), f"importing {path.stem} ({i + 1} of {len(paths)})")
        adata = squint.io.read(path)
        patients = {str(name): str(name) for name in adata.obs["patient_id"].unique()}
        labels = ingest.Labels(patients, {}, organ="kidney", assay="simulated")
        parts = ingest.clean(adata, labels, planted=True)
        kept += [ingest.add(library, part, labels)[0].id for part in parts]
    library.note_samples()
    return kept
