"""A section between two measured levels, learned from the stack's own levels.

Each measured level that lies between two others is told from those others alone, as if it had not been
measured; what is learned so is used where nothing was measured. Expression is described by its leading
components over all levels. A place's components are the mean of two:

- a linear blend, for each component, of z-weighted means over the nearest 1 to 256 cells of both levels;
- the z-weighted mean over the nearest 64, plus what all components at all scales, and those of the levels
  beyond, add to it.

Both are solved at once, by ridge regression, so there is no chance and no training to wait for. What the
components leave out of a gene is averaged over the nearest 128 cells of both levels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.model.between import ROWS, Between, Level, find_between, nearest_means, weighed_means

N_COMPONENTS = 48
SCALES = (1, 4, 16, 64, 128, 256)
LOCAL = 3  # of SCALES, what the second part starts from
BEYOND = (4, 64, 256)  # nearest cells that are averaged in the levels beyond
LEFT_OUT = 128  # nearest cells over which is averaged what the components leave out
LEAST_TAUGHT = 2  # levels between others, below which nothing is learned
N_EXAMPLES = 15_000  # places to learn from, about, spread evenly over the levels
RIDGE, RIDGE_ALL = 10.0, 6.0  # of the blend; of the second part, for each example
SHALLOW = 0.25  # a gene's weight stops rising where its s.d. falls below this share of the median gene's
FARTHEST = 4.0  # s.d.: features beyond are drawn in

Floats = NDArray[np.float64]


class Basis(NamedTuple):
    """Components of expression."""

    mean: Floats  # (g,)
    weight: Floats  # (g,) 1 / s.d.
    components: Floats  # (g, d)

    def encode(self, values: csr_matrix | Floats) -> Floats:
        """Project values (n, g): (n, d)."""
        basis = self.weight[:, None] * self.components
        return np.asarray(values @ basis) - self.mean @ basis

    def decode(self, encoded: Floats) -> Floats:
        """Turn components (n, d) into values (n, g)."""
        return self.mean + encoded @ self.components.T / self.weight


class Blend(NamedTuple):
    """What was learned from a stack."""

    basis: Basis
    encoded: dict[str, Floats]  # name of a level: components of its cells (n, d)
    linear: Floats  # (d, scales + 1)
    centre: Floats  # (q,) of the features
    scale: Floats  # (q,)
    offset: Floats  # (d,)
    slopes: Floats  # (q, d)

    def predict(self, levels: Sequence[Level], z: float, points: Floats) -> Floats:
        """Predict places (m, 2) at depth z: (m, g), from the levels in order that it was learned from."""
        between = find_between(levels, z)
        predicted = np.empty((len(points), levels[0].values.shape[1]))
        for start in range(0, len(points), ROWS):
            some = points[start : start + ROWS]
            near, far = look(levels, between, self.encoded, some)
            columns = np.concatenate([near, np.ones_like(near[:, :1])], axis=1)
            blended = np.einsum("msd,ds->md", columns, self.linear)
            features = np.clip((_features(near, far) - self.centre) / self.scale, -FARTHEST, FARTHEST)
            expected = (blended + near[:, LOCAL] + self.offset + features @ self.slopes) / 2
            (whole,) = weighed_means(between, some, (LEFT_OUT,))
            left_out = whole - self.basis.decode(self.basis.encode(whole))
            predicted[start : start + ROWS] = self.basis.decode(expected) + left_out
        return np.maximum(predicted, 0)


def learn(levels: Sequence[Level]) -> Blend | None:
    """Learn to tell a depth between levels, each level between two others being hidden in turn.

    Parameters
    ----------
    levels
        In order.

    Returns
    -------
    None if fewer than two levels lie between others.
    """
    inner = range(1, len(levels) - 1)
    if len(inner) < LEAST_TAUGHT:
        return None
    basis = _find_basis(levels)
    encoded = {level.name: basis.encode(level.values) for level in levels}
    near, far, truth = [], [], []
    for i in inner:
        others = [*levels[:i], *levels[i + 1 :]]
        level = levels[i]
        step = -(-len(level.points) * len(inner) // N_EXAMPLES)
        seen = look(others, find_between(others, level.z), encoded, level.points[::step])
        near.append(seen[0])
        far.append(seen[1])
        truth.append(encoded[level.name][::step])
    return _solve(basis, encoded, np.concatenate(near), np.concatenate(far), np.concatenate(truth))


def look(
    levels: Sequence[Level], between: Between, encoded: dict[str, Floats], points: Floats
) -> tuple[Floats, Floats]:
    """Say what levels hold around places (m, 2): z-weighted means of the two, means of those beyond.

    Returns
    -------
    (m, scales, d) and (m, scales beyond, d); without levels beyond, the second is of the first.
    """
    names = [level.name for level in levels]
    at = names.index(between.below.name)
    beyond = [levels[i] for i in (at - 1, at + 2) if 0 <= i < len(levels)]
    near = _average(between.weighed, encoded, points, SCALES)
    if not beyond:
        return near, near[:, [SCALES.index(scale) for scale in BEYOND]]
    return near, _average([(level, 1 / len(beyond)) for level in beyond], encoded, points, BEYOND)


def _average(
    weighed: Sequence[tuple[Level, float]], encoded: dict[str, Floats], points: Floats, sizes: Sequence[int]
) -> Floats:
    d = next(iter(encoded.values())).shape[1]
    total = np.zeros((len(points), len(sizes), d))
    for level, weight in weighed:
        for rows, means in nearest_means(level, points, encoded[level.name], sizes):
            total[rows] += weight * np.stack(means, axis=1)
    return total


def _features(near: Floats, far: Floats) -> Floats:
    """Describe places: means against the local one, of the levels and of those beyond, and the local mean."""
    local = near[:, LOCAL]
    others = [i for i in range(len(SCALES)) if i != LOCAL]
    contrasts = (near[:, others] - local[:, None]).reshape(len(near), -1)
    beyond = (far - local[:, None]).reshape(len(near), -1)
    return np.concatenate([contrasts, beyond, local], axis=1)


def _find_basis(levels: Sequence[Level]) -> Basis:
    """Find the components of the cells of all levels, genes weighed by what they vary."""
    n_cells = sum(len(level.points) for level in levels)
    step = -(-n_cells // N_EXAMPLES)
    rows = np.concatenate([np.asarray(level.values[::step].todense(), dtype=np.float64) for level in levels])
    mean, sd = rows.mean(axis=0), rows.std(axis=0)
    typical = float(np.median(sd[sd > 0])) if (sd > 0).any() else 1.0
    weight = 1 / (sd + SHALLOW * typical)
    scaled = (rows - mean) * weight
    _, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    return Basis(mean, weight, vectors[:, ::-1][:, :N_COMPONENTS])


def _solve(basis: Basis, encoded: dict[str, Floats], near: Floats, far: Floats, truth: Floats) -> Blend:
    """Solve both regressions. Counts are weighed by one over the depth around them, as their variance is."""
    depth = np.maximum(basis.decode(near[:, LOCAL]), 0).sum(axis=1)
    weight = 1 / np.maximum(depth, 0.1 * np.median(depth) + 1e-6)
    weight /= weight.mean()
    columns = np.concatenate([near, np.ones_like(near[:, :1])], axis=1)
    linear = []
    for one, wanted in zip(columns.transpose(2, 0, 1), truth.T, strict=True):
        weighed = (one * weight[:, None]).T
        linear.append(np.linalg.solve(weighed @ one + RIDGE * np.eye(one.shape[1]), weighed @ wanted))
    features, departure = _features(near, far), truth - near[:, LOCAL]
    centre, scale = np.average(features, axis=0, weights=weight), features.std(axis=0) + 1e-9
    features = np.clip((features - centre) / scale, -FARTHEST, FARTHEST)
    offset = np.average(departure, axis=0, weights=weight)
    weighed = (features * weight[:, None]).T
    penalty = RIDGE_ALL * len(features) * np.eye(features.shape[1])
    slopes = np.linalg.solve(weighed @ features + penalty, weighed @ (departure - offset))
    return Blend(basis, encoded, np.array(linear), centre, scale, offset, slopes)
