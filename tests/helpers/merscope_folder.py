"""Folders as Vizgen's MERSCOPE and its post-processing tool write them, from numbers."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import tifffile

GENES = ("PDK4", "CCL26", "HLA-DRB1", "CD4", "Blank-1", "Blank-22")
EXTENTS = ("min_x", "min_y", "max_x", "max_y")


@dataclass
class Run:
    """A run of 30 cells in a grid of 6, 10 um apart, that the writers below put on disk."""

    ids: list[str] = field(default_factory=lambda: [str(112824700230101249 + 7 * i) for i in range(30)])
    prefix: str = ""
    id_name: str = "cell"  # in the table of counts
    cells_id_name: str = "EntityID"  # in the table of cells
    counts: np.ndarray = field(default_factory=lambda: np.random.default_rng(0).poisson(1.5, (30, 6)))
    centres: np.ndarray = field(
        default_factory=lambda: np.stack([np.arange(30) % 6 * 10 + 6500.5, np.arange(30) // 6 * 10 + 3.25], 1)
    )

    def text(
        self, name: str, rows: Sequence[Sequence[object]], folder: Path, *, packed: bool = False
    ) -> Path:
        """Write rows as csv."""
        content = "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
        path = folder / f"{self.prefix}{name}"
        path.write_bytes(gzip.compress(content) if packed else content)
        return path

    def tables(self, folder: Path) -> Path:
        """Write counts, and cells in the other order."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = ([name, *row] for name, row in zip(self.ids, self.counts.tolist(), strict=True))
        self.text("cell_by_gene.csv", [[self.id_name, *GENES], *rows], folder)
        header = [self.cells_id_name, "fov", "volume", "center_x", "center_y", *EXTENTS, "solidity"]
        places = zip(self.ids, self.centres.tolist(), strict=True)
        cells = [[name, "", 100.5 + x, x, y, x - 4, y - 4, x + 4, y + 4, 7] for name, (x, y) in places]
        self.text("cell_metadata.csv", [header, *cells[::-1]], folder)
        return folder

    def square(self, cell: int, half: float) -> shapely.MultiPolygon:
        """Draw a cell as Vizgen does, as a multipolygon of one part."""
        x, y = self.centres[cell]
        return shapely.MultiPolygon([shapely.box(x - half, y - half, x + half, y + half)])

    def outlines(
        self, path: Path, planes: Mapping[int, Sequence[int]], *, kind: pa.DataType | None = None
    ) -> Path:
        """Write the outline of some cells in each plane z, with sides of 2 + z um, as GeoParquet."""
        rows = [(cell, z) for z, cells in planes.items() for cell in cells]
        kind = kind or pa.int64()
        ids = [self.ids[cell] for cell, _ in rows]
        table = {
            "ID": pa.array(np.arange(len(rows))),
            "EntityID": pa.array(ids).cast(kind) if kind != pa.string() else pa.array(ids),
            "ZIndex": pa.array([z for _, z in rows], pa.int64()),
            "Geometry": pa.array([self.square(cell, 1 + z / 2).wkb for cell, z in rows], pa.binary()),
        }
        pq.write_table(pa.table(table), path, row_group_size=64)
        return path

    def hdf5(self, folder: Path, planes: Mapping[int, Sequence[int]], per_file: int = 16) -> Path:
        """Write the same in one HDF5 file for each field of view."""
        folder.mkdir()
        for fov in range(-(-len(self.ids) // per_file)):
            with h5py.File(folder / f"feature_data_{fov}.hdf5", "w") as file:
                for cell in range(fov * per_file, min((fov + 1) * per_file, len(self.ids))):
                    group = file.require_group(f"featuredata/{self.ids[cell]}")
                    for z, cells in planes.items():
                        plane = group.require_group(f"zIndex_{z}")
                        if cell in cells:
                            ring = shapely.get_coordinates(self.square(cell, 1 + z / 2))
                            plane["p_0/coordinates"] = ring[None]
        return folder

    def pictures(self, folder: Path, planes: Sequence[int] = (1, 2, 3), *, um: float = 0.5) -> Path:
        """Write mosaics of 120 x 100 pixels, a manifest and a matrix that place them alike."""
        images = folder / "images"
        images.mkdir()
        for stain in ("DAPI", "PolyT", "Cellbound1"):
            for z in planes:
                tifffile.imwrite(images / f"mosaic_{stain}_z{z}.tif", np.full((100, 120), z, np.uint16))
        box = [6490.0, -5.0, 6490 + 120 * um, -5 + 100 * um]
        manifest = {"microns_per_pixel": um, "bbox_microns": box}
        (images / "manifest.json").write_text(json.dumps(manifest))
        matrix: list[list[float]] = [[1 / um, 0, -6490 / um - 0.5], [0, 1 / um, 5 / um - 0.5], [0, 0, 1]]
        lines = "".join(" ".join(map(str, row)) + "\n" for row in matrix)
        (images / "micron_to_mosaic_pixel_transform.csv").write_text(lines)
        return images

    def whole(self, folder: Path) -> Path:
        """Write everything that a run has."""
        self.tables(folder)
        every = range(len(self.ids))
        self.outlines(folder / f"{self.prefix}cell_boundaries.parquet", dict.fromkeys(range(7), every))
        self.hdf5(folder / "cell_boundaries", {0: every, 1: every})
        self.pictures(folder)
        rows = [["EntityID", "leiden"], *([name, i % 3] for i, name in enumerate(self.ids))]
        self.text("cell_categories.csv", rows, folder)
        return folder
