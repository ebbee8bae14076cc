"""A model trained on sections of the library, taken up where it was. Runs in the worker."""

from pathlib import Path
from typing import Any

import h5py

import squint
import squint.io
from app.engine.client import ask
from app.models import fitting
from app.requests import EstimateTraining, LearnToInpaint, Tokenise, TrainModel
from app.tasks.gather import genes_of_all
from app.tasks.models import bundle_of, keep_model
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.files import list_sha256
from squint.library import trainings
from squint.library.preferred_model import prefer
from squint.library.results import Report
from squint.library.store import DATA, GENES, Library
from squint.model.bundle import versions
from squint.model.card import read_card
from squint.training.epoch import Epoch
from squint.training.estimate import estimate

CHOICES = TrainConfig(context_steps=0)  # to in-paint is learned when somebody first asks for it
_TOKENS_S = 24 * 3600.0
_TRAINED = 0.98  # of the job; then the model is kept


def estimate_here(library: Library, asked: EstimateTraining, report: Report) -> dict[str, Any]:
    """Measure how long a training will take on this machine; return :class:`Estimate` as JSON."""
    report(0.1, "training on a few simulated cells")
    sections = [library.get(one) for one in asked.ids]
    genes = genes_of_all([library.genes(one) for one in asked.ids], [one.title for one in sections])
    found = estimate(
        sum(section.n_cells for section in sections),
        len(genes),
        model=ModelConfig(n_codes=asked.n_codes),
        train=CHOICES,
        nonzero=_nonzero(library, asked.ids),
    )
    return found._asdict()


def train(library: Library, asked: TrainModel, report: Report) -> str:
    """Train a model, keep it, and ask for tokens of all sections that it fits; return its folder.

    What was learned is kept after each epoch: the same job, begun again, goes on from there.
    """
    report(0.0, "reading the sections")
    names = [library.get(one).section for one in asked.ids]
    if double := next((name for name in names if names.count(name) > 1), ""):
        raise InputError(f"Two of the sections are called {double}. Leave one of them out.")
    sections = [squint.io.read(library.path(one, DATA)) for one in asked.ids]
    report(0.0, "preparing")
    place = trainings.place(library, asked.args)
    own = place / list_sha256([f"{name} {version}" for name, version in sorted(versions().items())])[:16]
    last = None
    for last in squint.train(
        sections, model=ModelConfig(n_codes=asked.n_codes), train=CHOICES, checkpoint=own
    ):
        trainings.note(place, _row(last))
        report(_TRAINED * last.number / last.n_epochs, _words(last))
    if last is None:
        raise InputError("No epoch was run.")
    report(_TRAINED, "keeping the model")
    folder = keep_model(library, last.bundle, asked.ids, asked.model_name)
    prefer(library, last.bundle.sha256)
    trainings.forget(place)
    _ask_for_tokens(library, Path(folder), last.bundle.sha256)
    return folder


def teach(library: Library, asked: LearnToInpaint, report: Report) -> str:
    """Teach a model to in-paint, from the sections that it was trained on; return the folder of the new one.

    The tokens of both are the same, their hashes are not: the other one stays.
    """
    report(0.05, "reading the sections")
    bundle = bundle_of(library, asked.model)
    sections = [squint.io.read(library.path(one, DATA)) for one in asked.ids]
    report(0.1, "learning from holes in the tissue")
    learned = squint.learn_to_inpaint(bundle, sections)
    report(_TRAINED, "keeping the model")
    return keep_model(library, learned, asked.ids, asked.model_name)


def _words(epoch: Epoch) -> str:
    loss = f"epoch {epoch.number} of {epoch.n_epochs}: loss {epoch.losses['total']:.3f}"
    n_codes = epoch.bundle.model_config.n_codes
    return f"{loss}, {epoch.codes_used} of {n_codes} codes used" if epoch.codes_used else loss


def _row(epoch: Epoch) -> dict[str, float]:
    """Give what of an epoch is drawn while the training goes on."""
    return {
        "epoch": epoch.number,
        "n_epochs": epoch.n_epochs,
        "loss": epoch.losses["total"],
        "codes_used": epoch.codes_used,
    }


def _ask_for_tokens(library: Library, folder: Path, sha256: str) -> None:
    """Ask for tokens of all sections that fit: a job of its own, whether or not the page is still open."""
    if ids := fitting(library, read_card(folder)):
        ask(Tokenise(ids, sha256), library, limit_s=_TOKENS_S, about="Tokenising")


def _nonzero(library: Library, ids: tuple[str, ...]) -> float:
    """Give the share of the counts of sections that are not zero."""
    found = total = 0
    for one in ids:
        with h5py.File(library.path(one, GENES)) as file:
            found += int(file["indptr"][-1])
            total += int(file.attrs["n_cells"]) * len(file["names"])
    return max(found, 1) / max(total, 1)
