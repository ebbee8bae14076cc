"""Numbers beside the maps, from one row per cell."""

from typing import Any

import numpy as np
import pandas as pd

from squint import keys

LEVELS = ("low", "intermediate", "high")


def levels(scores: "pd.Series[float]", *, low: float = 0.25, high: float = 0.75) -> "pd.Series[Any]":
    """Call each score low, high or intermediate.

    Parameters
    ----------
    scores
        Of each cell (n,).
    low, high
        Thresholds: low is below the first, high is above the second.

    Returns
    -------
    One of ``LEVELS`` for each cell (n,), as ordered by them; missing where the score is.
    """
    named = pd.Series("intermediate", index=scores.index)
    named[scores < low] = "low"
    named[scores > high] = "high"
    named[scores.isna()] = None
    return named.astype(pd.CategoricalDtype(list(LEVELS)))


def activation_table(
    cells: pd.DataFrame,
    by: list[str],
    *,
    low: float = 0.25,
    high: float = 0.75,
    score_key: str = keys.ACTIVATION,
) -> pd.DataFrame:
    """Count cells of each level and give the median score [IQR], one row per group.

    Parameters
    ----------
    cells
        One row per cell, with ``score_key`` and the columns named in ``by``.
    by
        Columns that make a group, such as the patient and the section.
    low, high
        Thresholds: low is below the first, high is above the second.
    score_key
        Column of the activation score.

    Returns
    -------
    Columns ``n_cells``, ``n_missing``, ``n_low``, ``n_intermediate``, ``n_high``, the shares of the cells
    with a score (``share_low`` ...), and ``median``, ``q1``, ``q3``.
    """
    rows = []
    for group, part in cells.groupby(by, observed=True, sort=True):
        scores = part[score_key].astype(float)
        counts = levels(scores, low=low, high=high).value_counts()
        n_scored = int(scores.notna().sum())
        row = dict(zip(by, group, strict=True))
        row |= {"n_cells": len(part), "n_missing": len(part) - n_scored}
        row |= {f"n_{level}": int(counts[level]) for level in LEVELS}
        row |= {f"share_{level}": counts[level] / n_scored if n_scored else np.nan for level in LEVELS}
        row |= dict(zip(("median", "q1", "q3"), scores.quantile([0.5, 0.25, 0.75]), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def composition_table(
    cells: pd.DataFrame,
    *,
    low: float = 0.25,
    high: float = 0.75,
    score_key: str = keys.ACTIVATION,
    type_key: str = keys.CELL_TYPE,
) -> pd.DataFrame:
    """Share of each cell type among the low and among the high cells.

    Parameters
    ----------
    cells
        One row per cell, with ``score_key`` and ``type_key``. Cells without either are left out.
    low, high
        Thresholds: low is below the first, high is above the second.
    score_key, type_key
        Columns of the activation score and of the cell type.

    Returns
    -------
    One row per cell type, the most enriched among high cells first: ``n_low``, ``n_high``, ``share_low``,
    ``share_high``. A share is of the cells of that level, NaN where there is none.
    """
    known = cells[cells[type_key].notna() & cells[score_key].notna()]
    level = levels(known[score_key].astype(float), low=low, high=high)
    counts = pd.crosstab(known[type_key].astype(str), level.astype(str))
    none = pd.Series(0, index=counts.index)
    table = pd.DataFrame({f"n_{name}": counts.get(name, none) for name in ("low", "high")})
    for name in ("low", "high"):
        total = table[f"n_{name}"].sum()
        table[f"share_{name}"] = table[f"n_{name}"] / total if total else np.nan
    difference = table["share_high"].fillna(0) - table["share_low"].fillna(0)
    return table.loc[difference.sort_values(ascending=False, kind="stable").index]
