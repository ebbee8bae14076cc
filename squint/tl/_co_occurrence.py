from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy.cluster import hierarchy

from squint import keys
from squint.columns import UNKNOWN, labels
from squint.errors import InputError
from squint.stats.correlate import Correlated, correlate
from squint.stats.trees import grow

MIN_GROUPS = 3
PSEUDO_COUNT = 0.5  # cells, added to every count before a logarithm
NOTE = (
    "p takes the groups for exchangeable. Levels that follow each other resemble each other, as do sections "
    "of one patient: p is then too small. Read it as a ranking."
)


def co_occurrence(
    adata: AnnData,
    *,
    by: str = keys.SECTION,
    token_key: str = keys.TOKEN,
    n_tokens: int = 50,
    n_permutations: int = 1000,
    seed: int = 0,
    clr: bool = False,
    copy: bool = False,
) -> AnnData | None:
    """Correlate the usage of tokens over levels, sections or patients.

    The usage profile of a token is its share of the cells of each group. Tokens whose profiles correlate are
    common in the same groups.

    Parameters
    ----------
    adata
        Tokenised sections.
    by
        Column of ``obs`` with the groups: the section, which is the level of a stack, or the patient. Cells
        without a group or a token are left out.
    token_key
        Where the tokens are.
    n_tokens
        Most frequent tokens to correlate.
    n_permutations
        Draws of the null: in each, the groups are shuffled for every token by itself. Where the groups have
        no more orders than that (6 groups have 720), all of them are taken instead, and p is exact.
    seed
        Seed of the draws.
    clr
        Correlate centred log-ratios, of counts plus 0.5 over all tokens in use, instead of shares. Shares add
        up to 1: a common token that grows makes all others shrink, so that they correlate with each other and
        against it (Aitchison, 1982). It hardly moves the geometric mean that log-ratios are taken to. Both
        still lean to the negative, by about 1 over the number of tokens in use.
    copy
        Return a changed copy instead of changing ``adata``.

    Returns
    -------
    Returns ``None`` if ``copy=False``, else an ``AnnData``. Sets the following fields:

    ``adata.uns["squint_co_occurrence"]`` : dict
        For t tokens, most frequent first, and G groups, by height where they are levels of one patient, which
        ``obs["z_um"]`` says, else by name:

        ``correlation``, ``p``, ``q``
            Tables (t, t): Pearson's r; its permutation p, two-sided; Benjamini and Hochberg's q over pairs. p
            and q are NaN on the diagonal. A token used alike in all groups correlates with none: 0, with p 1.
        ``usage``, ``profiles``
            Tables (G, t) of shares, in [0, 1] of a group's cells; and of what was correlated, which is shares
            or log-ratios.
        ``groups``, ``tokens``
            Table (G) of ``n_cells`` and, for levels, ``z_um``; table (t) of ``n_cells`` and ``share`` of all
            cells.
        ``linkage``, ``order``
            Tree (t - 1, 4) of average linkage on 1 - r, as scipy's, and numbers of the tokens (t,) along its
            leaves, those alike side by side.
        ``null_quantile``
            What the absolute r of 95 % of the shuffled pairs stays below.
        ``n_draws``, ``exact``, ``smallest_p``
            How many draws; whether they are all there are; the smallest p that they can give.
        ``autocorrelation``
            Correlation of usage with that of the next level, mean over tokens, for levels. Independent ones
            have about -1 / G.
        ``n_groups``, ``share_covered``, ``note``, and the choices
            ``share_covered`` is the share of cells that carry one of the tokens.
    ``adata.uns["squint"]["co_occurrence"]`` : dict
        The numbers and choices among these.

    Raises
    ------
    InputError
        If a column is missing, or there are fewer than 3 groups or 2 tokens.

    Notes
    -----
    The null takes the groups for exchangeable. Levels that follow each other resemble each other, as do
    sections of one patient: p is then optimistic, a ranking rather than a test. A group of few cells has
    noisy shares and counts as much as any other.

    50 tokens are 1,225 pairs, and 1,000 draws give no p below 0.001: for a few pairs to reach a small q, take
    100,000 draws (some seconds).

    References
    ----------
    SQUINT, section 5.2 and figure 3b. Aitchison (1982), The statistical analysis of compositional data.
    Phipson and Smyth (2010), Permutation p-values should never be zero.
    """
    adata = adata.copy() if copy else adata
    counts = count_tokens(labels(adata, token_key), labels(adata, by))
    _check(counts, by, n_tokens, n_permutations)
    groups = _describe_groups(adata, by, counts)
    counts = counts.loc[groups.index]
    shown = counts.columns[:n_tokens]
    profiles = (log_ratios(counts) if clr else usage(counts))[shown]
    found = correlate(profiles.to_numpy(), n_permutations=n_permutations, seed=seed)
    facts = {"by": by, "token_key": token_key, "clr": clr, "n_permutations": n_permutations, "seed": seed}
    facts |= {"n_tokens": len(shown), "n_groups": len(counts), "share_covered": _share(counts, shown)}
    facts |= {**found.facts(), **_autocorrelation(groups, profiles.to_numpy()), "note": NOTE}
    tables = {**_tables(counts, shown, found), "groups": groups, "profiles": profiles}
    adata.uns[keys.CO_OCCURRENCE] = tables | facts
    adata.uns.setdefault(keys.PROVENANCE, {})["co_occurrence"] = facts
    return adata if copy else None


