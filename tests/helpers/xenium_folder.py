"""An output folder of 10x Xenium, written from numbers as each version of the instrument lays it out."""

import gzip
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from pyarrow import csv as pacsv

from tests.helpers.tenx_files import write_folder, write_h5, write_zarr

N_CORNERS = 13
UM = 0.2125
NAMES = ["ACTB", "CD3E", "MS4A1", "NegControlProbe_00001", "UnassignedCodeword_0001"]
TYPES = ["Gene Expression"] * 3 + ["Negative Control Probe", "Unassigned Codeword"]


@dataclass
class Run:
    """What is written, and what must be read."""

    n_cells: int = 30
    ids: list[str] = field(default_factory=list)
    counts: np.ndarray = field(init=False)  # (cells, features)
    positions: np.ndarray = field(init=False)  # (cells, 2) um
    names: list[str] = field(default_factory=lambda: list(NAMES))
    types: list[str] = field(default_factory=lambda: list(TYPES))
    rings: dict[int, np.ndarray] = field(default_factory=dict)  # of cells that are no circles, (13, 2)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.n_cells)
        self.ids = self.ids or [hex_id(int(n)) for n in rng.permutation(10**6)[: self.n_cells]]
        self.counts = rng.poisson(1.5, (self.n_cells, len(self.names)))
        columns = 6
        grid = np.column_stack([np.arange(self.n_cells) % columns, np.arange(self.n_cells) // columns])
        self.positions = 20.0 + 12.0 * grid + rng.random((self.n_cells, 2)).round(3)

    def ring(self, i: int) -> np.ndarray:
        """Give the corners (13, 2) of a cell, the last one the first."""
        if i in self.rings:
            return np.asarray(self.rings[i], dtype=np.float32)
        angles = np.linspace(0, 2 * np.pi, N_CORNERS)
        around = np.column_stack([np.cos(angles), np.sin(angles)])
        around[-1] = around[0]
        return (self.positions[i] + 5 * around).astype(np.float32)


def hex_id(number: int) -> str:
    """Give the name of a cell as Xenium has it since version 1.1."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{number:08x}") + "-1"


def write_run(
    folder: Path,
    run: Run,
    *,
    matrix: str = "h5",
    tables: str = "parquet",
    ids: str = "text",
    barcodes: list[str] | None = None,
    version: str | None = "xenium-3.0.0.15",
) -> Path:
    """Write a run.

    Parameters
    ----------
    folder
        Made.
    run
        The numbers.
    matrix
        ``"h5"``, ``"folder"`` or ``"zarr"``; several with a blank between.
    tables
        ``"parquet"``, ``"csv.gz"`` or ``"csv"``; several with a blank between.
    ids
        In Parquet: ``"text"``, ``"bytes"`` or ``"int"``.
    barcodes
        Of the matrix, where they differ from the cells' names.
    version
        Of the manifest; None: without one.
    """
    folder.mkdir(parents=True)
    barcodes = barcodes or run.ids
    if "h5" in matrix.split():
        write_h5(folder / "cell_feature_matrix.h5", run.counts, barcodes, run.names, types=run.types)
    if "folder" in matrix.split():
        write_folder(folder / "cell_feature_matrix", run.counts, barcodes, run.names, types=run.types)
    if "zarr" in matrix.split():
        write_zarr(folder / "cell_feature_matrix.zarr.zip", run.counts, barcodes, run.names, types=run.types)
    stored = {"text": pa.array(run.ids), "bytes": pa.array([name.encode() for name in run.ids])}
    if ids == "int":
        stored["int"] = pa.array([int(name) for name in run.ids], pa.int32())
    rings = np.concatenate([run.ring(i) for i in range(run.n_cells)])
    corner = np.repeat(np.arange(run.n_cells), N_CORNERS)
    cells = {
        "cell_id": stored[ids],
        "x_centroid": run.positions[:, 0],
        "y_centroid": run.positions[:, 1],
        "transcript_counts": run.counts[:, :3].sum(axis=1).astype("int64"),
        "cell_area": np.linspace(40, 90, run.n_cells),
        "nucleus_area": pa.array([None, *np.linspace(10, 20, run.n_cells - 1)], pa.float64()),
        "segmentation_method": pa.array(["Segmented by boundary stain"] * run.n_cells),
    }
    outlines = {
        "cell_id": stored[ids].take(pa.array(corner)),
        "vertex_x": rings[:, 0],
        "vertex_y": rings[:, 1],
    }
    for name, columns in (("cells", cells), ("cell_boundaries", outlines), ("nucleus_boundaries", outlines)):
        for form in tables.split():
            write_table(folder / f"{name}.{form}", columns)
    if version is not None:
        (folder / "experiment.xenium").write_text(json.dumps(manifest(run, version)))
    return folder


def write_transcripts(folder: Path, name: str, genes: list[str], places: np.ndarray, qv: np.ndarray) -> None:
    """Write transcripts: the gene, place (n, 2) in um and quality of each."""
    columns = {
        "transcript_id": pa.array(np.arange(len(genes)), pa.uint64()),
        "cell_id": pa.array(["UNASSIGNED"] * len(genes)),
        "feature_name": pa.array(genes),
        "x_location": pa.array(places[:, 0], pa.float32()),
        "y_location": pa.array(places[:, 1], pa.float32()),
        "z_location": pa.array(np.zeros(len(genes)), pa.float32()),
        "qv": pa.array(qv, pa.float32()),
    }
    write_table(folder / name, columns)


def manifest(run: Run, version: str) -> dict:
    """Give what ``experiment.xenium`` says."""
    return {
        "major_version": 5,
        "num_cells": run.n_cells,
        "pixel_size": UM,
        "instrument_sw_version": "R&D",
        "analysis_sw_version": version,
    }


def write_table(path: Path, columns: dict) -> None:
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path, compression="snappy")
        return
    with pa.BufferOutputStream() as out:
        pacsv.write_csv(table, out)
        text = out.getvalue().to_pybytes()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def write_clusters(folder: Path, name: str, ids: list[str], clusters: list[int]) -> None:
    inside = folder / "analysis/clustering" / name
    inside.mkdir(parents=True)
    rows = [f"{cell},{cluster}" for cell, cluster in zip(ids, clusters, strict=True)]
    (inside / "clusters.csv").write_text("\n".join(["Barcode,Cluster", *rows]) + "\n")


def write_picture(path: Path, width: int, height: int, um: float | None = None, *, big: bool = False) -> None:
    """Write a TIFF file whose header is all that there is of it: width, height, and OME-XML."""
    path.parent.mkdir(exist_ok=True)
    size = (
        f'PhysicalSizeX="{um}" PhysicalSizeXUnit="µm" PhysicalSizeY="{um}" PhysicalSizeYUnit="µm"'
        if um
        else ""
    )
    text = f'<?xml version="1.0"?><OME><Image><Pixels SizeX="{width}" {size}/></Image></OME>\0'.encode()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (270, 2, len(text), None)]
    if big:
        at = 16 + 8 + 20 * len(tags) + 8
        head = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(tags))
        body = b"".join(
            struct.pack("<HHQQ", tag, kind, n, value or at) for tag, kind, n, value in tags
        ) + bytes(8)
    else:
        at = 8 + 2 + 12 * len(tags) + 4
        head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
        body = b"".join(
            struct.pack("<HHII", tag, kind, n, value or at) for tag, kind, n, value in tags
        ) + bytes(4)
    path.write_bytes(head + body + text)


def write_placed_picture(path: Path) -> None:
    """Write a picture with pixels on which all cells of a run lie."""
    size = {"PhysicalSizeX": UM, "PhysicalSizeY": UM, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, np.full((400, 500), 9, dtype=np.uint8), ome=True, metadata=size)
