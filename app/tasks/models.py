"""Models in the worker: the one that it holds, what is said of one, and how a trained one is kept."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from app.models import ModelFacts
from squint.errors import InputError
from squint.files import list_sha256
from squint.library import keeping
from squint.library.records import Model
from squint.library.store import Library
from squint.model.bundle import Bundle
from squint.model.card import CARD, CONFIG, WEIGHTS

FILES = (WEIGHTS, CONFIG, CARD)

_held: dict[str, Bundle] = {}  # the server's model, under "bundle", once it is loaded
_offered: list[Path] = []  # where it is, in a worker that has not needed it yet


def hold(bundle: Bundle | None) -> None:
    """Hold the server's model from here on, or none."""
    _offered.clear()
    _held.clear()
    if bundle is not None:
        _held["bundle"] = bundle


def offer(folder: Path | None) -> None:
    """Say where the server's model is, to be loaded when it is first needed."""
    hold(None)
    _offered[:] = [] if folder is None else [folder]


def held() -> Bundle | None:
    """Return the server's model, if there is one."""
    if _offered:
        with suppress(InputError):  # the workers that hold it say what is wrong with it
            hold(Bundle.load(_offered.pop(), torch.device("cpu")))
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


def load(library: Library, folder: str) -> Bundle:
    """Load a model; one of the library is looked at first, whether it is as it was kept.

    Raises
    ------
    InputError
        If it is damaged, or gone.
    """
    path = Path(folder)
    if path.parent == library.models:
        for name in FILES:
            library.files.checked(path / name)
    return Bundle.load(path)


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
    with library.staged() as folder:
        bundle.save(folder)
        row = Model(
            folder=f"{name}-{bundle.sha256[:12]}",
            sha256=bundle.sha256,
            genes_sha256=list_sha256(bundle.genes),
            name=name,
            added=keeping.now(),
        )
        return str(keeping.keep_model(library, folder, row, ids))
