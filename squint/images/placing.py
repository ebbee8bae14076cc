"""Where a picture lies under a section: affines (2, 3), and how they follow from matched landmarks."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from squint.bounds import FARTHEST
from squint.errors import InputError

Affine = NDArray[np.float64]  # (2, 3): x = a[0, 0] column + a[0, 1] row + a[0, 2], and y likewise
MAX_LANDMARKS = 500  # a picture is placed anew without each of them
NARROW = 0.01  # width over length, below which landmarks lie on one line


class Fit(NamedTuple):
    """An affine that was fitted to landmarks, and how believable it is."""

    affine: Affine
    residuals: NDArray[np.float64]  # (k,) distance from each place to where its pixel is put, in um
    rmse: float  # root mean square of them; 0 if there are just enough landmarks
    leave_one_out: float | None  # RMS distance of landmarks that the fit has not seen, where enough are left


class Description(NamedTuple):
    """What an affine does."""

    scale: tuple[float, float]  # um per pixel along the columns and down the rows
    rotation: float  # degrees that the picture is turned clockwise, as seen with y down
    shear: float  # degrees by which its sides are off the right angle
    mirrored: bool


def apply(affine: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Move points.

    Parameters
    ----------
    affine
        What moves them, (2, 3).
    points
        The points (n, 2).

    Returns
    -------
    Where they go (n, 2).
    """
    matrix = np.asarray(affine, dtype=np.float64)
    return np.asarray(np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)


def compose(second: ArrayLike, first: ArrayLike) -> Affine:
    """Do one affine after the other.

    Parameters
    ----------
    second, first
        The affines, (2, 3).

    Returns
    -------
    The affine that does both.
    """
    return np.asarray((_square(second) @ _square(first))[:2], dtype=np.float64)


def invert(affine: ArrayLike) -> Affine:
    """Lead back.

    Parameters
    ----------
    affine
        The way there, (2, 3).

    Returns
    -------
    The affine that undoes it.
    """
    return np.asarray(np.linalg.inv(_square(affine))[:2], dtype=np.float64)


def scaling(across: float, down: float, left: float = 0.0, top: float = 0.0) -> Affine:
    """Scale, then shift."""
    return np.array([[across, 0.0, left], [0.0, down, top]])


def check_affine(affine: ArrayLike) -> Affine:
    """Refuse what puts no picture anywhere."""
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (2, 3) or not (np.abs(matrix) <= FARTHEST).all():
        raise InputError(f"A picture is placed by six finite numbers, none of them beyond {FARTHEST:,.0f}.")
    along, down = np.linalg.norm(matrix[:, :2], axis=0)
    if abs(np.linalg.det(matrix[:, :2])) <= NARROW * along * down or not along * down:
        raise InputError("This would lay the picture flat onto a line. Check the numbers.")
    return matrix


def describe(affine: ArrayLike) -> Description:
    """Say what an affine does to a picture.

    Parameters
    ----------
    affine
        From pixels to the coordinates of the section, (2, 3).

    Returns
    -------
    Its parts: scale, rotation, shear, and whether the picture is mirrored.
    """
    (a, b), (d, e) = np.asarray(affine, dtype=np.float64)[:, :2]
    mirrored = bool(a * e - b * d < 0)
    along = np.degrees(np.arctan2(d, a))
    down = np.degrees(np.arctan2(e, b)) - (-90.0 if mirrored else 90.0)
    shear = (down - along + 180) % 360 - 180
    scale = float(np.hypot(a, d)), float(np.hypot(b, e))
    return Description(scale, float(along), float(shear), mirrored)


