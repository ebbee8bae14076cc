"""Learn the second vocabulary, of domains, once the first one is learned; nothing of the first changes.

A direction is worth something if places far from each other differ in it and places side by side do not:
its worth is the variance within sections over that between a cell and its neighbours, which is noise. This
contrast of near and far has a closed form (maximum autocorrelation factors, Switzer and Green 1984). What
differs between sections as wholes counts as noise too, for chemistry and patient make such differences.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans

from squint.model.cohort import Cohort
from squint.model.domains import N_FACTORS, Domains, Vocabulary, contexts, root_shares
from squint.model.tokens import Squint, embed, visit_order

BASIS_CELLS = 20_000  # that directions and prototypes are found on, at most
N_BASIS = 30  # directions of largest variance, in which the contrast is looked for
SOFTNESS = (
    3.0  # times the mean noise, added to the noise of every direction: none is made much of for being quiet
)
LEAST_CELLS = 20  # that a prototype stands for

Floats = NDArray[np.float32]


def learn_domains(model: Squint, cohort: Cohort, *, n_prototypes: int, seed: int) -> Domains | None:
    """Learn to tell domains apart, from the visible cells of a cohort.

    Parameters
    ----------
    model
        Trained; it stays as it is.
    cohort
        The sections of its training, in the order of its sections; hidden cells carry nothing.
    n_prototypes
        How many contexts to keep, at most; 0 learns nothing.
    seed
        Of all chance.

    Returns
    -------
    None if there are too few cells for two prototypes, or none are wanted.
    """
    order = visit_order(cohort)  # neighbours together, which costs least
    told = order[cohort.told[order]]
    n_prototypes = min(n_prototypes, len(told) // LEAST_CELLS)
    if n_prototypes < 2:
        return None
    rng = np.random.default_rng(seed)
    features = cohort.features[told].mean(axis=0, dtype=np.float64).astype(np.float32)
    some = told[np.sort(rng.permutation(len(told))[:BASIS_CELLS])]
    parts = [root_shares(model, latents, features) for _, latents in _latents(model, cohort, some)]
    roots = np.concatenate(parts)
    centre = roots.mean(axis=0)
    basis = _basis(roots - centre, cohort.section[some])  # (g, b)
    values = np.zeros((cohort.n_cells, basis.shape[1]), dtype=np.float32)
    for cells, latents in _latents(model, cohort, told):
        values[cells] = (root_shares(model, latents, features) - centre) @ basis
    turn = _contrast(values, cohort)
    around = contexts(values @ turn, cohort.graph, cohort.told)
    clusters = KMeans(n_prototypes, n_init=1, max_iter=50, random_state=seed).fit(around[some])
    found = Vocabulary(
        features=features,
        centre=centre.astype(np.float32),
        factors=(basis @ turn).astype(np.float32),
        prototypes=clusters.cluster_centers_.astype(np.float32),
        use=np.ones(n_prototypes, dtype=np.float32),
    )
    use = np.bincount(Domains.of(found).assign(around[told]), minlength=n_prototypes) / len(told)
    return Domains.of(found._replace(use=use.astype(np.float32)))


def _latents(
    model: Squint, cohort: Cohort, cells: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Encode some cells, a few at a time: which, and their latents."""
    for part in embed(model, cohort, cohort.own_conditions(), among=cells):
        yield part.cells, part.latents


def _basis(roots: Floats, section: NDArray[np.int64]) -> Floats:
    """Find the directions (g, b) of largest variance within sections."""
    within = _within(roots, section)
    variance, directions = np.linalg.eigh(within.T @ within / len(within))
    n_basis = min(N_BASIS, len(variance))
    basis: Floats = directions[:, np.argsort(-variance)[:n_basis]].astype(np.float32)
    return basis


def _contrast(values: Floats, cohort: Cohort) -> Floats:
    """Find the directions (b, c) of values (n, b) in which far places differ most, for what near ones do."""
    told = cohort.told
    size = (cohort.graph @ told.astype(np.float32) + told)[:, None]
    near = (csr_matrix(cohort.graph) @ values + values) / np.maximum(size, 1)
    section = cohort.section[told]
    within = _within(values[told], section)
    apart = (values - near)[told]
    noise = np.cov(apart.T, ddof=0)
    between = values[told] - within
    between = between - between.mean(axis=0)
    floor = SOFTNESS * np.trace(noise) / len(noise) * np.eye(len(noise))
    worth, directions = eigh(np.cov(within.T, ddof=0), noise + between.T @ between / len(between) + floor)
    turn: Floats = directions[:, np.argsort(-worth)[:N_FACTORS]].astype(np.float32)
    return turn


def _within(values: Floats, section: NDArray[np.int64]) -> Floats:
    """Take from values (n, b) the mean of each section (n,)."""
    n_cells = np.maximum(np.bincount(section), 1)
    sums = np.zeros((len(n_cells), values.shape[1]))
    np.add.at(sums, section, values)
    within: Floats = (values - (sums / n_cells[:, None])[section]).astype(np.float32)
    return within
