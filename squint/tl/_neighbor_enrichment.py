from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import stats
from scipy.sparse import csr_matrix, triu

from squint import keys, pp
from squint.columns import UNKNOWN, labels
from squint.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PSEUDO_COUNT = 1.0  # edges, added to observed and expected ones: a pair met once by chance is no attraction
DRAWS_AT_ONCE = 50
NOTE = (
    "Tokens are computed from neighbourhoods, so neighbours share information by construction: that a token "
    "neighbours itself says little. Read pairs of different tokens."
)


class TokenGraph(NamedTuple):
    """The t most frequent tokens on the graph of the n cells that have one."""

    tokens: list[str]  # most frequent first
    codes: Integers  # (n,) number of the cell's token; t for any other
    section: Integers  # (n,) rising: the cells are sorted by section
    edges: Integers  # (2, e) both cells of each edge, once

    def count_edges(self, codes: Integers) -> Floats:
        """Count the edges between tokens (t, t), symmetric, if the cells carried these codes (n,)."""
        n_classes = len(self.tokens) + 1
        pairs = codes[self.edges[0]] * n_classes + codes[self.edges[1]]
        counts = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.float64)
        both: Floats = counts + counts.T - np.diag(np.diag(counts))
        return both[:-1, :-1]


class Shuffled(NamedTuple):
    """What some draws give, per pair of tokens (t, t)."""

    n_draws: int
    total: Floats  # edges
    squares: Floats  # of edges
    at_least: Floats  # draws with as many edges as observed, or more
    at_most: Floats  # draws with as many, or fewer


def neighbor_enrichment(
    adata: AnnData,
    *,
    token_key: str = keys.TOKEN,
    connectivity_key: str = keys.CONNECTIVITIES,
    n_tokens: int = 50,
    n_permutations: int = 1000,
    seed: int = 0,
    copy: bool = False,
) -> AnnData | None:
    """Count how often tokens are neighbours in the tissue, against chance.

    Chance: tokens are shuffled among the cells of the same section, while the graph stays.

    Parameters
    ----------
    adata
        Tokenised sections.
    token_key, connectivity_key
        Where tokens and graph are; a graph is built if there is none. Its weights do not count.
    n_tokens
        Most frequent tokens to report. Cells of other tokens stay in the graph and are shuffled with the
        rest; pairs with them are not reported. Cells without a token are left out, with their edges.
    n_permutations
        Draws.
    seed
        Seed of the draws.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_neighbor_enrichment"]`` : dict
        For t tokens, most frequent first:

        ``observed``, ``expected``
            Tables (t, t) of edges between two tokens, each counted once: as they are, and their mean over the
            draws.
        ``log2_ratio``
            Table (t, t), log2 of (observed + 1) / (expected + 1): 0 is chance, 1 is twice as often.
        ``z``
            Table (t, t), (observed - expected) / standard deviation over the draws, as squidpy's; 0 where no
            draw differs.
        ``p``, ``q``
            Tables (t, t): permutation p, two-sided; Benjamini and Hochberg's q over pairs of different
            tokens, NaN on the diagonal.
        ``tokens``
            Table (t) of ``n_cells``.
        ``n_edges``, ``n_sections``, ``share_covered``, ``smallest_p``, ``note``, and the choices
            Edges are those of all cells with a token; ``share_covered`` is the share of these cells that
            carry one of the tokens.
    ``adata.uns["squint"]["neighbor_enrichment"]`` : dict
        The numbers and choices among these.
    ``adata.obsp["spatial_connectivities"]``, ``adata.obsp["spatial_distances"]`` : CSR (n, n)
        The graph, if there was none.
    ``adata.uns["spatial_neighbors"]`` : dict
        How that graph was built.

    Raises
    ------
    InputError
        If tokens or coordinates are missing, or no two cells with a token are neighbours.

    Notes
    -----
    Tokens are computed from neighbourhoods, so neighbours share information by construction, and nearly every
    token neighbours itself more than chance. Read the pairs off the diagonal.

    References
    ----------
    Palla et al. (2022), Squidpy: a scalable framework for spatial omics analysis. Phipson and Smyth (2010),
    Permutation p-values should never be zero.
    """
    adata = adata.copy() if copy else adata
    graph = token_graph(adata, token_key=token_key, connectivity_key=connectivity_key, n_tokens=n_tokens)
    found = enrichment(graph, shuffled_edges(graph, n_permutations=n_permutations, seed=seed))
    found |= {"token_key": token_key, "seed": seed}
    adata.uns[keys.NEIGHBOR_ENRICHMENT] = found
    adata.uns.setdefault(keys.PROVENANCE, {})["neighbor_enrichment"] = {
        name: value for name, value in found.items() if not isinstance(value, pd.DataFrame)
    }
    return adata if copy else None


