"""A large text table of counts, cells by genes, to CSR: block by block, so that no more than the counts stay.

The table has one or several columns of text that name the cells, and one column for each feature. Names of
cells are kept as they are written: some instruments have ids of 39 digits, which no type of numbers holds.
"""

import csv
import gzip
import os
import re
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from squint.errors import InputError
from squint.io.hdf5 import memory_budget
from squint.io.mapped import Rows, Scratch

GZIP = b"\x1f\x8b"
ROWS = 2_000  # of a block: so many values of a column are looked at together
BLOCK = (1 << 20, 1 << 24)  # bytes of a block, at least and at most
MAX_LINE = 1 << 25  # bytes
MAX_COLUMNS = 200_000
MAX_WORKERS = 8
BYTES_PER_VALUE = 8  # stored in CSR
NO_FEATURES = {
    "",
    "unnamed: 0",
    "cell",
    "cell_id",
    "cellid",
    "entityid",
    "barcode",
    "fov",
}  # in small letters
UNREADABLE = (OSError, EOFError, zlib.error)  # raised where a file cannot be read or unpacked
_BAD_VALUE = re.compile(
    r"In CSV column #(\d+): Row #(\d+): CSV conversion error to (\w+): (?:invalid value '(.*)')?", re.DOTALL
)
_BAD_ROW = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")


class CountsTable(NamedTuple):
    """What a table of counts holds."""

    counts: sparse.csr_matrix  # float32 (n, features), finite
    ids: pd.DataFrame  # (n, columns that name cells), text as written
    features: list[str]


class _Block(NamedTuple):
    """Whole lines of the table."""

    text: bytes
    line: int  # of the file, of its first


def open_text(path: Path) -> BufferedIOBase:
    """Open a text file for reading bytes, unpacking it if its first bytes are gzip's, whatever its name.

    What is raised while it is read is one of ``UNREADABLE``.
    """
    with path.open("rb") as file:
        packed = file.read(len(GZIP)) == GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")


def columns_of(path: Path) -> list[str]:
    """Give the names of a table's columns; the first may be empty.

    Parameters
    ----------
    path
        A text table with a header, separated by commas or tabs, perhaps gzipped. A header of one name less
        than the first row, as R writes it, has its unnamed first column added.

    Returns
    -------
    The names.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, holds no header, or two columns share a name.
    """
    try:
        with open_text(path) as stream:
            return header(stream, path.name)[0]
    except UNREADABLE as error:
        raise unreadable(path.name, error) from error


def read_counts_csv(path: Path, id_columns: Sequence[str], scratch: Scratch | None = None) -> CountsTable:
    """Read a text table of counts.

    Parameters
    ----------
    path
        As for :func:`columns_of`.
    id_columns
        Columns that are no features, kept as text; ``""`` is an unnamed first column. Others that are called
        like names or numbers of rows are kept so too.
    scratch
        Where to make files that the counts lie in; None: in memory.

    Returns
    -------
    Counts, names of cells, and features, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, cut off, holds something that is no number, or more than
        memory takes. It names the line.
    """
    try:
        with open_text(path) as stream:
            names, delimiter, rest = header(stream, path.name)
            ids = [*id_columns, *(name for name in naming(names) if name not in id_columns)]
            return _read(stream, rest, _Parser(path.name, names, ids, delimiter), scratch)
    except UNREADABLE as error:
        raise unreadable(path.name, error) from error


def naming(columns: Sequence[str]) -> list[str]:
    """List the columns that are called like names of cells, or are R's numbers of rows: no features."""
    return [name for name in columns if name.strip().lower() in NO_FEATURES]


