"""Uploads looked at and kept, and the sample cohort imported. Runs in the worker."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anndata as ad

import squint.io
from app.engine.client import Report
from app.engine.limits import memory_limit, reading_limit
from app.library.arrivals import room
from app.library.store import Library
from app.requests import ImportSamples, Keep, Validate
from app.tasks import ingest, models, tokens
from squint import keys, tl
from squint.errors import InputError
from squint.io import archives, folders
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

    A file that cannot be opened is refused; one whose columns may just be named differently
    has a ``problem``.
    """
    del library
    staged = Path(asked.path)
    path = unpacked(staged, report)
    left_alone = archives.left_alone(staged) if staged.suffix == _ZIP else []
    said: dict[str, Any] = {"problem": "", "report": None, "fit": None, "left_alone": left_alone}
    report(0.1, "checking the file")
    with memory_limit(reading_limit(path)):
        said["columns"] = squint.io.obs_columns(path)
    report(0.3, "reading counts and positions")
    try:
        with memory_limit(reading_limit(path)):
            adata, found = squint.io.read_and_validate(path, columns=asked.columns)
    except InputError as error:
        return said | {"problem": str(error)}
    report(0.9, "comparing with the model")
    fit = compare_with(adata, models.held())
    return said | {"report": asdict(found), "fit": asdict(fit)}


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

    Returns id and title of each, and whether it is new: one that is there already stays as it is.
    """
    path = unpacked(Path(asked.path), report)
    report(0.1, "reading the file")
    with memory_limit(reading_limit(path)):
        adata = squint.io.read(path, columns=asked.columns)
    labels = ingest.Labels(asked.patients, asked.sections, asked.organ, asked.assay)
    cleaned = list(ingest.clean(adata, labels))
    kept = []
    for i, section in enumerate(cleaned):
        report(0.3 + 0.7 * i / len(cleaned), f"keeping section {i + 1} of {len(cleaned)}")
        added, new = ingest.add(library, section, labels)
        kept.append({"id": added.id, "title": added.title, "new": new})
    return kept


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
    library.samples_marker.touch()
    return kept
