"""Small folders of each kind that squint reads, for the commands on the page *Reading sections*.

``python -m docs.tools.small_folders FOLDER`` writes them; a test runs the page's commands on them.
"""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.helpers import cosmx_folder, merscope_folder, spatialdata_store, visium_folder, xenium_folder


def write(folder: Path) -> None:
    """Write all of them.

    Parameters
    ----------
    folder
        Made, and the folders above it.
    """
    folder.mkdir(parents=True)
    _write_xenium(folder)
    for prefix in ("region_0_", "region_1_"):
        merscope_folder.Run(prefix=prefix).tables(folder / "merscope")
    cosmx_folder.write_run(cosmx_folder.Run(), folder / "cosmx")
    _write_visium_hd(folder / "visium_hd")
    store = spatialdata_store.Writer(folder / "store.zarr")
    for name in ("nuclei", "cells"):
        store.table(spatialdata_store.table(regions=[name]), f"tables/{name}")
        store.shapes(name, spatialdata_store.squares(spatialdata_store.places()), range(12))
    _write_unnamed(folder / "unnamed")
    _write_slides(folder / "slides")


def _write_xenium(folder: Path) -> None:
    """Write an output with clusters and a picture, and the same packed."""
    run = xenium_folder.Run()
    path = xenium_folder.write_run(folder / "xenium", run)
    xenium_folder.write_clusters(
        path, "gene_expression_graphclust", run.ids, [i % 3 + 1 for i in range(run.n_cells)]
    )
    xenium_folder.write_picture(path / "morphology_focus.ome.tif", 1000, 1000)
    (path / "transcripts.parquet").touch()
    with zipfile.ZipFile(folder / "xenium.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            archive.write(file, file.relative_to(folder))


def _write_visium_hd(folder: Path) -> None:
    """Write bins of two sizes."""
    counts = np.random.default_rng(0).poisson(2.0, (48, 5)).astype(float)
    for size in ("008um", "016um"):
        table = visium_folder.spots()
        places = zip(table["array_row"], table["array_col"], strict=True)
        table["barcode"] = [f"s_{size}_{row:05d}_{column:05d}-1" for row, column in places]
        inside = folder / "binned_outputs" / f"square_{size}"
        scales = visium_folder.SCALES | {"microns_per_pixel": 0.27}
        visium_folder.write_visium(inside, counts, table, positions="tissue_positions.parquet", scales=scales)


def _write_unnamed(folder: Path) -> None:
    """Write as many cells as genes, whose positions have no names."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"cell{i}" for i in range(12)], [f"GENE{i}" for i in range(12)]
    pd.DataFrame(rng.poisson(2.0, (12, 12)), *names).to_csv(folder / "counts.csv", index_label="cell")
    pd.DataFrame({"x_um": 10.0 * (np.arange(12) % 4), "y_um": 10.0 * (np.arange(12) // 4)}).to_csv(
        folder / "positions.csv", index=False
    )


def _write_slides(folder: Path) -> None:
    """Write two slides, each counted from its own corner, whose labels are spelt in several ways."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"cell{i}" for i in range(200)]
    genes = [f"GENE{i}" for i in range(6)]
    pd.DataFrame(rng.poisson(2.0, (200, 6)), names, genes).to_csv(folder / "counts.csv", index_label="cell")
    grid = np.column_stack([np.arange(100) % 10, np.arange(100) // 10])
    xy = 0.1 * (np.tile(grid, (2, 1)) + rng.uniform(-0.01, 0.01, (200, 2)))
    table = pd.DataFrame(xy.round(4), names, ["x_mm", "y_mm"])
    table["slide"] = ["A", "A "] * 50 + ["B"] * 100
    table["annotation"] = (["tumour", "stroma", "n/a", "tumour "] * 50)[:200]
    table.to_csv(folder / "cells.csv", index_label="cell")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
