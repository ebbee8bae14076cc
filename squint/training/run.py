"""Train a model on one or several sections (paper, equations 4 and 5)."""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from anndata import AnnData
from numpy.typing import NDArray
from torch import Tensor, nn

from squint import pp, threads
from squint.config import ModelConfig, TrainConfig, epochs_for
from squint.device import pick_device
from squint.errors import InputError
from squint.model.bundle import Bundle
from squint.model.cohort import Cohort, batches, find_categories, measure_scale, prepare
from squint.model.tokens import Embedding, Inputs, Squint, decode, embed, visit_order
from squint.nn import ranks
from squint.stats.metrics import perplexity, row_pearson
from squint.training import context
from squint.training.checkpoint import Checkpoint
from squint.training.data import Hidden, hold_out, join_sections, records, section_weights
from squint.training.domains import learn_domains
from squint.training.edges import Edges
from squint.training.epoch import Epoch
from squint.training.objective import TERMS, Objective, Target
from squint.training.shards import deal, reach
from squint.training.steps import Step, Steps, move

if TYPE_CHECKING:
    from lightning_fabric import Fabric

KMEANS_CELLS = 20_000  # the codebook starts from these many cells, or from as many as it has codes
MEASURED_CELLS = 4_000  # the decoder is measured on about these many
RECENT_STEPS = 8  # dead codes are moved onto latents of these steps
LEAST_LEARNING_RATE = 0.01  # of the highest, at either end of the schedule


def train(
    sections: AnnData | Sequence[AnnData],
    *,
    model: ModelConfig | None = None,
    train: TrainConfig | None = None,
    hidden: Hidden | None = None,
    device: str = "auto",
    fabric: "Fabric | None" = None,
    checkpoint: str | Path | None = None,
) -> Iterator[Epoch]:
    """Train a model, an epoch at a time.

    Parameters
    ----------
    sections
        Raw counts, as `squint.read` gives them; one or several sections each.
    model, train
        The choices; defaults if left out.
    hidden
        Per element of ``sections``, cells (n,) of which only the position is known. The share
        ``train.cells_held_out`` of each section's cells is drawn beside them, and hidden as well.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    fabric
        Of `squint.training.fabric.open_group`, to train in several processes, whose ``device`` then holds.
        Each takes an equal share of the cells, and of each step. All are given all sections; only process 0
        has the measures, and the part that in-paints, in the end.
    checkpoint
        Folder in which the training is kept after each epoch, one file of about three times the weights. The
        same call with the same folder, after whatever ended the first, goes on with the next epoch and ends
        with the same model, bit by bit where a second training would give that too. After the last epoch the
        file stays, because only the caller knows when the model is safe: called once more, that epoch is
        given again. Then remove it with `squint.training.checkpoint.remove`.

        A file that is damaged is not used, which is logged: what it held is learned anew. One of other
        choices, sections, hidden cells, device or versions is refused, and left as it is.

    Yields
    ------
    Epoch
        Losses, use of the codes, time, and the model so far. The last one's ``bundle`` is the trained model::

            *_, last = squint.train([section])
            last.bundle.save("bundle")

    Raises
    ------
    InputError
        If the sections share no gene, hold intensities, or have no cell to train on; if ``checkpoint`` is of
        another training, cannot be written, or is asked for in several processes; if a GPU is too small for
        a step.
    """
    if fabric is not None and checkpoint is not None:
        raise InputError("A training in several processes keeps no checkpoint. Leave it out, or take one.")
    sections = [sections] if isinstance(sections, AnnData) else list(sections)
    where = pick_device(device) if fabric is None else fabric.device
    if where.type == "cpu":
        threads.warn_if_spinning()
    run = Run(sections, model or ModelConfig(), train or TrainConfig(), hidden, where, fabric)
    del sections  # the largest thing there is
    try:
        for epoch in _epochs(run, None if checkpoint is None else Checkpoint(checkpoint, run)):
            if epoch.number == run.n_epochs:
                run.leave()
                if run.rank == 0:
                    run.measure()
                    run.learn_domains()
                    run.learn_to_inpaint()
            yield epoch
    except torch.cuda.OutOfMemoryError:
        raise InputError(
            f"The GPU has too little memory left for steps of {run.choices.batch_size:,} cells. Take a "
            "smaller batch_size, --device cpu, or wait until other programs leave it."
        ) from None


