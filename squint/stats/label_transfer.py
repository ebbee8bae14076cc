"""Labels of one section taken over to another, by logistic regression as in celltypist, with its calibration.

celltypist 1.7.1 itself cannot train with scikit-learn 1.8 and later: it passes ``multi_class``, which is
gone. Its model is simple, so it is here: log counts at depth 10,000, scaled by their s.d. and cut at 10, and
one logistic regression for each type against all others (Dominguez Conde et al. 2022). Values are not
centred, as celltypist allows, so that they stay sparse. Unlike it, this makes no folder in the user's home.

A regression is as sure of a cell of a type that it never saw as of any other. So a cell's counts are also
held against the type that it is given: it is unknown where they are stranger for that type than those of all
but a twentieth of the teacher's cells of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.special import expit

from squint.errors import InputError
from squint.stats.expression import log_counts

DEPTH = 1e4
HIGHEST = 10.0  # s.d.
FEWEST_GENES = 10  # that a teacher and whoever learns from it share
FEWEST = 10  # cells of a type, below which it is not learned
MOST = 3_000  # cells of a type that are learned from, drawn at random
STRANGE = 0.05  # share of a type's own cells that are stranger than the bound
HELD_OUT = 0.2  # of the blocks, or cells
BLOCKS = 6  # along each side of a section
BINS = 10  # of confidence


@dataclass(frozen=True)
class Teacher:
    """What was learned from labelled cells.

    Parameters
    ----------
    types
        Names of the k types.
    weights, intercepts
        Of each type (k, g) and (k,), on scaled log counts.
    spread
        S.d. of each gene's log counts (g,), 0 for genes that never vary.
    profiles
        Share of each gene among the counts of each type (k, g), all above 0.
    lowest
        How usual the counts of a cell of each type are at least (k,), as :meth:`usual` says.
    """

    types: tuple[str, ...]
    weights: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    spread: NDArray[np.float64]
    profiles: NDArray[np.float64]
    lowest: NDArray[np.float64]

    def probabilities(self, counts: csr_matrix) -> NDArray[np.float64]:
        """Say how probable each type is for each cell (n, k), against all others: rows need not sum to 1."""
        scaled = _scaled(log_counts(csr_matrix(counts), DEPTH), self.spread)
        shown: NDArray[np.float64] = expit(np.asarray(scaled @ self.weights.T) + self.intercepts)
        return shown

    def usual(self, counts: csr_matrix) -> NDArray[np.float64]:
        """Say how usual the counts of each cell are for each type (n, k).

        The log likelihood of the counts as drawn from the type's profile, less its mean and over its s.d. for
        cells of as many counts.
        """
        logs = np.log(self.profiles)
        mean = (self.profiles * logs).sum(axis=1)
        variance = (self.profiles * logs**2).sum(axis=1) - mean**2
        depth = np.asarray(counts.sum(axis=1, dtype=np.float64)).reshape(-1, 1)
        usual: NDArray[np.float64] = (np.asarray(counts @ logs.T) - depth * mean) / np.sqrt(
            np.maximum(depth, 1) * np.maximum(variance, 1e-12)
        )
        return usual

    def name(
        self, counts: csr_matrix, min_confidence: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Name cells.

        Parameters
        ----------
        counts
            Raw counts (n, g).
        min_confidence
            Below it a cell is unknown.

        Returns
        -------
        The most probable type of each cell (n,), -1 where it is less probable than the bound, the cell's
        counts are strange for it, or there are none; and how probable it is (n,), NaN without counts.
        """
        counts = csr_matrix(counts)
        probable = self.probabilities(counts)
        best, rows = probable.argmax(axis=1), np.arange(counts.shape[0])
        confidence = probable[rows, best].astype(np.float32)
        confidence[np.diff(counts.indptr) == 0] = np.nan
        usual = self.usual(counts)[rows, best] >= self.lowest[best]
        return np.where((confidence >= min_confidence) & usual, best, -1), confidence


class Calibration(NamedTuple):
    """What a teacher says of cells that it did not learn from."""

    split: str  # how these were chosen, in words
    n_cells: int
    balanced_accuracy: float  # mean over types of the share named rightly, unknown counting as wrong
    accuracy_of_named: float  # of the cells that are not unknown
    expected_calibration_error: float  # mean over cells of |confidence - accuracy| of their bin of confidence
    share_unknown: float
    not_scored: list[str]  # types without cells on both sides of the split


