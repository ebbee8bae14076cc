"""Outlines of MERSCOPE's cells: of each cell one plane, from a table of polygons or the older HDF5 files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError
from squint.io.boundaries import Boundaries, from_rings
from squint.io.findings import Findings
from squint.io.hdf5 import memory_budget
from squint.io.merscope_hdf5 import read_folder
from squint.io.wkb import Rings, decode

FOLDER = "cell_boundaries"
TABLES = (
    "cell_boundaries.parquet",
    "cell_micron_space.parquet",
    "cellpose_micron_space.parquet",
    "cellpose2_micron_space.parquet",
)  # those in mosaic_space count pixels
IDS = ("EntityID", "ID")
ROW_BYTES = 32  # of ids and planes, with what is made of them
BUFFER = 1 << 22  # bytes
BATCH = 1 << 12  # outlines decoded at once; more of them leave the processor's cache


class _Chosen(NamedTuple):
    """Which rows of a table are used."""

    rows: NDArray[np.int64]  # ascending
    cells: NDArray[np.int64]  # of the section, of each of these rows
    planes: str  # in words


def read_outlines(path: Path, prefix: str, ids: pd.Index, findings: Findings) -> Boundaries | None:
    """Read one outline of each cell from the first source of a folder that has any.

    Parameters
    ----------
    path
        The folder.
    prefix
        What its files' names begin with.
    ids
        Of the cells (n,), as text.
    findings
        Added to.

    Returns
    -------
    The outlines, in micrometres; None if there are none.
    """
    taken: Boundaries | None = None
    used = ""
    for source in _sources(path, prefix):
        name = source.relative_to(path).as_posix()
        if taken is not None:
            findings.leave_out("outlines", None, f"those of {used} are used", name)
            continue
        try:
            read = read_folder if source.is_dir() else _read_table
            outlines, planes = read(source, name, ids, findings)
        except InputError as error:
            findings.leave_out("outlines", None, str(error).rstrip("."), name)
            continue
        if len(outlines.cells):
            taken, used = outlines, name
            findings.find("outlines", len(outlines.cells), name, planes)
        else:
            findings.leave_out("outlines", None, "none is of a cell of the counts", name)
    if taken is None:
        findings.note("There are no outlines of cells: cells are drawn as discs.")
    elif len(taken.cells) < len(ids):
        findings.note(f"{len(ids) - len(taken.cells):,} cells have no outline in {used}.")
    return taken


def _sources(path: Path, prefix: str) -> Iterator[Path]:
    """Find tables in the folder and in those of Cellpose, then the folder of HDF5 files; no links."""
    inside = [entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.is_symlink()]
    folders = [path, *(entry for entry in inside if entry.name.lower().startswith("cellpose"))]
    for folder in folders:
        for start in dict.fromkeys([prefix, ""]):
            for name in TABLES:
                if (file := folder / f"{start}{name}").is_file() and not file.is_symlink():
                    yield file
    yield from (entry for entry in inside if entry.name in {f"{prefix}{FOLDER}", FOLDER})


def _read_table(path: Path, name: str, ids: pd.Index, findings: Findings) -> tuple[Boundaries, str]:
    """Read outlines from GeoParquet: ids and planes first, then only the polygons that are used."""
    import pyarrow as pa  # noqa: PLC0415 - only where such a table is read
    import pyarrow.parquet as pq  # noqa: PLC0415
    import shapely  # noqa: PLC0415

    try:
        # buffered, so that a row group of many hundred MB is not held as a whole
        with pq.ParquetFile(path, buffer_size=BUFFER, page_checksum_verification=True) as file:
            key, plane, geometry = _columns(file, path.name)
            chosen = _choose_rows(file.read([key, *plane]), key, plane, ids)
            rings, n_damaged = _rings(file, geometry, chosen)
    except InputError:
        raise
    except (pa.ArrowException, shapely.errors.ShapelyError, *DAMAGED) as error:
        raise InputError("the file is incomplete or damaged") from error
    if n_damaged:
        findings.leave_out("outlines", n_damaged, "they are damaged, or no polygons", name)
    offsets = np.concatenate([[0], np.cumsum(rings.sizes)])
    return from_rings(rings.cells, offsets, rings.corners), chosen.planes


def _columns(file: Any, name: str) -> tuple[str, list[str], str]:
    """Find the columns of ids, planes (perhaps none) and polygons."""
    import pyarrow as pa  # noqa: PLC0415

    if file.metadata.num_rows * ROW_BYTES > memory_budget():
        raise InputError(f"it declares {file.metadata.num_rows:,} rows, more than memory takes")
    schema = file.schema_arrow
    by_name = {column.lower(): column for column in schema.names}
    key = next((column for column in IDS if column in schema.names and _is_id(schema.field(column))), None)
    geometry = by_name.get("geometry")
    if key is None or geometry is None:
        raise InputError(f"{name} has no columns of exact ids and polygons")
    kind = schema.field(geometry).type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        raise InputError(f"its polygons are stored as {kind}, not as WKB")
    return key, [by_name["zindex"]] if "zindex" in by_name else [], geometry


def _is_id(field: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415

    kind = field.type
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _choose_rows(table: Any, key: str, plane: list[str], ids: pd.Index) -> _Chosen:
    """Choose for each cell the row of the middle plane, or of the nearest to it in which the cell has one."""
    cells = _cells_of(table[key], ids)
    known = np.flatnonzero(cells >= 0)
    if not plane or not len(known):
        return _Chosen(known, cells[known], "")
    z = table[plane[0]].to_numpy().astype(np.float64)
    levels = np.unique(z[known])
    middle = levels[len(levels) // 2]
    rows = known[z[known] == middle]
    has_middle = np.zeros(len(ids), bool)
    has_middle[cells[rows]] = True
    rest = known[~has_middle[cells[known]]]
    rest = rest[np.lexsort((z[rest], np.abs(z[rest] - middle), cells[rest]))]
    rest = rest[np.concatenate([[True], cells[rest][1:] != cells[rest][:-1]])] if len(rest) else rest
    words = f"of plane {middle:g}" + (f", the middle one of {len(levels)}" if len(levels) > 1 else "")
    if len(rest):
        words += f"; of {len(rest):,} cells, which have none there, of the nearest plane"
    rows = np.sort(np.concatenate([rows, rest]))
    return _Chosen(rows, cells[rows], words)


def _cells_of(column: Any, ids: pd.Index) -> NDArray[np.int64]:
    """Give the cell of the section that each id is of; -1 where it is none of them."""
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    names = pa.array(ids, pa.string())
    if pa.types.is_integer(column.type) and not column.null_count:
        try:
            numbers = names.cast(column.type)
        except pa.ArrowInvalid:  # ids of another kind, or too large
            return np.full(len(column), -1)
        if numbers.cast(pa.string()).equals(names):
            return np.asarray(pd.Index(numbers.to_numpy()).get_indexer(column.to_numpy()))
    return np.asarray(ids.get_indexer(pd.Index(pc.cast(column, pa.string()).to_pandas())))


def _rings(file: Any, geometry: str, chosen: _Chosen) -> tuple[Rings, int]:
    """Decode the chosen polygons, and say how many of them are damaged."""
    decoded = [Rings(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2)))]
    start = 0
    for group in range(file.num_row_groups):
        stop = start + file.metadata.row_group(group).num_rows
        first, last = np.searchsorted(chosen.rows, [start, stop])
        parts = []
        batches = file.iter_batches(BATCH, row_groups=[group], columns=[geometry], use_threads=False)
        for batch in batches if first < last else ():
            low, high = np.searchsorted(chosen.rows, [start, start + len(batch)])
            parts.append(batch.column(0).take(chosen.rows[low:high] - start))
            start += len(batch)
        decoded += decode(parts, chosen.cells[first:last])
        start = stop
    n_rings = sum(len(part.cells) for part in decoded)
    cells, sizes, corners = (np.concatenate(arrays) for arrays in zip(*decoded, strict=True))
    return Rings(cells, sizes, corners), len(chosen.rows) - n_rings
