"""Columns of Parquet and CSV files that strangers made, read by Arrow in all threads within bounds."""

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError
from squint.io import packed
from squint.io.hdf5 import memory_budget

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PARQUET = b"PAR1"
MAX_HEADER = 2**20  # bytes of a CSV file's first line
BYTES_PER_VALUE = 12  # with the copies that are made while a column is read
TEXT_BYTES = 64  # of a value of text, as for HDF5


def is_parquet(path: Path) -> bool:
    """Say by its first bytes whether a file is Parquet.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(4) == PARQUET


def column_names(path: Path) -> list[str]:
    """List the columns of a Parquet file, or of a CSV file that may be gzipped.

    Raises
    ------
    InputError
        If it is missing, empty or damaged.
    """
    packed.check_file(path)
    if is_parquet(path):
        with _reading(path.name):
            import pyarrow.parquet as pq  # noqa: PLC0415 - only where an instrument's tables are read

            return [str(name) for name in pq.read_schema(path).names]
    with packed.opened(path) as stream:
        line = stream.readline(MAX_HEADER).decode("utf-8-sig", errors="replace")
    with _reading(path.name):
        return next(csv.reader([line]), [])


def read_columns(path: Path, wanted: Sequence[str] | None = None, text: Collection[str] = ()) -> "pa.Table":
    """Read columns of a Parquet file, or of a CSV file that may be gzipped.

    Parameters
    ----------
    path
        The file; what it is shows in its first bytes.
    wanted
        Names of the columns; by default all that have a name.
    text
        Those that hold text whatever they look like, in a CSV file.

    Returns
    -------
    The table. Text of a Parquet file comes as dictionaries, so that none unfolds.

    Raises
    ------
    InputError
        If it is missing, empty, damaged or too large, or lacks a column.
    """
    there = column_names(path)
    columns = [name for name in there if name] if wanted is None else list(wanted)
    if missing := [name for name in columns if name not in there]:
        raise InputError(f"{path.name} has no column {', '.join(missing)}; it has {', '.join(there[:20])}.")
    if len(set(there)) < len(there):
        raise InputError(f"{path.name} has two columns of one name. Copy it again.")
    with _reading(path.name):
        return _read_parquet(path, columns) if is_parquet(path) else _read_csv(path, columns, text)


def _read_parquet(path: Path, columns: list[str]) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = pq.read_schema(path)
    is_text = {
        name: pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_dictionary(kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    }
    n_rows = pq.read_metadata(path).num_rows
    n_bytes = n_rows * sum(TEXT_BYTES if is_text[name] else BYTES_PER_VALUE for name in columns)
    if n_bytes > memory_budget():
        raise InputError(f"{path.name} declares {n_rows:,} rows, more than memory holds here.")
    return pq.read_table(
        path,
        columns=columns,
        read_dictionary=[name for name in columns if is_text[name]],
        page_checksum_verification=True,
        partitioning=None,
    )


def _read_csv(path: Path, columns: list[str], text: Collection[str]) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read
    from pyarrow import csv as pacsv  # noqa: PLC0415

    kinds = {name: pa.string() for name in columns if name in text}
    with packed.opened(path, memory_budget() // 2) as stream:
        return pacsv.read_csv(
            pa.PythonFile(stream, "r"),
            convert_options=pacsv.ConvertOptions(include_columns=columns, column_types=kinds),
        )


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Say of whatever Arrow raises inside that the file is damaged."""
    try:
        yield
    except InputError:
        raise
    except (*DAMAGED, *packed.DAMAGED, csv.Error) as error:  # those of Arrow are among them
        raise packed.damaged(name) from error


def texts(column: "pa.ChunkedArray") -> NDArray[np.object_]:
    """Give names (n,) as text, whether they are stored as text, bytes or whole numbers.

    Raises
    ------
    InputError
        If some are missing, or they are neither.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read

    if column.null_count:
        raise InputError(f"{column.null_count:,} names are missing.")
    kind = column.type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(value) or pa.types.is_string(value) or pa.types.is_binary(value):
        return np.asarray(column.cast(value).cast(pa.string()).to_numpy(), dtype=object)
    if pa.types.is_large_string(value) or pa.types.is_large_binary(value):
        return np.asarray(column.cast(value).cast(pa.large_string()).to_numpy(), dtype=object)
    raise InputError(f"names are stored as {value}.")


def to_pandas(table: "pa.Table") -> "pd.DataFrame":
    """Turn columns into pandas', text as categories with text as names."""
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read

    found: Any = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        is_text = pa.types.is_string(kind) or pa.types.is_binary(kind)
        coded = column.dictionary_encode() if is_text else column
        is_coded = pa.types.is_dictionary(coded.type)
        found[name] = coded.cast(pa.dictionary(pa.int32(), pa.string())) if is_coded else coded
    frame: pd.DataFrame = pa.table(found).to_pandas()
    return frame
