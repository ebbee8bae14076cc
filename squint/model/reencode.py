"""Encode some cells again and again while the counts of a few cells around them change."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from squint.model.cohort import Cohort
from squint.model.tokens import Inputs, Squint, to_inputs, to_rows

CELLS_AT_ONCE = 8192


class Again(NamedTuple):
    """Latents and tokens of the watched cells, in order."""

    latents: NDArray[np.float32]  # (m, n_latent)
    tokens: NDArray[np.int64]  # (m,), first head


class _Part(NamedTuple):
    """Some of the watched cells, with all that they see."""

    inputs: Inputs
    reduced: Tensor  # (n, n_hidden), of all cells seen, as measured
    places: Tensor  # int64 (k,), where changed cells are among these
    rows: Tensor  # int64 (k,), and which of the changed they are


class Reencoder:
    """Cells whose tokens are watched while others change.

    What the encoder makes of a cell before it looks at neighbours is kept for all cells that stay as they
    are: only the changed cells go through the first layers again.

    Parameters
    ----------
    model
        Trained model; put into evaluation mode.
    cohort
        All cells, over the model's genes, as measured.
    conditions
        Per section of ``cohort``, its number in the model.
    watched
        Cells (m,) to encode, in this order.
    changed
        Cells (c,) that change, in the order of the rows given to :meth:`encode`.
    """

    def __init__(
        self,
        model: Squint,
        cohort: Cohort,
        conditions: NDArray[np.int64],
        watched: NDArray[np.int64],
        changed: NDArray[np.int64],
    ) -> None:
        model.eval()
        self._model, self._cohort = model, cohort
        row_of = np.full(cohort.n_cells, -1, dtype=np.int64)
        row_of[changed] = np.arange(len(changed))
        self._parts = list(self._prepare(watched, conditions, row_of))

    @torch.no_grad()
    def _prepare(
        self, watched: NDArray[np.int64], conditions: NDArray[np.int64], row_of: NDArray[np.int64]
    ) -> Iterator["_Part"]:
        cohort, model = self._cohort, self._model
        for start in range(0, len(watched), CELLS_AT_ONCE):
            cells = watched[start : start + CELLS_AT_ONCE]
            patch = cohort.patch(cells, model.config.n_hops)
            section = conditions[cohort.section[cells]]
            inputs = to_inputs(cohort, patch, ~cohort.visible[patch.cells], section, model.device)
            reduced = model.encoder.reduce(inputs.counts, inputs.noise, inputs.masked)
            places = np.flatnonzero(row_of[patch.cells] >= 0)
            rows = torch.from_numpy(row_of[patch.cells[places]]).to(model.device)
            yield _Part(inputs, reduced, torch.from_numpy(places).to(model.device), rows)

    @torch.no_grad()
    def encode(self, inputs: csr_matrix | None = None) -> Again:
        """Encode the watched cells.

        Parameters
        ----------
        inputs
            What the encoder sees of the changed cells, as `Cohort.inputs` gives it: (c, g), or (1, g) if it
            is the same for all. ``None``: as measured.
        """
        model = self._model
        fresh = None if inputs is None else self._reduce(inputs)
        latents, tokens = [], []
        for part in self._parts:
            cells = part.reduced
            if fresh is not None and len(part.places):
                rows = fresh.expand(len(part.places), -1) if len(fresh) == 1 else fresh[part.rows]
                cells = cells.index_copy(0, part.places, rows)
            for layer, hop in enumerate(part.inputs.hops):
                cells = model.encoder.aggregate(layer, cells, hop)
            found = model.encoder.film(
                cells, model.condition(part.inputs.features, part.inputs.shown_section)
            )
            latents.append(found.float().cpu().numpy())
            tokens.append(model.codebook(found).tokens[:, 0].cpu().numpy())
        if not tokens:
            return Again(np.empty((0, model.config.n_latent), np.float32), np.empty(0, np.int64))
        return Again(np.concatenate(latents), np.concatenate(tokens))

    def _reduce(self, inputs: csr_matrix) -> Tensor:
        """Bring changed cells through the layers before the graph: (c | 1, n_hidden)."""
        device = self._model.device
        noise = torch.zeros(1, inputs.shape[1], device=device)
        reduced: Tensor = self._model.encoder.reduce(to_rows(inputs, device), noise)
        return reduced
