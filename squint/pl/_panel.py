"""What a tissue map shows: one panel per section, one scale for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.pl._style import LIGHT, Style


@dataclass(frozen=True)
class Panel:
    """One section to draw.

    ``values`` (n,) are numbers with NaN for missing, or labels, as categories or with ``None`` for missing.
    """

    title: str
    coordinates: NDArray[np.float64]  # (n, 2): x right, y down
    values: NDArray[Any] | pd.Categorical
    unit: str = "unknown"  # "um" or "unknown"
    hover: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # name -> (n,)
    imputed: NDArray[np.bool_] | None = None  # cells (n,) whose number is a prediction
    missing_name: str = "no value"  # what the legend says of cells without one
    outlines: Sequence[NDArray[np.float64]] = ()  # corners (k, 2) of areas to mark

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind in "fiu"

    @property
    def numbers(self) -> NDArray[np.floating[Any]]:
        """Values (n,) that are numbers."""
        return np.asarray(self.values)

    @cached_property
    def labels(self) -> pd.Categorical:
        """Labels (n,) that are text, as categories."""
        values = self.values if isinstance(self.values, pd.Categorical) else pd.Categorical(self.values)
        return values.rename_categories(str)

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Cells (n,) without a value."""
        absent = np.isnan(self.numbers) if self.numeric else self.labels.codes < 0
        return np.asarray(absent, dtype=bool)

    def n_of(self, label: str) -> int:
        """Count the cells with a label."""
        return self._n_by_label.get(label, 0)

    @cached_property
    def _n_by_label(self) -> dict[str, int]:
        codes = self.labels.codes
        counts = np.bincount(codes[codes >= 0], minlength=len(self.labels.categories))
        return dict(zip(self.labels.categories, counts.tolist(), strict=True))

    def has(self, labels: Sequence[str]) -> NDArray[np.bool_]:
        """Mark the cells (n,) with any of some labels."""
        wanted = np.append(np.isin(self.labels.categories.to_numpy(dtype=object), labels), [False])
        return np.asarray(wanted[self.labels.codes])  # code -1, of a missing label, is the last

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Cells (n,) with a value that was not measured."""
        return (
            np.zeros(len(self.values), dtype=bool) if self.imputed is None else self.imputed & ~self.missing
        )


@dataclass(frozen=True)
class Continuous:
    """A colour scale shared by all panels; values outside it take the colour of its end."""

    title: str
    low: float
    high: float
    thresholds: tuple[float, ...] = ()  # drawn on the colour bar
    palette: str = "Viridis"


@dataclass(frozen=True)
class Categories:
    """At most eight labels in colour, in this order; all other labels are light grey."""

    title: str
    highlighted: tuple[str, ...]
    rest: str = "all others"
    names: Mapping[str, str] = field(default_factory=dict)  # what the legend says instead of a label
    colours: Mapping[str, str] = field(default_factory=dict)  # "#rrggbb" of labels that have one of their own

    def coloured(self, style: Style) -> list[tuple[str, str]]:
        """Give each highlighted label its colour."""
        by_place = zip(self.highlighted, style.categories, strict=False)
        seen = {LIGHT.eighth: style.eighth} if style.has_dark_ground else {}  # black is not seen there
        own = {label: seen.get(colour, colour) for label, colour in self.colours.items()}
        return [(label, own.get(label, colour)) for label, colour in by_place]
