"""Models in the worker: those that it holds, and how a trained one is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from app.models import shipped
from app.requests import AddModel
from squint.errors import InputError
from squint.files import list_sha256
from squint.library import keeping
from squint.library.models import KnownModel, add, known
from squint.library.records import Model
from squint.library.results import Report
from squint.library.store import Library, harmless_name
from squint.model.card import CARD, CONFIG, WEIGHTS

if TYPE_CHECKING:
    import torch

    from squint.model.bundle import Bundle

FILES = (WEIGHTS, CONFIG, CARD)
_MOST_HELD = 3

# By folder, for each project has its own, and by sha256: what one project brings in never answers another.
_held: "LRUCache[tuple[Path, str], Bundle]" = LRUCache(_MOST_HELD)
_of_server: list[Path] = []  # where its model is: on a machine of its own it may lie elsewhere
_devices: list["str | torch.device"] = ["cpu"]  # the last one


def use(folder: Path | None, device: "torch.device | None" = None) -> None:
    """Say where the server's model is, and where models compute from here on."""
    _held.clear()
    _of_server[:] = [] if folder is None else [folder]
    _devices[:] = [device or "cpu"]


def hold(folder: Path) -> "Bundle":
    """Load a model and hold it, as the ones that are used most."""
    from squint.model.bundle import Bundle  # noqa: PLC0415 - with torch, which bringing in files does without

    bundle = Bundle.load(folder, _devices[-1])
    _held[folder.absolute(), bundle.sha256] = bundle
    return bundle


def known_here(library: Library) -> list[KnownModel]:
    """List all models that this worker reaches, damaged ones too."""
    return known(library, [*_of_server, *shipped()])


def bundle_of(library: Library, sha256: str) -> "Bundle":
    """Return a model that a library reaches, which is loaded if it is not held.

    Raises
    ------
    InputError
        If it is gone or damaged, or only another library has it.
    """
    found = next((model for model in known_here(library) if model.sha256 == sha256), None)
    if found is None:
        raise InputError("The model is not here any more. Choose another one.")
    if found.problem:
        raise InputError(f"The model {found.name} is damaged. {found.problem}")
    if (found.folder.absolute(), sha256) not in _held:
        check(library, found.folder)
        hold(found.folder)
    return _held[found.folder.absolute(), sha256]


def load(library: Library, folder: str) -> "Bundle":
    """Load a model; one of the library is looked at first, whether it is as it was kept.

    Raises
    ------
    InputError
        If it is damaged, or gone.
    """
    from squint.model.bundle import Bundle  # noqa: PLC0415 - as above

    check(library, Path(folder))
    return Bundle.load(folder)


def check(library: Library, folder: Path) -> None:
    """Look whether a model of the library is as it was kept.

    Raises
    ------
    InputError
        If it is damaged, or gone.
    """
    if folder.parent == library.models:
        for name in FILES:
            library.files.checked(folder / name)


def keep_model(library: Library, bundle: "Bundle", ids: Sequence[str], name: str) -> str:
    """Store a model that was trained on sections of the library; return its folder.

    Raises
    ------
    InputError
        If a section was deleted meanwhile: then nothing made of it stays.
    """
    sections = [library.get(section_id) for section_id in ids]
    bundle.simulated = all(section.simulated for section in sections)
    bundle.organs = sorted({section.organ for section in sections if section.organ})
    with library.staged() as folder:
        bundle.save(folder)
        row = Model(
            folder=f"{harmless_name(name, 'model')}-{bundle.sha256[:12]}",
            sha256=bundle.sha256,
            genes_sha256=list_sha256(bundle.genes),
            name=name,
            added=keeping.now(),
        )
        return str(keeping.keep_model(library, folder, row, ids))


def bring_in(library: Library, asked: AddModel, report: Report) -> dict[str, Any]:
    """Put a packed model into the library; return its folder, name, and whether it is new."""
    report(0.1, "checking every file of it")
    added = add(library, Path(asked.path), [*_of_server, *shipped()])
    return {"folder": str(added.model.folder), "name": added.model.name, "new": added.is_new}
