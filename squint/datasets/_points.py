"""Points in space: smooth random fields and random positions that keep a distance from one another."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]


class SmoothNoise:
    """A smooth random field of unit variance, a function of positions (n, 3) in um.

    Parameters
    ----------
    length
        Distance in um over which the field forgets itself.
    rng
        Source of chance.
    n_waves
        Plane waves that are summed; with many of them the field is Gaussian.
    """

    def __init__(self, length: float, rng: np.random.Generator, n_waves: int = 32) -> None:
        self._waves = rng.normal(scale=1 / length, size=(3, n_waves))
        self._phases = rng.uniform(0, 2 * np.pi, n_waves)

    def __call__(self, positions: Floats) -> Floats:
        """Give the field (n,) at positions (n, 3)."""
        waves = np.cos(positions @ self._waves + self._phases)
        return np.asarray(waves.sum(axis=1) * np.sqrt(2 / len(self._phases)))


def hard_core(positions: Floats, distance: float) -> NDArray[np.intp]:
    """Keep each position, in the order given, that is not too close to one kept before it.

    Over random positions this is simple sequential inhibition.

    Parameters
    ----------
    positions
        Candidates (n, d).
    distance
        Least distance between two positions that are kept.

    Returns
    -------
    Indices of the positions kept, ascending.
    """
    pairs = cKDTree(positions).query_pairs(distance, output_type="ndarray")  # (m, 2), first < second
    kept = np.ones(len(positions), dtype=bool)
    for first, second in pairs[np.argsort(pairs[:, 1], kind="stable")].tolist():
        # All conflicts of `first` with earlier positions are settled by now.
        if kept[first]:
            kept[second] = False
    return np.flatnonzero(kept)


def scatter(
    density: Callable[[Floats], Floats], low: Floats, high: Floats, distance: float, rng: np.random.Generator
) -> Floats:
    """Draw a hard-core point process in a box.

    Parameters
    ----------
    density
        Chance (n,) that a candidate at positions (n, 3) is tried; there is one candidate per square
        ``distance`` of a flat box, or per cube.
    low, high
        Corners (3,) of the box in um; equal heights make it a flat window.
    distance
        Least distance in um.
    rng
        Source of chance.

    Returns
    -------
    Positions (n, 3).
    """
    sides = high - low
    n_candidates = int(np.prod([side / distance for side in sides if side > 0]))
    candidates = rng.uniform(low, high, (n_candidates, 3))
    candidates = candidates[rng.random(n_candidates) < density(candidates)]
    return candidates[hard_core(candidates, distance)]
