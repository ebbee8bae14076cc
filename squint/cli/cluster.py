"""A cohort tokenised by the workers of a Dask scheduler, one task per section.

Sections, model and results are files that every machine sees under the same path; only facts travel. A result
is on disk before its task ends, so that a worker, the scheduler or this process can die without taking along
what was done.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from distributed import Client, Nanny, Scheduler, SpecCluster, as_completed
from distributed.scheduler import KilledWorker

from squint import keys
from squint.engine.scheduler import WORKERS_S
from squint.errors import InputError
from squint.io.content import Answers
from squint.pp import QualityFilter

if TYPE_CHECKING:
    from squint.model.bundle import Bundle

# One section at a time in a process: its threads share the model, and HDF5's plug-in path while reading.
_turn = threading.Lock()


class Outcome(NamedTuple):
    """How one section ended."""

    source: Path
    target: Path
    facts: dict[str, Any] | None  # of what ``target`` holds; None if the section failed
    already: bool = False  # it was there before, of the same source by the same model
    error: str = ""  # why it failed, in one line


class _Task(NamedTuple):
    """All that a worker needs to know of one section."""

    source: Path
    target: Path
    model: Path
    model_sha256: str
    answers: Answers
    criteria: QualityFilter
    device: str
    squint: str  # our version
    choice: dict[str, Any] | None = None  # why the model was chosen, where it was
    domains: int | None = None  # how many to tell apart, if any


@contextmanager
def start(n_workers: int) -> Iterator[Client]:
    """Start a scheduler and workers on this machine, reached from it alone, and stop them in the end.

    Parameters
    ----------
    n_workers
        Processes; each is shown one of the GPUs, if there are enough.

    Yields
    ------
    The client.
    """
    shown = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    gpus = shown or [str(number) for number in range(n_workers)]
    here = {"host": "127.0.0.1", "dashboard": False}
    mine = [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} for number in range(n_workers)]
    quiet = {"nthreads": 1, "silence_logs": logging.WARNING}
    workers = {
        number: {"cls": Nanny, "options": {**here, **quiet, "env": environment}}
        for number, environment in enumerate(mine)
    }
    scheduler = {"cls": Scheduler, "options": {**here, "port": 0}}
    with (
        SpecCluster(workers, scheduler, silence_logs=logging.WARNING) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(n_workers, timeout=WORKERS_S)
        yield client


def describe(client: Client) -> str:
    """Say in one line who will work, and which workers could be started better."""
    scheduler = client.scheduler_info(n_workers=-1)
    workers = scheduler["workers"].values()
    line = f"{scheduler['address']}: {len(workers)} worker{'s' if len(workers) > 1 else ''}"
    if n_idle := sum(worker["nthreads"] - 1 for worker in workers):
        line += f"; {n_idle} of their threads stay idle: start workers with --nthreads 1 and more --nworkers"
    return line


def tokenize(
    client: Client,
    files: Mapping[Path, Path],
    model: Path,
    *,
    answers: Answers | None = None,
    criteria: QualityFilter | None = None,
    device: str = "auto",
    domains: int | None = None,
    choice: dict[str, Any] | None = None,
) -> Iterator[Outcome]:
    """Write the tokens of each section, except where they are there already.

    Parameters
    ----------
    client
        As :func:`connect` gives it.
    files
        Section -> the ``.h5ad`` file to write. It is left alone if it was made of the same section, by its
        sha256, by the same model.
    model
        Folder of the bundle.
    answers
        What the sections leave open.
    criteria
        Which cells to keep; all by default.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``; each worker finds out for itself what ``"auto"`` is.
    domains
        How many domains to tell apart, if any.
    choice
        Why the model was chosen, for the provenance, where it was.

    Yields
    ------
    How each section ended, as soon as it has. One that fails does not stop the others.

    Raises
    ------
    InputError
        If the bundle cannot be read, a result would replace its section, or the scheduler is lost.
    """
    from squint.model.bundle import Bundle

    sha256 = Bundle.load(model).sha256
    for source, target in files.items():
        if source.resolve() == target.resolve():
            raise InputError(f"{target} would replace the section it is made of. Give another folder as OUT.")
    told = (answers or Answers(), criteria or QualityFilter(), device, version("squint"), choice, domains)
    tasks = [
        _Task(source.absolute(), target.absolute(), model.absolute(), sha256, *told)
        for source, target in files.items()
    ]
    # Not pure: a result of before says nothing of whether the file is still there.
    futures = client.map(_tokenize, tasks, pure=False)
    by_key = dict(zip((future.key for future in futures), files.items(), strict=True))
    for future in as_completed(futures, loop=client.loop):
        if future.cancelled():
            raise InputError("The Dask scheduler was lost. The same command goes on where this one stopped.")
        source, target = by_key[future.key]
        error = future.exception()
        if error is None:
            already, facts = future.result()
            yield Outcome(source, target, facts, already)
        else:
            yield Outcome(source, target, None, error=_reason(error))


def _reason(error: BaseException) -> str:
    """Say in one line why a section failed."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, KilledWorker):
        return (
            f"{error.allowed_failures + 1} workers died over it, most likely out of memory. "
            "Give each more (--memory-limit), or start fewer on a machine."
        )
    said = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {said} (the worker's log has the rest)"


def _tokenize(task: _Task) -> tuple[bool, dict[str, Any]]:
    """Do one section, in a worker; say whether it was there already, and what the file holds."""
    # Here, because the scheduler imports this module too and should not need torch.
    from squint import io, tl
    from squint.cli.quality import leave_out

    with _turn:
        if version("squint") != task.squint:  # of a worker that came after the versions were checked
            raise InputError(f"squint is {task.squint} here and {version('squint')} in a worker.")
        facts = _written(task)
        if facts is not None:
            return True, facts
        adata = leave_out(io.read(task.source, answers=task.answers), task.criteria, task.source.name)
        tl.tokenize(adata, _bundle(task.model, task.model_sha256), domains=task.domains, device=task.device)
        if task.choice is not None:
            adata.uns[keys.PROVENANCE]["model_choice"] = task.choice
        io.write(adata, task.target)
        return False, _facts(adata.obs[keys.TOKEN], adata.uns[keys.PROVENANCE])


def _written(task: _Task) -> dict[str, Any] | None:
    """Give the facts of a result that is there; None if it is damaged, or of another section or model."""
    from squint.io.hashing import source_sha256
    from squint.io.hdf5 import open_checked, read_slot
    from squint.io.slots import to_plain

    try:
        with open_checked(task.target) as (file, _):
            made = to_plain(read_slot(file, f"uns/{keys.PROVENANCE}"))
            made_of = (made["model_sha256"], made["source_sha256"], made.get("answers", {}))
            if made_of != (task.model_sha256, source_sha256(task.source), task.answers.given()):
                return None
            if made.get("n_domains") != task.domains:
                return None
            left_out = made.get("filter")
            if (left_out["criteria"] if isinstance(left_out, dict) else {}) != task.criteria.given():
                return None
            return _facts(read_slot(file, f"obs/{keys.TOKEN}"), made)
    except InputError:
        return None


def _facts(tokens: Any, made: Mapping[str, Any]) -> dict[str, Any]:
    return {"n_cells": len(tokens), "tokens_used": pd.Series(tokens).nunique(), **made}


@lru_cache(maxsize=1)  # a second model takes the place of the first, in memory as well
def _bundle(folder: Path, sha256: str) -> "Bundle":
    """Load a model once in the life of a worker; by its hash, so that one trained anew is loaded anew."""
    from squint.model.bundle import Bundle

    bundle = Bundle.load(folder)
    if bundle.sha256 != sha256:
        raise InputError(
            f"{folder} holds another model for a worker than where the command was started. "
            "Give a folder that all machines share, and leave it alone while they work."
        )
    return bundle