def count_tokens(tokens: "pd.Series[str]", groups: "pd.Series[str]") -> pd.DataFrame:
    """Count the cells of each group that carry each token: (groups, tokens), the most frequent token first.

    Cells whose token or group is ``"unknown"`` are left out. Tokens as frequent as each other come in the
    order of their numbers.
    """
    known = (tokens != UNKNOWN).to_numpy() & (groups != UNKNOWN).to_numpy()
    counts = pd.crosstab(groups.to_numpy()[known], tokens.to_numpy()[known])
    counts.index.name, counts.columns.name = "group", None
    total = counts.sum().to_dict()
    return counts[sorted(total, key=lambda token: (-total[token], len(str(token)), token))]


def usage(counts: pd.DataFrame) -> pd.DataFrame:
    """Share of each token among the cells of each group (groups, tokens): rows add up to 1."""
    return counts.div(counts.sum(axis=1), axis=0)


def log_ratios(counts: pd.DataFrame) -> pd.DataFrame:
    """Centred log-ratios of counts plus 0.5 (groups, tokens): rows add up to 0."""
    logged = (counts + PSEUDO_COUNT).apply(np.log)
    return logged.sub(logged.mean(axis=1), axis=0)


def _check(counts: pd.DataFrame, by: str, n_tokens: int, n_permutations: int) -> None:
    n_groups = len(counts)
    if n_groups < MIN_GROUPS:
        groups = "1 group" if n_groups == 1 else f"{n_groups} groups"
        raise InputError(
            f"obs[{by!r}] has {groups} of tokenised cells, and at least {MIN_GROUPS} are needed: a "
            "correlation over 2 is always +1 or -1. Add sections, or choose another column."
        )
    if counts.shape[1] < 2:
        raise InputError("All cells carry the same token, so there is no pair to correlate.")
    if n_tokens < 2 or n_permutations < 1:
        raise InputError("Choose at least 2 tokens and 1 permutation.")


def _describe_groups(adata: AnnData, by: str, counts: pd.DataFrame) -> pd.DataFrame:
    """Give the cells of each group; heights too, in their order, where groups are levels of one patient."""
    groups = pd.DataFrame({"n_cells": counts.sum(axis=1)})
    one_patient = keys.PATIENT not in adata.obs or labels(adata, keys.PATIENT).nunique() == 1
    if keys.Z not in adata.obs or not one_patient:
        return groups
    heights = adata.obs[keys.Z].astype(float).groupby(labels(adata, by).to_numpy()).agg(["min", "max"])
    heights = heights.loc[groups.index]
    if (heights["min"] == heights["max"]).all() and heights["min"].is_unique:
        groups = groups.assign(**{keys.Z: heights["min"]}).sort_values(keys.Z)
    return groups


def _tables(counts: pd.DataFrame, shown: pd.Index, found: Correlated) -> dict[str, Any]:
    tokens = shown.rename("token")
    n_cells = counts[shown].sum().to_numpy()
    share = n_cells / counts.to_numpy().sum()
    tree = grow(found.correlation)
    return {
        **{name: pd.DataFrame(getattr(found, name), tokens, shown) for name in ("correlation", "p", "q")},
        "usage": usage(counts)[shown],
        "tokens": pd.DataFrame({"n_cells": n_cells, "share": share}, tokens),
        "linkage": tree,
        "order": hierarchy.leaves_list(tree).astype(np.int64),
    }


def _share(counts: pd.DataFrame, shown: pd.Index) -> float:
    """Share of the cells that carry one of the tokens shown."""
    return float(counts[shown].to_numpy().sum() / counts.to_numpy().sum())


def _autocorrelation(groups: pd.DataFrame, profiles: NDArray[np.float64]) -> dict[str, float]:
    """Correlate the profiles (G, t) of levels with themselves one level up."""
    centred = profiles - profiles.mean(axis=0)
    variance = (centred**2).sum(axis=0)
    varies = variance > 0
    if keys.Z not in groups or not varies.any():
        return {}
    shared = (centred[1:] * centred[:-1]).sum(axis=0)
    return {"autocorrelation": float((shared[varies] / variance[varies]).mean())}
