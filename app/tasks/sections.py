"""Uploads looked at and kept, and the sample cohort imported. Runs in the worker."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np

import squint.io
from app.engine.client import Report
from app.engine.limits import memory_limit, reading_limit
from app.requests import AddFound, ImportSamples, Keep, Validate
from app.tasks import images, models, quality, tokens
from app.uploads.disk import room
from squint import keys, tl
from squint.errors import InputError
from squint.io import archives, folders
from squint.io.findings import AskedError
from squint.io.registry import sources_in
from squint.library import answers, ingest, originals
from squint.library.images import FROM_FILE, Addition, Images
from squint.library.store import Library
from squint.model.bundle import Bundle, section_sha256

_ZIP = ".zip"
_SAY_WHAT = (".h5ad", ".h5", ".zarr")  # endings that are kept


@dataclass(frozen=True)
class Fit:
    """How an upload meets the model."""

    problem: str  # why it cannot be tokenised; empty if it can
    warnings: tuple[str, ...]
    gene_overlap: float
    conditions: dict[str, str]  # section -> "trained" or "unseen"


def validate(library: Library, asked: Validate, report: Report) -> dict[str, Any]:
    """Read a staged upload and say what it holds; nothing is kept.

    What cannot be opened is refused. What leaves open how it is to be read has a ``question``, and what may
    just have columns that are named differently has a ``problem``.
    """
    del library
    staged = Path(asked.path)
    path = unpacked(staged, report)
    left_alone = archives.left_alone(staged) if staged.suffix == _ZIP else []
    said: dict[str, Any] = {"problem": "", "question": None, "report": None, "fit": None, "quality": None}
    report(0.1, "looking what it is")
    with memory_limit(reading_limit(path)):
        said |= {
            "left_alone": left_alone,
            "kind": kind_of(path),
            "columns": squint.io.obs_columns(path),
        }
    report(0.3, "reading counts and positions")
    try:
        with memory_limit(reading_limit(path)):
            settled = squint.io.read_settled(path, asked.answers)
    except AskedError as error:
        return said | {"question": asdict(error.question)}
    except InputError as error:
        return said | {"problem": str(error)}
    report(0.9, "comparing with the model")
    known: Any = settled.adata.obs
    settled, sifted = quality.sift(settled, asked.quality)
    fit = compare_with(settled.adata, models.held())
    found = squint.io.report_on(settled, path.name)
    return said | {
        "report": asdict(found),
        "fit": asdict(fit),
        "quality": asdict(sifted),
        "columns": sorted({*said["columns"], *map(str, known.columns)}),
    }


def kind_of(path: Path) -> str:
    """Say what kind of source it is, in words, and of which columns: files alike have answers alike."""
    kinds = sorted({source.reader.kind for source in sources_in(path)})
    columns = hashlib.sha256(json.dumps(squint.io.obs_columns(path)).encode()).hexdigest()[:8]
    return f"{' and '.join(kinds)} {columns}"


def unpacked(staged: Path, report: Report) -> Path:
    """Give what a reader is to read of a staged upload: a zip is unpacked beside it, once.

    What lies in it alone is called as the staged zip is, whose name names nobody.
    """
    if staged.is_dir():
        folders.check(staged)
    if staged.suffix != _ZIP:
        return staged
    folder = staged.with_suffix("")
    if not folder.exists():
        report(0.05, "unpacking")
        archives.unpack(staged, folder, max_bytes=room(folder.parent))
    inside = list(folder.iterdir())
    if len(inside) > 1:
        return folder
    ending = inside[0].suffix.lower()
    return inside[0].rename(folder / f"{staged.stem}{ending if ending in _SAY_WHAT else ''}")


def compare_with(adata: ad.AnnData, bundle: Bundle | None) -> Fit:
    """Compare sections with the model, if there is one."""
    if bundle is None:
        return Fit("There is no model here, so there will be no tokens.", (), float("nan"), {})
    overlap = float(adata.var_names.isin(bundle.genes).sum() / len(bundle.genes))
    try:
        warnings = tl.check_fits(adata, bundle)
    except InputError as error:
        return Fit(str(error), (), overlap, {})
    conditions = {}
    for name in adata.obs[keys.SECTION].cat.categories:
        part = adata[(adata.obs[keys.SECTION] == name).to_numpy()]
        whole = overlap == 1
        trained = whole and bundle.condition_of(str(name), section_sha256(part[:, bundle.genes]))
        conditions[str(name)] = "trained" if trained else "unseen"
    return Fit("", tuple(warnings), overlap, conditions)


def keep(library: Library, asked: Keep, report: Report) -> list[dict[str, Any]]:
    """Put the sections of a staged upload into the library.

    The upload itself is kept with them, unmodified. Returns id and title of each, and whether it is new: one
    that is there already stays as it is; and the pictures that lie under it. How questions were answered is
    remembered for the next of its kind.
    """
    path = unpacked(Path(asked.path), report)
    report(0.1, "reading the file")
    with memory_limit(reading_limit(path)):
        settled = squint.io.read_settled(path, asked.answers)
    labels = ingest.Labels(asked.patients, asked.sections, asked.organ, asked.assay)
    names = settled.adata.obs[keys.SECTION]
    cleaned = list(ingest.clean(settled.adata, labels))
    parts = []
    for section, name in zip(cleaned, names.cat.categories, strict=True):
        rings = settled.boundaries
        if rings is not None and len(cleaned) > 1:
            rings = rings.of(np.flatnonzero((names == name).to_numpy()))
        parts.append(quality.leave_out(section, rings, asked.quality))
    kept = []
    original = originals.stage(library, Path(asked.path))
    recipe = {"answers": asked.answers.given(), "quality": asdict(asked.quality)}
    try:
        for i, (section, rings, whole) in enumerate(parts):
            report(0.3 + 0.7 * i / len(parts), f"keeping section {i + 1} of {len(parts)}")
            made = {**recipe, "part": i}
            added, new = ingest.add(library, section, labels, rings, whole, original, made)
            kept.append({"id": added.id, "title": added.title, "new": new, "pictures": []})
    finally:
        shutil.rmtree(original.folder, ignore_errors=True)
    if len(kept) == 1:  # of several, nobody knows which one a picture is of
        kept[0]["pictures"] = [
            {"path": str(one.path), "name": one.name, "to_section": one.to_section}
            for one in settled.pictures
            if one.to_section is not None
        ]
    answers.remember(library, kind_of(path), asked.answers)
    return kept


def add_found(library: Library, asked: AddFound, report: Report) -> dict[str, str]:
    """Keep pictures that a staged upload holds and places, as tiles under the cells.

    Returns of each, by name, why it could not be kept; empty where it was. The section is there without it.
    """
    said = {}
    for picture in asked.pictures:
        try:
            image = images.keep(library, Addition(asked.section, picture.path), report)
            Images(library).place(asked.section, image.id, picture.to_section, FROM_FILE)
            said[picture.name] = ""
        except InputError as error:
            said[picture.name] = str(error)
    return said


def import_samples(library: Library, asked: ImportSamples, report: Report) -> list[str]:
    """Put the simulated cohort into a new library, with tokens where there is a model."""
    paths = sorted(Path(asked.samples).glob("*.h5ad"))
    bundle = models.held()
    kept = []
    for i, path in enumerate(paths):
        report(i / len(paths), f"importing {path.stem} ({i + 1} of {len(paths)})")
        adata = squint.io.read(path)
        patients = {str(name): str(name) for name in adata.obs["patient_id"].unique()}
        labels = ingest.Labels(patients, {}, organ="kidney", assay="simulated")
        parts = list(ingest.clean(adata, labels, planted=True))
        for j, section in enumerate(parts):
            kept.append(ingest.add(library, section, labels)[0].id)
            if bundle is not None:
                done = (i + (j + 0.4) / len(parts)) / len(paths)
                report(done, f"tokenising {path.stem} ({i + 1} of {len(paths)})")
                tokens.tokenise_section(library, kept[-1], bundle)
    library.note_samples()
    return kept
