"""In-painting: what hidden cells express, given what is observed around them.

One hop along the graph cannot carry anything into a hole: every cell inside has the same neighbours, all of
them unknown. So each hidden cell looks past the hole, to the observed cells nearest to it. Expression is
described by the leading components of neighbourhoods, in which most of what varies from place to place lies
and little of the noise of single cells.

- The **expected profile** is the mean of two: a linear blend, per component, of means over the nearest 1 to
  512 observed cells; and the mean over the nearest 64 plus what a small network adds to it, from all these
  means and from how crowded the place lies. What the components leave out of a gene is averaged over the
  nearest 256, and added as far as such averages hold.
- **Draws** are the neighbourhoods of real observed cells nearby, picked by attention: by distance, by how
  alike the two places are crowded, and by how well they agree with the expected profile.

`squint.training.context` fits both.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from torch import Tensor, nn

from squint.model.cohort import Cohort
from squint.model.surroundings import (
    LOCAL,
    N_CROWDING,
    N_DONORS,
    SCALES,
    Places,
    Surroundings,
    locate,
    look_around,
    within_sight,
)
from squint.nn.context import DonorNet, ProfileNet

N_FOLDS = 3
N_PAIR_FEATURES = 11
WIDE = SCALES.index(N_DONORS)  # of SCALES, as many cells as there are donors
COMPONENT_GROUPS = (slice(0, 4), slice(4, 12), slice(12, None))  # compared between places one by one
CROWDING_GROUPS = (slice(0, 4), slice(4, 8), slice(8, None))
FARTHEST = 4.0  # s.d.: features beyond are drawn in, for no training example lay there
ROWS = 2048  # cells at a time

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Context(nn.Module):
    """Everything that in-painting has learned.

    Parameters
    ----------
    n_genes
        Genes, g.
    n_components
        Components of neighbourhood expression, d.
    """

    gene_mean: Tensor
    gene_weight: Tensor
    components: Tensor
    component_sd: Tensor
    trust: Tensor
    blend: Tensor
    feature_mean: Tensor
    feature_sd: Tensor
    pair_mean: Tensor
    pair_sd: Tensor

    def __init__(self, n_genes: int, n_components: int) -> None:
        super().__init__()
        n_scales, d = len(SCALES), n_components
        n_features = n_scales * d + 1 + n_scales + 4 * N_CROWDING
        for name, shape in {
            "gene_mean": (n_genes,),  # mean counts of neighbourhoods
            "gene_weight": (n_genes,),  # 1 / s.d. of them
            "components": (n_genes, d),
            "component_sd": (d,),
            "trust": (n_genes,),  # in what the components leave out of neighbours, 0 to 1
            "blend": (N_FOLDS, d, 2 * n_scales + 2),  # of the columns of `blend_design`
            "feature_mean": (n_features,),
            "feature_sd": (n_features,),
            "pair_mean": (N_PAIR_FEATURES,),
            "pair_sd": (N_PAIR_FEATURES,),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        self.profiles = nn.ModuleList(ProfileNet(n_features, d) for _ in range(N_FOLDS))
        self.donors = DonorNet(N_PAIR_FEATURES)

    @property
    def n_components(self) -> int:
        """Components of neighbourhood expression."""
        return len(self.component_sd)

    def encode(self, counts: csr_matrix, measured: Mask | None = None) -> Floats:
        """Project counts (n, g) onto the components: (n, d); genes not measured count as average."""
        weight = self.gene_weight.numpy()
        weight = weight if measured is None else weight * measured
        basis = weight[:, None] * self.components.numpy()
        encoded: Floats = (counts @ basis - self.gene_mean.numpy() @ basis).astype(np.float32)
        return encoded

    def decode(self, encoded: Floats) -> Floats:
        """Turn components (n, d) into counts (n, g), a few of which may fall below 0."""
        counts = self.gene_mean.numpy() + encoded @ self.components.numpy().T / self.gene_weight.numpy()
        return np.asarray(counts, dtype=np.float32)

    def standardise(self, features: Floats) -> Tensor:
        """Bring features (n, q) to mean 0 and s.d. 1 over the training examples."""
        scaled = (torch.from_numpy(features) - self.feature_mean) / self.feature_sd
        return scaled.clamp(-FARTHEST, FARTHEST)

    def standard_pairs(self, pairs: Floats) -> Tensor:
        """Bring features of pairs (m, k, q) to mean 0 and s.d. 1 over the training examples."""
        return (torch.from_numpy(pairs) - self.pair_mean) / self.pair_sd

    def expect(self, fold: int, around: Surroundings, crowding: Floats) -> Floats:
        """Give the expected components (m, d) of hidden cells, by one of the folds."""
        means = around.means[:, :, : self.n_components]
        linear = np.einsum("msd,ds->md", blend_design(around, self.n_components), self.blend[fold].numpy())
        with torch.no_grad():
            departure = self.profiles[fold](self.standardise(features_of(around, crowding))).numpy()
        return np.asarray((linear + means[:, LOCAL] + departure) / 2, dtype=np.float32)


class Known(NamedTuple):
    """What is observed in some tissue, n cells, as the context sees it."""

    places: Places
    counts: csr_matrix  # (n, g), rows of cells that are not observed are empty
    graph: csr_matrix  # (n, n)
    observed: Mask  # (n,)
    values: Floats  # (n, d + N_CROWDING): components of the cell itself, and how crowded it lies


class Neighbourhoods(NamedTuple):
    """Closed neighbourhoods of all n cells, over those of their cells that are observed."""

    encoded: Floats  # (n, d) mean components
    share: Floats  # (n,) of the neighbourhood that is observed


def know(context: Context, cohort: Cohort, measured: Mask | None = None, hidden: Ints | None = None) -> Known:
    """Put together what is observed in a cohort, whose genes (g,) were ``measured`` or not.

    If only what is needed for some ``hidden`` cells (m,) is asked for, how crowded others lie is left out.
    """
    wanted = None
    if hidden is not None:
        wanted = within_sight(cohort.coordinates, cohort.section, hidden, cohort.visible)
    places = locate(cohort.coordinates, cohort.section, wanted)
    values = np.concatenate([context.encode(cohort.counts, measured), places.crowding], axis=1)
    return Known(places, cohort.counts, cohort.graph, cohort.visible, values)


class Imputed(NamedTuple):
    """What m hidden cells may express, in the order of the cohort's hidden cells."""

    cell: Floats  # (m, g) counts of the cell itself
    neighbourhood: Floats  # (m, g) mean counts of its closed neighbourhood