def unreadable(name: str, error: BaseException) -> InputError:
    """Say what one of ``UNREADABLE`` means for the user."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name} was not found.")
    if isinstance(error, PermissionError):
        return InputError(f"{name} may not be read by this user. Change its permissions.")
    return InputError(f"{name} is incomplete or damaged: it cannot be unpacked. Copy it again.")


def header(stream: BufferedIOBase, name: str) -> tuple[list[str], str, bytes]:
    """Give the names of columns, what separates them, and the line after the header."""
    first = stream.readline(MAX_LINE)
    second = stream.readline(MAX_LINE)
    if not first:
        raise InputError(f"{name}: the file is empty. Copy it again.")
    if MAX_LINE in {len(first), len(second)}:
        raise InputError(f"{name} is no table: a line has more than {MAX_LINE:,} bytes.")
    try:
        lines = [first.decode("utf-8-sig").rstrip("\r\n"), second.decode(errors="replace").rstrip("\r\n")]
        delimiter = "\t" if lines[0].count("\t") > lines[0].count(",") else ","
        if lines[0].count(delimiter) >= MAX_COLUMNS:
            raise InputError(
                f"{name} has more than {MAX_COLUMNS:,} columns: it is no table of cells by genes."
            )
        names, row = (next(csv.reader([line], delimiter=delimiter), []) for line in lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} is no text table: {error}.") from error
    if len(row) == len(names) + 1:
        names = ["", *names]
    if len(names) > len(set(names)):
        twice = Counter(names).most_common(1)[0][0]
        raise InputError(f"{name} has two columns called {twice!r}. Rename or remove one of them.")
    return names, delimiter, second


class _Parser:
    """Turns blocks of lines into names of cells and counts; used by several threads at once."""

    def __init__(self, name: str, names: list[str], id_columns: Sequence[str], delimiter: str) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow, and only where a table is read

        if missing := [column for column in id_columns if column not in names]:
            raise InputError(f"{name} has no column {missing[0]!r}; its first is {names[0]!r}.")
        if len(names) == len(id_columns):
            raise InputError(f"{name} has no columns of counts beside {', '.join(map(repr, names))}.")
        self.name = name
        self.names = names
        self.id_columns = list(id_columns)
        self.features = [column for column in names if column not in set(id_columns)]
        self._delimiter = delimiter
        self._kind = pa.int32()  # of values; float32 from the first block on that needs it

    def parse(self, block: _Block) -> tuple[Any, sparse.csr_matrix]:
        """Give the names and counts of a block's cells."""
        import pyarrow as pa  # noqa: PLC0415

        try:
            table = self._table(block, self._kind)
        except pa.ArrowInvalid as error:
            if self._kind == pa.float32() or not _BAD_VALUE.match(str(error)):
                raise self._refused(block, str(error)) from error
            try:
                table = self._table(block, pa.float32())
            except pa.ArrowInvalid as second:
                raise self._refused(block, str(second)) from second
            self._kind = pa.float32()
        return table.select(self.id_columns), self._counts(table, block)

    def _table(self, block: _Block, kind: Any) -> Any:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import csv as arrow_csv  # noqa: PLC0415

        kinds = dict.fromkeys(self.names, kind) | dict.fromkeys(self.id_columns, pa.string())
        return arrow_csv.read_csv(
            pa.BufferReader(block.text),
            # one piece, by one thread: then errors name the row, and other threads have other blocks
            read_options=arrow_csv.ReadOptions(
                column_names=self.names, use_threads=False, block_size=len(block.text) + 1
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter),
            convert_options=arrow_csv.ConvertOptions(column_types=kinds, null_values=[]),
        )

    def _counts(self, table: Any, block: _Block) -> sparse.csr_matrix:
        """Take what is not zero, column by column as it was parsed, and turn it to rows."""
        shape = (table.num_rows, len(self.features))
        columns = [column.chunk(0).to_numpy() for column in table.select(self.features).itercolumns()]
        at = [np.flatnonzero(column) for column in columns]
        values = np.concatenate([column[rows] for column, rows in zip(columns, at, strict=True)])
        rows = np.concatenate(at)
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in at])])
        odd = np.flatnonzero(~np.isfinite(values))
        if len(odd):
            feature = self.features[int(np.searchsorted(starts, odd[0], side="right")) - 1]
            raise self._no_number(block, int(rows[odd[0]]) + 1, feature, str(values[odd[0]]))
        by_column = (values.astype(np.float32), rows.astype(np.int32), starts.astype(np.int32))
        return sparse.csc_matrix(by_column, shape=shape).tocsr()

    def _refused(self, block: _Block, message: str) -> InputError:
        if found := _BAD_ROW.match(message):
            row, wanted, got = map(int, found.groups())
            where = f"{self.name}, line {self._line(block, row):,}"
            return InputError(
                f"{where}: {got:,} columns, and {wanted:,} in the header. It is incomplete or damaged: "
                "copy it again."
            )
        if found := _BAD_VALUE.match(message):
            row, column = int(found[2]), self.names[int(found[1])]
            if found[3] != "string":
                return self._no_number(block, row, column, found[4] or "")
            line = self._line(block, row)
            return InputError(f"{self.name}, line {line:,}: its text is not UTF-8. Write it anew.")
        return InputError(f"{self.name} is damaged after line {block.line:,}. Copy it again.")

    def _no_number(self, block: _Block, row: int, column: str, value: str) -> InputError:
        shown = repr(value[:20]) if value else "nothing"
        return InputError(
            f"{self.name}, line {self._line(block, row):,}: {shown} in column {column!r} is no count. Copy "
            "the table again."
        )

    def _line(self, block: _Block, row: int) -> int:
        """Give the line of the file that a row stands in: empty lines are no rows."""
        filled = (i for i, line in enumerate(block.text.split(b"\n")) if line.rstrip(b"\r"))
        return block.line + next(line for i, line in enumerate(filled, 1) if i == row)