def _epochs(run: "Run", checkpoint: Checkpoint | None) -> Iterator[Epoch]:
    """Run the epochs that are left; if none is, give the last one again."""
    last = None if checkpoint is None else checkpoint.take_up()
    done = 0 if last is None else last.number
    if last is not None and done == run.n_epochs:
        yield last
    for number in range(done + 1, run.n_epochs + 1):
        if number == run.n_continuous + 1:
            run.start_codebook()
        epoch = run.epoch(number)
        if checkpoint is not None:
            checkpoint.keep(epoch)
        yield epoch


class Run:
    """The state of one training: cohort, model, optimiser, and chance.

    `train` takes its steps in order; `squint.benchmarks.speed` times each.
    """

    def __init__(
        self,
        sections: list[AnnData],
        config: ModelConfig,
        choices: TrainConfig,
        hidden: Hidden | None,
        device: torch.device,
        fabric: "Fabric | None" = None,
    ) -> None:
        self.fabric = fabric
        self.rank = ranks.rank()
        self.rng = np.random.default_rng(choices.seed)
        torch.manual_seed(choices.seed)
        self.generator = torch.Generator().manual_seed(choices.seed)
        hidden = hold_out(sections, choices, hidden)
        genes = pp.shared_genes(sections, n_genes=config.n_genes, hidden=hidden)
        seen = records(sections, genes, hidden)
        adata = join_sections(sections, genes, config.n_neighbors)
        categories = find_categories(adata, config)
        hidden_cells = None if hidden is None else np.concatenate(list(hidden))
        self.cohort = prepare(adata, genes, config, categories=categories, hidden=hidden_cells)
        if not self.cohort.visible.any():
            raise InputError("No cell is left to train on: all of them are hidden. Hide fewer.")
        self.own = self.cohort.told
        if not self.own.any():
            raise InputError("No cell is left to train on: none that is not hidden has a count.")
        self.n_epochs = choices.n_epochs or epochs_for(int(self.own.sum()))
        self.choices = choices = replace(choices, n_epochs=self.n_epochs)
        scale = measure_scale(self.cohort.counts)
        n_features = self.cohort.features.shape[1]
        self.model = Squint(config, len(genes), n_features, len(seen)).to(device)
        with torch.no_grad():
            # Starting from the mean profile, the decoder learns only what differs from it.
            self.model.attributes.genes.bias.copy_(torch.log(torch.as_tensor(scale.shares)))
        self.bundle = Bundle(self.model, choices, genes, scale, categories, seen)
        self.weight = section_weights(self.cohort)
        self.edges = Edges.of(self.cohort, choices.edges_held_out, self.rng)
        if ranks.n_ranks() > 1:
            self._keep_share()
        objective = Objective(self.model, choices)
        self.forward: nn.Module = objective if fabric is None else fabric.setup_module(objective)
        # All weights at once: one by one, they cost a CPU calls, and a GPU kernels.
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=choices.learning_rate, fused=True)
        self.n_continuous = min(round(choices.continuous_fraction * self.n_epochs), self.n_epochs - 1)
        self.recent: list[Tensor] = []
        # A cohort that is too large for a GPU stays beside it.
        where = torch.device("cpu") if device.type == "cuda" and not _fits(self.cohort, device) else device
        self.steps = Steps(self.edges, self.weight, choices, config.n_hops, where)

    def _keep_share(self) -> None:
        """Keep this process's cells and what they depend on; process 0 keeps all, to measure the model."""
        self.own = deal(self.cohort, self.rank, ranks.n_ranks())
        if self.rank > 0:
            kept = np.flatnonzero(reach(self.cohort, self.own, self.model.config.n_hops))
            self.edges = self.edges.within(kept)
            self.cohort, self.own, self.weight = self.edges.cohort, self.own[kept], self.weight[kept]
            # What has been drawn so far was to be the same everywhere, what follows is not.
            self.rng = np.random.default_rng([self.choices.seed, self.rank])
            torch.manual_seed(int(self.rng.integers(2**31)))

    def epoch(self, number: int) -> Epoch:
        """Go through all tiles once."""
        start = time.perf_counter()
        choices = self.choices
        quantise = number > self.n_continuous
        self.model.train()
        tiles = self.cohort.cut(
            choices.tile_size, block_fraction=choices.block_fraction, rng=self.rng, among=self.own
        )
        drawn = list(batches(tiles, max(choices.batch_size // ranks.n_ranks(), 1), self.rng))
        n_steps = int(ranks.least(torch.tensor(len(drawn), device=self.model.device)))
        at = [((number - 1) * n_steps + i) / max(self.n_epochs * n_steps - 1, 1) for i in range(n_steps)]
        steps = [
            Step(batch, masked_fraction(choices, progress))
            for batch, progress in zip(drawn[:n_steps], at, strict=True)
        ]
        total = torch.zeros(len(TERMS), device=self.model.device)
        prepared = self.steps.prepare(steps, tiles.mask_rank, self.rng)
        for progress, (inputs, target) in zip(at, prepared, strict=True):
            # Summed where they are: to ask for a number at each step would make a GPU wait for us.
            total += self._step(inputs, target, progress, quantise=quantise)
        means = ranks.add_up(total) / (n_steps * ranks.n_ranks())
        use = self.model.codebook.uses.cpu().numpy().copy()
        revived = 0
        if quantise and number < self.n_epochs:
            revived = self.model.codebook.revive(torch.cat(self.recent), self.generator)
        return Epoch(
            number=number,
            n_epochs=self.n_epochs,
            losses=dict(zip(TERMS, means.tolist(), strict=True)),
            codes_used=int((use > 0).sum()),
            perplexity=perplexity(use),
            codes_revived=revived,
            masked=steps[-1].masked if steps else 0.0,
            learning_rate=self.optimiser.param_groups[0]["lr"],
            seconds=time.perf_counter() - start,
            bundle=self.bundle,
        )

    def _step(self, inputs: Inputs, target: Target, progress: float, *, quantise: bool) -> Tensor:
        """Make one step of the optimiser; give the terms of the loss, in order of TERMS."""
        device = self.model.device
        terms, output = self.forward(move(inputs, device), move(target, device), quantise=quantise)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.choices, progress)
        self.optimiser.zero_grad()
        if self.fabric is None:
            terms["total"].backward()
        else:
            self.fabric.backward(terms["total"])
        self.optimiser.step()
        self.recent = [*self.recent[1 - RECENT_STEPS :], output.latents.detach()]
        return torch.stack([terms[name] for name in TERMS]).detach()

    def start_codebook(self) -> None:
        """Start the codes from k-means over latents of cells of all sections."""
        codebook = self.model.codebook
        if self.rank == 0:
            n_cells = max(KMEANS_CELLS, self.model.config.n_codes)
            told = visit_order(self.cohort)
            told = told[self.cohort.told[told]]
            drawn = told[np.sort(self.rng.permutation(len(told))[:n_cells])]
            parts = embed(self.model, self.cohort, self.cohort.own_conditions(), among=drawn)
            latents = torch.from_numpy(np.concatenate([part.latents for part in parts]))
            codebook.initialise(latents.to(self.model.device), self.choices.seed)
        codebook.take_from_first()

    def leave(self) -> None:
        """Part from the other processes: what follows is process 0's alone."""
        # The module that adds up gradients holds the group as well. Were it the last to, it would end the
        # group's threads without letting go of Python, and wait for ever for one that waits for Python.
        del self.forward
        gc.collect()
        ranks.leave()

    def learn_domains(self) -> None:
        """Learn the second vocabulary; the first one stays as it is."""
        choices = self.choices
        self.bundle.domains = learn_domains(
            self.model, self.cohort, n_prototypes=choices.domain_prototypes, seed=choices.seed
        )

    def learn_to_inpaint(self) -> None:
        """Fit the part of the model that in-paints."""
        choices = self.choices
        self.bundle.context = context.learn_context(
            self.cohort, n_steps=choices.context_steps, seed=choices.seed
        )

    def measure(self) -> None:
        """Measure the trained model on its own cells."""
        cohort, conditions = self.cohort, self.cohort.own_conditions()
        distance = np.zeros(cohort.n_cells, dtype=np.float32)
        token = np.zeros(cohort.n_cells, dtype=np.int64)
        pearson = []
        for part in embed(self.model, cohort, conditions):
            distance[part.cells], token[part.cells] = part.distance, part.tokens[:, 0]
            pearson.append(self._pearson(part, conditions))
        use = np.bincount(token[cohort.told], minlength=self.model.config.n_codes)
        of_decoder, of_mean = np.concatenate(pearson, axis=1).mean(axis=1)
        self.bundle.distance_p99 = float(np.quantile(distance[cohort.told], 0.99))
        self.bundle.metrics = {
            "n_cells": int(cohort.told.sum()),
            "codes_used": int((use > 0).sum()),
            "perplexity": perplexity(use),
            "neighbourhood_pearson": float(of_decoder),
            "neighbourhood_pearson_of_the_mean_profile": float(of_mean),
            "adjacency_average_precision": self.edges.judge(self.model, self.rng),
            "adjacency_chance": 0.5,
        }

    def _pearson(self, part: Embedding, conditions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Correlate decoded and observed neighbourhoods across genes, for some cells of a tile.

        Returns
        -------
        Pearson correlations (2, m): of what the codes decode to, and of the mean profile, which is the floor.
        """
        told = np.flatnonzero(self.cohort.told[part.cells])
        drawn = self.rng.permutation(told)[: 1 + len(told) * MEASURED_CELLS // self.cohort.n_cells]
        some = part._replace(cells=part.cells[drawn], tokens=part.tokens[drawn])
        decoded = decode(self.model, self.cohort, conditions, some).log_shares.exp().cpu().numpy()
        observed = self.cohort.neighbourhood_sums(some.cells)
        mean = np.broadcast_to(self.bundle.scale.shares, decoded.shape)
        return np.stack([row_pearson(decoded, observed), row_pearson(mean, observed)])


def _fits(cohort: Cohort, device: torch.device) -> bool:
    """Tell whether a cohort takes less than half of what is free on a GPU."""
    free, _ = torch.cuda.mem_get_info(device)
    n_values = cohort.counts.nnz + cohort.graph.nnz
    return bool(8 * n_values + cohort.features.nbytes < free / 2)


def masked_fraction(choices: TrainConfig, progress: float) -> float:
    """Anneal the masked fraction in a straight line, progress 0 to 1 (paper, section 4.2)."""
    return choices.mask_start + (choices.mask_end - choices.mask_start) * progress


def learning_rate(choices: TrainConfig, progress: float) -> float:
    """Warm up in a straight line, then decay along a cosine."""
    if progress < choices.warmup_fraction:
        share = progress / choices.warmup_fraction
    else:
        decayed = (progress - choices.warmup_fraction) / (1 - choices.warmup_fraction)
        share = float(0.5 * (1 + np.cos(np.pi * decayed)))
    return choices.learning_rate * max(share, LEAST_LEARNING_RATE)