def token_graph(
    adata: AnnData,
    *,
    token_key: str = keys.TOKEN,
    connectivity_key: str = keys.CONNECTIVITIES,
    n_tokens: int = 50,
) -> TokenGraph:
    """Take the tokens and the graph of sections; builds the graph in ``adata`` if there is none.

    Parameters
    ----------
    adata
        Tokenised sections.
    token_key, connectivity_key
        Where tokens and graph are; a graph is built if there is none. Its weights do not count.
    n_tokens
        Most frequent tokens to report.

    Returns
    -------
    The tokens and edges, for :func:`shuffled_edges` and :func:`enrichment`.

    Raises
    ------
    InputError
        If tokens or coordinates are missing, or no two cells are neighbours.
    """
    tokens = labels(adata, token_key)
    if connectivity_key not in adata.obsp:
        pp.spatial_neighbors(adata)
    total = tokens[tokens != UNKNOWN].value_counts()
    shown = sorted(total.index, key=lambda token: (-total[token], len(token), token))[:n_tokens]
    codes = pd.Categorical(tokens, categories=shown).codes.astype(np.int64)
    codes[codes < 0] = len(shown)
    known = np.flatnonzero(tokens != UNKNOWN)
    section = pp.section_codes(adata)[known]
    order = np.argsort(section, kind="stable")
    place = np.argsort(order)
    connected = csr_matrix(adata.obsp[connectivity_key], dtype=bool)[known][:, known]
    edges = triu(connected + connected.T, k=1, format="coo")
    if not edges.nnz:
        raise InputError(
            "No two cells with a token are neighbours. Give sections of at least two such cells."
        )
    return TokenGraph(
        shown, codes[known][order], section[order], np.stack([place[edges.row], place[edges.col]])
    )


def shuffled_edges(graph: TokenGraph, *, n_permutations: int = 1000, seed: int = 0) -> Iterator[Shuffled]:
    """Shuffle tokens within sections and count edges, some draws at a time.

    Parameters
    ----------
    graph
        Of :func:`token_graph`.
    n_permutations
        Draws in all.
    seed
        Seed of the draws.

    Yields
    ------
    What 50 draws give, or the last few, for :func:`enrichment`.
    """
    rng = np.random.default_rng(seed)
    codes = graph.codes.copy()
    bounds = np.flatnonzero(np.diff(graph.section, prepend=-1, append=-1))
    observed = graph.count_edges(codes)
    for start in range(0, n_permutations, DRAWS_AT_ONCE):
        n_draws = min(DRAWS_AT_ONCE, n_permutations - start)
        total, squares, at_least, at_most = np.zeros((4, *observed.shape))
        for _ in range(n_draws):
            for left, right in pairwise(bounds):
                rng.shuffle(codes[left:right])
            edges = graph.count_edges(codes)
            total += edges
            squares += edges**2
            at_least += edges >= observed
            at_most += edges <= observed
        yield Shuffled(n_draws, total, squares, at_least, at_most)


def enrichment(graph: TokenGraph, parts: Iterable[Shuffled]) -> dict[str, Any]:
    """Compare the edges observed with those of :func:`shuffled_edges`.

    Parameters
    ----------
    graph
        Of :func:`token_graph`.
    parts
        What :func:`shuffled_edges` gives of it.

    Returns
    -------
    The tables and numbers that :func:`neighbor_enrichment` writes, but for the choices of its caller.

    Raises
    ------
    InputError
        If there was no draw.
    """
    draws = list(parts)
    if not draws:
        raise InputError("Choose at least 1 permutation.")
    n_draws, total, squares, at_least, at_most = (sum(values) for values in zip(*draws, strict=True))
    observed = graph.count_edges(graph.codes)
    expected = total / n_draws
    spread = np.sqrt(np.maximum(squares / n_draws - expected**2, 0))
    z = np.divide(observed - expected, spread, out=np.zeros_like(spread), where=spread > 0)
    p = np.minimum(2 * (np.minimum(at_least, at_most) + 1) / (n_draws + 1), 1)
    tables = {
        "observed": observed,
        "expected": expected,
        "log2_ratio": np.log2((observed + PSEUDO_COUNT) / (expected + PSEUDO_COUNT)),
        "z": z,
        "p": p,
        "q": _q_off_diagonal(p),
    }
    named = pd.Index(graph.tokens, name="token")
    n_cells = np.bincount(graph.codes, minlength=len(named) + 1)
    return {
        **{name: pd.DataFrame(values, named, graph.tokens) for name, values in tables.items()},
        "tokens": pd.DataFrame({"n_cells": n_cells[:-1]}, named),
        "n_tokens": len(named),
        "n_edges": graph.edges.shape[1],
        "n_sections": len(np.unique(graph.section)),
        "share_covered": float(1 - n_cells[-1] / n_cells.sum()),
        "n_permutations": n_draws,
        "smallest_p": 2 / (n_draws + 1),
        "pseudo_count": PSEUDO_COUNT,
        "note": NOTE,
    }


def _q_off_diagonal(p: Floats) -> Floats:
    """Benjamini and Hochberg's q over pairs of different tokens (t, t), NaN on the diagonal."""
    pairs = np.triu_indices(len(p), 1)
    q = np.full(p.shape, np.nan)
    if len(pairs[0]):
        q[pairs] = stats.false_discovery_control(p[pairs])
        q.T[pairs] = q[pairs]
    return q
