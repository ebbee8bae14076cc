"""Shapes of a SpatialData store: points or polygons by name, from parquet files or the arrays before them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint.errors import DAMAGED, InputError
from squint.io.hdf5 import memory_budget
from squint.io.ngff import Matrix
from squint.io.zarr_store import Store

POINT, POLYGON, MULTIPOLYGON = 0, 3, 6  # as shapely numbers them
GEOMETRY = "geometry"
FILE = "shapes.parquet"
OFFSETS = {
    POINT: 0,
    POLYGON: 2,
    MULTIPOLYGON: 3,
}  # arrays that say where rings, polygons and their groups begin


@dataclass(frozen=True)
class Shapes:
    """Places by name, in their own coordinates.

    Attributes
    ----------
    file
        Where they were read from.
    names
        (m,) of the shapes, as text.
    points
        (m, 2) points, or centroids of polygons; NaN where a shape is empty.
    owners, offsets, corners
        Outer rings: the shape of each (r,), where its corners begin (r + 1,), and these (corners, 2). None of
        points.
    """

    file: str
    names: pd.Index
    points: NDArray[np.float64]
    owners: NDArray[np.int64]
    offsets: NDArray[np.int64]
    corners: NDArray[np.float64]


def read_shapes(store: Store, element: str, instance_key: str) -> Shapes:
    """Read an element of shapes.

    Parameters
    ----------
    store
        The store, which was looked through.
    element
        Its folder: ``"shapes/cells"``.
    instance_key
        The column that names shapes, where the file does not say which one does.

    Returns
    -------
    The shapes.

    Raises
    ------
    InputError
        If they are missing, damaged, of a kind that is not read, or two have one name.
    """
    files = _files(store, element)
    file = f"{element}/{files[0].name}" if files else element
    where = f"{store.name}: {file}"
    try:
        names, geometry = (
            _from_parquet(files[0], instance_key, where) if files else _from_arrays(store, element)
        )
        shapes = _shapes_of(names, geometry, file, where)
    except InputError:
        raise
    except _damaged() as error:
        raise InputError(f"{where} is damaged. Copy it again.") from error
    if not shapes.names.is_unique:
        repeated = shapes.names[shapes.names.duplicated()][0]
        raise InputError(f"{where} has two shapes named {repeated!r}. Name them apart.")
    return shapes


def _files(store: Store, element: str) -> list[Path]:
    """List the files of an element, the one called as spatialdata calls it first; none that a Mac left."""
    found = [path for path in (store.path / element).glob("*.parquet") if not path.name.startswith(".")]
    return sorted((path for path in found if path.is_file()), key=lambda path: (path.name != FILE, path.name))


def _damaged() -> tuple[type[BaseException], ...]:
    import pyarrow as pa  # noqa: PLC0415 - only where shapes are read
    import shapely  # noqa: PLC0415

    return (*DAMAGED, pa.ArrowException, shapely.errors.ShapelyError)


def _from_parquet(path: Path, instance_key: str, where: str) -> tuple[Any, Any]:
    """Read names and geometry, and no other column."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - only where shapes are read
    import shapely  # noqa: PLC0415

    if not path.stat().st_size:
        raise InputError(f"{where}: the file is empty. Copy it again.")
    with pq.ParquetFile(path) as file:
        about, schema = file.metadata, file.schema_arrow
        groups = [about.row_group(i) for i in range(about.num_row_groups)]
        n_bytes = max(sum(group.total_byte_size for group in groups), about.num_rows * 64)
        if n_bytes > memory_budget():
            raise InputError(f"{where} declares {n_bytes / 1e9:,.1f} GB, more than is read here.")
        if GEOMETRY not in schema.names:
            raise InputError(f"{where} has no column {GEOMETRY!r}. Write it again with spatialdata.")
        stated = json.loads((schema.metadata or {}).get(b"geo", b"{}")).get("columns", {}).get(GEOMETRY, {})
        if (encoding := stated.get("encoding", "WKB")) != "WKB":
            raise InputError(f"{where} holds geometry as {str(encoding)[:30]!r}. Write it again as WKB.")
        index = ((schema.pandas_metadata or {}).get("index_columns") or [None])[0]
        if not isinstance(index, str):  # a range, or written by something else than pandas
            index = None if isinstance(index, dict) or instance_key not in schema.names else instance_key
        table = file.read([GEOMETRY, *([index] if index else [])])
        start, step = _range_of((schema.pandas_metadata or {}).get("index_columns"))
    names = table[index].to_pandas() if index else start + step * np.arange(table.num_rows)
    return names, shapely.from_wkb(table[GEOMETRY].to_numpy())


