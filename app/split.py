"""Two groups of cells to compare: who is in them. The page counts with it, the worker compares with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from squint import keys
from squint.pl import levels

LEVEL = "level"  # column: low, intermediate or high activation score
GROUP, REFERENCE = "group", "reference"


@dataclass(frozen=True)
class Split:
    """How cells are split into two groups."""

    by: str  # column of the table of cells
    group: tuple[str, ...]  # labels of the group
    reference: tuple[str, ...] = ()  # of the reference; none: all other cells with a label
    types: tuple[str, ...] = ()  # cell types that count; none: all cells
    run: str = ""  # the activation scores that levels are of ...
    low: float = 0.25  # ... and what is low
    high: float = 0.75  # ... and high

    def __post_init__(self) -> None:
        for name in ("group", "reference", "types"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


def assign(cells: pd.DataFrame, split: Split) -> "pd.Series[Any]":
    """Say of each cell (n,) which group it is in, missing where in neither.

    Parameters
    ----------
    cells
        One row per cell, with ``split.by``, or with activation scores where that is the level, and with cell
        types where only some count.
    split
        The two groups.
    """
    if split.by == LEVEL:
        labels = levels(cells[keys.ACTIVATION].astype(float), low=split.low, high=split.high)
    else:
        labels = _column(cells, split.by)
    labels = labels.astype(object)
    counted = labels.notna()
    if split.types:
        counted &= _column(cells, keys.CELL_TYPE).isin(split.types)
    first = counted & labels.isin(split.group)
    second = counted & ~first & (labels.isin(split.reference) if split.reference else True)
    arm = pd.Series(None, index=cells.index, dtype=object)
    arm[first], arm[second] = GROUP, REFERENCE
    return arm


def _column(cells: pd.DataFrame, name: str) -> "pd.Series[Any]":
    """Give a column (n,); all missing where a section has no such labels."""
    return cells[name] if name in cells else pd.Series(None, index=cells.index, dtype=object)


def count(cells: pd.DataFrame, arm: "pd.Series[Any]", by: Sequence[str]) -> pd.DataFrame:
    """Count the cells of both groups: columns ``group`` and ``reference``, one row per label of ``by``."""
    compared = cells[arm.notna()].assign(arm=arm[arm.notna()])
    counts = compared.groupby([*by, "arm"], observed=True).size().unstack("arm", fill_value=0)
    return counts.reindex(columns=[GROUP, REFERENCE], fill_value=0)