def expect(context: Context, cohort: Cohort, measured: Mask | None = None) -> Imputed:
    """Give the expected profile of each hidden cell."""
    cohort, back = in_order(cohort)
    hidden = np.flatnonzero(~cohort.visible)
    known = know(context, cohort, measured, hidden)
    around = look_around(known.places, known.values, hidden, known.observed)
    encoded = _expected(context, around, known.places.crowding[hidden])
    profile = context.decode(encoded) + context.trust.numpy() * left_out(context, known, around)
    cell = np.maximum(profile, 0).astype(np.float32)
    observed, _ = _known_part(cohort, hidden)
    inside = cohort.graph[hidden][:, hidden]
    total = observed + cell + inside @ cell
    return Imputed(cell[back], (total / _sizes(cohort, hidden)[:, None]).astype(np.float32)[back])


def draw(
    context: Context, cohort: Cohort, n_draws: int, seed: int, measured: Mask | None = None
) -> Iterator[Imputed]:
    """Draw profiles of each hidden cell: those of real cells around it, by their weights.

    Yields
    ------
    ``n_draws`` draws. The neighbourhood holds the counts of the hidden cell's observed neighbours themselves,
    and the donor's neighbourhood in place of the hidden ones.
    """
    cohort, back = in_order(cohort)
    hidden = np.flatnonzero(~cohort.visible)
    known = know(context, cohort, measured, hidden)
    around = look_around(known.places, known.values, hidden, known.observed)
    expected = _expected(context, around, known.places.crowding[hidden])
    cumulative = np.cumsum(_weights(context, known, hidden, around, expected), axis=1)
    observed, n_hidden = _known_part(cohort, hidden)
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        # The last weight may fall short of 1 by rounding.
        at = (rng.random((len(hidden), 1)) * cumulative[:, -1:] < cumulative).argmax(axis=1)
        donor = around.donors[np.arange(len(hidden)), at]
        cell = known.counts[donor].toarray().astype(np.float32)
        mean = mean_counts(cohort.graph, known.observed, known.counts, donor).toarray()
        total = observed + n_hidden[:, None] * mean
        yield Imputed(cell[back], (total / _sizes(cohort, hidden)[:, None]).astype(np.float32)[back])


