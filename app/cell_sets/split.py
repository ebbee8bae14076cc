"""Two groups of cells to compare: who is in them. The page counts with it, the worker compares with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from app.cell_sets.content import read_rows
from squint import keys
from squint.errors import InputError
from squint.library.store import Library, Section
from squint.pl import levels

LEVEL = "level"  # column: low, intermediate or high activation score
CELL_SET = "cell_set"  # column: in which of two cell sets
GROUP, REFERENCE = "group", "reference"
BOTH, NEITHER = "both", "neither"  # besides these, where two cell sets are compared


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
    members: tuple[tuple[str, str, str], ...] = ()  # section, and the hash of its cells in each of two sets
    named: tuple[tuple[str, str], ...] = ()  # section, and the hash of its labeling, where types decide

    def __post_init__(self) -> None:
        for name in ("group", "reference", "types"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "members", tuple((s, first, second) for s, first, second in self.members))
        object.__setattr__(self, "named", tuple((s, labeling) for s, labeling in self.named))

    def by_names_of(self, sections: Iterable[Section]) -> "Split":
        """Say which labelings the split rests on: where types decide, other names make another split."""
        if self.by != keys.CELL_TYPE and not self.types:
            return self
        return replace(self, named=labelings(sections))


def labelings(sections: Iterable[Section]) -> tuple[tuple[str, str], ...]:
    """Name the sections that have a labeling in use, each with its hash, in order."""
    return tuple(sorted((section.id, section.named.sha256) for section in sections if section.named))


def split_sets(ids: Sequence[str], group: Mapping[str, str], reference: Mapping[str, str] | None) -> Split:
    """Split cells by two cell sets, or by one and all other cells; a cell of both is in neither group.

    Parameters
    ----------
    ids
        Of the sections compared.
    group, reference
        Hash of the cells in each set, by section; without a reference it is all other cells.
    """
    other = reference or {}
    members = tuple((key, group.get(key, ""), other.get(key, "")) for key in sorted(ids))
    against = NEITHER if reference is None else REFERENCE
    return Split(CELL_SET, (GROUP,), (against,), members=members)


def with_sets(
    library: Library, cells: pd.DataFrame, sections: Sequence[Section], split: Split
) -> pd.DataFrame:
    """Add, where cell sets are compared, the column that says in which of them each cell is.

    Raises
    ------
    InputError
        If the cells of a set are gone.
    """
    if split.by != CELL_SET:
        return cells
    hashes = {key: rest for key, *rest in split.members}
    labels = []
    for section in sections:
        names = hashes.get(section.id, ("", ""))
        first, second = (read_rows(library, section.id, name) for name in names)
        if any(name and not len(rows) for name, rows in zip(names, (first, second), strict=True)):
            raise InputError("A cell set was changed meanwhile. Compare again.")
        labels.append(_which_set(section.n_cells, first, second))
    return cells.assign(**{CELL_SET: np.concatenate(labels)})


def _which_set(n_cells: int, first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.object_]:
    """Say of each of a section's cells (n,) in which of two sets it is, given the rows of each."""
    label = np.full(n_cells, NEITHER, dtype=object)
    label[first] = GROUP
    label[second] = REFERENCE
    label[np.intersect1d(first, second, assume_unique=True)] = BOTH
    return label


def assign(cells: pd.DataFrame, split: Split) -> "pd.Series[Any]":
    """Say of each cell (n,) which group it is in, missing where in neither; cells without counts never are.

    Parameters
    ----------
    cells
        One row per cell, with ``split.by``, or with activation scores where that is the level, and with cell
        types where only some count. :func:`with_sets` adds the column of two cell sets.
    split
        The two groups.
    """
    if split.by == LEVEL:
        labels = levels(cells[keys.ACTIVATION].astype(float), low=split.low, high=split.high)
    else:
        labels = _column(cells, split.by)
    labels = labels.astype(object)
    counted = labels.notna() & has_counts(cells)
    if split.types:
        counted &= _column(cells, keys.CELL_TYPE).isin(split.types)
    first = counted & labels.isin(split.group)
    second = counted & ~first & (labels.isin(split.reference) if split.reference else True)
    arm = pd.Series(None, index=cells.index, dtype=object)
    arm[first], arm[second] = GROUP, REFERENCE
    return arm


def has_counts(cells: pd.DataFrame) -> "pd.Series[bool]":
    """Mark the cells (n,) that have any count: nothing can be said of the expression of the others."""
    return cells["n_counts"] != 0


def _column(cells: pd.DataFrame, name: str) -> "pd.Series[Any]":
    """Give a column (n,); all missing where a section has no such labels."""
    return cells[name] if name in cells else pd.Series(None, index=cells.index, dtype=object)


def count(cells: pd.DataFrame, arm: "pd.Series[Any]", by: Sequence[str]) -> pd.DataFrame:
    """Count the cells of both groups: columns ``group`` and ``reference``, one row per label of ``by``."""
    compared = cells[arm.notna()].assign(arm=arm[arm.notna()])
    counts = compared.groupby([*by, "arm"], observed=True).size().unstack("arm", fill_value=0)
    return counts.reindex(columns=[GROUP, REFERENCE], fill_value=0)
