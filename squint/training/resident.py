"""A cohort as tensors on a GPU, where the batches of training are then put together.

What `Cohort.patch`, `Cohort.inputs`, `Cohort.neighbourhood_sums` and `Edges.draw` do with scipy on the CPU:
put together there, a batch takes longer than a GPU takes for a step.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from squint.model.tokens import Inputs, mask_noise
from squint.nn.encoder import Hop, Rows
from squint.training.edges import Edges
from squint.training.objective import Target


class Patch(NamedTuple):
    """Some cells and the cells that their latents depend on, ring by ring: `squint.model.cohort.Patch`."""

    cells: Tensor  # int64 (n,)
    hops: list[Hop]


class Resident:
    """The parts of a cohort that training looks at, on a device.

    Parameters
    ----------
    edges
        Edges to learn from, and the cohort.
    weight
        Of each cell in the loss (n,).
    device
        Where to put them.
    """

    def __init__(self, edges: Edges, weight: NDArray[np.float32], device: torch.device) -> None:
        cohort = edges.cohort
        self.device = device
        self.n_genes = cohort.counts.shape[1]
        self.counts, self.graph = _Csr(cohort.counts, device), _Csr(cohort.graph, device)
        self.factor, self.features, self.visible, self.weight = (
            torch.from_numpy(array).to(device)
            for array in (cohort.factor, cohort.features, cohort.visible, weight)
        )
        self.numbers, self.held_out = (
            torch.from_numpy(array).to(device) for array in (edges.numbers, edges.held_out)
        )
        self.mask_rank = torch.ones(cohort.n_cells, device=device)
        self.position = torch.full((cohort.n_cells,), -1, device=device)

    def mask_by(self, rank: NDArray[np.float32]) -> None:
        """Take the order (n,) in which an epoch masks cells, see `squint.model.cohort.Tiles`."""
        self.mask_rank = torch.from_numpy(rank).to(self.device)

    def patch(self, cells: Tensor, n_hops: int) -> Patch:
        """Collect what the latents of cells (m,) depend on, ``n_hops`` away."""
        position = self.position
        position[cells] = torch.arange(len(cells), device=self.device)
        order, frontier = cells, cells
        reached: list[tuple[Tensor, Tensor, int]] = []
        targets = sources = cells[:0]
        for _ in range(n_hops):
            found = self.graph.entries(frontier)
            neighbour = self.graph.columns[found.at].long()
            n_targets = len(order)
            targets = torch.cat([targets, position[frontier][found.row]])
            sources = torch.cat([sources, neighbour])
            frontier = neighbour[position[neighbour] < 0].unique()
            position[frontier] = n_targets + torch.arange(len(frontier), device=self.device)
            order = torch.cat([order, frontier])
            reached.append((targets, sources, n_targets))
        hops = [Hop(torch.stack([position[source], target]), n) for target, source, n in reversed(reached)]
        position[order] = -1
        return Patch(order, hops)

    def inputs(
        self, patch: Patch, fraction: float, section: Tensor, shown_section: Tensor, noise: float
    ) -> Inputs:
        """Put a patch together, with a fraction of its cells masked and the sections (m,) of the first m."""
        masked = (self.mask_rank[patch.cells] < fraction) | ~self.visible[patch.cells]
        found = self.counts.entries(patch.cells)
        values = torch.log1p(self.counts.values[found.at] * self.factor[patch.cells][found.row]).float()
        return Inputs(
            counts=Rows(self.counts.columns[found.at].long(), found.starts, values),
            masked=masked,
            noise=mask_noise(int(masked.sum()), self.n_genes, noise, self.device),
            hops=patch.hops,
            features=self.features[patch.cells[: len(section)]],
            section=section,
            shown_section=shown_section,
        )

    def target(self, cells: Tensor, patch: Patch) -> Target:
        """Say what the model should make of cells (m,), the first of the patch."""
        return Target(self._sums(cells), self.weight[cells], *self._pairs(cells, patch))

    def _sums(self, cells: Tensor) -> Tensor:
        """Add up the counts of closed neighbourhoods: (m, g)."""
        around = self.graph.entries(cells)
        members = torch.cat([cells, self.graph.columns[around.at].long()])
        target = torch.cat([torch.arange(len(cells), device=self.device), around.row])
        found = self.counts.entries(members)
        # Whole numbers: their sum is the same in whichever order a GPU adds them.
        sums = torch.zeros(len(cells) * self.n_genes, device=self.device)
        place = target[found.row] * self.n_genes + self.counts.columns[found.at]
        return sums.index_add_(0, place, self.counts.values[found.at]).view(len(cells), self.n_genes)

    def _pairs(self, cells: Tensor, patch: Patch) -> tuple[Tensor, Tensor]:
        """Give edges among the cells that are not held out, and about as many pairs that are none."""
        source, target = patch.hops[-1].edge_index
        inside = source < len(cells)
        one, other = target[inside], source[inside]
        once = cells[one] < cells[other]
        present = torch.stack([one[once], other[once]])
        present = present[:, ~self.held_out[torch.searchsorted(self.numbers, self._number(cells[present]))]]
        absent = torch.randint(len(cells), (2, present.shape[1]), device=self.device)
        number = self._number(cells[absent])
        at = torch.searchsorted(self.numbers, number)
        found = torch.cat([self.numbers, self.numbers.new_full((1,), -1)])[at]
        is_none = (found != number) & (cells[absent[0]] != cells[absent[1]])
        return present, absent[:, is_none]

    def _number(self, pairs: Tensor) -> Tensor:
        """Give pairs (2, e) of cells the numbers that `Edges` has for them."""
        number: Tensor = pairs.amin(dim=0) * len(self.position) + pairs.amax(dim=0)
        return number


class _Entries(NamedTuple):
    """Entries of m rows of a sparse matrix, row after row."""

    at: Tensor  # (e,) where each is stored
    row: Tensor  # (e,) which of the rows it belongs to
    starts: Tensor  # (m,) the first of each row


class _Csr:
    """A sparse matrix whose rows can be taken on a device."""

    def __init__(self, matrix: csr_matrix, device: torch.device) -> None:
        self.ends = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32)).to(device)
        self.values = torch.from_numpy(matrix.data).to(device)

    def entries(self, rows: Tensor) -> _Entries:
        """Find the entries of some rows (m,)."""
        start = self.ends[rows]
        length = self.ends[rows + 1] - start
        row = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), length)
        starts = length.cumsum(0) - length
        return _Entries(torch.arange(len(row), device=rows.device) + (start - starts)[row], row, starts)
