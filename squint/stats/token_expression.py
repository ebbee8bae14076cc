"""Expression in each token: how much of each gene, and in how many of its cells. Imports no torch.

Every cell is brought to one depth before it counts, by its counts of all genes of its section; then
log(1 + x) is taken. Sums of sections add up: a gene's mean in a token is over the sections that measure it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint.columns import UNKNOWN
from squint.errors import InputError
from squint.stats.expression import log_counts
from squint.stats.ranksum import median_depth
from squint.stats.token_profiles import sorted_tokens

Floats = NDArray[np.float64]


class ExpressionSums(NamedTuple):
    """Sums over the cells of each of a section's k tokens, of each of g genes."""

    tokens: list[str]  # (k,) in use, in ascending order
    genes: list[str]  # (g,)
    n_cells: NDArray[np.int64]  # (k,)
    expression: Floats  # (k, g), of log(1 + counts at one depth)
    n_expressing: NDArray[np.int64]  # (k, g), cells with a count


class TokenExpression(NamedTuple):
    """Expression of g genes in k tokens."""

    tokens: list[str]  # (k,) in ascending order
    genes: list[str]  # (g,)
    n_cells: NDArray[np.int64]  # (k, g), cells of the token whose section measures the gene
    mean: Floats  # (k, g), of log(1 + counts at one depth); NaN where no cell is measured
    share: Floats  # (k, g), of cells with a count; NaN likewise

    def table(self, genes: Sequence[str] | None = None) -> pd.DataFrame:
        """List some genes, all by default, as :func:`squint.pl.token_expression` draws them.

        Returns
        -------
        One row per gene and token, genes in the order given: ``gene``, ``token``, ``n_cells``, ``mean``,
        ``share``.

        Raises
        ------
        InputError
            If a gene is not there.
        """
        genes = self.genes if genes is None else list(genes)
        place = {gene: number for number, gene in enumerate(self.genes)}
        if missing := [gene for gene in genes if gene not in place]:
            raise InputError(f"No section measures {', '.join(missing)}. Choose other genes.")
        columns = [place[gene] for gene in genes]
        index = pd.MultiIndex.from_product([genes, self.tokens], names=["gene", "token"])
        values = {name: getattr(self, name)[:, columns].T.ravel() for name in ("n_cells", "mean", "share")}
        return pd.DataFrame(values, index=index).reset_index()


def sum_expression(
    counts: csr_matrix,
    genes: Sequence[str],
    tokens: "pd.Series[str]",
    *,
    depth: float | None = None,
    cells: NDArray[np.bool_] | None = None,
) -> ExpressionSums:
    """Add up the expression of the cells of each token.

    Parameters
    ----------
    counts
        Raw counts (n, g) of all genes, which make the depth of a cell.
    genes
        Their names (g,).
    tokens
        Token of each cell (n,), ``"unknown"`` for none: those cells are left out, and so are cells without
        counts.
    depth
        Counts that each cell is brought to; by default the median of the cells that are taken.
    cells
        Which cells (n,) to take; all by default.
    """
    total = np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
    taken = (tokens != UNKNOWN).to_numpy() & (total > 0)
    if cells is not None:
        taken &= cells
    own, named = csr_matrix(counts)[taken], tokens[taken]
    scaled = log_counts(own, median_depth(total[taken]) if depth is None else depth)
    used = sorted_tokens(named.unique())
    code = pd.Categorical(named, categories=used).codes.astype(np.int64)
    member = csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), (len(used), len(code)))
    present = csr_matrix(((scaled.data > 0).astype(np.float64), scaled.indices, scaled.indptr), scaled.shape)
    return ExpressionSums(
        used,
        list(genes),
        np.bincount(code, minlength=len(used)),
        np.asarray((member @ scaled).todense(), dtype=np.float64),
        np.asarray((member @ present).todense()).astype(np.int64),
    )


def add_sections(sections: Iterable[ExpressionSums]) -> TokenExpression:
    """Give the expression in each token over some sections, a gene's over those that measure it."""
    found = list(sections)
    tokens = sorted_tokens({token for sums in found for token in sums.tokens})
    genes = list(dict.fromkeys(gene for sums in found for gene in sums.genes))
    row, column = ({name: i for i, name in enumerate(names)} for names in (tokens, genes))
    total, n_cells, n_expressing = (np.zeros((len(tokens), len(genes))) for _ in range(3))
    for sums in found:
        here = np.ix_([row[token] for token in sums.tokens], [column[gene] for gene in sums.genes])
        total[here] += sums.expression
        n_expressing[here] += sums.n_expressing
        n_cells[here] += sums.n_cells[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, share = total / n_cells, n_expressing / n_cells
    return TokenExpression(tokens, genes, n_cells.astype(np.int64), mean, share)


def token_expression(
    counts: csr_matrix,
    genes: Sequence[str],
    tokens: "pd.Series[str]",
    *,
    depth: float | None = None,
    cells: NDArray[np.bool_] | None = None,
) -> TokenExpression:
    """Give the expression of each gene in each token, of cells that all measure the same genes.

    The parameters are those of :func:`sum_expression`.
    """
    return add_sections([sum_expression(counts, genes, tokens, depth=depth, cells=cells)])


class SetMean(NamedTuple):
    """A gene set in k tokens."""

    measured: list[str]  # its genes that any section measures, in its order
    missing: list[str]  # the others
    table: pd.DataFrame  # (k,) by token: n_cells, n_genes, mean, share


def set_mean(found: TokenExpression, genes: Sequence[str]) -> SetMean:
    """Give the mean of a gene set in each token.

    Parameters
    ----------
    found
        Expression in each token.
    genes
        Of the set, each counted once.

    Returns
    -------
    The genes measured and those missing, and by token: ``n_cells``, the most that measure one of the genes;
    ``n_genes`` measured in the token's cells; ``mean`` over these genes of their mean expression, each gene
    with the same weight; ``share``, the mean over them of the share of cells with a count. NaN where no gene
    is measured.
    """
    place = {gene: number for number, gene in enumerate(found.genes)}
    asked = list(dict.fromkeys(genes))
    measured = [gene for gene in asked if gene in place]
    columns = [place[gene] for gene in measured]
    n_cells = found.n_cells[:, columns]
    n_genes = (n_cells > 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, share = (
            np.nansum(values[:, columns], axis=1) / n_genes for values in (found.mean, found.share)
        )
    table = pd.DataFrame(
        {"n_cells": n_cells.max(axis=1, initial=0), "n_genes": n_genes, "mean": mean, "share": share},
        index=pd.Index(found.tokens, name="token"),
    )
    return SetMean(measured, [gene for gene in asked if gene not in place], table)
