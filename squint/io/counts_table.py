"""A table of counts beside one of positions: cells by genes or genes by cells, joined by names of cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import tenx
from squint.io.content import Answers, Asked, Content, Reader
from squint.io.counts_csv import columns_of, naming, read_counts_csv
from squint.io.counts_table_files import Pair, Positions, look, pairs_in
from squint.io.delimited import is_table, read_table, start_of
from squint.io.findings import AskedError, Findings, Question, choose
from squint.io.positions import find_columns

CELLS_BY_GENES, GENES_BY_CELLS = "cells-by-genes", "genes-by-cells"
FITS = 0.5  # share of an axis' names that occur among the positions', above which it is that of cells
UNITS = {"um": 1.0, "mm": 1000.0}  # at the end of names of columns: x_um
ROW_NUMBERS = {"", "Unnamed: 0"}  # what a first column is called that R or pandas added
AXES = ("x", "y", "z")


class Matrix(NamedTuple):
    """Values, with the names of both axes."""

    values: sparse.csr_matrix
    rows: pd.Index
    columns: pd.Index
    var: pd.DataFrame | None  # of the columns, where it is known that they are features


def reads(path: Path) -> bool:
    """Say whether a folder holds a table of counts and one of positions."""
    return path.is_dir() and bool(pairs_in(look(path)))


def parts(path: Path) -> list[str]:
    """Name the tables of counts in a folder."""
    return [pair.name for pair in pairs_in(look(path))]


def columns(path: Path) -> list[str]:
    """List the columns of the tables of positions."""
    names = {name for pair in pairs_in(look(path)) for name in pair.positions.names}
    return sorted(names - {""})


def read(path: Path, asked: Asked) -> Content:
    """Read counts and positions.

    Parameters
    ----------
    path
        The folder.
    asked
        What the user says.

    Returns
    -------
    The content, in the order of the table of counts.

    Raises
    ------
    InputError
        If a table is damaged, or they do not belong together.
    AskedError
        If it is not clear which axis is that of the cells, or which position is whose.
    """
    found = {pair.name: pair for pair in pairs_in(look(path))}
    pair = found[
        choose("section", asked.part or None, "It holds several tables of counts.", list(found), path.name)
    ]
    if pair.is_shared and asked.answers.section is None:
        words = f"It holds {len(found)} tables of counts and one of positions, {pair.positions.path.name}."
        raise AskedError(Question("section", words, tuple(found), path.name))
    findings = Findings()
    matrix = _read_matrix(pair.counts, asked)
    table, axes = _read_positions(pair.positions, asked.answers.columns)
    others = table.drop(columns=list(axes.values()))
    matrix, picked, column = _match(matrix, others, pair, asked.answers, findings)
    obs = others.drop(columns=[] if column is None else [column]).iloc[picked].apply(_as_numbers)
    obs.index = matrix.rows
    findings.find("cells", len(obs), pair.positions.path.name)
    findings.find("features", len(matrix.columns), pair.counts.name)
    findings.assume("y points down", "nothing shows it: as stored", pair.positions.path.name)
    return Content(
        counts=matrix.values,
        obs=obs,
        var=pd.DataFrame(index=matrix.columns) if matrix.var is None else matrix.var,
        obsm={keys.SPATIAL: _spatial(table.iloc[picked], axes, pair.positions.path.name)},
        um_per_unit=_unit([str(column) for column in axes.values()]),
        counts_file=pair.counts.name,
        findings=findings,
    )


def _read_matrix(path: Path, asked: Asked) -> Matrix:
    if not is_table(path):
        matrix = tenx.read_matrix(path)
        return Matrix(matrix.counts, pd.Index(matrix.barcodes), matrix.var.index, matrix.var)
    if (mark := start_of(path).delimiter) not in {",", "\t"}:
        raise InputError(f"{path.name} separates columns by {mark!r}. Write it with commas or tabs.")
    columns = columns_of(path)
    first = columns[0] if columns[0] not in ROW_NUMBERS else [*naming(columns[1:]), columns[0]][0]
    table = read_counts_csv(path, [first], asked.scratch)
    return Matrix(
        table.counts, pd.Index(table.ids[first], dtype=object, name=None), pd.Index(table.features), None
    )


def _read_positions(table: Positions, chosen: Mapping[str, str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read a table of positions, and find its columns of x, y and perhaps z."""
    try:
        axes, others = find_columns(table.names, {key: chosen[key] for key in AXES if chosen.get(key)})
    except InputError as error:
        raise InputError(f"{table.path.name}: {error}") from error
    found = read_table(table.path, table.names, table.delimiter, others, table.n_header)
    return found, axes


