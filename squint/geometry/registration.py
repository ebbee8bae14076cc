"""Lay one level of a stack onto the next: a rotation and a shift, found by what the cells express.

Reflections are not looked for: a level that was turned over on its slide must be turned back first. Nor is
any bending or stretching. Structures that run obliquely through the stack shift from level to level without
any level being out of place; what they shift by cannot be told from a displacement.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, optimize
from scipy.spatial import cKDTree

ROTATION_STEP = 5.0  # degrees between the rotations tried first
COARSE_PIXELS = 40  # along the longer side of a level, when all shifts are tried
FINE_PIXELS = 256
MARGIN = 4  # empty pixels around a level
BLUR = 1.5  # s.d. in pixels
LEAST_OVERLAP = 0.2  # of the smaller tissue, below which a coarse placement is not trusted
N_PEAKS = 4  # rotations that are looked at more closely
MAX_CELLS = 4_000  # of a level, that the fine placement is scored on
LEAST_CELLS = 100  # of either level, below which nothing is tried
N_TILES = 5  # to a side: parts of the tissue that the jackknife leaves out
CLEARLY = 3.0  # standard errors
DISTINCT = 0.15  # of the level's extent, that two placements must differ by to be two

Points = NDArray[np.float64]  # (n, 2)
Outcome = Literal["moved", "aligned within error", "cannot tell"]


class Level(NamedTuple):
    """One level of a stack."""

    name: str
    z: float  # um
    coordinates: Points
    features: NDArray[np.float64]  # (n, p), with the same meaning in all levels, mean 0 in each


class Rigid(NamedTuple):
    """Rotate about a pivot, then shift."""

    rotation: float  # degrees, clockwise as the slide is seen (y down)
    shift: NDArray[np.float64]  # (2,) in the unit of the coordinates
    pivot: NDArray[np.float64]  # (2,)

    def apply(self, points: Points) -> Points:
        """Move points (n, 2)."""
        # The change is added, so that no movement leaves every digit as it is.
        moved: Points = points + (points - self.pivot) @ (_matrix(self.rotation) - np.eye(2)).T + self.shift
        return moved

    def undo(self, points: Points) -> Points:
        """Move points (n, 2) back."""
        turned = points - self.shift
        moved: Points = turned + (turned - self.pivot) @ (_matrix(self.rotation) - np.eye(2))
        return moved


class Match(NamedTuple):
    """How well two levels agree in one placement."""

    overlap: float  # share of the smaller tissue's area that lies on the other
    agreement: float  # correlation of what the cells on common ground express, NaN where there is none

    @property
    def score(self) -> float:
        """What a placement is chosen by: agreement on much ground is worth more than on little."""
        return self.overlap * self.agreement if np.isfinite(self.agreement) else 0.0


class Pair(NamedTuple):
    """How the upper of two levels lies to the lower."""

    lower: str
    upper: str
    dz: float
    found: Rigid  # the best placement, whether or not it is clearly better
    proposed: Rigid  # the same if it is, else no movement
    before: Match
    after: Match  # as proposed
    displacement: float  # RMS movement of the upper level's cells, as proposed
    gain: float  # score of the placement found, less that of no movement
    gain_se: float
    outcome: Outcome


def measure(levels: Sequence[Level]) -> Iterator[Pair]:
    """Measure how each level lies to the one below, a pair at a time.

    All rotations, five degrees apart, and all shifts are tried on coarse maps of the features; the best few
    are refined on the cells. A placement is proposed if its score (overlap times correlation) is higher by
    three standard errors than that of no movement *and* than that of any placement elsewhere; the standard
    errors are from a jackknife over 25 parts of the tissue.

    Parameters
    ----------
    levels
        In order of height.

    Yields
    ------
    Pair
        ``outcome`` is ``"moved"``, ``"aligned within error"`` if no movement is clearly better, or ``"cannot
        tell"`` if another placement does as well, or a level has fewer than 100 cells.
    """
    for lower, upper in pairwise(levels):
        yield _measure_pair(lower, upper)


def lay(coordinates: Sequence[Points], moves: Sequence[Rigid]) -> list[Points]:
    """Add movements up along the stack, so that all levels lie on the middle one, which stays.

    Parameters
    ----------
    coordinates
        Per level, (n, 2).
    moves
        Per pair of neighbouring levels, what lays the upper onto the lower.
    """
    middle = len(coordinates) // 2
    laid = []
    for i, points in enumerate(coordinates):
        for move in reversed(moves[middle:i]):
            points = move.apply(points)  # noqa: PLW2901 - step by step from level to level
        for move in moves[i:middle]:
            points = move.undo(points)  # noqa: PLW2901
        laid.append(points)
    return laid


def _measure_pair(lower: Level, upper: Level) -> Pair:
    still = Rigid(0.0, np.zeros(2), upper.coordinates.mean(axis=0))
    fine = _Placing(lower, upper, FINE_PIXELS)
    best, gain, se = still, 0.0, float("nan")
    outcome: Outcome = "cannot tell"
    if min(len(lower.coordinates), len(upper.coordinates)) >= LEAST_CELLS:
        best, *others = _placements(lower, upper, fine, still)
        gain, se = fine.advantage(best, still)
        ahead = [fine.advantage(best, other) for other in others]
        if all(lead > CLEARLY * error for lead, error in ahead):
            outcome = "moved" if gain > CLEARLY * se else "aligned within error"
    proposed = best if outcome == "moved" else still
    return Pair(
        lower=lower.name,
        upper=upper.name,
        dz=upper.z - lower.z,
        found=best,
        proposed=proposed,
        before=fine.judge(still),
        after=fine.judge(proposed),
        displacement=_rms(proposed.apply(upper.coordinates) - upper.coordinates),
        gain=gain,
        gain_se=se,
        outcome=outcome,
    )


def _placements(lower: Level, upper: Level, fine: "_Placing", still: Rigid) -> list[Rigid]:
    """Find the best placements that differ from one another, best first."""
    coarse = _Placing(lower, upper, COARSE_PIXELS)
    found = [coarse.refine(start) for start in [still, *_peaks(coarse, still.pivot)]]
    found = [fine.refine(move) for move in _distinct(found, coarse)]
    return _distinct(found, fine)


def _distinct(moves: list[Rigid], placing: "_Placing") -> list[Rigid]:
    """Sort placements by score, best first, and leave out those that nearly repeat a better one."""
    points = placing.points
    least = DISTINCT * float(np.ptp(points, axis=0).max())
    kept: list[Rigid] = []
    for move in sorted(moves, key=lambda move: -placing.judge(move).score):
        if all(_rms(move.apply(points) - other.apply(points)) > least for other in kept):
            kept.append(move)
    return kept


def _peaks(coarse: "_Placing", pivot: NDArray[np.float64]) -> list[Rigid]:
    """Find the rotations that do better than those beside them, each with its best shift."""
    turns = np.arange(0, 360, ROTATION_STEP)
    tried = list(_best_shifts(coarse, pivot, turns))
    score = np.array([value for value, _ in tried])
    peak = np.flatnonzero((score >= np.roll(score, 1)) & (score >= np.roll(score, -1)))
    return [tried[i][1] for i in peak[np.argsort(-score[peak], kind="stable")][:N_PEAKS]]


def _best_shifts(
    coarse: "_Placing", pivot: NDArray[np.float64], turns: NDArray[np.float64]
) -> Iterator[tuple[float, Rigid]]:
    """Try all shifts at once for each rotation, by Fourier transform; give the best score and placement."""
    lower, upper, pixel = coarse.lower, coarse.upper, coarse.lower.pixel
    reach = int(np.ceil(np.linalg.norm(upper.points - pivot, axis=1).max() / pixel)) + MARGIN
    shape = (2 * reach + 1, 2 * reach + 1)
    size = [fft.next_fast_len(a + b, real=True) for a, b in zip(shape, lower.shape, strict=True)]
    under = _Spectra(lower.map, size)
    for turn in turns:
        turned = Rigid(turn, np.zeros(2), pivot).apply(upper.points)
        over = _Spectra(_draw(turned, upper.features, pivot - reach * pixel, shape, pixel), size)
        common = under.meet(over.ground, under.ground)
        overlap = np.clip(common / coarse.smaller, 0, 1)
        energy = under.meet(over.ground, under.energy) * under.meet(over.energy, under.ground)
        product = under.meet(over.features, under.features)
        score = overlap * product / np.sqrt(np.maximum(energy, 1e-12))
        score[overlap < LEAST_OVERLAP] = -1
        at = np.unravel_index(int(score.argmax()), score.shape)
        steps = [i if i < n - m else i - n for i, n, m in zip(at, size, shape, strict=True)]
        shift = np.array(steps[::-1]) * pixel + lower.corner - (pivot - reach * pixel)
        yield float(score[at]), Rigid(float(turn), shift, pivot)


class _Spectra:
    """Fourier transforms of a map (p + 1, rows, columns), the ground last."""

    def __init__(self, drawn: NDArray[np.float64], size: list[int]) -> None:
        self.size = size
        self.features = fft.rfft2(drawn[:-1], size)  # (p, ...)
        self.energy = fft.rfft2((drawn[:-1] ** 2).sum(axis=0), size)[None]
        self.ground = fft.rfft2(drawn[-1], size)[None]

    def meet(self, over: NDArray[np.complex128], under: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Add up the products of two maps for every shift of the one that lies over the other."""
        total: NDArray[np.float64] = fft.irfft2((under * over.conj()).sum(axis=0), self.size)
        return total


