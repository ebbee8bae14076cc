"""Checks of counts and coordinates: arrays in, facts or an ``InputError`` out."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from squint.bounds import check_reach
from squint.errors import InputError

Floats = NDArray[np.float64]
BLOCK = 4_000_000  # stored values looked at together, so that no check copies a whole matrix
INTENSITY = 100.0  # median over cells of the mean value per gene; real panels stay below 10
MAX_SPACED = 20_000  # cells per section whose nearest neighbour is looked up


class BadValues(NamedTuple):
    """Stored values that cannot be counts."""

    n_values: int
    first_cell: int
    n_fractions: int  # of them finite and non-negative, but no whole numbers


def check_structure(matrix: sparse.csr_matrix | sparse.csc_matrix, where: str) -> None:
    """Refuse a sparse matrix whose index arrays contradict its shape.

    Parameters
    ----------
    matrix
        CSR or CSC, of any values.
    where
        Its slot, for messages.

    Raises
    ------
    InputError
        With the position of the first contradiction.
    """
    major, minor = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
    check_pointers(np.asarray(matrix.indptr), major, len(matrix.indices), len(matrix.data), where)
    check_indices(matrix.indices, minor, where)


def check_pointers(
    pointers: NDArray[np.integer], n_lines: int, n_indices: int, n_values: int, where: str
) -> None:
    """Refuse an ``indptr`` that contradicts the number of lines or of stored values.

    Raises
    ------
    InputError
        With the position of the first contradiction.
    """
    if len(pointers) != n_lines + 1 or pointers[0] != 0:
        raise InputError(
            f"{where} is damaged: `indptr` has {len(pointers)} entries for {n_lines} lines, or no 0 first."
        )
    falls = np.flatnonzero(np.diff(pointers) < 0)
    if len(falls):
        raise InputError(f"{where} is damaged: `indptr` falls at position {falls[0] + 1}.")
    if not pointers[-1] == n_indices == n_values:
        raise InputError(
            f"{where} is damaged: `indptr` ends at {pointers[-1]}, but there are {n_indices} "
            f"indices and {n_values} values."
        )


def check_indices(indices: NDArray[np.integer], limit: int, where: str, *, start: int = 0) -> None:
    """Refuse indices outside 0 to ``limit - 1``; the first of them lies at position ``start`` in the file.

    Raises
    ------
    InputError
        With the position of the first one outside.
    """
    outside = np.flatnonzero((indices < 0) | (indices >= limit))
    if len(outside):
        at = outside[0]
        raise InputError(
            f"{where} is damaged: `indices` has {indices[at]} at position {start + at}, "
            f"beyond the limit {limit - 1}."
        )


def _blocks(matrix: sparse.csr_matrix) -> Iterator[tuple[int, NDArray[Any]]]:
    for start in range(0, matrix.nnz, BLOCK):
        yield start, matrix.data[start : start + BLOCK]


def bad_values(counts: sparse.csr_matrix) -> BadValues:
    """Count the values that are negative, NaN, infinite or no whole numbers, and find the first one's row."""
    n_values = n_fractions = 0
    first = -1
    for start, block in _blocks(counts):
        if block.dtype.kind in "bu":
            break  # nothing else fits into these types
        wrong = ~np.isfinite(block) | (block < 0)
        fraction = ~wrong & (np.trunc(block) != block)
        n_fractions += int(fraction.sum())
        bad = np.flatnonzero(wrong | fraction)
        n_values += len(bad)
        if first < 0 and len(bad):
            first = start + int(bad[0])
    row = int(np.searchsorted(counts.indptr, first, side="right")) - 1 if n_values else -1
    return BadValues(n_values, row, n_fractions)


def row_sums(counts: sparse.csr_matrix) -> Floats:
    """Sum each cell's counts in double precision (n,)."""
    sums = np.zeros(counts.shape[0])
    for start, block in _blocks(counts):
        stop = start + len(block)
        first = int(np.searchsorted(counts.indptr, start, side="right")) - 1
        last = int(np.searchsorted(counts.indptr, stop, side="left"))
        sizes = np.diff(np.clip(counts.indptr[first : last + 1], start, stop))
        rows = np.repeat(np.arange(last - first), sizes)
        sums[first:last] += np.bincount(rows, weights=block, minlength=last - first)
    return sums


def are_intensities(counts: sparse.csr_matrix) -> bool:
    """Say whether whole numbers are too large per gene and cell to be counts of transcripts."""
    return bool(np.median(row_sums(counts)) > INTENSITY * counts.shape[1])


def spacings(coordinates: Floats, sections: NDArray[np.integer]) -> Floats:
    """Measure the distance of cells to their nearest neighbour within their section.

    Parameters
    ----------
    coordinates
        (n, 2) or (n, 3).
    sections
        (n,) number of each cell's section.

    Returns
    -------
    The distances of at most ``MAX_SPACED`` evenly picked cells of each section of two or more cells.

    Raises
    ------
    InputError
        If a position lies where no tissue can.
    """
    check_reach(coordinates, "A coordinate (x, y or the height)")
    found = [np.empty(0)]
    for section in np.unique(sections):
        points = coordinates[sections == section]
        if len(points) > 1:
            picked = points[:: -(-len(points) // MAX_SPACED)]
            found.append(cKDTree(points).query(picked, k=2)[0][:, 1])
    return np.concatenate(found)


def check_coordinates(values: object, names: pd.Index, where: str) -> Floats:
    """Give coordinates as float64 (n, 2 | 3).

    Raises
    ------
    InputError
        If they have another shape, are no numbers, not finite, or lie where no tissue can.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{where} holds no numbers. Give x and y (and z) as numbers, one row per cell.")
    if array.ndim != 2 or array.shape[0] != len(names) or array.shape[1] not in {2, 3}:
        raise InputError(
            f"{where} has shape {array.shape}; it must be ({len(names)}, 2) or ({len(names)}, 3)."
        )
    check_reach(array, where, names)
    return array.astype(np.float64)
