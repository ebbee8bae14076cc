"""The steps of an epoch, put together many at a time, where the model is.

Which cells a step looks at, which edges join them and which of them are masked is known before it is taken.
So that is found for many steps at once, by few operations on long arrays: one step at a time, a CPU would
spend as long on short ones as on the model, and a GPU would wait for it. Counts, which are large, are taken
when their step comes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from squint.config import TrainConfig
from squint.model.tokens import UNSEEN_SECTION, Inputs
from squint.nn.encoder import Hop, Seen, over_neighbours
from squint.training.edges import Edges
from squint.training.objective import Target

CELLS_AT_ONCE = 32_768  # learned from by the steps that are put together at once
ROWS = 32  # seen, and masked, cells are made up to a multiple of this by empty ones that nothing depends on
N_NOISES = 8  # drawn for a step; its masked cells take turns at them


class Step(NamedTuple):
    """What one step learns from."""

    tiles: list[NDArray[np.int64]]  # the cells of each
    masked: float  # fraction of them that is


class _Ragged(NamedTuple):
    """What there is for each of many steps, one step after another."""

    values: Tensor  # (..., all of them)
    sizes: Tensor  # int64 (steps,), of each


class _Patches(NamedTuple):
    """Cells that steps look at: their own first, then ring by ring those that these depend on."""

    cells: _Ragged  # int64
    step: Tensor  # int64 (all of them,)
    edges: list[_Ragged]  # int64 (2, ...), of each ring: from a cell farther out, to one of the ring
    n_within: list[Tensor]  # int64 (steps,), cells up to and with each ring


class Steps:
    """Puts together what steps need.

    Parameters
    ----------
    edges
        To learn from, and the cohort.
    weight
        Of each cell in the loss (n,).
    choices
        Of the training.
    n_hops
        How far latents look.
    device
        Where the cohort is kept, and steps are put together.
    """

    def __init__(
        self,
        edges: Edges,
        weight: NDArray[np.float32],
        choices: TrainConfig,
        n_hops: int,
        device: torch.device,
    ) -> None:
        cohort = edges.cohort
        self.choices, self.n_hops, self.device = choices, n_hops, device
        self.n_cells, self.n_genes = cohort.counts.shape
        self.counts, self.graph = _Csr(cohort.counts, device), _Csr(cohort.graph, device)
        self.factor = self._put(cohort.factor.astype(np.float32))
        self.features, self.visible = self._put(cohort.features), self._put(cohort.visible)
        self.section, self.weight = self._put(1 + cohort.section), self._put(weight)
        self.numbers, self.held_out = self._put(edges.numbers), self._put(edges.held_out)

    def prepare(
        self, steps: Sequence[Step], mask_rank: NDArray[np.float32], rng: np.random.Generator
    ) -> Iterator[tuple[Inputs, Target]]:
        """Give what each step sees, and what the model should make of it.

        Parameters
        ----------
        steps
            In order.
        mask_rank
            The order (n,) in which cells are masked, see `squint.model.cohort.Tiles`.
        rng
            Chance by which sections are withheld; noise and pairs without an edge are drawn by torch.
        """
        rank = self._put(mask_rank)
        some: list[Step] = []
        for i, step in enumerate(steps):
            some.append(step)
            if sum(len(tile) for one in some for tile in one.tiles) >= CELLS_AT_ONCE or i + 1 == len(steps):
                yield from self._together(some, rank, rng)
                some = []

    def _together(
        self, steps: list[Step], rank: Tensor, rng: np.random.Generator
    ) -> Iterator[tuple[Inputs, Target]]:
        n_steps, tiles = len(steps), [tile for step in steps for tile in step.tiles]
        of_step = self._put(np.repeat(np.arange(n_steps), [sum(map(len, step.tiles)) for step in steps]))
        own = _Ragged(self._put(np.concatenate(tiles)), _count(of_step, n_steps))
        patches = self._patches(own, of_step)
        cells, step = patches.cells.values, patches.step
        fraction = self._put(np.array([one.masked for one in steps], dtype=np.float32))
        masked = (rank[cells] < fraction[step]) | ~self.visible[cells]
        section = self.section[own.values]
        withheld = np.repeat(rng.random(len(tiles)) < self.choices.section_dropout, list(map(len, tiles)))
        shown = section.masked_fill(self._put(withheld), UNSEEN_SECTION)
        n_counts = _count(step, n_steps, self.counts.lengths(cells)).tolist()
        n_within = torch.stack(patches.n_within).T.tolist()
        parts = [
            own._replace(values=torch.stack([own.values, section, shown])),
            patches.cells,
            *(self._found(where, patches) for where in (masked, ~masked)),
            *self._pairs(patches, own),
            *patches.edges,
        ]
        for i, (mine, around, hidden, seen, present, absent, *rings) in enumerate(_split(parts)):
            counts = self._dense(around, n_counts[i])
            hops = [
                Hop(torch.cat(rings[: ring + 1], dim=1), n_within[i][ring])
                for ring in reversed(range(self.n_hops))
            ]
            inputs = Inputs(
                counts=self._seen(counts, around, seen, hidden),
                noise=self.choices.mask_noise * torch.randn(N_NOISES, self.n_genes, device=self.device),
                hops=hops,
                features=self.features[mine[0]],
                section=mine[1],
                shown_section=mine[2],
            )
            sums = counts[: mine.shape[1]] + over_neighbours(hops[-1], counts, "sum")
            yield inputs, Target(sums, self.weight[mine[0]], present, absent)

    def _patches(self, own: _Ragged, of_step: Tensor) -> _Patches:
        """Collect the cells that the latents of each step's own cells depend on."""
        n_steps = len(own.sizes)
        n_within, edges = [own.sizes], []
        front, front_step = own.values, of_step
        place = _places(of_step, own.sizes)  # of the front's cells, in their patches
        numbers, order = self._number(front_step, front).sort()
        places = place[order]  # of each of `numbers`
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for _ in range(self.n_hops):
            entries = self.graph.entries(front)
            step = front_step[entries.row]
            number = self._number(step, self.graph.columns[entries.at])
            found.append((number, place[entries.row], step))
            new = number[~_is_in(numbers, number)].unique()
            front_step, front = new // self.n_cells, new % self.n_cells
            n_new = _count(front_step, n_steps)
            place = _places(front_step, n_new) + n_within[-1][front_step]
            n_within.append(n_within[-1] + n_new)
            numbers, order = torch.cat([numbers, new]).sort()
            places = torch.cat([places, place])[order]
        for number, target, step in found:
            source = places[torch.searchsorted(numbers, number)]
            edges.append(_Ragged(torch.stack([source, target]), _count(step, n_steps)))
        step, sizes = numbers // self.n_cells, n_within.pop()
        at = (sizes.cumsum(0) - sizes)[step] + places
        cells = torch.empty_like(numbers).index_copy_(0, at, numbers % self.n_cells)
        return _Patches(_Ragged(cells, sizes), step, edges, n_within)

    def _found(self, where: Tensor, patches: _Patches) -> _Ragged:
        """Give the places in their patches of the cells (all of them,) where something holds."""
        place = _places(patches.step, patches.cells.sizes)
        return _Ragged(place[where], _count(patches.step, len(patches.cells.sizes), where.long()))

    def _pairs(self, patches: _Patches, own: _Ragged) -> tuple[_Ragged, _Ragged]:
        """Give edges among each step's own cells that are not held out, and about as many that are none."""
        n_steps, first = len(own.sizes), own.sizes.cumsum(0) - own.sizes
        (source, target), sizes = patches.edges[0]
        step = torch.repeat_interleave(torch.arange(n_steps, device=self.device), sizes)
        inside = source < own.sizes[step]
        pair, step = torch.stack([target[inside], source[inside]]), step[inside]
        cells = own.values[first[step] + pair]
        number = self._number(*cells.sort(dim=0).values)
        learned = (cells[0] < cells[1]) & ~self.held_out[torch.searchsorted(self.numbers, number)]
        pair, step = pair[:, learned], step[learned]
        # In float64: what float32 rounds up to 1 would be a cell of the next step.
        drawn = torch.rand(2, len(step), device=self.device, dtype=torch.float64)
        other = (drawn * own.sizes[step]).long()
        cells = own.values[first[step] + other]
        none = (cells[0] != cells[1]) & ~_is_in(self.numbers, self._number(*cells.sort(dim=0).values))
        return (
            _Ragged(pair, _count(step, n_steps)),
            _Ragged(other[:, none], _count(step[none], n_steps)),
        )

    def _dense(self, cells: Tensor, n_counts: int) -> Tensor:
        """Give the counts of some cells, of which so many are not zero: (m, g)."""
        found = self.counts.entries(cells, n_counts)
        counts = torch.zeros(len(cells) * self.n_genes, device=self.device)
        place = found.row * self.n_genes + self.counts.columns[found.at]
        counts.index_copy_(0, place, self.counts.values[found.at])
        return counts.view(len(cells), self.n_genes)

    def _seen(self, counts: Tensor, cells: Tensor, seen: Tensor, masked: Tensor) -> Seen:
        """Scale the counts of those of some cells (m,) that are seen, with as many more as make even numbers.

        oneDNN compiles a kernel for each size that it meets, which takes longer than a product.
        """
        spare = torch.arange(2 * ROWS, device=self.device) + len(cells)
        n_seen, n_masked = -len(seen) % ROWS, -len(masked) % ROWS
        scaled = torch.zeros(len(seen) + n_seen, self.n_genes, device=self.device)
        torch.mul(counts[seen], self.factor[cells[seen]][:, None], out=scaled[: len(seen)])
        return Seen(
            scaled.log1p_(),
            torch.cat([seen, spare[:n_seen]]),
            torch.cat([masked, spare[n_seen : n_seen + n_masked]]),
        )

    def _number(self, high: Tensor, low: Tensor) -> Tensor:
        """Make one number of two, of which the lower is a cell."""
        number: Tensor = high * self.n_cells + low
        return number

    def _put(self, array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


class _Entries(NamedTuple):
    """Entries of m rows of a sparse matrix, row after row."""

    at: Tensor  # int64 (e,), where each is stored
    row: Tensor  # int64 (e,), which of the rows it belongs to


class _Csr:
    """A sparse matrix whose rows can be taken on a device."""

    def __init__(self, matrix: csr_matrix, device: torch.device) -> None:
        self.ends = torch.from_numpy(matrix.indptr.astype(np.int64)).to(device)
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32, copy=False)).to(device)
        self.values = torch.from_numpy(matrix.data).to(device)

    def lengths(self, rows: Tensor) -> Tensor:
        """Count the entries of some rows (m,)."""
        return self.ends[rows + 1] - self.ends[rows]

    def entries(self, rows: Tensor, n_entries: int | None = None) -> _Entries:
        """Find the entries of some rows (m,); to say how many there are spares waiting for a device."""
        length = self.lengths(rows)
        row = torch.repeat_interleave(
            torch.arange(len(rows), device=rows.device), length, output_size=n_entries
        )
        skipped = self.ends[rows] - (length.cumsum(0) - length)
        return _Entries(torch.arange(len(row), device=rows.device) + skipped[row], row)


