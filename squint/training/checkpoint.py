"""A training kept from epoch to epoch, so that one that was ended is taken up where it was.

A checkpoint is one file: tensors (weights, moments of the optimiser, chance, recent latents) as safetensors,
all else as JSON in their header. There is no pickle in it. Its name holds the hash of its content, so that
damage shows; and it says which training it is of, so that no other one goes on from it.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from squint import files
from squint.errors import InputError
from squint.model.bundle import Bundle, versions
from squint.model.cohort import Cohort
from squint.model.tokens import Squint
from squint.parsing import parse_json
from squint.training.epoch import Epoch

logger = logging.getLogger(__name__)

_NAME = re.compile(r"epoch-([0-9]{1,7})\.([0-9a-f]{64})\.safetensors")
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")  # what `squint.files.whole` writes to, left by a kill
_FACTS = "squint"  # key of the JSON in the header
_MODEL, _OPTIMISER, _RECENT = "model.", "optimiser.", "recent."
_DRAWN, _TORCH, _CUDA = "chance.drawn", "chance.torch", "chance.cuda"

# What decides the result of a training, in the words of a refusal
_WORDS = {
    "model": "choices of the model",
    "train": "choices of the training",
    "sections": "sections or hidden cells",
    "genes": "genes",
    "cells": "order or labels of the cells",
    "device": "device",
    "versions": "versions of squint or of what it builds on",
    "form": "the way in which squint trains",
}
FORM = 2  # raised where the same choices come to other weights than before, within a version too


class Training(Protocol):
    """What changes from epoch to epoch, and what decides how: `squint.training.run.Run`."""

    bundle: Bundle
    cohort: Cohort
    model: Squint
    optimiser: torch.optim.Adam
    rng: np.random.Generator
    generator: torch.Generator
    recent: list[Tensor]


class _State(NamedTuple):
    """What a checkpoint holds."""

    facts: dict[str, Any]
    tensors: dict[str, Tensor]


class Checkpoint:
    """The folder that keeps one training.

    Parameters
    ----------
    folder
        Made if it is missing. Of what it holds, only checkpoints are looked at.
    training
        Just begun.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, folder: str | Path, training: Training) -> None:
        self.folder = Path(folder)
        self.training = training
        self.question = _question(training)
        files.make_folder(self.folder)

    def keep(self, epoch: Epoch) -> None:
        """Keep the training as it is after an epoch, in place of what was kept before.

        Raises
        ------
        InputError
            If the disk refuses; what was kept before stays.
        """
        facts = {
            "question": self.question,
            "epoch": {**epoch._asdict(), "bundle": None},
            "created": self.training.bundle.created,
            "rng": _as_text(self.training.rng),
        }
        content = save(_tensors(self.training), {_FACTS: json.dumps(facts)})
        path = self.folder / f"epoch-{epoch.number}.{hashlib.sha256(content).hexdigest()}.safetensors"
        files.write_bytes(path, content)
        for other in _found(self.folder):
            if other != path:
                other.unlink(missing_ok=True)

    def take_up(self) -> Epoch | None:
        """Bring the training to where it was after the last epoch that was kept, and give that epoch.

        Returns
        -------
        None if nothing was kept, or all of it is damaged, which is logged: the training then begins anew.

        Raises
        ------
        InputError
            If what was kept is of another training.
        """
        for path in _found(self.folder):
            try:
                state = _read(path)
            except (OSError, SafetensorError, InputError, LookupError) as error:
                logger.warning(
                    "The checkpoint %s in %s is damaged, and is not used: %s", path.name, self.folder, error
                )
                continue
            self._compare(state.facts.get("question"))
            try:
                return self._restore(state)
            except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
                raise InputError(
                    f"The checkpoint {path.name} in {self.folder} is not one that squint wrote ({error}). "
                    "Delete the folder to begin anew."
                ) from error
        return None

    def _compare(self, kept: Any) -> None:
        """Refuse a checkpoint of another training: to begin anew would overwrite what may be wanted yet."""
        kept = kept if isinstance(kept, dict) else {}
        if other := [words for name, words in _WORDS.items() if kept.get(name) != self.question[name]]:
            raise InputError(
                f"The checkpoint in {self.folder} is of another training: it has other {', '.join(other)}. "
                "Take another folder, or delete this one to begin anew."
            )

    def _restore(self, state: _State) -> Epoch:
        """Bring the training to a state. Whatever does not fit raises, and then the training is of no use."""
        training, tensors = self.training, state.tensors
        own = _weights(training.model)
        _check_shapes(own, _those(tensors, _MODEL))
        with torch.no_grad():
            for name, tensor in _those(tensors, _MODEL).items():
                own[name].copy_(tensor)
        _restore_optimiser(training.optimiser, _those(tensors, _OPTIMISER))
        n_recent = len(_those(tensors, _RECENT))
        recent = [tensors[f"{_RECENT}{i}"] for i in range(n_recent)]
        if any(latents.shape[1:] != (training.model.config.n_latent,) for latents in recent):
            raise ValueError("latents of another length")
        training.recent = [latents.to(training.model.device) for latents in recent]
        training.rng.bit_generator.state = _as_state(state.facts["rng"])
        training.generator.set_state(tensors[_DRAWN])
        training.bundle.created = str(state.facts["created"])
        epoch = Epoch(**{**state.facts["epoch"], "bundle": training.bundle})
        torch.set_rng_state(tensors[_TORCH])
        if training.model.device.type == "cuda":
            torch.cuda.set_rng_state(tensors[_CUDA], training.model.device)
        return epoch


