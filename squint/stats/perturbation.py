"""Arithmetic of a perturbation: who is within reach, what moved where, and what chance does."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE = -1  # instead of a token
LEAST_CELLS = 5  # of a token that is scored
ALIKE = 25  # genes of like level among which a sham draws
STRONG_SHARE = 0.9  # of the squared size of a shift: the genes that make it up are no sham


class Response(NamedTuple):
    """How the score of tokens changed, over some cells."""

    mean: float  # over the scored cells; NaN if there are none
    n_cells: int  # scored
    n_unscored: int  # whose token, before or after, has no score


def within_reach(graph: csr_matrix, changed: Mask, n_hops: int) -> Mask:
    """Mark the cells whose latents may change: the changed ones, and those that see one of them.

    Parameters
    ----------
    graph
        Row i holds the cells that cell i sees in one hop (n, n).
    changed
        Cells (n,) whose counts change.
    n_hops
        Hops of the encoder.

    Returns
    -------
    Cells (n,), the changed ones among them.
    """
    reached = changed.copy()
    for _ in range(n_hops):
        reached |= np.asarray(graph @ reached.astype(np.float32)).ravel() > 0
    return reached


def transitions(before: Ints, after: Ints, tokens: Ints) -> pd.DataFrame:
    """Count the cells that went from one token to another.

    Parameters
    ----------
    before, after
        Token of each cell (n,).
    tokens
        All tokens to tell apart (t,), in order.

    Returns
    -------
    Counts (t, t), a row per token before, a column per token after; the diagonal are those that stayed.
    """
    index = pd.Index(tokens)
    at = index.get_indexer(pd.Index(before)) * len(index) + index.get_indexer(pd.Index(after))
    counts = np.bincount(at, minlength=len(index) ** 2).reshape(len(index), len(index))
    return pd.DataFrame(counts, index=index, columns=index)


def row_shares(counts: pd.DataFrame) -> pd.DataFrame:
    """Leave the diagonal out and let each row sum to 1; rows from which no cell went are NaN."""
    moved = counts.to_numpy(dtype=np.float64).copy()
    np.fill_diagonal(moved, 0)
    total = moved.sum(axis=1, keepdims=True)
    shares = np.divide(moved, total, out=np.full(moved.shape, np.nan), where=total > 0)
    np.fill_diagonal(shares, np.nan)
    return pd.DataFrame(shares, index=counts.index, columns=counts.columns)


def token_scores(scores: Floats, tokens: Ints, n_tokens: int) -> pd.DataFrame:
    """Average a score over the cells of each token.

    Parameters
    ----------
    scores
        Of each cell (n,); cells without one are NaN, and left out.
    tokens
        Of each cell (n,); -1 for none.
    n_tokens
        Codes of the model.

    Returns
    -------
    A row per token: ``n_cells``; ``mean``, NaN where there are fewer than ``LEAST_CELLS``; ``sd``.
    """
    kept = (tokens >= 0) & np.isfinite(scores)
    own, values = tokens[kept], scores[kept]
    n_cells = np.bincount(own, minlength=n_tokens)
    many = np.maximum(n_cells, 1)
    mean = np.bincount(own, values, n_tokens) / many
    spread = np.bincount(own, (values - mean[own]) ** 2, n_tokens) / np.maximum(n_cells - 1, 1)
    enough = n_cells >= LEAST_CELLS
    return pd.DataFrame(
        {
            "n_cells": n_cells,
            "mean": np.where(enough, mean, np.nan),
            "sd": np.where(n_cells > 1, np.sqrt(spread), np.nan),
        },
        index=pd.Index([str(token) for token in range(n_tokens)], name="token"),
    )


def response(before: Ints, after: Ints, scores: Floats) -> Response:
    """Average how the score of a cell's token changed.

    Parameters
    ----------
    before, after
        Token of each cell (n,); -1 for none.
    scores
        Of each token (n_tokens,), NaN where a token has none.
    """
    known = np.append(scores, np.nan)  # of token -1
    change = known[after] - known[before]
    scored = np.isfinite(change)
    mean = float(change[scored].mean()) if scored.any() else float("nan")
    return Response(mean, int(scored.sum()), int((~scored).sum()))


def score_error(before: Ints, after: Ints, scores: pd.DataFrame) -> float:
    """Say how far a response may be off because the score of a token is the mean of so many cells.

    Parameters
    ----------
    before, after
        Token of each cell (n,); -1 for none.
    scores
        A row per token: ``score``, ``sd``, ``n_cells``, those that it is the mean of.

    Returns
    -------
    Standard error of :func:`response` by the tokens that cells leave and reach. Cells of a token are taken
    for independent, so it is no less than this.
    """
    known = scores["score"].notna().to_numpy()
    has_score = np.append(known, [False])  # the last is that of token -1
    scored = has_score[before] & has_score[after]
    if not scored.any():
        return float("nan")
    reached, left = (np.bincount(of[scored], minlength=len(known)) for of in (after, before))
    share = ((reached - left) / scored.sum())[known]
    own = scores[known]
    return float(np.sqrt((share**2 * own["sd"] ** 2 / own["n_cells"]).sum()))


def displacement(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Say how far latents (n, d) turned: the mean over cells of 1 - cosine, as the codebook measures."""
    one, other = before.astype(np.float64), after.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float((1 - (one * other).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def sham_shift(shift: Floats, level: Floats, held: Mask, rng: np.random.Generator) -> Floats:
    """Give the shift of each gene to another gene of like level.

    Genes are put in order of their level and cut into bins of ``ALIKE``; within a bin the shifts change
    places. The genes that the shift is made of take none of the large shifts: they are what is tested.

    Parameters
    ----------
    shift
        Of each gene (g,).
    level
        Of each gene before the shift (g,), in the same unit.
    held
        Genes (g,) that must not change: those of the programme.
    rng
        Source of chance.

    Returns
    -------
    Shift of each gene (g,), the same values in other places; 0 where held.
    """
    sham = np.zeros(len(shift))
    free = np.flatnonzero(~held)
    squares = np.sort(shift[free] ** 2)[::-1]
    n_strong = int(np.searchsorted(squares.cumsum(), STRONG_SHARE * squares.sum())) + 1
    strong = np.zeros(len(shift), dtype=bool)
    # At most a third of a shift's genes can be told from the rest: a shift of all genes has no such few.
    ranked = free[np.argsort(-(shift[free] ** 2), kind="stable")]
    strong[ranked[: min(n_strong, len(free) // 3)]] = True
    order = free[np.lexsort((rng.random(len(free)), level[free]))]
    for genes in np.array_split(order, max(1, round(len(order) / ALIKE))):
        large, places = genes[strong[genes]], genes[~strong[genes]]
        taken = rng.permutation(places)[: len(large)]
        left = np.setdiff1d(genes, taken)
        sham[taken] = shift[large[: len(taken)]]
        sham[left] = rng.permutation(shift[np.setdiff1d(genes, large[: len(taken)])])
    return sham


def p_value(observed: float, shams: Floats) -> float:
    """Give the share of shams that reach what was observed, itself among them; NaN where nothing is known."""
    known = shams[np.isfinite(shams)]
    if not np.isfinite(observed) or not len(known):
        return float("nan")
    return float((1 + (known >= observed).sum()) / (1 + len(known)))
