"""Output folders in the layouts of Space Ranger."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.helpers.tenx_files import write_folder, write_h5

SCALES = {"tissue_hires_scalef": 0.25, "tissue_lowres_scalef": 0.05, "spot_diameter_fullres": 90.0}


def spots(n_rows: int = 6, n_columns: int = 8, pitch: float = 137.0) -> pd.DataFrame:
    """Place spots as on Visium's slide: rows 86.6 um apart, a row's spots 100 um and two columns."""
    row, half = np.divmod(np.arange(n_rows * n_columns), n_columns)
    column = 2 * half + row % 2
    return pd.DataFrame(
        {
            "barcode": [f"AACG{i:04d}-1" for i in range(len(row))],
            "in_tissue": (np.arange(len(row)) % 7 > 0).astype(int),
            "array_row": row,
            "array_col": column,
            "pxl_row_in_fullres": 500 + row * pitch * np.sqrt(3) / 2,
            "pxl_col_in_fullres": 900 + column * pitch / 2,
        }
    )


def write_visium(
    folder: Path,
    counts: np.ndarray,
    table: pd.DataFrame,
    *,
    barcodes: list[str] | None = None,
    positions: str = "tissue_positions.csv",
    as_h5: bool = True,
    scales: dict[str, float] | None = None,
) -> Path:
    """Write one ``outs``: of the first rows of the table, as many as there are counts."""
    spatial = folder / "spatial"
    spatial.mkdir(parents=True)
    names = barcodes or list(table["barcode"][: len(counts)])
    genes = [f"GENE{i}" for i in range(counts.shape[1])]
    types = ["Gene Expression"] * len(genes)
    if as_h5:
        write_h5(folder / "filtered_feature_bc_matrix.h5", counts, names, genes, types=types)
    else:
        write_folder(folder / "raw_feature_bc_matrix", counts, names, genes, types=types, packed=False)
    if positions.endswith(".parquet"):
        table.to_parquet(spatial / positions)
    else:
        table.to_csv(spatial / positions, index=False, header="list" not in positions)
    (spatial / "scalefactors_json.json").write_text(json.dumps(SCALES if scales is None else scales))
    Image.new("RGB", (60, 40), "pink").save(spatial / "tissue_lowres_image.png")
    return folder


def write_cells(folder: Path, counts: np.ndarray, rings: list[np.ndarray], um: float) -> Path:
    """Write the segmented cells of Space Ranger 4."""
    cells = folder / "segmented_outputs"
    (cells / "spatial").mkdir(parents=True)
    names = [f"cellid_{i + 1:09d}-1" for i in range(len(rings))]
    genes = [f"GENE{i}" for i in range(counts.shape[1])]
    types = ["Gene Expression"] * len(genes)
    write_h5(cells / "filtered_feature_cell_matrix.h5", counts, names, genes, types=types)
    features = [
        {
            "type": "Feature",
            "properties": {"cell_id": i + 1},
            "geometry": {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]},
        }
        for i, ring in reversed(list(enumerate(rings)))
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (cells / "cell_segmentations.geojson").write_text(text)
    (cells / "spatial" / "scalefactors_json.json").write_text(json.dumps({"microns_per_pixel": um}))
    return folder
