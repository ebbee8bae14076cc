"""Groups of tokens whose usage varies together: a tree, cut. Needs no torch, so that pages can cut too."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from squint.errors import InputError

Floats = NDArray[np.float64]


def grow(correlation: Floats, *, ordered: bool = True) -> Floats:
    """Grow the tree of average linkage on 1 - r, as scipy's.

    Parameters
    ----------
    correlation
        Pearson's r (t, t).
    ordered
        Turn branches so that leaves side by side are alike; takes longer than the tree.

    Returns
    -------
    Tree (t - 1, 4), whose heights rise.
    """
    distance = squareform(1 - correlation, checks=False)
    tree: Floats = hierarchy.linkage(distance, "average", optimal_ordering=ordered)
    return tree


def cut(
    linkage: Floats, n_cells: NDArray[Any], *, n_communities: int | None = None, height: float | None = None
) -> list[str]:
    """Cut a tree of tokens into communities.

    Parameters
    ----------
    linkage
        Tree (t - 1, 4).
    n_cells
        Cells of each token (t,).
    n_communities
        How many, 1 to t. Either this or ``height``.
    height
        Where to cut: branches that join at or below it stay together.

    Returns
    -------
    The community of each token (t,), ``"1"`` to ``"k"``: those of two and more tokens first, by their number
    of cells, then the tokens that join no other, by theirs. Equal numbers are in the order of the tokens.

    Raises
    ------
    InputError
        If both or neither are given, or there cannot be so many communities.
    """
    n_tokens = len(linkage) + 1
    if n_communities is None and height is not None:
        n_communities = n_tokens - int((linkage[:, 2] <= height).sum())
    elif n_communities is None or height is not None:
        raise InputError("Give either the number of communities or the height at which to cut.")
    if not 1 <= n_communities <= n_tokens:
        raise InputError(f"{n_tokens} tokens form 1 to {n_tokens} communities, not {n_communities}.")
    branch = hierarchy.cut_tree(linkage, n_communities).ravel()
    n_members = np.bincount(branch)
    _, first = np.unique(branch, return_index=True)
    order = np.lexsort((first, -np.bincount(branch, n_cells), n_members == 1))
    rank = np.argsort(order) + 1
    return [str(number) for number in rank[branch]]


def describe(
    named: "pd.Series[str]",
    n_cells: "pd.Series[int]",
    linkage: Floats,
    profiles: pd.DataFrame,
    *,
    n_draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how large communities are, and how often chance makes one as large.

    Of many pairs of tokens, some are alike by chance, and a tree puts them together: small communities arise
    from nothing. So the largest one of a shuffled tree, cut at the same height, is what a size has to beat.

    Parameters
    ----------
    named
        Community of each token, of :func:`cut`.
    n_cells
        Cells of each token (t,).
    linkage
        The tree that was cut (t - 1, 4).
    profiles
        What the tree was grown of (G, t).
    n_draws
        Shuffles: the groups are shuffled for every token by itself.
    seed
        Seed of the shuffles.

    Returns
    -------
    Indexed by community, ``"1"`` first: ``n_tokens``, ``n_cells``, and ``p``, the share of shuffles with a
    community of as many tokens or more, the one observed counted among them. It holds for all communities
    together, so it needs no further correction.
    """
    n_kept = len(named) - named.nunique()
    height = float(linkage[n_kept - 1, 2]) if n_kept else 0.0
    largest = _largest_by_chance(profiles.to_numpy(), height, n_draws, seed)
    table = pd.DataFrame({"n_tokens": named.value_counts(), "n_cells": n_cells.groupby(named).sum()})
    table = table.loc[sorted(table.index, key=int)].rename_axis("community")
    reached = (largest[:, None] >= table["n_tokens"].to_numpy()).sum(axis=0)
    return table.assign(p=(1 + reached) / (1 + n_draws))


def _largest_by_chance(profiles: Floats, height: float, n_draws: int, seed: int) -> NDArray[np.int64]:
    """Tokens of the largest community of shuffled profiles (G, t), cut at a height: (draws,)."""
    rng = np.random.default_rng(seed)
    varying = profiles[:, np.ptp(profiles, axis=0) > 0]
    largest = np.ones(n_draws, dtype=np.int64)
    for draw in range(n_draws if varying.shape[1] > 1 else 0):
        tree = grow(np.corrcoef(rng.permuted(varying, axis=0), rowvar=False), ordered=False)
        largest[draw] = tree[tree[:, 2] <= height, 3].max(initial=1)
    return largest
