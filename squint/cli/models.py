"""The commands ``models list``, ``add``, ``export`` and ``remove``, and which model ``--model auto`` is."""

import argparse
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint.cli.project import add_project, home_of
from squint.cli.terminal import AUTO, Facts, progress, say
from squint.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from squint.library.models import KnownModel
    from squint.library.store import Library
    from squint.model.ranking import Fit


def add_models(add: Any, commands: Any) -> None:
    """Take commands on all models: those of the library that ``SQUINT_HOME`` names, and those shipped.

    Parameters
    ----------
    add
        Adds a command, to a group if one is given.
    commands
        Where a group is added.
    """
    about = "List models, bring them in, and take them elsewhere."
    kinds = commands.add_parser("models", help=about, description=about).add_subparsers(
        required=True, metavar="WHAT"
    )
    add_project(add(list_models, "list", kinds))
    sub = add(add_model_file, "add", kinds)
    add_project(sub)
    sub.add_argument("file", type=Path, metavar="ZIP", help="that `export` wrote, or the folder of a bundle")
    sub = add(export, to=kinds)
    add_project(sub)
    sub.add_argument("model", metavar="NAME", help="of the model, or the start of its hash")
    sub.add_argument("file", type=Path, metavar="ZIP", help="to write; it must not be there yet")
    sub = add(remove, to=kinds)
    add_project(sub)
    sub.add_argument("model", metavar="NAME", help="of the model, or the start of its hash")


def list_models(options: argparse.Namespace) -> Facts:
    """List the models of the library and those shipped, with what of them is damaged."""
    found = _known(_library(options))
    for model in found:
        say(_line(model))
    n_damaged = sum(bool(model.problem) for model in found)
    say(f"{len(found) - n_damaged:,} models, {n_damaged:,} damaged")
    return {"models": [_facts(model) for model in found]}


def add_model_file(options: argparse.Namespace) -> Facts:
    """Put a model into the library, once all of it was looked at; one that is there is not kept twice."""
    from squint.library import models, place
    from squint.library.store import Library

    if not options.file.exists():
        raise InputError(f"There is no file or folder {options.file}.")
    progress(f"{options.file}: looking at all of it")
    library = Library(home_of(options, may_be_new=True))
    model, is_new = models.add(library, options.file, place.shipped_models())
    say(_line(model))
    say("kept" if is_new else "is there already: nothing was changed")
    return {"new": is_new, **_facts(model)}


def export(options: argparse.Namespace) -> Facts:
    """Write a model to one file, for another library."""
    from squint.files import sha256
    from squint.library import audit, models
    from squint.library.chain import EXPORTED, MODEL, Entry
    from squint.model import archive

    library = _library(options)
    model = models.find(_known(library), options.model)
    if model.problem:
        raise InputError(f"The model {model.name} is damaged and not exported: {model.problem}")
    if library is not None:
        audit.note(library.home, Entry(EXPORTED, MODEL, model.sha256[:16]))
    archive.export(model.folder, options.file)
    say(f"{options.file}: {options.file.stat().st_size / 1e6:,.1f} MB, model {model.sha256[:12]}")
    return {"file": str(options.file), "file_sha256": sha256(options.file), **_facts(model)}


def remove(options: argparse.Namespace) -> Facts:
    """Remove a model from the library; the tokens that it gave stay, and count if it comes back."""
    from squint.library import models

    library = _library(options)
    model = models.find(_known(library), options.model)
    if model.is_shipped or library is None:
        raise InputError(f"The model {model.name} ships with squint: it cannot be removed.")
    models.remove(library, model.folder)
    say(f"{model.name} ({model.sha256[:12]}): removed")
    return {"name": model.name, "sha256": model.sha256}


@dataclass(frozen=True)
class Choice:
    """The model that was chosen for some sections, and why."""

    folder: Path
    facts: Facts  # for the provenance


