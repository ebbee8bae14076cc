"""What a tissue map shows: one panel per section, one scale for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Panel:
    """One section to draw.

    ``values`` (n,) are numbers with NaN for missing, or labels with ``None`` for missing.
    """

    title: str
    coordinates: NDArray[np.float64]  # (n, 2): x right, y down
    values: NDArray[Any]
    unit: str = "unknown"  # "um", "um (assumed)" or "unknown"
    hover: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # name -> (n,)
    imputed: NDArray[np.bool_] | None = None  # cells (n,) whose number is a prediction
    missing_name: str = "no value"  # what the legend says of cells without one
    outlines: Sequence[NDArray[np.float64]] = ()  # corners (k, 2) of areas to mark

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Cells (n,) without a value."""
        if self.values.dtype.kind in "fiu":
            return np.isnan(self.values.astype(np.float64))
        return np.array([value is None for value in self.values], dtype=bool)

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
