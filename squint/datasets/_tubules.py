"""Tubules: smooth curves in three dimensions that fill the cortex side by side."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from squint.datasets._points import Floats

STEP = 14.0  # um between two points of a curve
N_STEPS = 14  # points of a curve
PITCH = 56.0  # um between the axes of neighbouring tubules
FAR = 1e3  # um, stands for "nothing near"


class Nearest(NamedTuple):
    """The tubule nearest to each of n positions."""

    curve: NDArray[np.intp]  # (n,)
    distance: Floats  # (n,), um to its axis
    margin: Floats  # (n,), um to where the next tubule would be as near


class Tubules:
    """A bundle of curves, asked for what is nearest.

    Parameters
    ----------
    points
        Points (curves, points, 3) along the axes, in um.
    """

    def __init__(self, points: Floats) -> None:
        self.middles = points[:, points.shape[1] // 2]  # (curves, 3)
        self._tree = cKDTree(points.reshape(-1, 3))
        self._curve_of = np.repeat(np.arange(len(points)), points.shape[1])

    def nearest(self, positions: Floats) -> Nearest:
        """Find the nearest tubule of each position (n, 3)."""
        distances, points = self._tree.query(positions, k=12)  # (n, 12)
        curves = self._curve_of[points]
        others = np.where(curves != curves[:, :1], distances, FAR).min(axis=1)
        return Nearest(curves[:, 0], distances[:, 0], (others - distances[:, 0]) / 2)


def grow(starts: Floats, straight: NDArray[np.bool_], axis: Floats, rng: np.random.Generator) -> Floats:
    """Grow one curve from each start, then push the curves apart until they lie side by side.

    Parameters
    ----------
    starts
        Where the curves begin, (curves, 3).
    straight
        Which of them run along ``axis`` (3,), as in a medullary ray; the others are convoluted.
    axis
        Unit vector of the straight ones.
    rng
        Source of chance.

    Returns
    -------
    Points (curves, N_STEPS, 3).
    """
    wander = np.where(straight, 0.03, 0.4)[:, None]
    heading = np.where(straight[:, None], axis, rng.normal(size=starts.shape))
    points = [starts]
    for _ in range(N_STEPS - 1):
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        points.append(points[-1] + STEP * heading)
        heading = heading + wander * rng.normal(size=starts.shape)
    return _relax(np.stack(points, axis=1))


def _relax(points: Floats, n_rounds: int = 9) -> Floats:
    curve_of = np.repeat(np.arange(len(points)), points.shape[1])
    for _ in range(n_rounds):
        flat = points.reshape(-1, 3)
        distances, near = cKDTree(flat).query(flat, k=16, distance_upper_bound=PITCH)
        near = np.where(np.isfinite(distances), near, 0)
        strangers = np.isfinite(distances) & (curve_of[near] != curve_of[:, None])
        away = (flat[:, None] - flat[near]) / np.maximum(distances, 1.0)[..., None]  # (n, 16, 3)
        push = np.where(strangers, 1 - distances / PITCH, 0.0)
        step = 12.0 * (push[..., None] * np.where(strangers[..., None], away, 0.0)).sum(axis=1)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = (flat + step * np.minimum(1, 10 / np.maximum(length, 1e-9))).reshape(points.shape)
        points[:, 1:-1] += 0.35 * ((points[:, :-2] + points[:, 2:]) / 2 - points[:, 1:-1])
    return points
