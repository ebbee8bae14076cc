"""Tables of cells as the maps need them: labels as categories, names compact, each in memory once."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import union_categoricals

from app.web.kept import Kept
from squint.library.tables import read_columns

OTHER, ABSENT = -1, -2  # codes of labels that are not wanted, and of missing ones


def n_bytes(table: pd.DataFrame) -> int:
    """Say how much memory a table takes."""
    return int(table.memory_usage(deep=True).sum())


Stamp = tuple[Path, int]  # a file, and when it was written: what is written in its place later is another
_FILES = Kept[Stamp, pd.DataFrame](n_bytes)
_STACKS = Kept[Hashable, pd.DataFrame](n_bytes)


def stamp(path: Path) -> Stamp:
    """Name a file as it is now."""
    return path, path.stat().st_mtime_ns


def read(file: Stamp) -> pd.DataFrame:
    """Read a table of one row per cell, not to be changed; one that somebody has is not read again."""
    return _FILES.find(file, lambda: read_columns(file[0]))


def stacked(parts: Hashable, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Give the table of some parts, not to be changed; one that somebody has is not made again."""
    return _STACKS.find(parts, make)


def expire() -> int:
    """Let go of what nobody asked for in a while; return how many tables that were."""
    return _FILES.expire() + _STACKS.expire()


def forget() -> None:
    """Drop all that was read, as when a section is deleted."""
    _FILES.clear()
    _STACKS.clear()


def stack(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables below each other; what a table lacks is missing, and labels stay categories."""
    names = dict.fromkeys(name for table in tables for name in table)
    columns = {name: _join([_column(table, name) for table in tables]) for name in names}
    return pd.DataFrame(columns, copy=False)  # a single table's columns are those of its file


def constant(label: str, n: int) -> Any:
    """Give the same label ``n`` times, as categories."""
    return pd.Categorical(pd.Index([label])).repeat(n)


def _column(table: pd.DataFrame, name: Any) -> "pd.Series[Any] | None":
    return table[name] if name in table else pd.Series(np.nan, index=table.index)


def _join(parts: Sequence[Any]) -> Any:
    if len(parts) == 1:
        return parts[0].array
    if any(isinstance(part.dtype, pd.CategoricalDtype) for part in parts):
        return union_categoricals([_as_labels(part) for part in parts])
    return pd.concat(parts, ignore_index=True).array


def _as_labels(column: "pd.Series[Any]") -> pd.Categorical:
    """Give a column as categories, all of one type even where there is none."""
    values = pd.Categorical(column)
    return values.set_categories(pd.Index(values.categories, dtype=object))


def codes(values: pd.Categorical, wanted: Sequence[str]) -> NDArray[np.int64]:
    """Give the place in ``wanted`` of each label (n,), or that it is another or absent."""
    places = {label: place for place, label in enumerate(wanted)}
    table = np.array([*(places.get(str(label), OTHER) for label in values.categories), ABSENT])
    return np.asarray(table[values.codes])  # code -1, of a missing label, is the last
