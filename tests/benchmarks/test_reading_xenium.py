"""What it costs to read an output folder of Xenium: a real section's cells, and a million."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from numpy.typing import NDArray
from scipy import sparse
from zarr.storage import ZipStore

from squint import datasets, io, keys
from tests.helpers.fresh import cost
from tests.helpers.xenium_folder import hex_id

pytestmark = pytest.mark.benchmark
Record = Callable[[str, str, str], None]
N_CORNERS = 25
MILLION, N_GENES = 1_000_000, 500
CONTROLS = {"Negative Control Probe": 20, "Negative Control Codeword": 41, "Unassigned Codeword": 100}
SPATIALDATA_IO = "SQUINT_SPATIALDATA_IO"  # a Python in which spatialdata-io is installed
SETUP = """
import pyarrow.csv, pyarrow.parquet, anndata, h5py
from pathlib import Path
from squint.io import Answers, read_settled, xenium
from squint.io.content import Asked
folder = Path({folder!r})
"""
PEER = """
import spatialdata_io
spatialdata_io.xenium  # which imports it
folder = {folder!r}
"""
PEER_CALL = (
    "spatialdata_io.xenium(folder, cells_boundaries=True, nucleus_boundaries=False, cells_as_circles=True, "
    "cells_labels=False, nucleus_labels=False, transcripts=False, morphology_mip=False, "
    "morphology_focus=False, aligned_images=False)"
)


def write(
    folder: Path, ids: list[str], counts: sparse.csr_matrix, positions: NDArray[np.float64], genes: list[str]
) -> Path:
    """Write counts (n, g) and positions (n, 2) as 10x does, with controls and outlines."""
    rng = np.random.default_rng(0)
    n_cells = len(positions)
    folder.mkdir()
    n_controls = sum(CONTROLS.values())
    controls = sparse.random_array((n_cells, n_controls), density=5e-4, rng=rng, dtype=np.float32)
    controls.data[:] = 1
    whole = sparse.hstack([counts, controls]).tocsr()
    kinds = ["Gene Expression"] * len(genes) + [kind for kind, n in CONTROLS.items() for _ in range(n)]
    names = [*genes, *(f"Control_{i:04d}" for i in range(n_controls))]
    with h5py.File(folder / "cell_feature_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        options = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "maxshape": (None,)}
        group.create_dataset("data", data=whole.data.astype("i4"), chunks=(80_000,), **options)
        group.create_dataset("indices", data=whole.indices.astype("i8"), chunks=(80_000,), **options)
        group.create_dataset("indptr", data=whole.indptr.astype("i8"), chunks=(80_000,), **options)
        group["shape"] = np.array(whole.shape[::-1], "i4")
        group.create_dataset("barcodes", data=np.array(ids, "S"), compression="gzip")
        features = group.create_group("features")
        features["name"], features["feature_type"] = np.array(names, "S"), np.array(kinds, "S")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(len(names))], "S")
    sums = np.asarray(whole.sum(axis=1)).ravel().astype("i8")
    cells = {"cell_id": ids, "x_centroid": positions[:, 0], "y_centroid": positions[:, 1]}
    cells |= {"transcript_counts": sums, "control_probe_counts": 0 * sums, "total_counts": sums}
    cells |= {"cell_area": rng.uniform(20, 200, n_cells), "nucleus_area": rng.uniform(5, 50, n_cells)}
    pq.write_table(pa.table(cells), folder / "cells.parquet", compression="snappy")
    angles = np.linspace(0, 2 * np.pi, N_CORNERS)
    around = 5 * np.column_stack([np.cos(angles), np.sin(angles)])
    around[-1] = around[0]
    rings = (positions[:, None] + around).astype(np.float32).reshape(-1, 2)
    corners = {
        "cell_id": np.repeat(np.array(ids), N_CORNERS),
        "vertex_x": rings[:, 0],
        "vertex_y": rings[:, 1],
    }
    corners["label_id"] = np.repeat(np.arange(1, n_cells + 1, dtype=np.int32), N_CORNERS)
    pq.write_table(pa.table(corners), folder / "cell_boundaries.parquet", compression="zstd")
    write_masks(folder, ids)
    (folder / "experiment.xenium").write_text(
        f'{{"num_cells": {n_cells}, "pixel_size": 0.2125, "analysis_sw_version": "xenium-3.0.0.15"}}'
    )
    return folder


def write_masks(folder: Path, ids: list[str]) -> None:
    """Write what spatialdata-io takes from ``cells.zarr.zip`` even where it reads no masks."""
    n_cells = len(ids)
    root = zarr.open_group(ZipStore(folder / "cells.zarr.zip", mode="w"), zarr_format=2)
    numbers = [int("".join(f"{ord(letter) - ord('a'):x}" for letter in name[:8]), 16) for name in ids]
    root.create_array("cell_id", data=np.column_stack([numbers, np.ones(n_cells)]).astype("u4"))
    names = ["cell_centroid_x", "cell_centroid_y", "cell_area", "nucleus_centroid_x", "nucleus_centroid_y"]
    columns = {"column_names": [*names, "nucleus_area", "z_level", "nucleus_count"]}
    root.create_array("cell_summary", data=np.zeros((n_cells, 8)), attributes=columns)
    for kind in ("0", "1"):
        root.create_array(f"polygon_sets/{kind}/cell_index", data=np.arange(n_cells, dtype="u4"))
    root.store.close()


def measure(folder: Path, what: str, wanted: str, record: Record) -> None:
    """Note what the reader takes, and what all of reading does."""
    setup = SETUP.format(folder=str(folder))
    reader = cost(setup, "xenium.read(folder, Asked())")
    record(f"{what}: the reader", str(reader), wanted)
    record(
        f"{what}: squint.read and all that comes along",
        str(cost(setup, "read_settled(folder, Answers())")),
        wanted,
    )
    record(f"{what}: imports alone", str(cost("", setup.strip())), "")
    peer = os.environ.get(SPATIALDATA_IO)
    if peer is not None:
        found = cost(PEER.format(folder=str(folder)), PEER_CALL, python=peer)
        record(f"{what}: spatialdata-io, counts, cells and outlines", str(found), "")


def test_a_real_section(real_section, tmp_path, record):
    adata = io.read(real_section("xenium_human_pancreas_full"))
    positions: NDArray[np.float64] = np.asarray(adata.obsm[keys.SPATIAL])[:, :2]
    folder = write(tmp_path / "pancreas", list(adata.obs_names), adata.X, positions, list(adata.var_names))
    measure(folder, f"Xenium folder, {adata.n_obs:,} x {adata.n_vars}", "at most 5 s and 1 GB", record)


def test_a_million_cells(tmp_path, record):
    adata = datasets.bulk(MILLION, N_GENES)
    numbers = np.sort(np.random.default_rng(0).choice(2**32, MILLION, replace=False))
    ids = [hex_id(int(number)) for number in numbers]
    positions: NDArray[np.float64] = np.asarray(adata.obsm[keys.SPATIAL], np.float64)[:, :2]
    folder = write(tmp_path / "million", ids, adata.X, positions, list(adata.var_names))
    del adata
    measure(folder, f"Xenium folder, {MILLION:,} x {N_GENES}", "at most 30 s and 3 GB", record)
