"""Pairs of cells that are neighbours, or are not, to learn the graph from and to judge it by."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from squint.model.cohort import Cohort
from squint.model.tokens import Squint, decode, embed, visit_order

Pairs = NDArray[np.int64]  # (2, e)


class Edges:
    """The edges of a cohort's graph, a share of them held out from learning.

    An edge is one number, smaller cell * n + larger cell: a sorted array then answers whether a pair is one.
    """

    def __init__(self, cohort: Cohort, numbers: NDArray[np.int64], held_out: NDArray[np.bool_]) -> None:
        self.cohort = cohort
        self.numbers = numbers  # (e,) sorted
        self.held_out = held_out  # (e,)

    @classmethod
    def of(cls, cohort: Cohort, held_out: float, rng: np.random.Generator) -> "Edges":
        """Take all edges of a cohort, and hold out a share of those between cells that are learned from."""
        graph = cohort.graph.tocoo()
        once = graph.row < graph.col
        numbers = np.sort(_number(graph.row[once], graph.col[once], cohort.n_cells))
        source, target = np.divmod(numbers, cohort.n_cells)
        told = cohort.told[source] & cohort.told[target]
        return cls(cohort, numbers, told & (rng.random(len(numbers)) < held_out))

    def within(self, cells: NDArray[np.int64]) -> "Edges":
        """Keep the edges among some cells, sorted, and these cells alone."""
        position = np.full(self.cohort.n_cells, -1, dtype=np.int64)
        position[cells] = np.arange(len(cells))
        source, target = (position[ends] for ends in np.divmod(self.numbers, self.cohort.n_cells))
        inside = (source >= 0) & (target >= 0)
        numbers = _number(source[inside], target[inside], len(cells))
        return Edges(self.cohort.part(cells), numbers, self.held_out[inside])

    def judge(self, model: Squint, rng: np.random.Generator) -> float:
        """Average precision on the held-out edges, which the encoder does not see either.

        They stand against as many pairs of cells of the same sections that are no edge. These are drawn
        without regard to distance, so chance is 0.5, and a decoder that says the same of all pairs scores
        just that.

        Returns
        -------
        Average precision; NaN if there are no such edges, or all cells are neighbours.
        """
        cohort, n_cells = self.cohort, self.cohort.n_cells
        source, target = np.divmod(self.numbers[self.held_out], n_cells)
        graph = cohort.graph.tocoo()
        kept = ~np.isin(_number(graph.row, graph.col, n_cells), self.numbers[self.held_out])
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        reduced = csr_matrix((ones, (graph.row[kept], graph.col[kept])), shape=graph.shape)
        other = rng.permutation(target)
        absent = (cohort.section[source] == cohort.section[other]) & self._is_absent(source, other)
        cells = visit_order(cohort)
        cells = cells[np.isin(cells, [source, target])]
        vectors = edge_vectors(model, cohort.with_graph(reduced), cells)
        position = np.zeros(n_cells, dtype=np.int64)
        position[cells] = np.arange(len(cells))
        present_odds = _odds(model, vectors, position[[source, target]])
        absent_odds = _odds(model, vectors, position[[source, other]][:, absent])
        n_pairs = min(len(present_odds), len(absent_odds))
        if n_pairs == 0:
            return float("nan")
        from sklearn.metrics import average_precision_score  # noqa: PLC0415 - takes a second, and only this needs it

        odds = np.concatenate([present_odds[:n_pairs], absent_odds[:n_pairs]])
        return float(average_precision_score(np.repeat([1, 0], n_pairs), odds))

    def _is_absent(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell pairs (e,) of two different cells that are no edge."""
        number = _number(one, other, self.cohort.n_cells)
        # Searching the sorted numbers costs the pairs of one step; `np.isin` would sort all edges at each.
        at = np.searchsorted(self.numbers, number)
        edge = np.append(self.numbers, -1)[at] == number
        absent: NDArray[np.bool_] = ~edge & (one != other)
        return absent


def _number(one: NDArray[np.integer], other: NDArray[np.integer], n_cells: int) -> NDArray[np.int64]:
    """Give pairs (e,) their numbers, whichever way round."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    number: NDArray[np.int64] = low.astype(np.int64) * n_cells + high
    return number


@torch.no_grad()
def edge_vectors(model: Squint, cohort: Cohort, cells: NDArray[np.int64]) -> Tensor:
    """Give the edge vectors (m, d) of some of the cells that a model was trained on."""
    conditions = cohort.own_conditions()
    parts = embed(model, cohort, conditions, among=cells)
    vectors = [decode(model, cohort, conditions, part).edge_vectors for part in parts]
    return torch.cat([torch.zeros(0, model.config.n_latent, device=model.device), *vectors])


@torch.no_grad()
def _odds(model: Squint, vectors: Tensor, pairs: Pairs) -> NDArray[np.float32]:
    """Log odds (e,) of edges between pairs of cells."""
    odds: NDArray[np.float32] = (
        model.adjacency.logits(vectors, torch.from_numpy(pairs).to(vectors.device)).cpu().numpy()
    )
    return odds
