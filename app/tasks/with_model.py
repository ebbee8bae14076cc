"""What the worker can do, by name. Each task is a function of JSON arguments and a way to report progress."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import squint.io
from app.engine.client import Report
from app.exports import drawing
from app.library.images import Addition
from app.library.store import Library
from app.tasks import areas, co_occurrence, comparison, images, sections, stacks, tokens
from squint.device import pick_device
from squint.errors import InputError
from squint.model.bundle import Bundle

_loaded: dict[str, Bundle] = {}  # the model, under "bundle", once it is there


def start(model: Path) -> dict[str, Any]:
    """Load the model once; return the facts that the pages show."""
    device = pick_device("auto")
    facts: dict[str, Any] = {
        "device": f"GPU {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "CPU",
        "model": None,
        "problem": "",
        "chrome": drawing.find_chrome() is not None,
    }
    try:
        bundle = Bundle.load(model, device)
    except InputError as error:
        return facts | {"problem": str(error)}
    _loaded["bundle"] = bundle
    return facts | {
        "model": {
            "name": model.name,
            "sha256": bundle.sha256,
            "n_codes": bundle.model_config.n_codes,
            "n_genes": len(bundle.genes),
            "genes_sha256": tokens.list_sha256(bundle.genes),
            "n_sections": len(bundle.sections),
            "simulated": bundle.simulated,
        }
    }


def _bundle() -> Bundle:
    if "bundle" not in _loaded:
        raise InputError("No model is loaded. Point SQUINT_MODEL to a model bundle and start again.")
    return _loaded["bundle"]


def validate(args: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Read a staged upload and say what it holds; nothing is kept.

    A file that cannot be opened is refused; one whose columns may just be named differently
    has a ``problem``.
    """
    report(0.1, "checking the file")
    path = Path(args["path"])
    columns = squint.io.obs_columns(path)
    report(0.3, "reading counts and positions")
    try:
        adata, found = squint.io.read_and_validate(path, columns=args["columns"])
    except InputError as error:
        return {"problem": str(error), "columns": columns, "report": None, "fit": None}
    report(0.9, "comparing with the model")
    fit = tokens.fit(adata, _loaded.get("bundle"))
    return {"problem": "", "columns": columns, "report": asdict(found), "fit": asdict(fit)}


def keep(args: Mapping[str, Any], report: Report) -> list[dict[str, Any]]:
    """Put the sections of a staged upload into the library.

    Returns id and title of each, and whether it is new: one that is there already stays as it is.
    """
    report(0.1, "reading the file")
    adata = squint.io.read(Path(args["path"]), columns=args["columns"])
    labels = sections.Labels(args["patients"], args["sections"], args["organ"], args["assay"])
    cleaned = list(sections.clean(adata, labels))
    kept = []
    for i, section in enumerate(cleaned):
        report(0.3 + 0.7 * i / len(cleaned), f"keeping section {i + 1} of {len(cleaned)}")
        added, new = sections.add(Library(Path(args["home"])), section, labels)
        kept.append({"id": added.id, "title": added.title, "new": new})
    return kept


def tokenise(args: Mapping[str, Any], report: Report) -> list[str]:
    """Give the cells of sections in the library their tokens; return the ids of those that fit the model."""
    library = Library(Path(args["home"]))
    done = []
    for i, section_id in enumerate(args["ids"]):
        report(i / len(args["ids"]), f"{library.get(section_id).title} ({i + 1} of {len(args['ids'])})")
        if tokens.tokenise(library, section_id, _bundle()):
            done.append(section_id)
    return done


def import_samples(args: Mapping[str, Any], report: Report) -> list[str]:
    """Put the simulated cohort into a new library, with tokens where there is a model."""
    library = Library(Path(args["home"]))
    paths = sorted(Path(args["samples"]).glob("*.h5ad"))
    kept = []
    for i, path in enumerate(paths):
        report(i / len(paths), f"importing {path.stem} ({i + 1} of {len(paths)})")
        adata = squint.io.read(path)
        patients = {str(name): str(name) for name in adata.obs["patient_id"].unique()}
        labels = sections.Labels(patients, {}, organ="kidney", assay="simulated")
        parts = list(sections.clean(adata, labels, planted=True))
        for j, section in enumerate(parts):
            kept.append(sections.add(library, section, labels)[0].id)
            if "bundle" in _loaded:
                done = (i + (j + 0.4) / len(parts)) / len(paths)
                report(done, f"tokenising {path.stem} ({i + 1} of {len(paths)})")
                tokens.tokenise(library, kept[-1], _bundle())
    library.samples_marker.touch()
    return kept


def profile(args: Mapping[str, Any], report: Report) -> str:
    """Say what each token is; return the name of the table."""
    report(0.1, "counting genes and cell types in each token")
    return tokens.profile(Library(Path(args["home"])), args["ids"], args["model"])


def activate(args: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Score sections against a reference patient; return what was done and where the scores are."""
    report(0.1, "finding neighbours")
    request = tokens.Activation(**args["request"])
    return tokens.activate(Library(Path(args["home"])), request)


def look_at_image(args: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Say what a picture of tissue is; nothing is kept."""
    return images.look(Addition(**args["addition"]), report)


def add_image(args: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Keep a picture of tissue, as tiles, with its section; return what is known of it."""
    return asdict(images.add(Library(Path(args["home"])), Addition(**args["addition"]), report))


TASKS: Mapping[str, Callable[[Mapping[str, Any], Report], Any]] = {
    "validate": validate,
    "keep": keep,
    "tokenise": tokenise,
    "import_samples": import_samples,
    "profile": profile,
    "activate": activate,
    "differential": comparison.differential,
    "pseudobulk": comparison.pseudobulk,
    "train_on_stack": stacks.train,
    "inpaint": stacks.inpaint,
    "align": stacks.align,
    "inpaint_region": areas.inpaint,
    "train_without_region": areas.train,
    "co_occurrence": co_occurrence.co_occurrence,
    "neighbours": co_occurrence.neighbours,
    "write_sequences": co_occurrence.write_sequences,
    "look_at_image": look_at_image,
    "add_image": add_image,
}
