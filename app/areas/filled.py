"""An in-painted area, as the worker left it: which cells, and any gene of them. Imports no torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.geometry.regions import Points
from squint.library.results import Result
from squint.library.stacks import ROW
from squint.library.store import Library, Section

CELL, NEIGHBOURHOOD = "cell", "neighbourhood"
MODEL, KNN = "model", "knn"
_MARGIN = 0.6  # of the area's extent, shown around it

Floats = NDArray[np.float32]


class Values(NamedTuple):
    """A gene in all cells of a place (n,), NaN where there is none."""

    measured: Floats
    imputed: Floats  # the measured cells around, and the predictions in the area


@dataclass(frozen=True)
class Place:
    """The cells of a section, and after them those at simulated positions."""

    cells: pd.DataFrame  # (n,) cell, x, y
    hidden: NDArray[np.bool_]  # (n,)

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Positions (n, 2)."""
        return self.cells[["x", "y"]].to_numpy(dtype=np.float64)

    def around(self) -> NDArray[np.bool_]:
        """Mark the cells (n,) in and around the area."""
        own = self.coordinates[self.hidden]
        low, high = own.min(axis=0), own.max(axis=0)
        reach = _MARGIN * max(*(high - low), 1e-9)
        every = self.coordinates
        near: NDArray[np.bool_] = ((every >= low - reach) & (every <= high + reach)).all(axis=1)
        if near.sum() < min(len(near), 200):  # an area of a few cells, far from all others
            centre = (low + high) / 2
            far = np.linalg.norm(every - centre, axis=1)
            near |= far <= np.sort(far)[min(len(far), 200) - 1]
        return near


@dataclass(frozen=True)
class Filled:
    """An area of a section, predicted."""

    result: Result
    section: Section
    fill: bool  # at simulated positions, instead of cells that are there

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The in-painted cells (m,): name, position, distance to the nearest measured one."""
        return self._hidden.drop(columns=ROW)

    @cached_property
    def _hidden(self) -> pd.DataFrame:
        return self.result.table("hidden")

    @cached_property
    def genes(self) -> list[str]:
        """Those of the model's genes that the section measures, by name."""
        return sorted(self.result.facts["genes"])

    def most_varied(self) -> str:
        """Name the gene whose prediction varies most over the area, for its level."""
        table = self.result.table(NEIGHBOURHOOD)
        return str((table.var() / (table.mean() + 0.1)).idxmax())

    def place(self, library: Library) -> Place:
        """Give the cells of the section, and after them those at simulated positions."""
        cells = library.cells(self.section.id).reset_index()[["cell", "x", "y"]]
        if self.fill:
            extra = self._hidden[["cell", "x", "y"]]
            hidden = np.arange(len(cells) + len(extra)) >= len(cells)
            return Place(pd.concat([cells, extra], ignore_index=True), hidden)
        hidden = np.zeros(len(cells), dtype=bool)
        hidden[self._hidden[ROW]] = True
        return Place(cells, hidden)

    def expected(self, gene: str, target: str) -> Floats:
        """Give the expected expression of a gene (m,)."""
        return self._column(target, gene)

    def has_spread(self, target: str) -> bool:
        """Say whether draws tell the spread of this."""
        return (self.result.folder / f"sd_{target}.parquet").exists()

    def spread(self, gene: str, target: str) -> Floats:
        """Give the standard deviation of a gene over draws (m,)."""
        return self._column(f"sd_{target}", gene)

    def _column(self, table: str, gene: str) -> Floats:
        return self.result.table(table, [gene])[gene].to_numpy(dtype=np.float32)

    def values(self, library: Library, gene: str, target: str) -> Values:
        """Give a gene in every cell of the place, as measured and as in-painted."""
        hidden = self.place(library).hidden
        counts = library.gene(self.section.id, gene)
        measured = np.full(len(hidden), np.nan, dtype=np.float32)
        if counts is not None:
            measured[: len(counts)] = counts
        imputed = measured.copy()
        imputed[hidden] = self.expected(gene, CELL)
        if target == NEIGHBOURHOOD:
            edges = self.result.table("edges")
            measured, imputed = _around(measured, edges), _around(imputed, edges)
            imputed[hidden] = self.expected(gene, NEIGHBOURHOOD)
        return Values(measured, imputed)

    def every_gene(self, target: str) -> pd.DataFrame:
        """Give a row per in-painted cell, with the prediction of every gene, and its spread where known."""
        parts = [self.cells.assign(simulated_position=self.fill, unit=self.section.unit)]
        parts.append(self.result.table(target)[self.genes])
        if self.has_spread(target):
            parts.append(self.result.table(f"sd_{target}")[self.genes].add_prefix("sd "))
        return pd.concat(parts, axis=1)

    def positions(self) -> list[Points]:
        """Give the positions of the cells as a region."""
        points = self._hidden[["x", "y"]].round(3).to_numpy().tolist()
        return [Points(self.section.section, tuple(map(tuple, points)))]

    def scores(self) -> pd.DataFrame | None:
        """Give the scores of the model and of every K, if the area may be judged."""
        return self.result.table("scores") if (self.result.folder / "scores.parquet").exists() else None

    def best_scores(self, target: str) -> pd.DataFrame:
        """Give the model's scores, and the nearest cells with the K that is best for each."""
        scores = self.result.table("scores")
        own = scores[scores["target"] == target]
        found = own[own["method"] == MODEL].assign(method="Model")
        others = own[own["method"] != MODEL]
        ranks = {int(np.argmax(others[score].fillna(-1))) for score in ("pc", "pg")}
        best = others.iloc[sorted(ranks)]
        best = best.assign(method=[_in_words(str(name)) for name in best["method"]])
        return pd.concat([found, best])[["method", "pc", "pg"]].reset_index(drop=True)


def _in_words(method: str) -> str:
    """Name a baseline: ``knn32_cell_then_graph`` is the mean of 32 nearest cells."""
    number, what = method.removeprefix(KNN).split("_", 1)
    return f"Mean of the {number} nearest measured " + ("neighbourhoods" if what == "nbr" else "cells")


def _around(values: Floats, edges: pd.DataFrame) -> Floats:
    """Average closed neighbourhoods (n,), over the cells that have a value; NaN where a cell has none."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0).astype(np.float64)
    n = len(values)
    start, end = edges["from"].to_numpy(), edges["to"].to_numpy()
    total = filled + np.bincount(start, filled[end], n)
    number = known + np.bincount(start, known[end].astype(np.float64), n)
    mean = total / np.maximum(number, 1)
    return np.where(known, mean, np.nan).astype(np.float32)
