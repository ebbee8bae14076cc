"""Models in the worker: the one that it holds, what is said of one, and how a trained one is kept."""

import shutil
from collections.abc import Sequence

from app.models import ModelFacts
from squint.errors import InputError
from squint.files import move_folder
from squint.library.results import list_sha256
from squint.library.store import Library
from squint.model.bundle import Bundle
from squint.model.card import WEIGHTS

_held: dict[str, Bundle] = {}  # the server's model, under "bundle", once it is loaded


def hold(bundle: Bundle) -> None:
    """Hold the server's model from here on."""
    _held["bundle"] = bundle


def held() -> Bundle | None:
    """Return the server's model, if there is one."""
    return _held.get("bundle")


def required() -> Bundle:
    """Return the server's model.

    Raises
    ------
    InputError
        If there is none.
    """
    if "bundle" not in _held:
        raise InputError("No model is loaded. Point SQUINT_MODEL to a model bundle and start again.")
    return _held["bundle"]


def facts_of(bundle: Bundle, name: str) -> ModelFacts:
    """Say what pages show of a model."""
    return ModelFacts(
        name=name,
        sha256=bundle.sha256,
        n_codes=bundle.model_config.n_codes,
        n_genes=len(bundle.genes),
        genes_sha256=list_sha256(bundle.genes),
        n_sections=len(bundle.sections),
        simulated=bundle.simulated,
    )


def keep_model(library: Library, bundle: Bundle, ids: Sequence[str], name: str) -> str:
    """Store a model that was trained on sections of the library; return its folder.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing made of it stays.
    """
    bundle.simulated = all(library.get(section_id).simulated for section_id in ids)
    folder = library.workspace()
    bundle.save(folder / "model")
    target = library.models / f"{name}-{bundle.sha256[:12]}"
    move_folder(folder / "model", target, holds=WEIGHTS)
    folder.rmdir()
    try:
        for section_id in ids:
            library.get(section_id)
    except InputError:
        shutil.rmtree(target)
        raise
    return str(target)
