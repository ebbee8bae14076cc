"""Names of cells that can be changed, and changed back: pure functions of labelings, which never change."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import InputError

_TUMOUR = re.compile(r"tumou?r|malignan|carcinoma|cancer|dcis|neoplas", re.IGNORECASE)
_NO_TYPE = re.compile(r"(unknown|unlabell?ed|unassigned|not assigned|undefined)(?![^\W_])", re.IGNORECASE)


@dataclass(frozen=True)
class Labeling:
    """Names of n cells.

    Parameters
    ----------
    names
        Each name once.
    codes
        Index of each cell's name (n,), -1 for a cell without one. Not to be changed.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, column: "pd.Series[Any] | pd.Categorical[Any]") -> "Labeling":
        """Take the names from a column; missing ones stay missing."""
        values = pd.Categorical(column)
        kept = values.remove_unused_categories()
        return cls(tuple(map(str, kept.categories)), _fixed(kept.codes.astype(np.int64)))

    def column(self) -> "pd.Categorical[str]":
        """Give the names as ``obs`` has them."""
        return pd.Categorical.from_codes(self.codes, categories=pd.Index(self.names, dtype=object))

    def sizes(self) -> dict[str, int]:
        """Count the cells of each name."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))


def rename(labeling: Labeling, name: str, new: str) -> Labeling:
    """Give a name another word.

    Raises
    ------
    InputError
        If no cell has the name, or others have the new one already.
    """
    new = _checked(new)
    if new != name and new in labeling.names:
        raise InputError(f"{new!r} is there already. Merge {name!r} with it, or choose another name.")
    return _mapped(labeling, {_known(labeling, name): new})


def merge(labeling: Labeling, names: Sequence[str], into: str) -> Labeling:
    """Make one of several names.

    Raises
    ------
    InputError
        If no cell has one of the names, or others than these have the new one.
    """
    into = _checked(into)
    if into in labeling.names and into not in names:
        raise InputError(f"{into!r} is there already. Merge with it too, or choose another name.")
    return _mapped(labeling, {_known(labeling, name): into for name in names})


def split(
    labeling: Labeling, name: str, parts: NDArray[np.integer[Any]], called: Sequence[str] = ()
) -> Labeling:
    """Part the cells of a name, such as by :func:`squint.stats.clusters.find_clusters` of them alone.

    Parameters
    ----------
    labeling
        Names of n cells.
    name
        The one to part.
    parts
        Part of each cell that has the name (m,), from 0; -1: in none.
    called
        Name of each part; by default ``"NAME 1"``, ``"NAME 2"``, ...

    Returns
    -------
    The labeling, with the names of its parts in place of the name.

    Raises
    ------
    InputError
        If no cell has the name, the parts are of other cells, or a part's name is there already.
    """
    inside = labeling.codes == labeling.names.index(_known(labeling, name))
    if len(parts) != int(inside.sum()):
        raise InputError(f"{inside.sum():,} cells are {name!r}, and parts are given of {len(parts):,}.")
    used = np.unique(parts[parts >= 0])
    new = [_checked(called[number]) if called else f"{name} {number + 1}" for number in used.tolist()]
    if taken := [part for part in new if part in labeling.names]:
        raise InputError(f"{taken[0]!r} is there already. Rename it first.")
    codes = labeling.codes.copy()
    codes[inside] = np.where(parts >= 0, len(labeling.names) + np.searchsorted(used, parts), -1)
    return _without_unused((*labeling.names, *new), codes)


def clear(labeling: Labeling, name: str) -> Labeling:
    """Take a name from its cells: they have none.

    Raises
    ------
    InputError
        If no cell has the name.
    """
    cleared = labeling.names.index(_known(labeling, name))
    return _without_unused(labeling.names, np.where(labeling.codes == cleared, -1, labeling.codes))


def fill(labeling: Labeling, name: str) -> Labeling:
    """Give the cells without a name one, which others may have already.

    Raises
    ------
    InputError
        If every cell has a name, or this is none.
    """
    name = _checked(name)
    if (labeling.codes >= 0).all():
        raise InputError("Every cell has a name.")
    names = labeling.names if name in labeling.names else (*labeling.names, name)
    return Labeling(names, _fixed(np.where(labeling.codes < 0, names.index(name), labeling.codes)))


def is_no_type(name: str) -> bool:
    """Say whether a name says that a type is not known: "unknown", "Unassigned", "unknown 7" and such."""
    return bool(_NO_TYPE.match(name.strip()))


def is_tumour(name: str) -> bool:
    """Say whether the name of a type says that its cells are of a tumour."""
    return bool(_TUMOUR.search(name))


def _mapped(labeling: Labeling, new: Mapping[str, str]) -> Labeling:
    """Give some names others; names that become equal are one."""
    words = [new.get(name, name) for name in labeling.names]
    names = list(dict.fromkeys(words))
    number = np.array([*map(names.index, words), -1])  # the last for cells without a name
    return Labeling(tuple(names), _fixed(number[labeling.codes]))


def _without_unused(names: Sequence[str], codes: NDArray[np.int64]) -> Labeling:
    used = np.unique(codes[codes >= 0])
    number = np.append(np.searchsorted(used, np.arange(len(names))), -1)
    return Labeling(tuple(names[code] for code in used.tolist()), _fixed(number[codes]))


def _known(labeling: Labeling, name: str) -> str:
    if name not in labeling.names:
        raise InputError(f"No cell is {name!r}. There are {', '.join(labeling.names[:20]) or 'no names'}.")
    return name


def _checked(name: str) -> str:
    text = " ".join(name.split())
    if not text or not text.isprintable():
        raise InputError(f"{name[:40]!r} is no name. Give a word.")
    return text


def _fixed(codes: NDArray[Any]) -> NDArray[np.int64]:
    codes = np.array(codes, dtype=np.int64)
    codes.setflags(write=False)
    return codes