class _Tissue:
    """A level, and its map (p + 1, rows, columns) of blurred features; the last is 1 on tissue, else 0."""

    def __init__(self, level: Level, pixel: float) -> None:
        self.points, self.features, self.pixel = level.coordinates, level.features, pixel
        self.corner = self.points.min(axis=0) - MARGIN * pixel
        columns, rows = (np.ceil(np.ptp(self.points, axis=0) / pixel) + 2 * MARGIN + 1).astype(int)
        self.shape = (int(rows), int(columns))
        self.map = _draw(self.points, self.features, self.corner, self.shape, pixel)

    @property
    def area(self) -> float:
        """Pixels of tissue."""
        return float(self.map[-1].sum())


class _Placing:
    """The upper level over the lower one, at some resolution."""

    def __init__(self, lower: Level, upper: Level, n_pixels: int) -> None:
        extent = max(np.ptp(level.coordinates, axis=0).max() for level in (lower, upper))
        apart = np.median([_spacing(level.coordinates) for level in (lower, upper)])
        pixel = max(float(extent) / n_pixels, float(apart)) or 1.0
        self.lower, self.upper = _Tissue(lower, pixel), _Tissue(upper, pixel)
        self.smaller = min(self.lower.area, self.upper.area)
        by_place = np.lexsort(upper.coordinates.T)
        drawn = by_place[:: -(-len(by_place) // MAX_CELLS)]
        self.points, self.features = upper.coordinates[drawn], upper.features[drawn]
        self.tile = _tiles(self.points)

    def judge(self, move: Rigid) -> Match:
        """Judge a placement."""
        return self._sum_up(self._parts(move))

    def advantage(self, one: Rigid, other: Rigid) -> tuple[float, float]:
        """Give the difference of two placements' scores, and its standard error by jackknife."""
        first, second = self._parts(one), self._parts(other)
        gains = []
        for tile in np.unique(self.tile):
            kept = self.tile != tile
            gains.append(self._sum_up(first[kept]).score - self._sum_up(second[kept]).score)
        gain = self._sum_up(first).score - self._sum_up(second).score
        return gain, float(np.sqrt((len(gains) - 1) * np.var(gains)))

    def refine(self, start: Rigid) -> Rigid:
        """Climb from a placement to the best one near by."""
        radius = max(_rms(self.points - start.pivot), self.lower.pixel)

        def moved(step: NDArray[np.float64]) -> Rigid:
            # In the unit of the coordinates, so that a step is as far for a rotation as for a shift.
            return start._replace(
                rotation=start.rotation + float(np.degrees(step[0] / radius)), shift=start.shift + step[1:]
            )

        simplex = 2 * self.lower.pixel * np.vstack([np.zeros(3), np.eye(3)])
        best = optimize.minimize(
            lambda step: -self.judge(moved(step)).score,
            np.zeros(3),
            method="Nelder-Mead",
            options={
                "initial_simplex": simplex,
                "xatol": self.lower.pixel / 20,
                "fatol": 1e-5,
                "maxfev": 100,
            },
        )
        return moved(best.x)

    def _parts(self, move: Rigid) -> NDArray[np.float64]:
        """Give what each cell (n, 4) adds: product of features, energy below and above, ground."""
        there = _look_up(self.lower, move.apply(self.points))
        below, ground = there[:, :-1], there[:, -1]
        # At the border features are interpolated with nothing, so each weighs as much as its ground.
        energy_below = (below**2).sum(axis=1) / np.maximum(ground, 1e-9)
        energy_above = (self.features**2).sum(axis=1) * ground
        return np.column_stack([(below * self.features).sum(axis=1), energy_below, energy_above, ground])

    def _sum_up(self, parts: NDArray[np.float64]) -> Match:
        product, below, above, ground = parts.sum(axis=0)
        overlap = ground / len(parts) * self.upper.area / self.smaller
        scale = np.sqrt(below * above)
        return Match(float(min(overlap, 1)), float(product / scale) if scale > 0 else float("nan"))


def _draw(
    points: Points,
    features: NDArray[np.float64],
    corner: NDArray[np.float64],
    shape: tuple[int, int],
    pixel: float,
) -> NDArray[np.float64]:
    """Draw the mean features around each pixel, and the ground that is tissue: (p + 1, rows, columns)."""
    column, row = np.rint((points - corner) / pixel).astype(np.int64).T
    at = row * shape[1] + column
    n_pixels = shape[0] * shape[1]
    drawn = [np.bincount(at, values, n_pixels) for values in (*features.T, np.ones(len(points)))]
    blurred = ndimage.gaussian_filter(
        np.stack(drawn).reshape(-1, *shape), (0, BLUR, BLUR), mode="constant", cval=0.0
    )
    density = blurred[-1]
    # Half of what the tissue's own pixels have at least, or its border would grow by the blur; gaps between
    # cells are tissue.
    ground = ndimage.binary_closing(density > 0.5 * np.median(density.ravel()[at]), iterations=2)
    features_there = np.where(ground, blurred[:-1] / np.maximum(density, 1e-12), 0.0)
    return np.concatenate([features_there, ground[None].astype(np.float64)])


def _look_up(tissue: _Tissue, points: Points) -> NDArray[np.float64]:
    """Interpolate a tissue's map at points (n, 2), between the four nearest pixels: (n, p + 1)."""
    rows, columns = tissue.shape
    flat = tissue.map.reshape(len(tissue.map), -1).T
    place = (points - tissue.corner) / tissue.pixel
    inside = ((place >= 0) & (place < [columns - 1, rows - 1])).all(axis=1)
    place = np.where(inside[:, None], place, 0.0)  # the corner is empty
    whole = place.astype(np.int64)
    part = place - whole
    found = np.zeros((len(points), flat.shape[1]))
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - part[:, 0]) * np.abs(1 - down - part[:, 1])
            found += weight[:, None] * flat[(whole[:, 1] + down) * columns + whole[:, 0] + right]
    return found


def _tiles(points: Points) -> NDArray[np.int64]:
    """Cut points (n, 2) into columns, and each into tiles, with as many points in all: (n,) numbers."""
    number = _ranks(points[:, 0]) * N_TILES // len(points)
    tile = np.empty(len(points), dtype=np.int64)
    for column in range(N_TILES):
        inside = np.flatnonzero(number == column)
        tile[inside] = column * N_TILES + _ranks(points[inside, 1]) * N_TILES // max(len(inside), 1)
    return tile


def _ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    ranks: NDArray[np.int64] = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return ranks


def _matrix(degrees: float) -> NDArray[np.float64]:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _rms(offsets: Points) -> float:
    return float(np.sqrt((offsets**2).sum(axis=1).mean()))


def _spacing(points: Points) -> float:
    """Median distance of points (n, 2) to the nearest other, 0 if there is none."""
    if len(points) < 2:
        return 0.0
    return float(np.median(cKDTree(points).query(points, k=2)[0][:, 1]))