def remove(folder: str | Path) -> None:
    """Remove what a training kept, once its model is safe; and the folder, if nothing else is in it."""
    folder = Path(folder)
    for path in _found(folder):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or not empty
        for path in folder.iterdir():
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)
        folder.rmdir()


def _found(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, the latest epoch first."""
    paths = [path for path in folder.glob("epoch-*.safetensors") if _NAME.fullmatch(path.name)]
    return sorted(paths, key=_number, reverse=True)


def _number(path: Path) -> tuple[int, str]:
    return int(path.name.partition(".")[0].removeprefix("epoch-")), path.name


def _read(path: Path) -> _State:
    """Read a checkpoint whose content is what its name says."""
    if files.sha256(path) not in path.name:
        raise InputError("its content is not what was written.")
    with safe_open(path, framework="pt") as file:
        facts = parse_json((file.metadata() or {})[_FACTS].encode(), path.name)
        if not isinstance(facts, dict):
            raise InputError("it says nothing of its training.")
        return _State(facts, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - no dict


def _question(training: Training) -> dict[str, Any]:
    """Say all that decides the result of a training, as JSON holds it."""
    bundle = training.bundle
    question = {
        "model": asdict(bundle.model_config),
        "train": asdict(bundle.train_config),
        "sections": [
            [record.name, record.sha256, record.n_cells, files.list_sha256(record.hidden)]
            for record in bundle.sections
        ],
        "genes": files.list_sha256(bundle.genes),
        "cells": _cohort_sha256(training.cohort),
        "device": training.model.device.type,
        "versions": versions(),
        "form": FORM,
    }
    as_read: dict[str, Any] = json.loads(json.dumps(question))
    return as_read


def _cohort_sha256(cohort: Cohort) -> str:
    """Hash all that training sees, in its order: chance draws cells by their number."""
    digest = hashlib.sha256()
    for matrix in (cohort.counts, cohort.graph):
        for array in (matrix.indptr, matrix.indices, matrix.data):
            digest.update(np.ascontiguousarray(array).data)
    for array in (cohort.features, cohort.coordinates, cohort.section, cohort.visible):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _tensors(training: Training) -> dict[str, Tensor]:
    """Name all tensors of the state of a training."""
    named = {_MODEL + name: tensor for name, tensor in _weights(training.model).items()}
    for number, moments in training.optimiser.state_dict()["state"].items():
        named |= {f"{_OPTIMISER}{number}.{name}": tensor for name, tensor in moments.items()}
    named |= {f"{_RECENT}{i}": latents for i, latents in enumerate(training.recent)}
    named |= {_DRAWN: training.generator.get_state(), _TORCH: torch.get_rng_state()}
    if training.model.device.type == "cuda":
        named[_CUDA] = torch.cuda.get_rng_state(training.model.device)
    return {name: tensor.detach().contiguous() for name, tensor in named.items()}


def _weights(model: Squint) -> dict[str, Tensor]:
    """Name parameters and all buffers, those that a bundle leaves out too."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _those(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Take the tensors whose name has a prefix, without it."""
    return {name.removeprefix(prefix): found for name, found in tensors.items() if name.startswith(prefix)}


def _check_shapes(own: Mapping[str, Tensor], kept: Mapping[str, Tensor]) -> None:
    shapes = [{name: (tensor.shape, tensor.dtype) for name, tensor in named.items()} for named in (own, kept)]
    if shapes[0] != shapes[1]:
        raise ValueError("weights of another shape")


def _restore_optimiser(optimiser: torch.optim.Adam, moments: Mapping[str, Tensor]) -> None:
    """Give an optimiser its moments, named by the number of a parameter and their own name."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in moments.items():
        number, _, moment = name.partition(".")
        if tensor.shape not in {torch.Size([]), parameters[int(number)].shape}:
            raise ValueError("moments of another shape")
        state.setdefault(int(number), {})[moment] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _as_text(rng: np.random.Generator) -> dict[str, Any]:
    """Give the state of a generator as JSON holds it: its numbers of 128 bits as text."""
    state: Any = rng.bit_generator.state
    return {**state, "state": {name: str(value) for name, value in state["state"].items()}}


def _as_state(text: dict[str, Any]) -> dict[str, Any]:
    """Turn back what `_as_text` gives."""
    return {**text, "state": {name: int(value) for name, value in text["state"].items()}}
