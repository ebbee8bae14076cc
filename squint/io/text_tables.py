"""Text tables of cells to pandas: by names of columns, with names of cells as they are written."""

from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path

import pandas as pd

from squint.errors import InputError
from squint.io.counts_csv import UNREADABLE, header, open_text, unreadable
from squint.io.hdf5 import memory_budget

BLOCK = 1 << 24  # bytes read at a time
OF_BUDGET = 4  # a table's text may fill one of so many parts of the memory budget


def read_table(path: Path, text: Sequence[str], leave: Sequence[str] = ()) -> pd.DataFrame:
    """Read a text table.

    Parameters
    ----------
    path
        A table as for :func:`squint.io.counts_csv.columns_of`.
    text
        Columns kept as text; what the others hold is told from their values.
    leave
        Columns that are not read.

    Returns
    -------
    The rows in the order of the file, the columns in that of the header.

    Raises
    ------
    InputError
        If the file cannot be read, holds no rows, is cut off, or larger than memory takes.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow, and only where a table is read
    from pyarrow import csv  # noqa: PLC0415

    limit = memory_budget() // OF_BUDGET
    try:
        with open_text(path) as stream:
            names, delimiter, _ = header(stream, path.name)
            stream.seek(0)
            content = _read_up_to(stream, limit)
    except UNREADABLE as error:
        raise unreadable(path.name, error) from error
    if len(content) > limit:
        raise InputError(
            f"{path.name} has more than {limit / 1e9:,.1f} GB of text: too large to be read here."
        )
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            read_options=csv.ReadOptions(column_names=names, skip_rows=1),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(text, pa.string()),
                include_columns=[name for name in names if name not in set(leave)],
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            raise InputError(f"{path.name} has a header and no rows. Copy it again.") from error
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise InputError(f"{path.name} is incomplete or damaged ({reason}). Copy it again.") from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_up_to(stream: BufferedIOBase, limit: int) -> bytes:
    """Read all, or a little more than a limit: asked for so much at once, Python makes room for all of it."""
    parts, n_bytes = [], 0
    while n_bytes <= limit and (part := stream.read(BLOCK)):
        parts.append(part)
        n_bytes += len(part)
    return b"".join(parts)
