"""Whether sections of one tissue lie within what chance is said to give, and those of two beyond it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from squint.datasets._points import SmoothNoise
from squint.stats.section_distances import Tissue, compare

LENGTHS = (
    0.02,
    0.05,
    0.1,
    0.2,
    0.3,
)  # over which structures forget themselves, as shares of a section's side
N_PAIRS, N_APART = 100, 40  # of one tissue, and of two, of each length
SEED = 2026  # fixed before any of them was run; the widening was settled on pairs of other seeds
N_CELLS, N_KINDS, N_STRUCTURES = 1_500, 8, 5
N_DRAWS = 199
ALPHA = 0.05
_TILT = 1.0  # standard deviations by which one structure is more common in the second tissue


class Trial(NamedTuple):
    """p of pairs of sections with structures of one length."""

    length: float
    p: NDArray[np.float64]  # (N_PAIRS,) of one tissue
    p_independent: NDArray[np.float64]  # likewise, blocks taken for independent
    p_apart: NDArray[np.float64]  # (N_APART,) of two tissues
    reach: float  # median of what was fitted

    def row(self) -> str:
        """Say how many are small, as a row of a table."""
        cells = []
        for p in (self.p_independent, self.p, self.p_apart):
            n_small = int((p <= ALPHA).sum())
            low, high = interval(n_small, len(p))
            cells.append(f"{n_small} of {len(p)} ({low:.0%} to {high:.0%})")
        return f"| {self.length:g} | {self.reach:.2f} | {' | '.join(cells)} |"


HEAD = (
    "| length / side | reach fitted | one tissue, blocks independent | one tissue | two tissues |\n"
    "|---|---|---|---|---|"
)


def interval(n_small: int, n_all: int) -> tuple[float, float]:
    """Give the exact 95 % binomial interval of a share."""
    found = binomtest(n_small, n_all).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def section(rng: np.random.Generator, mixtures: NDArray[np.float64], length: float, tilt: float) -> Tissue:
    """Simulate a section: structures where one of five smooth fields is largest, each a mixture of kinds."""
    positions = rng.random((N_CELLS, 2))
    flat = np.column_stack([positions, np.zeros(N_CELLS)])
    fields = np.stack([SmoothNoise(length, rng)(flat) for _ in range(N_STRUCTURES)])
    fields[0] += tilt
    steps = mixtures.cumsum(axis=1)[fields.argmax(axis=0)]
    kinds = (rng.random(N_CELLS)[:, None] > steps).sum(axis=1)
    return Tissue(positions, np.minimum(kinds, N_KINDS - 1))


def trial(length: float, *, n_pairs: int = N_PAIRS, n_apart: int = N_APART, seed: int = SEED) -> Trial:
    """Compare pairs of sections, each pair of a tissue of its own.

    Parameters
    ----------
    length
        Over which structures forget themselves, as a share of a section's side.
    n_pairs, n_apart
        Pairs of one tissue, and of two.
    seed
        Of the first pair.

    Returns
    -------
    The p of each pair.
    """
    p, independent, apart, reach = [], [], [], []
    for number in range(n_pairs + n_apart):
        rng = np.random.default_rng([seed, number])
        mixtures = rng.dirichlet(np.full(N_KINDS, 0.5), N_STRUCTURES)
        tilt = 0.0 if number < n_pairs else _TILT
        pair = [section(rng, mixtures, length, by) for by in (0.0, tilt)]
        found = compare(pair, N_KINDS, n_draws=N_DRAWS)
        if number >= n_pairs:
            apart.append(found.p[0, 1])
            continue
        p.append(found.p[0, 1])
        reach += list(found.reach)
        independent.append(compare(pair, N_KINDS, n_draws=N_DRAWS, independent=True).p[0, 1])
    return Trial(length, np.array(p), np.array(independent), np.array(apart), float(np.median(reach)))
