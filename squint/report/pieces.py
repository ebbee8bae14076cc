"""The sections of a report in memory: cells, counts, labels and tokens, wherever they are from."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from squint import keys
from squint.errors import DAMAGED, InputError
from squint.geometry.outlines import MAX_CORNERS, Polygon, as_ring
from squint.report.recipe import SectionRecord
from squint.stats.labelings import is_no_type

CELL, TYPE, SECTION = "cell", "cell_type", "section"
_OUTLINE = (SECTION, "polygon", "ring", "x", "y")
LOW_OVERLAP = 0.60  # share of the model's genes, below which tokens are uncertain
NOTED = (
    "gene_overlap",
    "n_genes_shared",
    "n_without_token",
    "n_without_counts",
    "section_condition",
    "share_beyond_p99",
    "warnings",
)


@dataclass
class Piece:
    """A section, as a report computes with it."""

    record: SectionRecord
    adata: Any  # AnnData: counts, positions, labels; with tokens where there is a model
    left_out: str = ""  # cells of low quality, in words
    noted: Mapping[str, Any] = field(default_factory=dict)  # with its tokens; empty without any

    @property
    def values(self) -> str:
        """``"counts"`` or ``"intensities"``."""
        return str(self.adata.uns.get(keys.PROVENANCE, {}).get("values", "counts"))

    @property
    def warnings(self) -> list[str]:
        """What to know before its tokens are trusted."""
        said = [str(line) for line in self.noted.get("warnings", ())]
        overlap = self.noted.get("gene_overlap")
        if overlap is not None and overlap < LOW_OVERLAP:
            said.insert(0, f"Only {overlap:.0%} of the model's genes are measured: tokens are uncertain.")
        return said

    @property
    def share_new(self) -> float:
        """Share of cells that are new to the model; NaN where it is not known."""
        shares = list(self.noted.get("share_beyond_p99", {}).values())
        return float(max(shares)) if shares else float("nan")


def labels_sha256(adata: AnnData) -> str:
    """Hash what the file of a section says of its cells: their names, types and regions, in any order."""
    columns = [_text(adata.obs.get(key), adata.n_obs) for key in (keys.CELL_TYPE, keys.REGION)]
    return hashlib.sha256(_rows([adata.obs_names.to_numpy(dtype=str), *columns])).hexdigest()


def write_types(names: Any, types: Any) -> bytes:
    """Write the types (n,) of cells as a table that goes with a recipe; missing ones are left out."""
    known = pd.Series(types, index=pd.Index(names, dtype=str)).dropna().astype(str)
    return _table((CELL, TYPE), zip(known.index, known, strict=True))


def read_types(content: bytes, names: Sequence[str], where: str) -> "pd.Categorical[Any]":
    """Read the types (n,) of cells from such a table.

    Raises
    ------
    InputError
        If it names other cells.
    """
    found = {cell: name for cell, name in _read(content, (CELL, TYPE), where)}  # noqa: C416 - of two each
    if unknown := set(found) - set(names):
        raise InputError(f"{where} names the cell {min(unknown)!r}, which the section does not hold.")
    return cast("pd.Categorical[Any]", pd.Categorical([found.get(name) for name in names]))


def write_set(members: Mapping[str, Sequence[str]]) -> bytes:
    """Write the cells of a set, by the name of their section, as a table that goes with a recipe."""
    rows = [(section, cell) for section, cells in members.items() for cell in cells]
    return _table((SECTION, CELL), rows)


def read_set(content: bytes, where: str) -> dict[str, set[str]]:
    """Read the cells of a set by section from such a table."""
    found: dict[str, set[str]] = {}
    for section, cell in _read(content, (SECTION, CELL), where):
        found.setdefault(section, set()).add(cell)
    return found


def write_outline(outlines: Mapping[str, Sequence[Polygon]]) -> bytes:
    """Write the outline of a set, by the name of its section, as a table that goes with a recipe."""
    return _table(
        _OUTLINE,
        (
            (section, str(p), str(r), repr(float(x)), repr(float(y)))
            for section, polygons in outlines.items()
            for p, polygon in enumerate(polygons)
            for r, ring in enumerate(polygon)
            for x, y in ring
        ),
    )


def read_outline(content: bytes, where: str) -> dict[str, tuple[Polygon, ...]]:
    """Read the outline of a set by section from such a table.

    Raises
    ------
    InputError
        If it is none, or has too many corners.
    """
    rows = _read(content, _OUTLINE, where)
    if len(rows) > MAX_CORNERS:
        raise InputError(f"{where} has more than {MAX_CORNERS:,} corners.")
    found: dict[str, dict[str, list[Any]]] = {}
    for (section, polygon, _), corners in groupby(rows, lambda row: row[:3]):
        try:
            ring = as_ring([[float(x), float(y)] for *_, x, y in corners], where)
        except ValueError as error:
            raise InputError(f"{where} has a corner that is no number.") from error
        found.setdefault(section, {}).setdefault(polygon, []).append(ring)
    return {name: tuple(tuple(rings) for rings in own.values()) for name, own in found.items()}


def with_types(piece: Piece, types: "pd.Categorical[Any] | None") -> None:
    """Give the cells of a section types in place of those of its file; ``None``: no types."""
    if types is None:
        piece.adata.obs = piece.adata.obs.drop(columns=keys.CELL_TYPE, errors="ignore")
    else:
        piece.adata.obs[keys.CELL_TYPE] = types


def depth(adata: AnnData) -> NDArray[np.float64]:
    """Add up the counts of each cell (n,)."""
    counts: Any = adata.X
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def named_types(cells: pd.DataFrame) -> "pd.Series[Any]":
    """Give the types of cells, missing where a label says that there is none."""
    types = cells[keys.CELL_TYPE].astype(object)
    return types.mask(types.map(lambda name: isinstance(name, str) and is_no_type(name)).astype(bool))


def _text(column: Any, n: int) -> NDArray[np.str_]:
    if column is None:
        return np.full(n, "", dtype=str)
    return np.asarray(column.astype(object).where(column.notna(), "").astype(str).to_numpy(dtype=str))


def _rows(columns: Sequence[NDArray[np.str_]]) -> bytes:
    order = np.argsort(columns[0], kind="stable")
    return "\n".join("\0".join(row) for row in zip(*(c[order] for c in columns), strict=True)).encode()


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue().encode()


def _read(content: bytes, head: tuple[str, ...], where: str) -> list[tuple[str, ...]]:
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    except (*DAMAGED, csv.Error) as error:
        raise InputError(
            f"{where} is no table of cells. Take the one that the report was given with."
        ) from error
    if not rows or tuple(rows[0]) != head or any(len(row) != len(head) for row in rows):
        raise InputError(f"{where} has not the columns {', '.join(head)}.")
    return [tuple(row) for row in rows[1:]]
