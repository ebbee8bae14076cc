"""Text tables (csv, tsv, gzipped or not): their first lines looked at, or read whole."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import pandas as pd

from squint.errors import InputError
from squint.io import packed
from squint.io.hdf5 import memory_budget

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".csv", ".tsv", ".txt")
START = 1 << 23  # bytes of the first lines, at most
MAX_COLUMNS = 200_000
BYTES_PER_BYTE = 4  # of text, that a table takes while it is read
MISSING = ("", "NA", "NaN", "nan", "null", "NULL", "None")  # where a number is expected


class Start(NamedTuple):
    """How a table begins."""

    delimiter: str
    first: list[str]  # the header, if the table has one
    second: list[str]  # empty in a table of one line


def is_table(path: Path) -> bool:
    """Say whether a file is called like a text table, gzipped or not."""
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def stem(path: Path) -> str:
    """Give a table's name without its endings."""
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    return Path(name).stem


def start_of(path: Path) -> Start:
    """Look at the first two lines of a table.

    Parameters
    ----------
    path
        The file; columns are separated by tabs, commas, semicolons or blanks, whichever there are most of.

    Returns
    -------
    Both lines, cut into columns.

    Raises
    ------
    InputError
        If it cannot be read, or holds no text.
    """
    with packed.opened(path) as stream:
        lines = [stream.readline(START).strip(b"\r\n") for _ in range(2)]
    try:
        texts = [_checked(line, path.name) for line in lines]
        found = {mark: texts[0].count(mark) for mark in "\t,; "}
        delimiter = max(found, key=lambda mark: (found[mark] > 0, mark != " ", found[mark]))
        rows = [next(csv.reader([text], delimiter=delimiter), []) for text in texts]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is no text table: {error}.") from error
    return Start(delimiter, *rows)


def read_table(
    path: Path, names: Sequence[str] = (), delimiter: str = ",", text: Collection[str] = (), skip: int = 0
) -> pd.DataFrame:
    """Read a table whole; columns of numbers become numbers, the others stay text as it is written.

    Parameters
    ----------
    path
        The file.
    names
        Of the columns, where it has no header.
    delimiter
        What separates columns.
    text
        Columns that stay text, such as names of cells.
    skip
        Lines before the first row, where ``names`` are given.

    Returns
    -------
    The table: int64, float64 or text. A missing number is NaN.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, or too large.
    """
    with packed.opened(path, memory_budget() // BYTES_PER_BYTE) as stream:
        header = list(names) or _header(stream, path.name, delimiter)
        for _ in range(skip):
            stream.readline(START)
        table = _parse(stream, path.name, header, dict.fromkeys(header, "string"), delimiter)
    columns = dict(zip(header, table.columns, strict=True))
    return pd.DataFrame(
        {
            name: column.to_pandas().astype(object) if name in text else _typed(column)
            for name, column in columns.items()
        }
    )


def read_numbers(path: Path, types: Mapping[str, str]) -> "pa.Table":
    """Read some columns of a large table of numbers.

    Parameters
    ----------
    path
        The file, with a header, separated by commas.
    types
        Arrow's type of each column that is read: ``{"fov": "int64", "x_local_px": "float64"}``.

    Returns
    -------
    The table.

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, too large, or lacks one of the columns.
    """
    with packed.opened(path) as stream:
        header = _header(stream, path.name, ",")
        if missing := [name for name in types if name not in header]:
            raise InputError(f"{path.name} has no column {missing[0]!r}; there are {', '.join(header[:20])}.")
        return _parse(stream, path.name, header, types, ",")


def _checked(line: bytes, name: str) -> str:
    """Give a line as text, if it may be one of a table."""
    if b"\0" in line or max(map(line.count, (b",", b"\t", b";", b" "))) >= MAX_COLUMNS:
        raise InputError(f"{name} is no text table, or has more than {MAX_COLUMNS:,} columns.")
    return line.decode("utf-8-sig")


def _header(stream: IO[bytes], name: str, delimiter: str) -> list[str]:
    try:
        text = _checked(stream.readline(START).strip(b"\r\n"), name)
        header = next(csv.reader([text], delimiter=delimiter), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} is no text table: {error}.") from error
    if len(set(header)) < len(header):
        twice = next(column for i, column in enumerate(header) if column in header[:i])
        raise InputError(f"{name} has two columns called {twice!r}. Rename or remove one of them.")
    return header


def _parse(
    stream: IO[bytes], name: str, header: Sequence[str], types: Mapping[str, str], delimiter: str
) -> "pa.Table":
    import pyarrow as pa  # noqa: PLC0415 - slow, and only where a table is read
    from pyarrow import csv as arrow_csv  # noqa: PLC0415

    try:
        return arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(column_names=list(header)),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
            convert_options=arrow_csv.ConvertOptions(
                column_types={column: pa.type_for_alias(kind) for column, kind in types.items()},
                include_columns=list(types),
                null_values=list(MISSING),
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is damaged or incomplete: {_in_words(error)}. Copy it again.") from error


def _in_words(error: Exception) -> str:
    first = str(error).strip().splitlines()[0]
    if "UTF8" in first:
        return "its text is not UTF-8"
    return first.removeprefix("CSV parse error: ")[:120].rstrip(".")


def _typed(column: Any) -> "pd.Series[Any]":
    """Give text as numbers, if all of it is."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    missing = pc.is_in(column, value_set=pa.array(MISSING))
    numbers = pc.if_else(missing, pa.scalar(None, pa.string()), column)
    if numbers.null_count < len(column):
        for kind in (pa.int64(), pa.float64()):
            try:
                return cast("pd.Series[Any]", numbers.cast(kind).to_pandas())
            except pa.ArrowInvalid:
                continue
    return cast("pd.Series[Any]", column.to_pandas().astype(object))