def _match(
    matrix: Matrix, table: pd.DataFrame, pair: Pair, answers: Answers, findings: Findings
) -> tuple[Matrix, NDArray[np.int64], str | None]:
    """Find the axis of cells; give cells by genes, the row of each one's position, and the names' column."""
    names = {axis: _column_of(index, table) for axis, index in _axes(matrix).items()}
    orientation = _orientation(matrix, names, len(table), pair, answers)
    column = names[orientation]
    if orientation == GENES_BY_CELLS:
        matrix = Matrix(matrix.values.T.tocsr(), matrix.columns, matrix.rows, None)
    if column is None:
        return matrix, _by_row(matrix, len(table), pair, answers, findings), None
    return matrix, _by_name(matrix.rows, pd.Index(table[column]), pair, findings), column


def _axes(matrix: Matrix) -> dict[str, pd.Index]:
    rows = {CELLS_BY_GENES: matrix.rows}
    return rows if matrix.var is not None else rows | {GENES_BY_CELLS: matrix.columns}


def _column_of(names: pd.Index, table: pd.DataFrame) -> str | None:
    """Find the column of the positions that holds the names of an axis, if one does."""
    shares = {str(column): float(names.isin(table[column]).mean()) for column in table}
    best = max(shares, key=lambda column: shares[column], default=None)
    return best if best is not None and shares[best] > FITS else None


def _orientation(
    matrix: Matrix, names: Mapping[str, str | None], n_positions: int, pair: Pair, answers: Answers
) -> str:
    """Find the axis of cells: by names, else by number; asked where both fit."""
    fitting = [axis for axis in names if names[axis] is not None]
    sizes = {axis: len(index) for axis, index in _axes(matrix).items()}
    if answers.orientation is not None or len(fitting) > 1:
        words = "Which axis of the table of counts is that of the cells is not clear."
        return choose("orientation", answers.orientation, words, list(sizes), pair.counts.name)
    file = pair.positions.path.name
    as_many = fitting or [axis for axis in sizes if sizes[axis] == n_positions]
    if not as_many:
        raise InputError(
            f"{pair.counts.name} has {len(matrix.rows):,} rows and {len(matrix.columns):,} columns of "
            f"values, and {file} {n_positions:,} positions, without names in common: they do not belong "
            "together."
        )
    words = f"Its rows and its columns are as many as the positions in {file}, without names in common."
    return choose("orientation", None, words, as_many, pair.counts.name)


def _by_row(
    matrix: Matrix, n_positions: int, pair: Pair, answers: Answers, findings: Findings
) -> NDArray[np.int64]:
    file, n = pair.positions.path.name, len(matrix.rows)
    if n != n_positions:
        raise InputError(
            f"{pair.counts.name} has {n:,} cells, and {file} {n_positions:,} positions, which do not name "
            "them: they cannot be matched by row."
        )
    if answers.match != "rows":
        words = (
            f"It does not name the {n:,} cells of {pair.counts.name}, and has as many rows. Are they in the "
            "same order?"
        )
        raise AskedError(Question("match", words, ("rows",), file))
    findings.assume("cells and positions are in the same order", "as you say", file, n)
    return np.arange(n)


def _by_name(cells: pd.Index, names: pd.Index, pair: Pair, findings: Findings) -> NDArray[np.int64]:
    file = pair.positions.path.name
    for index, where in ((cells, pair.counts.name), (names[names.isin(cells)], file)):
        if n_repeated := int(index.duplicated().sum()):
            raise InputError(
                f"{where} names {n_repeated:,} cells that it named before. Remove or rename them."
            )
    named = names.isin(cells)
    rows = pd.Index(names[named]).get_indexer(cells)
    if n_without := int((rows < 0).sum()):
        raise InputError(
            f"{n_without:,} of the {len(cells):,} cells of {pair.counts.name} have no position in {file}, "
            f"which has {len(names):,}. Remove them, or add their positions."
        )
    if n_more := len(names) - len(cells):
        findings.leave_out("positions", n_more, f"{pair.counts.name} has no counts for them", file)
    at: NDArray[np.int64] = np.flatnonzero(named)[rows]
    return at


def _spatial(table: pd.DataFrame, axes: Mapping[str, str], file: str) -> NDArray[np.float64]:
    for column in axes.values():
        if not pd.api.types.is_numeric_dtype(table[column].dtype):
            raise InputError(
                f"{file}: column {column!r} holds text where positions are expected. Correct it."
            )
    spatial = table[list(axes.values())].to_numpy(np.float64)
    if n_bad := int((~np.isfinite(spatial)).any(axis=1).sum()):
        raise InputError(f"{file}: {n_bad:,} rows have no position. Remove them, and their counts.")
    return spatial


def _as_numbers(column: pd.Series) -> pd.Series:
    """Give text as numbers, if all of it is."""
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column


def _unit(names: list[str]) -> float | None:
    """Give micrometres of one unit, where names of columns end with it."""
    endings = {name.lower().rpartition("_")[2] for name in names}
    return UNITS.get(endings.pop()) if len(endings) == 1 else None


READER = Reader("table of counts beside one of positions", reads, read, columns, parts=parts)