def _range_of(columns: Any) -> tuple[int, int]:
    one = columns[0] if columns and isinstance(columns[0], dict) else {}
    return int(one.get("start", 0)), int(one.get("step", 1))


def _from_arrays(store: Store, element: str) -> tuple[Any, Any]:
    """Read what stores held before there was a parquet file in them."""
    import shapely  # noqa: PLC0415 - only where shapes are read

    with store.open(element) as group:
        if "coords" not in group or "Index" not in group:
            raise InputError(
                f"{store.name} is incomplete: {element}/shapes.parquet is missing. Copy it again."
            )
        kind = int(group.attributes()["spatialdata_attrs"]["geos"]["type"])
        coords = np.asarray(group["coords"][...], np.float64)
        offsets = [
            np.asarray(group[f"offset{i}"][...]).ravel().astype(np.int64) for i in range(OFFSETS[kind])
        ]
        names = np.asarray(group["Index"][...]).ravel()
    limit = len(coords)
    for starts in offsets:
        if not len(starts) or starts[0] != 0 or starts[-1] != limit or (np.diff(starts) < 0).any():
            raise InputError(f"{store.name}: {element} is damaged: its offsets do not fit. Copy it again.")
        limit = len(starts) - 1
    return names, shapely.from_ragged_array(shapely.GeometryType(kind), coords, tuple(offsets) or None)


def _shapes_of(names: Any, geometry: Any, file: str, where: str) -> Shapes:
    import shapely  # noqa: PLC0415 - only where shapes are read

    kinds = set(np.unique(shapely.get_type_id(geometry))) - {-1}
    if kinds - {POINT, POLYGON, MULTIPOLYGON}:
        raise InputError(f"{where} holds neither points nor polygons. Write the shapes as one of them.")
    if len(names) != len(geometry):
        raise InputError(f"{where} is damaged: {len(names)} names for {len(geometry)} shapes.")
    centres = shapely.centroid(geometry)
    points = np.full((len(centres), 2), np.nan)
    there = ~(shapely.is_missing(centres) | shapely.is_empty(centres))
    points[there] = shapely.get_coordinates(centres[there])
    polygons = np.where(shapely.get_type_id(geometry) == POINT, None, geometry)
    parts, owners = shapely.get_parts(polygons, return_index=True)
    corners, ring = shapely.get_coordinates(shapely.get_exterior_ring(parts), return_index=True)
    sizes = np.bincount(ring, minlength=len(parts)) if len(parts) else np.empty(0, np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Shapes(file, as_names(names), points, owners.astype(np.int64), offsets, corners)


def as_names(values: Any) -> pd.Index:
    """Give names of cells or shapes as text, so that 1, 1.0 and "1" are one name."""
    column = pd.Series(np.asarray(values) if not isinstance(values, pd.Series) else values.to_numpy())
    if pd.api.types.is_float_dtype(column.dtype):
        whole = np.isfinite(column) & (column % 1 == 0)
        text = [
            str(int(value)) if is_whole else str(value) for value, is_whole in zip(column, whole, strict=True)
        ]
        return pd.Index(text, dtype=object)
    return pd.Index(column.astype(str), dtype=object)


def moved(points: NDArray[np.float64], matrix: Matrix) -> NDArray[np.float64]:
    """Move points (m, 2) by a matrix on (x, y, 1)."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2], np.float64)


def holds_polygons(store: Store, element: str) -> bool:
    """Say whether an element states that it holds polygons, without reading them.

    Raises
    ------
    InputError
        If it is damaged, or its file is missing.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - only where shapes are read

    files = _files(store, element)
    try:
        if files:
            about = json.loads((pq.read_schema(files[0]).metadata or {}).get(b"geo", b"{}"))
            kinds = about.get("columns", {}).get(GEOMETRY, {}).get("geometry_types", [])
            return any("Polygon" in kind for kind in kinds)
        return int(store.attributes(element)["spatialdata_attrs"]["geos"]["type"]) in {POLYGON, MULTIPOLYGON}
    except _damaged() as error:  # an InputError is among them
        file = files[0].name if files else FILE
        raise InputError(
            f"{element}/{file} is {'damaged' if files else 'missing'}. Copy it again."
        ) from error
