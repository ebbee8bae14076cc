"""What becomes of the expression of the cells that a perturbation changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array

from squint.errors import InputError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_FACTOR = 1e-3  # a gene scaled to nothing: its logarithm exists, and its counts are next to none
LEAST_SHARED = 0.25  # of the model's genes that a profile must name


class Before(NamedTuple):
    """The cells that are changed, as measured."""

    counts: csr_matrix  # (c, g), over the model's genes
    every: csr_matrix  # (n, g), of all cells
    genes: list[str]
    depth: float  # what the model brings a cell to, over the genes measured here
    measured: Mask  # (g,) genes of the model that are measured here


class Change(Protocol):
    """A shift of genes, and what cells count after one."""

    @property
    def level(self) -> Floats:
        """Mean of each gene over the changed cells, as the model sees it (g,), before."""

    @property
    def shift(self) -> Floats:
        """What is asked for (g,), in the change's own unit."""

    def inputs(self, shift: Floats) -> csr_matrix:
        """Give what the model sees of the changed cells after a shift (g,): (c, g), or (1, g) for all."""


@dataclass(frozen=True)
class ReplaceByMean:
    """Replace cells by the mean of others: each cell's counts brought to shares, and averaged.

    Parameters
    ----------
    cells
        The cells (n,) of ``adata`` whose mean is taken.
    """

    cells: NDArray[np.bool_]

    word = "mean"

    def prepare(self, before: Before) -> Change:
        """Work out the shift from the changed cells' own mean to that of the others."""
        cells = np.asarray(self.cells)
        if cells.dtype != bool or cells.shape != (before.every.shape[0],):
            raise InputError("ReplaceByMean: say of each cell, true or false, whether it is one of the mean.")
        some = csr_matrix(before.every[np.flatnonzero(cells)])
        shares = mean_shares(some)
        if shares is None:
            raise InputError("None of the cells whose mean is wanted has a count. Choose others.")
        return Replaced(before, shares)

    def parameters(self) -> dict[str, Any]:
        """Say what was chosen."""
        return {"by": self.word, "n_cells_of_mean": int(np.sum(self.cells))}


@dataclass(frozen=True)
class ReplaceByProfile:
    """Replace cells by a profile: expression by gene, of which the shares count.

    Parameters
    ----------
    profile
        Gene -> expression, in counts, shares or counts per million; not in logarithms. Genes that it does not
        name keep the share that they have in the changed cells.
    """

    profile: Mapping[str, float]

    word = "profile"

    def prepare(self, before: Before) -> Change:
        """Work out the shift from the changed cells' own mean to the profile."""
        values = pd.Series(dict(self.profile), dtype=np.float64)
        if not len(values) or not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
            raise InputError(
                "A profile holds numbers of at least 0, one for each gene, some of them above 0."
            )
        named = values.reindex(before.genes).to_numpy()
        known = np.isfinite(named) & before.measured
        n_known, n_genes = int(known.sum()), int(before.measured.sum())
        if n_known < LEAST_SHARED * n_genes:
            raise InputError(
                f"The profile names {n_known} of the {n_genes} genes that the model knows and the section "
                f"measures; at least {LEAST_SHARED:.0%} are needed. Use a profile of this panel."
            )
        if not named[known].sum() > 0:
            raise InputError("The profile is 0 in every gene that is measured here. Use one of this panel.")
        shares = _own_mean(before)
        # The genes named share among them what they had before.
        shares[known] = named[known] / named[known].sum() * max(shares[known].sum(), 1e-12)
        return Replaced(before, shares)

    def parameters(self) -> dict[str, Any]:
        """Say what was chosen."""
        return {"by": self.word, "n_genes_of_profile": len(self.profile)}


@dataclass(frozen=True)
class ScaleGenes:
    """Scale genes of each cell, which keeps all else of itself, and its depth.

    Parameters
    ----------
    factors
        Gene -> factor: 0 takes a gene away, 1 leaves it, 4 makes it four times as frequent. It must be
        counted in a cell for a factor to do anything.
    """

    factors: Mapping[str, float]

    word = "scale"

    def prepare(self, before: Before) -> Change:
        """Look the genes up."""
        factors = pd.Series(dict(self.factors), dtype=np.float64)
        if not len(factors) or not np.isfinite(factors).all() or (factors < 0).any():
            raise InputError("ScaleGenes: give each gene a factor of at least 0.")
        known = {gene for gene, here in zip(before.genes, before.measured, strict=True) if here}
        if missing := [gene for gene in factors.index if gene not in known]:
            raise InputError(
                f"The model does not know {', '.join(missing[:5])}, or the section does not measure it. "
                "Scale other genes."
            )
        given = factors.reindex(before.genes).fillna(1.0).to_numpy()
        return Scaled(before, np.log(np.maximum(given, LEAST_FACTOR)))

    def parameters(self) -> dict[str, Any]:
        """Say what was chosen."""
        return {"by": self.word, "factors": [f"{gene}={factor:g}" for gene, factor in self.factors.items()]}


How = ReplaceByMean | ReplaceByProfile | ScaleGenes


class Replaced:
    """All changed cells get one profile, each at its own depth, which the model then divides out again.

    Their counts are expected ones, no whole numbers: drawing them would add a chance of its own. The unit of
    a shift is that of the model's input: log(1 + counts at the model's depth).
    """

    def __init__(self, before: Before, shares: Floats) -> None:
        self._depth = before.depth
        self.level = np.log1p(before.depth * _own_mean(before))
        self.shift = np.log1p(before.depth * shares) - self.level

    def inputs(self, shift: Floats) -> csr_matrix:
        """Give the one row (1, g) that all changed cells have."""
        counts = np.expm1(np.maximum(self.level + shift, 0))
        total = counts.sum()
        if not total > 0:
            raise InputError("The change leaves the cells without any count. Choose another one.")
        return csr_matrix(np.log1p(self._depth / total * counts)[None], dtype=np.float32)


class Scaled:
    """Each changed cell keeps its counts but for some genes, and its depth; a shift is log(factor)."""

    def __init__(self, before: Before, shift: Floats) -> None:
        self._counts = csr_matrix(before.counts, dtype=np.float64)
        self._depth = before.depth
        self.level = np.log1p(before.depth * _own_mean(before))
        self.shift = shift

    def inputs(self, shift: Floats) -> csr_matrix:
        """Give a row for each changed cell (c, g); a cell that is left with nothing stays empty."""
        scaled = csr_matrix(self._counts @ diags_array(np.exp(shift)))
        total = depths(scaled)
        factor = np.divide(self._depth, total, out=np.zeros(len(total)), where=total > 0)
        scaled.data = np.log1p(scaled.data * np.repeat(factor, np.diff(scaled.indptr)))
        return csr_matrix(scaled, dtype=np.float32)


def depths(counts: csr_matrix) -> Floats:
    """Add up the counts of each cell (n,)."""
    return np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()


def mean_shares(counts: csr_matrix) -> Floats | None:
    """Average the shares (g,) that genes have in cells (n, g), each cell alike; ``None`` without a count."""
    depth = depths(counts)
    if not (depth > 0).any():
        return None
    weights = np.divide(1.0, depth, out=np.zeros(len(depth)), where=depth > 0)
    shares: Floats = np.asarray(counts.T @ weights, dtype=np.float64).ravel() / (depth > 0).sum()
    return shares


def _own_mean(before: Before) -> Floats:
    shares = mean_shares(before.counts)
    if shares is None:
        raise InputError("None of the cells to be changed has a count in the model's genes. Choose others.")
    return shares
