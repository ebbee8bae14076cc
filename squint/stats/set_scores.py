"""How much of a set's genes each cell has: one number a cell, for itself or over its neighbourhood."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.errors import InputError
from squint.stats.expression import log_counts
from squint.stats.ranksum import median_depth

MIN_MEASURED = 3  # genes of a set, below which a score would be that of one or two genes
FEW = 0.2  # share of a set's genes, below which the score hardly stands for the set
BIN_SIZE, MAX_BINS = 50, 25  # genes of like abundance at least; bins of them at most, as in the source
DEFINITION = (
    "mean over the set's genes of log(1 + counts scaled to the median depth), each less the mean of the "
    "other genes that are about as abundant"
)

Floats = NDArray[np.float64]


class Coverage(NamedTuple):
    """Which genes of a set some sections measure."""

    genes: tuple[str, ...]  # of the set, each once
    shared: tuple[str, ...]  # those that all sections measure: what is scored
    missing: Mapping[str, tuple[str, ...]]  # section -> genes of the set that it does not measure
    n_panel: int  # genes that all sections measure, in the set or not
    min_measured: int

    @property
    def problem(self) -> str:
        """Why there is no score, and what to do; nothing if there is one."""
        n, n_all = len(self.shared), len(self.genes)
        if n_all < self.min_measured:
            return (
                f"The set has {n_all} gene{'' if n_all == 1 else 's'}, and a score needs "
                f"{self.min_measured}. Colour by the gene itself."
            )
        if n < self.min_measured:
            each = "; ".join(
                f"{title} measures {n_all - len(lacks)}" for title, lacks in self.missing.items()
            )
            return (
                f"{n} of the set's {n_all} genes {'is' if n == 1 else 'are'} measured in all sections, and a "
                f"score needs {self.min_measured} ({each}). Choose another set, or other sections."
            )
        if n == self.n_panel:
            return (
                "The set holds every gene that all sections measure, so there is none to compare it with. "
                "Choose a smaller set."
            )
        return ""

    @property
    def is_low(self) -> bool:
        """Whether so few of the set's genes are measured that the score hardly stands for it."""
        return len(self.shared) < FEW * len(self.genes)


class SetScores(NamedTuple):
    """Scores of one set."""

    values: Floats  # (n,), NaN for cells without counts
    depth: float  # counts that each cell was brought to
    n_bins: int
    n_reference: int  # genes that the set's are compared with


def coverage(
    genes: Sequence[str], panels: Mapping[str, Collection[str]], *, min_measured: int = MIN_MEASURED
) -> Coverage:
    """Find which genes of a set are measured.

    Parameters
    ----------
    genes
        Of the set.
    panels
        Genes that each section measures, by its title.
    min_measured
        Genes that all sections must measure.
    """
    own = tuple(dict.fromkeys(genes))
    measured = {title: set(panel) for title, panel in panels.items()}
    in_all = set.intersection(*measured.values()) if measured else set()
    missing = {title: tuple(gene for gene in own if gene not in panel) for title, panel in measured.items()}
    return Coverage(own, tuple(gene for gene in own if gene in in_all), missing, len(in_all), min_measured)


def score(counts: csr_matrix, in_set: NDArray[np.bool_]) -> SetScores:
    """Score each cell for a set of genes.

    Each of the set's genes is compared with the other genes that are about as abundant over the cells given,
    so that 0 is as much as those. All of them are compared with, rather than some drawn at random: panels
    are small, and the score is the same every time. Where a set takes all genes of like abundance, the rest
    of the panel stands for them.

    Parameters
    ----------
    counts
        Raw counts (n, g).
    in_set
        Which genes (g,) are in the set: at least one, and not all.

    Returns
    -------
    Scores (n,), on the scale of ``log1p``, and how they were made.

    Raises
    ------
    InputError
        If no gene or every gene is in the set.

    References
    ----------
    Tirosh et al. (2016), Dissecting the multicellular ecosystem of metastatic melanoma by single-cell
    RNA-seq; :func:`scanpy.tl.score_genes` draws some of the genes compared with.
    """
    if not in_set.any() or in_set.all():
        raise InputError("A set is scored against other genes: some must be in it, and some not.")
    totals = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    counted = totals > 0
    depth = median_depth(totals[counted]) if counted.any() else 1.0
    logged = log_counts(counts, depth)
    means = np.asarray(logged.sum(axis=0, dtype=np.float64)).ravel() / max(1, int(counted.sum()))
    bins, n_bins = _bins(means)
    weights, n_reference = _weights(bins, in_set)
    values = np.where(counted, logged @ weights, np.nan)
    return SetScores(values, depth, n_bins, n_reference)


def _bins(means: Floats) -> tuple[NDArray[np.int64], int]:
    """Put genes (g,) into bins of like abundance, equally many into each; equal ones into the same."""
    n_bins = int(np.clip(len(means) // BIN_SIZE, 1, MAX_BINS))
    rank = pd.Series(means).round(12).rank(method="average").to_numpy()  # rounded: sums differ by the order
    return np.floor((rank - 0.5) * n_bins / len(means)).astype(np.int64), n_bins


def _weights(bins: NDArray[np.int64], in_set: NDArray[np.bool_]) -> tuple[Floats, int]:
    """Give what each gene (g,) weighs in the score, and how many genes are compared with."""
    weights = in_set / in_set.sum()
    for one in np.unique(bins[in_set]):
        others = (bins == one) & ~in_set
        others = others if others.any() else ~in_set
        weights[others] -= (bins[in_set] == one).mean() / others.sum()
    return weights, int((weights < 0).sum())


def smoothed(values: NDArray[np.floating[Any]], connectivities: csr_matrix) -> Floats:
    """Give the mean over each cell's closed neighbourhood: the cell and its neighbours.

    Parameters
    ----------
    values
        Of the cells (n,); NaN for cells without one, which count in no mean and get none.
    connectivities
        The graph (n, n) of neighbours; its weights do not count.
    """
    known = np.isfinite(values)
    ones = np.ones(connectivities.nnz)
    joined = csr_matrix((ones, connectivities.indices, connectivities.indptr), shape=connectivities.shape)
    own = np.where(known, values, 0.0)
    n_known = known + joined @ known.astype(np.float64)
    mean: Floats = np.divide(own + joined @ own, n_known, out=np.full(len(own), np.nan), where=known)
    return mean