def _read(stream: BufferedIOBase, rest: bytes, parser: _Parser, scratch: Scratch | None) -> CountsTable:
    import pyarrow as pa  # noqa: PLC0415

    ids: list[pa.Table] = []
    gathered: _InMemory | Rows = (
        _InMemory(parser.name) if scratch is None else Rows(scratch.folder, np.iinfo(np.int64).max)
    )
    for table, counts in _in_order(parser, _blocks(stream, rest, parser)):
        ids.append(table)
        gathered.append(counts)
    if not ids:
        raise InputError(f"{parser.name} has a header and no cells. Copy it again.")
    return CountsTable(gathered.finish(), pa.concat_tables(ids).to_pandas(), parser.features)


def _blocks(stream: BufferedIOBase, rest: bytes, parser: _Parser) -> Iterator[_Block]:
    """Cut what follows the header at ends of lines; ``rest`` of it was read before."""
    smallest, largest = BLOCK
    size = min(max(smallest, 2 * len(parser.names) * ROWS), largest)
    line = 2
    while part := stream.read(size):
        end = part.rfind(b"\n") + 1
        if end:
            text, rest = rest + memoryview(part)[:end], part[end:]
            yield _Block(text, line)
            line += text.count(b"\n")
        elif len(rest) + len(part) <= MAX_LINE:
            rest += part
        else:
            raise InputError(
                f"{parser.name}, line {line:,}: it has more than {MAX_LINE:,} bytes. Copy it again."
            )
    if rest:
        yield _Block(rest, line)


def _in_order(parser: _Parser, blocks: Iterator[_Block]) -> Iterator[tuple[Any, sparse.csr_matrix]]:
    """Parse some blocks at a time, while the next is read, and give them in their order."""
    n_workers = min(os.cpu_count() or 1, MAX_WORKERS)
    waiting: deque[Future[tuple[Any, sparse.csr_matrix]]] = deque()
    with ThreadPoolExecutor(n_workers) as workers:
        for block in blocks:
            if not block.text.isspace():
                waiting.append(workers.submit(parser.parse, block))
            if len(waiting) > n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _InMemory:
    """Gathers rows, and gives them as one matrix; like :class:`squint.io.mapped.Rows`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = memory_budget()
        self._blocks: list[sparse.csr_matrix] = []

    def append(self, block: sparse.csr_matrix) -> None:
        """Add rows, as long as memory lasts."""
        self._blocks.append(block)
        self._left -= BYTES_PER_VALUE * block.nnz
        if self._left < 0:
            raise InputError(
                f"{self._name} holds more counts than fit into memory. Give a scratch folder, or split it."
            )

    def finish(self) -> sparse.csr_matrix:
        """Give all rows as one matrix."""
        return sparse.vstack(self._blocks, format="csr")