def blend_design(around: Surroundings, n_components: int) -> Floats:
    """Give what the linear blend weighs: the scales and a constant, and both times the depth in the hole.

    Near the border of a hole the closest cells say most, deep inside the average of many: (m, columns, d).
    """
    means = around.means[:, :, :n_components]
    columns = np.concatenate([means, np.ones_like(means[:, :1])], axis=1)
    return np.concatenate([columns, columns * around.reach[:, :1, None]], axis=1)


def features_of(around: Surroundings, crowding: Floats) -> Floats:
    """Describe m places: means against the local one, the local mean, reach, crowding and its contrasts."""
    local = around.means[:, LOCAL]
    d = local.shape[1] - N_CROWDING
    others = [i for i in range(len(SCALES)) if i != LOCAL]
    contrast = (around.means[:, others, :d] - local[:, None, :d]).reshape(len(local), -1)
    crowded = (crowding[:, None] - around.means[:, LOCAL - 1 : LOCAL + 2, d:]).reshape(len(local), -1)
    return np.concatenate([contrast, local[:, :d], around.reach, crowding, crowded], axis=1)


def _expected(context: Context, around: Surroundings, crowding: Floats) -> Floats:
    """Average the expected components (m, d) over the folds."""
    folds = [context.expect(fold, around, crowding) for fold in range(N_FOLDS)]
    return np.asarray(np.mean(folds, axis=0), dtype=np.float32)


def left_out(context: Context, known: Known, around: Surroundings) -> Floats:
    """Average what the components leave out of the counts of the donors of m cells: (m, g)."""
    there = np.isfinite(around.distance)
    ends = np.cumsum([0, *there.sum(axis=1)])
    joined = csr_matrix(
        (np.ones(ends[-1]), around.donors[there], ends), shape=(len(there), len(known.observed))
    )
    mean = diags_array(1 / np.maximum(np.diff(ends), 1)) @ joined @ known.counts
    kept = context.decode(around.means[:, WIDE, : context.n_components])
    return np.asarray(mean.toarray() - kept, dtype=np.float32)


def in_order(cohort: Cohort) -> tuple[Cohort, Ints]:
    """Sort cells by section and position, so that nothing depends on the order in which they came.

    Returns
    -------
    The cohort, and where its hidden cells stand among those of the sorted one (m,).
    """
    names = np.asarray(cohort.section_names, dtype=str)
    rank = np.argsort(np.argsort(names, kind="stable"))
    order = np.lexsort((*cohort.coordinates.T[::-1], rank[cohort.section]))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    hidden = np.cumsum(~cohort.visible[order]) - 1
    return cohort.take(order, rank[cohort.section[order]]), hidden[place[~cohort.visible]]


def mean_counts(graph: csr_matrix, observed: Mask, counts: csr_matrix, cells: Ints) -> csr_matrix:
    """Average the counts (n, g) of the observed cells in the closed neighbourhoods of some: CSR (m, g)."""
    joined = _closed(graph, cells) @ diags_array(observed.astype(np.float64))
    size = np.asarray(joined.sum(axis=1)).ravel()
    return csr_matrix(diags_array(1 / np.maximum(size, 1)) @ joined @ counts)


