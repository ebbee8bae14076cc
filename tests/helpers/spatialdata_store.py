"""Small SpatialData stores as the package writes them: a table, shapes, labels and pictures of numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import zarr
from anndata import AnnData
from anndata.io import write_elem
from numpy.typing import NDArray
from scipy import sparse

N_CELLS = 12
GENES = ["A", "B", "C"]


def counts(n_cells: int = N_CELLS) -> NDArray[np.int64]:
    """Give counts (n, 3) that differ in each cell, none without any."""
    return np.arange(3 * n_cells).reshape(n_cells, 3) % 7 + 1


def places(n_cells: int = N_CELLS) -> NDArray[np.float64]:
    """Give places (n, 2) on a grid, 10 apart, none on an axis."""
    return np.column_stack([np.arange(n_cells) % 4 * 10.0 + 5, np.arange(n_cells) // 4 * 10.0 + 5])


def table(
    regions: Sequence[str] = ("cells",),
    instances: Sequence[Any] | None = None,
    x: Any = None,
    n_cells: int = N_CELLS,
) -> AnnData:
    """Make a table that annotates regions, cell after cell in turn."""
    ids = list(range(n_cells)) if instances is None else list(instances)
    obs = pd.DataFrame(
        {
            "region": pd.Categorical([regions[i % len(regions)] for i in range(n_cells)]),
            "instance_id": ids,
            "area": np.arange(n_cells) * 2.0,
        },
        index=[f"row{i}" for i in range(n_cells)],
    )
    adata = AnnData(
        X=sparse.csr_matrix(counts(n_cells).astype(np.float32)) if x is None else x,
        obs=obs,
        var=pd.DataFrame(index=GENES),
    )
    adata.uns["spatialdata_attrs"] = {
        "region": list(regions) if len(regions) > 1 else regions[0],
        "region_key": "region",
        "instance_key": "instance_id",
    }
    return adata


def axes(unit: str = "unit", names: str = "xy") -> list[dict[str, str]]:
    """Describe axes."""
    return [{"name": name, "type": "space", "unit": unit} for name in names]


def to(
    system: str = "global", kind: str = "identity", unit: str = "unit", names: str = "xy", **values: Any
) -> dict[str, Any]:
    """Describe a transformation to a coordinate system."""
    ends = {
        "input": {"name": names, "axes": axes(names=names)},
        "output": {"name": system, "axes": axes(unit, names)},
    }
    return {"type": kind, **ends, **values}


class Writer:
    """Writes one store.

    Parameters
    ----------
    path
        Its folder, which is made.
    version
        Of zarr, 2 or 3.
    """

    def __init__(self, path: Path, version: int = 2) -> None:
        self.path = path
        self.version = version
        self.root = zarr.open_group(path, mode="w", zarr_format=version)
        self.root.attrs["spatialdata_attrs"] = {"version": "0.1" if version == 2 else "0.2"}

    def table(self, adata: AnnData, name: str = "tables/table") -> "Writer":
        """Add a table."""
        with anndata.settings.override(zarr_write_format=self.version, auto_shard_zarr_v3=False):
            write_elem(self.root, name, adata)
        annotation = {**adata.uns["spatialdata_attrs"]}
        self.root[name].attrs.update({**annotation, "spatialdata-encoding-type": "ngff:regions_table"})
        return self

    def shapes(
        self,
        name: str,
        geometry: Sequence[Any],
        ids: Sequence[Any] | None = None,
        transformations: Sequence[Any] = (to(),),
        file: str = "shapes.parquet",
    ) -> "Writer":
        """Add points or polygons, as GeoPandas writes them."""
        group = self.root.require_group(f"shapes/{name}")
        group.attrs.update({"axes": ["x", "y"], "coordinateTransformations": list(transformations)})
        columns = {"geometry": pa.array(shapely.to_wkb(np.array(geometry, dtype=object)), pa.binary())}
        index: list[Any] = [{"kind": "range", "name": None, "start": 0, "stop": len(geometry), "step": 1}]
        if ids is not None:
            columns["__index_level_0__"] = pa.array(list(ids))
            index = ["__index_level_0__"]
        kinds = sorted({one.geom_type for one in geometry})
        geo = {"columns": {"geometry": {"encoding": "WKB", "geometry_types": kinds}}}
        pandas = {"index_columns": index, "columns": [], "column_indexes": []}
        metadata = {"geo": json.dumps(geo), "pandas": json.dumps(pandas)}
        pq.write_table(
            pa.table(columns).replace_schema_metadata(metadata), self.path / "shapes" / name / file
        )
        return self

    def points(
        self,
        name: str,
        told: pd.DataFrame,
        transformations: Sequence[Any] = (to(),),
        feature_key: str | None = "feature_name",
        parts: int = 2,
    ) -> "Writer":
        """Add points as Dask writes them: a folder of parts, their genes as categories."""
        group = self.root.require_group(f"points/{name}")
        attributes = {"version": "0.1"} | ({"feature_key": feature_key} if feature_key else {})
        group.attrs.update(
            {
                "axes": ["x", "y"],
                "coordinateTransformations": list(transformations),
                "spatialdata_attrs": attributes,
            }
        )
        folder = self.path / "points" / name / "points.parquet"
        folder.mkdir()
        for i, rows in enumerate(np.array_split(np.arange(len(told)), parts)):
            part = told.iloc[rows].astype({feature_key: "category"} if feature_key else {})
            pq.write_table(pa.Table.from_pandas(part, preserve_index=False), folder / f"part.{i}.parquet")
        return self

    def old_shapes(self, name: str, kind: int, arrays: dict[str, Any]) -> "Writer":
        """Add shapes as they were stored before parquet: arrays ``coords``, ``Index``, ``offset0``, ..."""
        group = self.root.require_group(f"shapes/{name}")
        group.attrs.update(
            {
                "axes": ["x", "y"],
                "coordinateTransformations": [to()],
                "spatialdata_attrs": {"geos": {"type": kind, "name": "?"}, "version": "0.1"},
            }
        )
        for key, values in arrays.items():
            group.create_array(key, data=np.asarray(values))
        return self

    def raster(
        self,
        element: str,
        levels: Sequence[NDArray[Any]],
        names: str = "yx",
        transformations: Sequence[Any] | None = None,
    ) -> "Writer":
        """Add labels or a picture with its resolutions; ``element`` is ``"labels/cells"``."""
        group = self.root.require_group(element)
        datasets = []
        for i, level in enumerate(levels):
            group.create_array(str(i), data=level, chunks=tuple(max(1, n // 2) for n in level.shape))
            scale = [a / b for a, b in zip(levels[0].shape, level.shape, strict=True)]
            datasets.append(
                {"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
            )
        scales = {
            "axes": [{"name": name, "type": "channel" if name == "c" else "space"} for name in names],
            "datasets": datasets,
            "coordinateTransformations": [to(names=names)]
            if transformations is None
            else list(transformations),
        }
        group.attrs.update(
            {"multiscales": [scales]} if self.version == 2 else {"ome": {"multiscales": [scales]}}
        )
        return self


def squares(centres: NDArray[np.float64], side: float = 4.0) -> list[Any]:
    """Make squares around places."""
    half = side / 2
    return [shapely.box(x - half, y - half, x + half, y + half) for x, y in centres]


def points(centres: NDArray[np.float64]) -> list[Any]:
    """Make points at places."""
    return [shapely.Point(x, y) for x, y in centres]


def store(path: Path, version: int = 2) -> Path:
    """Write a whole store: a table, the polygons of its cells, and a picture."""
    writer = Writer(path, version).table(table())
    writer.shapes("cells", squares(places()), range(N_CELLS))
    writer.raster("images/stain", [np.full((1, 8, 8), 7, np.uint8)], "cyx")
    return path
