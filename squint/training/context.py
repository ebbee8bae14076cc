"""Learn to in-paint, from holes made in the observed tissue.

Cells are hidden in made-up holes of many sizes, or one by one, and predicted from what is left. The tissue is
cut into blocks, the blocks into folds; each fold's cells are predicted by a network that was fitted without
them, and these honest predictions are what the draws learn from. Their weights are fitted by the energy
score, which is least if the draws are distributed as the truth.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from squint.model.cohort import Cohort
from squint.model.context import (
    N_FOLDS,
    ROWS,
    Context,
    Known,
    blend_design,
    features_of,
    hoods,
    in_order,
    know,
    left_out,
    mean_counts,
    pair_features,
    sum_hoods,
)
from squint.model.surroundings import (
    LOCAL,
    N_DONORS,
    Places,
    Surroundings,
    join_surroundings,
    look_around,
    make_holes,
)
from squint.nn.context import energy_score

N_COMPONENTS = 48
BLOCK = 20.0  # spacings: side of the blocks of tissue that a fold consists of ...
LEAST_BLOCKS = 12  # ... or less, to have about as many in a section
HOLE_SHARE = 0.15  # of the observed cells, hidden at a time
N_HOLE_SETS = (8, 24)  # least and most sets of holes
N_EXAMPLES = 36_000  # hidden cells to learn profiles from, about
N_DRAWN_EXAMPLES = 12_000  # hidden cells to learn draws from, about
N_TRUST_EXAMPLES = 9_000  # hidden cells that say how far averages of what components leave out hold
DONORS_PER_EXAMPLE = 64  # of the donors, drawn for each set of holes
N_SHARE_COMPONENTS = 32  # of neighbourhoods as shares, in which draws are compared with the truth
PROFILE_BATCH, DONOR_BATCH = 512, 128  # examples of a step
COMPONENT_CELLS = 20_000  # components are found on at most these many
LEAST_CELLS = 30  # observed, below which nothing can be learned
RIDGE = 10.0
SHALLOW = 0.25  # a gene's weight stops rising where its s.d. falls below this share of the median gene's

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Loss = Callable[[Tensor], Tensor]  # of a batch of row numbers


class _Normal(NamedTuple):
    """Normal equations of a regression for each fold f and component d, on c columns."""

    left: NDArray[np.float64]  # (f, d, c, c)
    right: NDArray[np.float64]  # (f, d, c, 1)


def learn_context(cohort: Cohort, *, n_steps: int, seed: int) -> Context | None:
    """Learn to in-paint, from the visible cells of a cohort.

    Parameters
    ----------
    cohort
        Sections; hidden cells carry nothing but their position. Empty ones are seen, but not predicted.
    n_steps
        Steps of each network's optimiser; 0 learns nothing.
    seed
        Of all chance.

    Returns
    -------
    None if there are too few visible cells with counts, or no steps.
    """
    n_told = np.bincount(cohort.section[cohort.told], minlength=1)
    if n_steps == 0 or n_told.max() < LEAST_CELLS:
        return None
    cohort = in_order(cohort)[0]
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    context = _find_components(cohort, rng)
    known = know(context, cohort)
    holes = _dig(known, cohort.told, rng)
    if not holes:
        return None
    examples = [
        look_around(known.places, known.values, cells, known.observed & ~hole) for cells, hole in holes
    ]
    hidden = np.concatenate([cells for cells, _ in holes])
    around = join_surroundings(examples)
    expected = _fit_profiles(context, known, hidden, around, n_steps)
    _fit_donors(context, known, holes, examples, expected, n_steps, rng)
    return context.eval()


def _find_components(cohort: Cohort, rng: np.random.Generator) -> Context:
    """Find the components of observed neighbourhoods, genes weighed by what they vary."""
    cells = np.flatnonzero(cohort.told)
    if len(cells) > COMPONENT_CELLS:
        cells = np.sort(rng.choice(cells, COMPONENT_CELLS, replace=False))
    means = mean_counts(cohort.graph, cohort.visible, cohort.counts, cells).toarray()
    sd = means.std(axis=0)
    typical = np.median(sd[sd > 0]) if (sd > 0).any() else 1.0
    weight = 1 / (sd + SHALLOW * typical)
    scaled = (means - means.mean(axis=0)) * weight
    components, component_sd = _leading(scaled, N_COMPONENTS)
    context = Context(means.shape[1], len(component_sd))
    context.gene_mean.copy_(torch.from_numpy(means.mean(axis=0)))
    context.gene_weight.copy_(torch.from_numpy(weight))
    context.components.copy_(torch.from_numpy(components))
    context.component_sd.copy_(torch.from_numpy(component_sd))
    return context


def _dig(known: Known, told: Mask, rng: np.random.Generator) -> list[tuple[Ints, Mask]]:
    """Make sets of holes: some of the cells hidden in each that are told (n,), and all of them."""
    n_observed = int(known.observed.sum())
    n_sets = int(np.clip(N_EXAMPLES / (HOLE_SHARE * n_observed), *N_HOLE_SETS))
    holes = []
    for _ in range(n_sets):
        hole = make_holes(known.places, known.observed, HOLE_SHARE, rng)
        cells = np.flatnonzero(hole & told)
        wanted = min(len(cells), N_EXAMPLES // n_sets)
        if wanted:
            holes.append((np.sort(rng.choice(cells, wanted, replace=False)), hole))
    return holes


def _fit_profiles(context: Context, known: Known, hidden: Ints, around: Surroundings, n_steps: int) -> Floats:
    """Fit the expected profile, once without each fold of the tissue.

    Returns
    -------
    Expected components (m, d) of the hidden cells, each by the fold that was fitted without it.
    """
    d = context.n_components
    crowding = known.places.crowding[hidden]
    features = features_of(around, crowding)
    context.feature_mean.copy_(torch.from_numpy(features.mean(axis=0)))
    context.feature_sd.copy_(torch.from_numpy(features.std(axis=0) + 1e-6))
    truth, means = known.values[hidden, :d], around.means[:, :, :d]
    inputs = context.standardise(features)
    departures = torch.from_numpy(truth - means[:, LOCAL])
    design = blend_design(around, d)
    precision = _precision(context, means[:, LOCAL])
    fold = _folds(known.places)[hidden]
    normal = _normal_equations(design, truth, precision, fold)
    context.trust.copy_(torch.from_numpy(_trust(context, known, hidden, around, precision)))
    expected = np.empty_like(truth)
    for number, net in enumerate(context.profiles):
        own = fold == number
        others = ~own if 0 < own.sum() < len(own) else np.ones_like(own)
        context.blend[number] = torch.from_numpy(_ridge(normal, np.unique(fold[others])))
        _optimise(net, inputs[others], departures[others], torch.from_numpy(precision[others]), n_steps)
        if own.any():
            expected[own] = context.expect(number, around.take(own), crowding[own])
    return expected


def _trust(
    context: Context, known: Known, hidden: Ints, around: Surroundings, precision: Floats
) -> NDArray[np.float64]:
    """Regress what the components leave out of a cell on the average of it around the cell: (g,), 0 to 1."""
    n_genes = len(context.gene_mean)
    both, square = np.zeros(n_genes), np.full(n_genes, 1e-12)
    some = np.arange(0, len(hidden), -(-len(hidden) // N_TRUST_EXAMPLES))
    for start in range(0, len(some), ROWS):
        rows = some[start : start + ROWS]
        given = left_out(context, known, around.take(rows))
        kept = context.decode(known.values[hidden[rows], : context.n_components])
        wanted = known.counts[hidden[rows]].toarray() - kept
        both += precision[rows] @ (given * wanted)
        square += precision[rows] @ given**2
    return np.asarray(np.clip(both / square, 0, 1))


def _precision(context: Context, local: Floats) -> Floats:
    """Weigh examples (m,) as counts want it, whose variance is their mean: by one over the depth around them.

    Otherwise the deepest cells decide the fit, and shallow tissue is drawn towards them.
    """
    depth = np.maximum(context.decode(local), 0).sum(axis=1)
    weight = 1 / np.maximum(depth, 0.1 * np.median(depth) + 1e-6)
    return np.asarray(weight / weight.mean(), dtype=np.float32)


def _normal_equations(design: Floats, truth: Floats, precision: Floats, fold: Ints) -> _Normal:
    """Set up the weighted regression of each component of the truth (m, d) on its design (m, c, d)."""
    left, right = [], []
    for number in range(N_FOLDS):
        own = fold == number
        columns = design[own].transpose(2, 1, 0)  # (d, c, m of the fold)
        weighted = columns * precision[own]
        left.append(weighted @ columns.transpose(0, 2, 1))
        right.append(weighted @ truth[own].T[:, :, None])
    return _Normal(np.stack(left).astype(np.float64), np.stack(right).astype(np.float64))


def _ridge(normal: _Normal, folds: Ints) -> Floats:
    """Solve the regression on some of the folds: (d, c)."""
    left, right = normal.left[folds].sum(axis=0), normal.right[folds].sum(axis=0)
    return np.linalg.solve(left + RIDGE * np.eye(left.shape[1]), right)[:, :, 0].astype(np.float32)


def _fit_donors(
    context: Context,
    known: Known,
    holes: list[tuple[Ints, Mask]],
    examples: list[Surroundings],
    expected: Floats,
    n_steps: int,
    rng: np.random.Generator,
) -> None:
    """Fit the attention to donors by the energy score."""
    shares = _find_shares(known, rng)
    target = shares.of_hoods(known, known.observed)
    unit = float(np.linalg.norm(target[known.observed], axis=1).mean()) or 1.0
    starts = np.cumsum([0, *(len(cells) for cells, _ in holes)])
    choices = []
    for (cells, hole), around, (start, end) in zip(holes, examples, pairwise(starts), strict=True):
        rows = np.sort(rng.permutation(end - start)[: max(N_DRAWN_EXAMPLES // len(holes), 1)])
        columns = np.sort(rng.permutation(N_DONORS)[:DONORS_PER_EXAMPLE])
        near = around.take(rows)
        near = near._replace(donors=near.donors[:, columns], distance=near.distance[:, columns])
        seen = known.observed & ~hole
        given = expected[start:end][rows]
        choices.append(
            _Choice(
                pair_features(context, known, hoods(known, seen), cells[rows], near, given),
                np.isfinite(near.distance),
                shares.of_hoods(known, seen)[near.donors],
                target[cells[rows]],
            )
        )
    joined = _Choice(*map(np.concatenate, zip(*choices, strict=True)))
    some = joined.there.any(axis=1)
    pairs, there, options, truth = (torch.from_numpy(array[some]) for array in joined)
    context.pair_mean.copy_(pairs[there].mean(dim=0))
    context.pair_sd.copy_(pairs[there].std(dim=0, correction=0) + 1e-6)
    pairs = (pairs - context.pair_mean) / context.pair_sd

    def loss(batch: Tensor) -> Tensor:
        weights = context.donors(pairs[batch], there[batch])
        return energy_score(weights, options[batch] / unit, truth[batch] / unit)

    descend(context.donors, loss, len(pairs), n_steps, batch_size=DONOR_BATCH, learning_rate=3e-3)


class _Choice(NamedTuple):
    """Hidden cells, the donors offered to them, and the truth."""

    pairs: Floats  # (m, k, features)
    there: Mask  # (m, k)
    options: Floats  # (m, k, c) the donors' neighbourhoods as shares
    truth: Floats  # (m, c)


class _Shares(NamedTuple):
    """The leading components of neighbourhoods as shares of genes, in which draws are compared."""

    depth: NDArray[np.float64]  # (n,) counts of each cell
    projected: NDArray[np.float64]  # (n, c) counts of each cell on the components
    centre: NDArray[np.float64]  # (c,) of the mean neighbourhood

    def of_hoods(self, known: Known, seen: Mask) -> Floats:
        """Give the components (n, c) of all neighbourhoods, over the cells that are seen (n,)."""
        values = np.column_stack([self.depth, self.projected]) * seen[:, None]
        total = sum_hoods(known.graph, values)
        return (total[:, 1:] / np.maximum(total[:, :1], 1) - self.centre).astype(np.float32)


def _find_shares(known: Known, rng: np.random.Generator) -> _Shares:
    """Find the components of observed neighbourhoods as shares."""
    cells = np.flatnonzero(known.observed)
    cells = np.sort(rng.permutation(cells)[:COMPONENT_CELLS])
    shares = mean_counts(known.graph, known.observed, known.counts, cells).toarray()
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    mean = shares.mean(axis=0)
    basis = _leading(shares - mean, N_SHARE_COMPONENTS)[0]
    depth = np.asarray(known.counts.sum(axis=1), dtype=np.float64).ravel()
    return _Shares(depth, known.counts @ basis, mean @ basis)


def _leading(rows: NDArray[np.float64], n_components: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the leading components (g, c) of centred rows (n, g), and their standard deviations (c,)."""
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    leading = np.argsort(-values)[: min(n_components, *rows.shape)]
    return vectors[:, leading], np.sqrt(np.maximum(values[leading], 0))


