"""Tables of cells as files, in which a damaged page is noticed."""

from pathlib import Path

import pandas as pd

from squint.errors import InputError
from squint.files import whole


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or some columns of it, and refuse one with a damaged page."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        frame: pd.DataFrame = pq.read_table(
            path, columns=columns, page_checksum_verification=True
        ).to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    return frame


def read_columns(path: Path) -> pd.DataFrame:
    """Read a table as :func:`read_table`, its index as a column and text without an object per row."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error
    compact = {pa.string(): pd.StringDtype("pyarrow"), pa.large_string(): pd.StringDtype("pyarrow")}
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, types_mapper=compact.get)
    return frame


def column_names(path: Path) -> list[str]:
    """Name the columns of a table."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are shown
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name} in the library is damaged. Delete the section and add it again.")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table with page checksums, whole or not at all."""
    import pyarrow as pa  # noqa: PLC0415 - only where cells are written
    import pyarrow.parquet as pq  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        pq.write_table(pa.Table.from_pandas(frame), temporary, compression="zstd", write_page_checksum=True)