def hoods(known: Known, seen: Mask) -> Neighbourhoods:
    """Average the components of the closed neighbourhoods of all cells over those that are seen (n,)."""
    d = known.values.shape[1] - N_CROWDING
    of_seen = np.concatenate([np.ones((len(seen), 1)), known.values[:, :d]], axis=1) * seen[:, None]
    total = sum_hoods(known.graph, of_seen)
    n_cells = 1 + np.diff(known.graph.indptr)
    encoded = total[:, 1:] / np.maximum(total[:, :1], 1)
    return Neighbourhoods(encoded.astype(np.float32), (total[:, 0] / n_cells).astype(np.float32))


def sum_hoods(graph: csr_matrix, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Add up values (n, c) over closed neighbourhoods: (n, c)."""
    total: NDArray[np.float64] = _closed(graph, np.arange(len(values))) @ values
    return total


def pair_features(
    context: Context, known: Known, around: Neighbourhoods, cells: Ints, near: Surroundings, expected: Floats
) -> Floats:
    """Say what sets m hidden cells apart from each of their k donors: (m, k, N_PAIR_FEATURES).

    Log distance; how far the donor's neighbourhood lies from the expected components, in three groups; how
    differently the two are crowded, in three groups and signed at middle distances; how much of the donor's
    neighbourhood is observed; how deep in the hole the hidden cell lies, by its nearest and 64th observed.
    """
    sd = context.component_sd.numpy()
    off = (expected[:, None] - around.encoded[near.donors]) / (sd + 0.1 * sd[:1])
    crowding = known.places.crowding
    unlike = crowding[cells][:, None] - crowding[near.donors]
    middle = unlike[..., CROWDING_GROUPS[1]].mean(axis=2)
    columns = [
        np.log(np.where(np.isfinite(near.distance), near.distance, 0) + 0.5),
        *(_root_mean_square(off[..., group]) for group in COMPONENT_GROUPS),
        *(_root_mean_square(unlike[..., group]) for group in CROWDING_GROUPS),
        middle,
        around.share[near.donors],
        np.broadcast_to(near.reach[:, :1], middle.shape),
        np.broadcast_to(near.reach[:, 1 + LOCAL, None], middle.shape),
    ]
    return np.stack(columns, axis=2, dtype=np.float32)


def _weights(context: Context, known: Known, cells: Ints, near: Surroundings, expected: Floats) -> Floats:
    """Give the probability of each donor (m, k) of the hidden cells."""
    around = hoods(known, known.observed)
    weights = []
    for start in range(0, len(cells), ROWS):
        rows = slice(start, start + ROWS)
        part = near.take(rows)
        pairs = pair_features(context, known, around, cells[rows], part, expected[rows])
        there = torch.from_numpy(np.isfinite(part.distance))
        with torch.no_grad():
            weights.append(context.donors(context.standard_pairs(pairs), there).numpy())
    return np.concatenate(weights)


def _known_part(cohort: Cohort, hidden: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up the counts of the observed neighbours of hidden cells (m, g), and count the hidden ones (m,)."""
    rows = csr_matrix(cohort.graph[hidden], dtype=np.float64)
    n_hidden = 1 + rows @ (~cohort.visible).astype(np.float64)
    return (rows @ diags_array(cohort.visible.astype(np.float64)) @ cohort.counts).toarray(), n_hidden


def _sizes(cohort: Cohort, hidden: Ints) -> NDArray[np.float64]:
    """Count the cells of the closed neighbourhoods of hidden cells (m,)."""
    size: NDArray[np.float64] = 1.0 + np.diff(csr_matrix(cohort.graph[hidden]).indptr)
    return size


def _closed(graph: csr_matrix, cells: Ints) -> csr_matrix:
    """Give the rows of some cells (m, n), each joined to itself too; 1 where there is an entry."""
    rows = csr_matrix(graph[cells])
    joined = csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), shape=rows.shape)
    itself = csr_matrix((np.ones(len(cells)), cells, np.arange(len(cells) + 1)), shape=rows.shape)
    return csr_matrix(joined + itself)


def _root_mean_square(values: NDArray[np.floating]) -> Floats:
    """Root of the mean square over the last axis; 0 where it is empty."""
    mean = (values**2).sum(axis=2) / max(values.shape[2], 1)
    return np.asarray(np.sqrt(mean), dtype=np.float32)
