"""Cells of low quality: which ones some criteria leave out, and how many each of these alone would."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.errors import InputError

if TYPE_CHECKING:  # pages name criteria, and load no anndata for it
    from anndata import AnnData

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class QualityFilter:
    """Criteria that a cell must meet to be kept; ``None`` or ``False``: this one is off, as all are at first.

    Attributes
    ----------
    min_counts
        Fewest counts of genes.
    min_area, max_area
        Smallest and largest area, um2.
    max_control_share
        Largest share, in [0, 1], of controls in all counts of a cell.
    in_tissue
        Whether to leave out what the source says lies off the tissue.

    Raises
    ------
    InputError
        If a criterion is no number that can be, or the smallest area is above the largest.
    """

    min_counts: float | None = None
    min_area: float | None = None
    max_area: float | None = None
    max_control_share: float | None = None
    in_tissue: bool = False

    def __post_init__(self) -> None:
        """Refuse what no cell could be asked for."""
        for name, value in self.given().items():
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name} is {value:g}: give a number from 0 on.")
        if (self.max_control_share or 0) > 1:
            raise InputError(f"max_control_share is {self.max_control_share:g}: give a share from 0 to 1.")
        if self.min_area is not None and self.max_area is not None and self.min_area > self.max_area:
            raise InputError(
                f"No cell has at least {self.min_area:g} and at most {self.max_area:g} um2. Change one."
            )

    def given(self) -> dict[str, float | bool]:
        """Give the criteria that are on, by name."""
        said = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in said.items() if value is not None and value is not False}

    def words(self) -> dict[str, str]:
        """Say of each criterion that is on what it leaves out."""
        return {name: _WORDS[name](value) for name, value in self.given().items()}


_WORDS: dict[str, Callable[[float], str]] = {
    "min_counts": lambda least: f"fewer than {least:,.10g} counts",
    "min_area": lambda least: f"smaller than {least:,.10g} µm²",
    "max_area": lambda most: f"larger than {most:,.10g} µm²",
    "max_control_share": lambda most: f"more than {100 * most:.4g}% controls",
    "in_tissue": lambda _: "not in tissue",
}
_MEASURES = {  # by column: what a cell lacks where it is missing
    keys.CELL_AREA: "area",
    keys.CONTROL_COUNTS: "share of controls",
    keys.IN_TISSUE: "place on or off the tissue",
}
_COLUMNS = {  # that a criterion needs
    "min_area": keys.CELL_AREA,
    "max_area": keys.CELL_AREA,
    "max_control_share": keys.CONTROL_COUNTS,
    "in_tissue": keys.IN_TISSUE,
}
_OF_COUNTS = ("min_counts", "max_control_share")


class Passed(NamedTuple):
    """Which cells pass, and why others do not."""

    mask: NDArray[np.bool_]  # (n,)
    n_alone: dict[str, int]  # criterion -> cells that it alone leaves out
    n_missing: dict[str, int]  # column -> cells without a value, which are kept for that

    def sentences(self, criteria: QualityFilter) -> list[str]:
        """Say how many cells are left out and why, and how many are kept because a value is missing."""
        n, n_left = len(self.mask), int((~self.mask).sum())
        words = criteria.words()
        if not words:
            return []
        several = len(words) > 1
        each = [f"{words[name]} ({k:,})" if several else words[name] for name, k in self.n_alone.items()]
        more = "; some for several of these" if sum(self.n_alone.values()) > n_left else ""
        said = [f"{n_left:,} of {n:,} cells left out: {', '.join(each)}{more}"]
        for column, k in self.n_missing.items():
            are = "1 cell is kept: its" if k == 1 else f"{k:,} cells are kept: their"
            said.append(f"{are} {_MEASURES[column]} is not known")
        return said


def quality_criteria(adata: "AnnData") -> tuple[str, ...]:
    """Name the criteria of :class:`QualityFilter` that sections can be filtered by.

    Parameters
    ----------
    adata
        Raw counts, as `squint.read` gives them.

    Returns
    -------
    Names of fields, in their order: those whose column is there and holds some numbers, and of counts only
    where values are counts.
    """
    found = []
    for item in fields(QualityFilter):
        try:
            values = _values(adata, item.name)
        except InputError:
            continue
        if not np.isnan(values).all():
            found.append(item.name)
    return tuple(found)


def quality_filter(adata: "AnnData", criteria: QualityFilter) -> Passed:
    """Find the cells that pass some criteria of quality; nothing is removed.

    A cell without a value, as of an area that was not measured, passes that criterion, and is counted.

    Parameters
    ----------
    adata
        Raw counts, as `squint.read` gives them; ``obs["cell_area"]`` in um2, ``obs["control_counts"]`` and
        ``obs["in_tissue"]`` where a criterion asks for them.
    criteria
        What is asked of a cell.

    Returns
    -------
    The mask (n,) of cells that pass all criteria, how many each alone leaves out, and how many have no value.

    Raises
    ------
    InputError
        If a criterion is on whose column is missing or holds words, or one of counts where values are none.
    """
    mask = np.ones(adata.n_obs, dtype=bool)
    n_alone, n_missing = {}, {}
    for name, bound in criteria.given().items():
        values = _values(adata, name)
        if name == "in_tissue":
            fails = values == 0
        else:
            fails = values < bound if name.startswith("min") else values > bound  # no value: neither
        n_alone[name] = int(fails.sum())
        if n_unknown := int(np.isnan(values).sum()):
            n_missing[_COLUMNS[name]] = n_unknown
        mask &= ~fails
    return Passed(mask, n_alone, n_missing)


def _values(adata: "AnnData", name: str) -> Floats:
    """Give what a criterion compares (n,), NaN where it is not known; refuse where nothing is said of it."""
    values = adata.uns.get(keys.PROVENANCE, {}).get("values", "counts")
    if name in _OF_COUNTS and values != "counts":
        raise InputError(f"{name} is of counts, but the section holds {values}. Leave it off.")
    if name not in _OF_COUNTS:
        return _numbers(adata, name)
    counts: Any = adata.X
    genes = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    if name == "min_counts":
        return genes
    controls = _numbers(adata, name)
    total = genes + controls
    shares: Floats = np.divide(controls, total, out=np.full(len(total), np.nan), where=total > 0)
    return shares


def _numbers(adata: "AnnData", name: str) -> Floats:
    """Read the column of a criterion (n,), also where a file kept it as text; NaN where there is none."""
    column = _COLUMNS[name]
    if column not in adata.obs:
        raise InputError(f"{name} needs obs[{column!r}], which the section does not have. Leave it off.")
    table: Any = adata.obs
    stored: pd.Series = table[column]
    if pd.api.types.is_numeric_dtype(stored.dtype):
        numeric: Floats = stored.to_numpy(np.float64, na_value=np.nan)
        return numeric
    stored = stored.astype(object)
    known = stored.notna().to_numpy()
    numbers = pd.to_numeric(stored[known], errors="coerce").astype(np.float64)
    if numbers.isna().any():
        raise InputError(f"obs[{column!r}] holds other than numbers, which {name} needs. Leave it off.")
    values = np.full(len(stored), np.nan)
    values[known] = numbers
    return values