def _folds(places: Places) -> Ints:
    """Put every cell (n,) into one of the folds, by blocks of tissue."""
    fold = np.zeros(len(places.section), dtype=np.int64)
    for code, spacing in enumerate(places.spacing):
        cells = np.flatnonzero(places.section == code)
        if len(cells):
            side = min(BLOCK, (len(cells) / LEAST_BLOCKS) ** (1 / places.coordinates.shape[1]))
            position = places.coordinates[cells] / (side * spacing)
            block = np.floor(position - position.min(axis=0)).astype(np.int64)
            _, number = np.unique(block, axis=0, return_inverse=True)
            fold[cells] = (number + code) % N_FOLDS
    return fold


def _optimise(net: nn.Module, inputs: Tensor, wanted: Tensor, precision: Tensor, n_steps: int) -> None:
    """Fit a network by weighted least squares, and leave it in evaluation mode."""

    def loss(batch: Tensor) -> Tensor:
        error = (net(inputs[batch]) - wanted[batch]).square().sum(dim=1)
        mean: Tensor = (precision[batch] * error).mean()
        return mean

    descend(net, loss, len(inputs), n_steps, batch_size=PROFILE_BATCH, learning_rate=2e-3)


def descend(
    net: nn.Module, loss: Loss, n_examples: int, n_steps: int, *, batch_size: int, learning_rate: float
) -> None:
    """Take steps of AdamW down a loss, warmed up and then along a cosine."""
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), learning_rate, weight_decay=1e-2, fused=True)
    for step in range(n_steps):
        rate = min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / n_steps))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * rate
        optimiser.zero_grad()
        loss(torch.randint(n_examples, (batch_size,))).backward()
        optimiser.step()
    net.eval()
