from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from squint import keys
from squint.errors import InputError
from squint.io import slots
from squint.io.counts_csv import columns_of
from squint.io.text_tables import read_table
from squint.tl._named import Named

_CELLS = {"", "cell", "cell_id", "cellid", "cell id", "barcode", "barcodes", "unnamed: 0", "index"}
_TYPES = {
    "cell_type",
    "celltype",
    "cell type",
    "annotation",
    "label",
    "cluster",
    "group",
    "type",
    "predicted_labels",
}
_CONFIDENCES = {"confidence", "probability", "conf_score", "score"}


class LabelColumns(NamedTuple):
    """Columns of a table of labels."""

    every: list[str]
    cells: str | None  # that of the ids of cells, where only one can be meant
    types: str | None  # that of their names, likewise


@dataclass(frozen=True)
class LabelFile:
    """Names from a table with a row per cell, such as R, Loupe or Xenium Explorer write.

    Parameters
    ----------
    path
        CSV or TSV with a header, gzipped or not.
    cells, types
        Its columns with the ids of cells and with their names; by default told from what they are called,
        where only one column of each can be meant.
    confidence
        Its column of the names' confidence, from 0 to 1; by default one that is called so.
    min_matched
        Share of the section's cells that the table must name.
    """

    path: str | Path
    cells: str | None = None
    types: str | None = None
    confidence: str | None = None
    min_matched: float = 0.5

    word = "file"

    def columns(self) -> LabelColumns:
        """Look which columns the table has, and which are meant as far as that can be told.

        Raises
        ------
        InputError
            If it cannot be read, or has no header.
        """
        header = columns_of(Path(self.path))
        cells = _only(header, _CELLS)
        return LabelColumns(header, cells, _only([name for name in header if name != cells], _TYPES))

    def name(self, adata: AnnData, seed: int) -> Named:  # noqa: ARG002 - nothing is left to chance
        """Give each cell the name that the table has for it."""
        path = Path(self.path)
        if not path.is_file():
            raise InputError(f"{path} is no file. Give a CSV of cells and their types.")
        header = columns_of(path)
        cells = _choose(header, self.cells, _CELLS, "ids of cells", path)
        others = [name for name in header if name != cells]
        types = _choose(others, self.types, _TYPES, "types", path)
        sure = self.confidence if self.confidence is not None else _only(others, _CONFIDENCES)
        if sure is not None and sure not in others:
            raise InputError(f"{path.name} has no column {sure!r}; it has {', '.join(header[:20])}.")
        table = read_table(path, [cells, types], [name for name in others if name not in {types, sure}])
        ids = table[cells].astype(object).map(lambda value: str(value).strip())
        if n_twice := int(ids.duplicated().sum()):
            raise InputError(
                f"{path.name} names {n_twice:,} cells twice, such as {ids[ids.duplicated()].iloc[0]!r}."
            )
        rows, by = _rows(adata, pd.Index(ids))
        n_matched = int((rows >= 0).sum())
        if n_matched < self.min_matched * adata.n_obs or not n_matched:
            raise InputError(
                f"{path.name} names {n_matched:,} of the section's {adata.n_obs:,} cells by column "
                f"{cells!r}, fewer than {self.min_matched:.0%}. Cells of the section are like "
                f"{adata.obs_names[0]!r}, those of the table like {ids.iloc[0]!r}: choose another column, or "
                "the table of this section."
            )
        named = slots.labels(table[types])
        codes = np.where(rows >= 0, np.asarray(named.codes)[rows], -1)
        labels = pd.Categorical.from_codes(codes, named.categories.astype(object)).remove_unused_categories()
        found = np.full(adata.n_obs, np.nan, dtype=np.float32)
        if sure is not None:
            found = np.where(rows >= 0, _confidence(table[sure], path)[rows], np.nan).astype(np.float32)
        n_more = len(ids) - n_matched
        notes = [
            f"{path.name}: column {types!r} names cells by {cells!r} ({by}); {adata.n_obs - n_matched:,} of "
            f"{adata.n_obs:,} cells are not in it, {n_more:,} of its rows name no cell of the section."
        ]
        asked = {"cells": cells, "types": types, "confidence": sure, "min_matched": self.min_matched}
        facts = {"file": path.name, "n_matched": n_matched, "n_rows": len(ids), "n_rows_unmatched": n_more}
        return Named(labels, found, asked, facts, notes)


def _choose(header: Sequence[str], asked: str | None, usual: set[str], what: str, path: Path) -> str:
    """Choose a column: the one asked for, or the only one that can be meant."""
    if asked is not None:
        if asked not in header:
            raise InputError(f"{path.name} has no column {asked!r}; it has {', '.join(header[:20])}.")
        return asked
    found = header[0] if len(header) == 1 else _only(header, usual)
    if found is None:
        raise InputError(
            f"{path.name} does not say which column holds the {what}. Name one of {', '.join(header[:20])}."
        )
    return found


def _only(header: Sequence[str], usual: set[str]) -> str | None:
    found = [name for name in header if name.strip().casefold() in usual]
    return found[0] if len(found) == 1 else None


def _rows(adata: AnnData, ids: pd.Index) -> tuple["np.ndarray[tuple[int], np.dtype[np.intp]]", str]:
    """Say which row of the table each cell has (n,), -1 for none, by its name or the instrument's id."""
    ways = {"their names": ids.get_indexer(pd.Index(adata.obs_names.astype(str)))}
    if keys.CELL_ID in adata.obs:
        own = pd.Index(adata.obs[keys.CELL_ID].astype(str))
        if own.is_unique:
            ways["the instrument's ids"] = ids.get_indexer(own)
    by = max(ways, key=lambda way: int((ways[way] >= 0).sum()))
    return ways[by], by


def _confidence(column: "pd.Series[float]", path: Path) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    try:
        values = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([np.inf])
    known = values[~np.isnan(values)]
    if not ((known >= 0) & (known <= 1)).all():
        raise InputError(
            f"{path.name}: column {column.name!r} holds no confidences from 0 to 1. Name another."
        )
    return values