def fit_affine(pixels: ArrayLike, places: ArrayLike, *, similarity: bool = False) -> Fit:
    """Find where a picture lies from landmarks seen in both the picture and the section.

    Parameters
    ----------
    pixels
        (column, row) of each landmark at full resolution, (k, 2).
    places
        Its x and y in the section, (k, 2).
    similarity
        Only turn, scale evenly, shift and, with three or more landmarks, mirror: two landmarks are enough,
        and no error of theirs can shear the picture.

    Returns
    -------
    The affine by least squares, with residuals in the unit of ``places``.

    Raises
    ------
    InputError
        If there are fewer than three (two) landmarks or more than 500, or they lie on one line (are one
        point).
    """
    source, target = (np.asarray(points, dtype=np.float64) for points in (pixels, places))
    if len(source) > MAX_LANDMARKS:
        raise InputError(f"There are {len(source):,} landmarks, and at most {MAX_LANDMARKS} are taken.")
    _check_landmarks(source, target, similarity=similarity)
    affine = _solve(source, target, similarity=similarity)
    residuals = np.linalg.norm(apply(affine, source) - target, axis=1)
    return Fit(affine, residuals, _rms(residuals), _leave_one_out(source, target, similarity=similarity))


def _check_landmarks(source: NDArray[np.float64], target: NDArray[np.float64], *, similarity: bool) -> None:
    least = 2 if similarity else 3
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2:
        raise InputError("Each landmark needs a column and a row of the picture, and x and y of the section.")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise InputError("Some numbers of the landmarks are missing or not finite.")
    far = np.flatnonzero((np.abs(np.column_stack([source, target])) > FARTHEST).any(axis=1))
    if len(far):
        raise InputError(f"Landmark {far[0] + 1} lies beyond {FARTHEST:,.0f}. Correct its numbers.")
    if len(source) < least:
        raise InputError(f"At least {least} landmarks are needed; there are {len(source)}.")
    for points, where in ((source, "in the picture"), (target, "in the section")):
        length, width = _extent(points)
        if not length:
            raise InputError(f"All landmarks are the same point {where}. Choose points far from each other.")
        if not similarity and width < NARROW * length:
            raise InputError(
                f"The landmarks lie on one line {where}, which leaves open how the picture lies across it. "
                "Add one to the side."
            )


def _extent(points: NDArray[np.float64]) -> tuple[float, float]:
    length, width = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return float(length), float(width)


def _solve(source: NDArray[np.float64], target: NDArray[np.float64], *, similarity: bool) -> Affine:
    if similarity:
        fits = [_turn(source, target, mirrored=False)]
        if len(source) > 2:  # two points are met by both
            fits.append(_turn(source, target, mirrored=True))
        return min(fits, key=lambda affine: _rms(np.linalg.norm(apply(affine, source) - target, axis=1)))
    middle = source.mean(axis=0)  # centred, so that large coordinates lose no digits
    design = np.column_stack([source - middle, np.ones(len(source))])
    matrix = np.linalg.lstsq(design, target, rcond=None)[0].T
    matrix[:, 2] -= matrix[:, :2] @ middle
    return np.asarray(matrix)


def _turn(source: NDArray[np.float64], target: NDArray[np.float64], *, mirrored: bool) -> Affine:
    """Fit z -> a z + b of complex numbers, or of their conjugates."""
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
    z = z.conj() if mirrored else z
    offsets = z - z.mean()
    a = np.vdot(offsets, w - w.mean()) / np.vdot(offsets, offsets)
    b = w.mean() - a * z.mean()
    across = -1.0 if mirrored else 1.0
    return np.array([[a.real, -a.imag * across, b.real], [a.imag, a.real * across, b.imag]])


def _leave_one_out(
    source: NDArray[np.float64], target: NDArray[np.float64], *, similarity: bool
) -> float | None:
    missed = []
    for i in range(len(source)):
        others = np.arange(len(source)) != i
        try:
            _check_landmarks(source[others], target[others], similarity=similarity)
        except InputError:
            return None  # this landmark alone holds the picture
        affine = _solve(source[others], target[others], similarity=similarity)
        missed.append(float(np.linalg.norm(apply(affine, source[i : i + 1]) - target[i])))
    return _rms(np.array(missed))


def _rms(distances: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(distances**2)))


def _square(affine: ArrayLike) -> NDArray[np.float64]:
    return np.vstack([np.asarray(affine, dtype=np.float64), [0.0, 0.0, 1.0]])