def choose(sources: "Iterable[AbstractContextManager[AnnData]]", options: argparse.Namespace) -> Choice:
    """Choose the model that fits sections best, and say why on stderr.

    Parameters
    ----------
    sources
        What each source holds, one after another. With several, a model counts as it fits the one that it
        fits least.
    options
        Of the command: ``device``, where cells are encoded, and ``project``, whose models are known.

    Raises
    ------
    InputError
        If no model can be used for all of them, or there is no such project.
    """
    from squint.model import ranking

    models = {model.folder: model for model in _known(_library(options)) if model.card is not None}
    fits: dict[Path, list[Fit]] = {folder: [] for folder in models}
    for source in sources:
        with source as adata:
            for folder, model in models.items():
                fits[folder].append(_fit(model, adata, options.device))
    worst = {folder: ranking.worst(found) for folder, found in fits.items()}
    said = {folder: f"{_called(models[folder])}: {worst[folder].words}" for folder in ranking.ranked(worst)}
    for line in said.values():
        progress(f"  {line}")
    first = ranking.best(worst)
    progress(f"--model auto: {_called(models[first])} fits best.")
    others = [line for folder, line in said.items() if folder != first]
    facts = {"asked": AUTO, "name": models[first].name, "why": worst[first].words, "others": others}
    return Choice(first, facts)


def _fit(model: "KnownModel", adata: "AnnData", device: str) -> "Fit":
    from squint import keys
    from squint.device import pick_device
    from squint.model.bundle import Bundle
    from squint.model.card import read_card
    from squint.model.novelty import measure
    from squint.model.ranking import compare

    is_simulated = bool(adata.uns[keys.PROVENANCE].get("simulated", False))
    fit = compare(read_card(model.folder), set(adata.var_names), is_simulated=is_simulated)
    return measure(fit, adata, Bundle.load(model.folder, pick_device(device))) if fit.is_usable else fit


def _library(options: argparse.Namespace) -> "Library | None":
    """Open the library of a project that is asked for, else the server's first, if there is one."""
    from squint.library import place
    from squint.library.store import Library

    home = place.find_home() if options.project is None else home_of(options)
    return None if home is None else Library(home)


def _known(library: "Library | None") -> "list[KnownModel]":
    from squint.library import models, place

    return models.known(library, place.shipped_models())


def _called(model: "KnownModel") -> str:
    return f"{model.name} ({model.sha256[:12]})"


def _line(model: "KnownModel") -> str:
    if model.card is None:
        return f"{_called(model)}: damaged. {model.problem}"
    card = model.card
    n_cells = sum(section.n_cells - len(section.hidden) for section in card.sections)
    simulated = ", simulated" if card.simulated else ""
    label = f"{card.about.label}; " if card.about is not None and card.about.label else ""
    data = f"; data: {card.about.attribution}" if card.about is not None else ""
    where = "ships with squint" if model.is_shipped else f"in the library since {model.added[:10]}"
    return (
        f"{_called(model)}: {label}{len(card.genes):,} genes, {card.model.n_codes:,} codes; trained on "
        f"{len(card.sections):,} sections, {n_cells:,} cells{simulated}, {card.created[:10]}; {where}{data}"
    )


def _facts(model: "KnownModel") -> Facts:
    facts: Facts = {
        "name": model.name,
        "sha256": model.sha256,
        "folder": str(model.folder),
        "shipped": model.is_shipped,
        "added": model.added,
        "note": model.note,
        "problem": model.problem,
    }
    if model.card is not None:
        card = model.card
        facts |= {
            "genes": card.genes,
            "n_codes": card.model.n_codes,
            "depth": card.depth,
            "sections": [{**asdict(section), "hidden": len(section.hidden)} for section in card.sections],
            "organs": card.organs,
            "about": None if card.about is None else card.about.json,
            "simulated": card.simulated,
            "in_paints": card.in_paints,
            "created": card.created,
            "metrics": card.metrics,
        }
    return facts