def teach(
    counts: csr_matrix, labels: Sequence[str] | NDArray[Any], seed: int = 0, strange: float = STRANGE
) -> Teacher:
    """Learn types from labelled cells.

    Parameters
    ----------
    counts
        Raw counts (n, g) of genes that the cells to be named measure as well.
    labels
        Type of each cell (n,).
    seed
        Of the draw of cells, of types that have more than 3,000.
    strange
        Share of a type's cells that count as strange to it.

    Raises
    ------
    InputError
        If fewer than two types have ten cells.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import

    labels = np.asarray(labels, dtype=object)
    rows, types = _learned(labels, seed)
    logged = log_counts(csr_matrix(counts)[rows], DEPTH)
    square = np.asarray(logged.multiply(logged).mean(axis=0)).ravel()
    spread = np.sqrt(np.maximum(square - np.asarray(logged.mean(axis=0)).ravel() ** 2, 0))
    spread[spread < 1e-6] = 0
    scaled = _scaled(logged, spread)
    fits = [
        LogisticRegression(C=1.0, solver="liblinear", random_state=seed, max_iter=1000).fit(
            scaled, labels[rows] == kind
        )
        for kind in types
    ]
    given = csr_matrix(counts)[rows]
    own = labels[rows]
    summed = np.vstack([np.asarray(given[own == kind].sum(axis=0)).ravel() for kind in types]) + 0.5
    teacher = Teacher(
        tuple(types),
        np.vstack([fit.coef_[0] for fit in fits]),
        np.array([fit.intercept_[0] for fit in fits]),
        spread,
        profiles=summed / summed.sum(axis=1, keepdims=True),
        lowest=np.full(len(types), -np.inf),
    )
    usual = teacher.usual(given)
    lowest = [np.quantile(usual[own == kind, number], strange) for number, kind in enumerate(types)]
    return replace(teacher, lowest=np.array(lowest))


def calibrate(
    counts: csr_matrix,
    labels: NDArray[Any],
    held_out: NDArray[np.bool_],
    split: str,
    *,
    min_confidence: float,
    seed: int = 0,
    strange: float = STRANGE,
) -> Calibration:
    """Learn from some labelled cells, and judge on the others.

    Parameters
    ----------
    counts, labels
        As for :func:`teach`.
    held_out
        Cells that are judged on (n,).
    split
        How these were chosen, in words.
    min_confidence
        Below it a cell is unknown.
    seed, strange
        As for :func:`teach`.
    """
    teacher = teach(counts[~held_out], labels[~held_out], seed, strange)
    known = np.isin(labels[held_out].astype(str), teacher.types)
    truth = labels[held_out][known].astype(str)
    codes, confidence = teacher.name(counts[held_out][known], min_confidence)
    best = teacher.probabilities(counts[held_out][known]).argmax(axis=1)
    types = np.array(teacher.types)
    named = codes >= 0
    right = named & (types[codes] == truth)
    recall = pd.Series(right).groupby(truth).mean()
    return Calibration(
        split=split,
        n_cells=int(known.sum()),
        balanced_accuracy=float(recall.mean()),
        accuracy_of_named=float(right[named].mean()) if named.any() else float("nan"),
        expected_calibration_error=calibration_error(confidence, types[best] == truth),
        share_unknown=float((~named).mean()),
        not_scored=sorted(set(map(str, labels)) - set(recall.index)),
    )


def calibration_error(confidence: NDArray[np.floating[Any]], right: NDArray[np.bool_]) -> float:
    """Give the expected calibration error: how far confidence is from accuracy, over ten bins of it."""
    number = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(number, confidence - right, BINS)
    return float(np.abs(gap).sum() / max(len(confidence), 1))


def spatial_blocks(
    positions: NDArray[np.floating[Any]], sections: NDArray[Any], seed: int = 0
) -> NDArray[np.bool_]:
    """Choose a fifth of the blocks of each section: six by six, of about as many cells each.

    Cells beside each other share what was cut wrongly, so that random ones would be judged too well.

    Parameters
    ----------
    positions
        x and y of each cell (n, 2).
    sections
        Section of each cell (n,).
    seed
        Of the draw.

    Returns
    -------
    The cells of the chosen blocks (n,).
    """
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(positions), dtype=bool)
    for section in np.unique(sections.astype(str)):
        cells = np.flatnonzero(sections.astype(str) == section)
        column = _equal_parts(positions[cells, 0])
        row = np.zeros(len(cells), dtype=np.int64)
        for part in range(BLOCKS):
            row[column == part] = _equal_parts(positions[cells[column == part], 1])
        picked = rng.permutation(BLOCKS**2)[: round(HELD_OUT * BLOCKS**2)]
        chosen[cells] = np.isin(column * BLOCKS + row, picked)
    return chosen


def _equal_parts(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Part values (n,) by size into six, of about as many each: give the number of each one's part."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (rank * BLOCKS // max(len(values), 1)).astype(np.int64)


def _learned(labels: NDArray[Any], seed: int) -> tuple[NDArray[np.int64], list[str]]:
    """Choose the rows to learn from, and the types: those of ten cells at least."""
    rng = np.random.default_rng(seed)
    sizes = pd.Series(labels).value_counts()
    types = sorted(str(name) for name in sizes.index[sizes >= FEWEST])
    if len(types) < 2:
        raise InputError(
            f"{len(types)} types have {FEWEST} labelled cells or more, and at least 2 are needed to learn."
        )
    rows = [np.flatnonzero(labels == kind) for kind in types]
    drawn = [own if len(own) <= MOST else rng.choice(own, MOST, replace=False) for own in rows]
    return np.sort(np.concatenate(drawn)), types


def _scaled(logged: csr_matrix, spread: NDArray[np.float64]) -> csr_matrix:
    factors = np.divide(1.0, spread, out=np.zeros(len(spread)), where=spread > 0)
    scaled = csr_matrix(logged @ diags_array(factors))
    scaled.data = np.minimum(scaled.data, HIGHEST)
    return scaled
