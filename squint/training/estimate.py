"""How long a training will take on this machine, from a few real steps of one.

A few simulated cells are trained on as the asked ones would be, and each part of the work is taken to grow
with what it goes through: all cells, or the sample that it looks at. That is right within a factor of about
two, as long as the machine stays as busy as it is.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from squint.config import ModelConfig, TrainConfig, epochs_for
from squint.datasets import bulk
from squint.device import pick_device
from squint.errors import InputError
from squint.model.context import N_FOLDS, N_PAIR_FEATURES, Context
from squint.nn.context import energy_score
from squint.training import context
from squint.training.run import KMEANS_CELLS, Run

LONGEST = 5.0  # s, that an estimate takes itself, unless the machine is overrun
SHARES = (0.3, 0.6)  # of it, after which no more epochs without, and with, the codebook are timed
PROBE_CELLS = (512, 1024)  # least and most that are trained on; between them, as many as make a step
MORE_CELLS = 4  # times as many are prepared, which takes little, and most of it whatever their number
N_TIMED = 3  # epochs of each kind, after one that is not counted; and steps of each network that in-paints
# Finding the components, digging holes, looking around each example and setting up regressions take about as
# long as so many steps of a network that in-paints for each example (measured at 256 to 16,384 cells).
STEPS_PER_EXAMPLE = 0.03


class Timed(NamedTuple):
    """What a few cells took, in s."""

    n_cells: int
    preparing: float  # each of them
    continuous: float  # an epoch before the codebook
    starting: float
    quantised: float  # an epoch with the codebook
    measuring: float
    profile_step: float  # of a network that in-paints
    donor_step: float


class Estimate(NamedTuple):
    """How long a training will take, and what says so."""

    seconds: float
    parts: dict[str, float]  # s of each part of the work
    basis: str  # what was timed, in words


def estimate(
    n_cells: int,
    n_genes: int,
    *,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    nonzero: float = 0.08,
    device: str = "auto",
) -> Estimate:
    """Estimate how long `squint.train` will take, by training for at most about five seconds.

    Parameters
    ----------
    n_cells
        Of all sections together, without hidden ones.
    n_genes
        That the sections share; the model keeps no more than its ``n_genes``.
    model, train
        The choices; defaults if left out.
    nonzero
        Share of the counts that are not zero.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    Seconds from sections in memory to the trained model, those of each part, and what they are based on.

    Raises
    ------
    InputError
        If there are no cells or genes, or the device cannot be used.
    """
    if n_cells < 1 or n_genes < 1:
        raise InputError("At least 1 cell and 1 gene are needed.")
    model, train = model or ModelConfig(), train or TrainConfig()
    train = replace(train, n_epochs=train.n_epochs or epochs_for(n_cells))
    where, n_kept = pick_device(device), min(n_genes, model.n_genes)
    with torch.random.fork_rng():  # whoever asks keeps their chance
        timed = _time(n_kept, model, train, nonzero, where)
    parts = extrapolate(timed, n_cells, model, train)
    basis = (
        f"{timed.n_cells:,} simulated cells x {n_kept:,} genes took {timed.quantised:.2f} s an epoch here "
        f"({where.type}); taken to {n_cells:,} cells and {train.n_epochs} epochs"
    )
    return Estimate(sum(parts.values()), parts, basis)


def extrapolate(timed: Timed, n_cells: int, model: ModelConfig, train: TrainConfig) -> dict[str, float]:
    """Take what a few cells took to ``n_cells`` and ``train.n_epochs``: s of each part of the work."""
    n_epochs = train.n_epochs or epochs_for(n_cells)
    n_continuous = min(round(train.continuous_fraction * n_epochs), n_epochs - 1)
    growth = n_cells / timed.n_cells
    n_sampled = min(n_cells, max(KMEANS_CELLS, model.n_codes))
    n_holes = np.clip(context.N_EXAMPLES / (context.HOLE_SHARE * n_cells), *context.N_HOLE_SETS)
    n_examples = min(n_holes * context.HOLE_SHARE * n_cells, context.N_EXAMPLES)
    inpainting = (
        n_examples * STEPS_PER_EXAMPLE * timed.profile_step
        + train.context_steps * (N_FOLDS * timed.profile_step + timed.donor_step)
        if train.context_steps
        else 0.0
    )
    return {
        "preparing": timed.preparing * n_cells,
        "epochs before the codebook": timed.continuous * growth * n_continuous,
        "starting the codebook": timed.starting * n_sampled / timed.n_cells,
        "epochs with the codebook": timed.quantised * growth * (n_epochs - n_continuous),
        "measuring the model": timed.measuring * growth,
        "learning to in-paint": float(inpainting),
    }


def _time(
    n_genes: int, model: ModelConfig, train: TrainConfig, nonzero: float, device: torch.device
) -> Timed:
    """Train on a few cells, as far as the time reaches."""
    start = time.perf_counter()
    n_cells = int(np.clip(train.batch_size, *PROBE_CELLS))
    more = bulk(MORE_CELLS * n_cells, n_genes, nonzero=nonzero, seed=train.seed)
    model = replace(model, covariates=())  # simulated cells have none, and they are a few features more
    # Of many epochs, those in the middle: as many cells are masked there as in the mean.
    choices = replace(train, n_epochs=100, continuous_fraction=0.5, cells_held_out=0.0)
    run = Run([more[:n_cells].copy()], model, choices, None, device)
    preparing = _seconds(lambda: Run([more], model, choices, None, device), device)

    def epochs(first: int, share: float) -> float:
        run.epoch(first)
        taken: list[float] = []
        while len(taken) < N_TIMED and (not taken or time.perf_counter() - start < share * LONGEST):
            taken.append(_seconds(lambda: run.epoch(first + 1), device))
        return sum(taken) / len(taken)

    return Timed(
        n_cells=n_cells,
        preparing=preparing / (MORE_CELLS * n_cells),
        continuous=epochs(run.n_continuous - 1, SHARES[0]),
        starting=_seconds(run.start_codebook, device),
        quantised=epochs(run.n_continuous + 1, SHARES[1]),
        measuring=_seconds(run.measure, device),
        profile_step=_profile_step(n_genes) if train.context_steps else 0.0,
        donor_step=_donor_step(n_genes) if train.context_steps else 0.0,
    )


def _profile_step(n_genes: int) -> float:
    """Time a step of a network that says what is expected."""
    of_model = Context(n_genes, min(context.N_COMPONENTS, n_genes))
    net = of_model.profiles[0]
    features = torch.randn(context.PROFILE_BATCH, len(of_model.feature_mean))
    return _step(net, lambda rows: net(features[rows]).square().sum(dim=1).mean(), context.PROFILE_BATCH)


def _donor_step(n_genes: int) -> float:
    """Time a step of the network that weighs donors."""
    net, n_rows, n_donors = Context(n_genes, 1).donors, context.DONOR_BATCH, context.DONORS_PER_EXAMPLE
    pairs = torch.randn(n_rows, n_donors, N_PAIR_FEATURES)
    there = torch.ones(n_rows, n_donors, dtype=torch.bool)
    options = torch.randn(n_rows, n_donors, context.N_SHARE_COMPONENTS)

    def loss(rows: Tensor) -> Tensor:
        return energy_score(net(pairs[rows], there[rows]), options[rows], options[rows, 0])

    return _step(net, loss, n_rows)


def _step(net: nn.Module, loss: context.Loss, batch_size: int) -> float:
    def take(n_steps: int) -> None:
        context.descend(net, loss, batch_size, n_steps, batch_size=batch_size, learning_rate=1e-3)

    take(1)
    return _seconds(lambda: take(N_TIMED), torch.device("cpu")) / N_TIMED


def _seconds(act: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