def _count(step: Tensor, n_steps: int, amount: Tensor | None = None) -> Tensor:
    """Add up amounts (m,), or ones, by step (m,): int64 (n_steps,)."""
    amount = torch.ones_like(step) if amount is None else amount
    return torch.zeros(n_steps, dtype=torch.int64, device=step.device).index_add_(0, step, amount)


def _places(step: Tensor, sizes: Tensor) -> Tensor:
    """Give what lies step after step (m,) its place within its step."""
    return torch.arange(len(step), device=step.device) - (sizes.cumsum(0) - sizes)[step]


def _is_in(numbers: Tensor, some: Tensor) -> Tensor:
    """Tell which of some numbers (m,) are among sorted ones (k,)."""
    if not len(numbers):
        return torch.zeros_like(some, dtype=torch.bool)
    return numbers[torch.searchsorted(numbers, some).clamp(max=len(numbers) - 1)] == some


def _split(parts: Sequence[_Ragged]) -> Iterator[tuple[Tensor, ...]]:
    """Give the parts of each step; where one ends and the next begins is asked of the device at once."""
    sizes = torch.stack([part.sizes for part in parts]).tolist()
    return zip(*(part.values.split(n, dim=-1) for part, n in zip(parts, sizes, strict=True)), strict=True)


def move(given: Any, device: torch.device) -> Any:
    """Bring tensors, alone or in tuples, named ones too, and lists, to a device, without waiting for it."""
    if isinstance(given, Tensor):
        if given.device == device:
            return given
        pinned = given.pin_memory() if device.type == "cuda" else given
        return pinned.to(device, non_blocking=True)
    if isinstance(given, tuple | list):
        moved = [move(each, device) for each in given]
        return type(given)(*moved) if hasattr(given, "_fields") else type(given)(moved)
    return given
