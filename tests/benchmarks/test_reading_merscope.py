"""What it costs to read MERSCOPE's folders: a real section's counts, and a million cells."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from numpy.typing import NDArray
from scipy import sparse

from squint import datasets, io, keys

pytestmark = pytest.mark.benchmark
N_TIMES = 3
N_BLANKS = 30
N_PLANES = 7
FIRST_ID = 112824700230101249
MILLION, N_GENES = 1_000_000, 500
MEASURE = """
import re, sys, time
start = time.perf_counter()
import pandas, pyarrow.csv, pyarrow.parquet, shapely, tifffile
from pathlib import Path
from squint.io import read_settled
from squint.io.content import Answers, Asked
from squint.io.merscope import READER
imports = time.perf_counter() - start
folder, what = Path(sys.argv[1]), sys.argv[2]
start, cpu = time.perf_counter(), time.process_time()
if what == "reader":
    READER.read(folder, Asked())
else:
    read_settled(folder, Answers())
wall, cpu = time.perf_counter() - start, time.process_time() - cpu
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1e6
print(imports, wall, cpu, peak)
"""


def rows_of_text(counts: sparse.csr_matrix, first: int) -> bytes:
    """Write rows of counts below ten, each after an id of 18 digits."""
    n, g = counts.shape
    text = np.full((n, 18 + 2 * g + 1), ord(","), np.uint8)
    text[:, :18] = np.frombuffer("".join(map(str, range(first, first + n))).encode(), np.uint8).reshape(n, 18)
    text[:, 19::2] = np.minimum(counts.toarray(), 9).astype(np.uint8) + ord("0")
    text[:, -1] = ord("\n")
    return text.tobytes()


def write_tables(
    folder: Path, counts: sparse.csr_matrix, genes: list[str], centres: NDArray[np.float64]
) -> None:
    """Write counts with blanks, and cells with what Vizgen writes of each."""
    folder.mkdir()
    n = counts.shape[0]
    names = [*genes, *(f"Blank-{i}" for i in range(N_BLANKS))]
    with_blanks = sparse.hstack([counts, sparse.csr_matrix((n, N_BLANKS))], format="csr")
    with (folder / "cell_by_gene.csv").open("wb") as file:
        file.write(",".join(["cell", *names]).encode() + b"\n")
        for start in range(0, n, 10_000):
            file.write(rows_of_text(with_blanks[start : start + 10_000], FIRST_ID + start))
    stains = [f"{stain}_{kind}" for stain in ("DAPI", "PolyT", "Cellbound1") for kind in ("raw", "high_pass")]
    header = ["EntityID", "fov", "volume", "center_x", "center_y", "min_x", "min_y", "max_x", "max_y"]
    rng = np.random.default_rng(0)
    with (folder / "cell_metadata.csv").open("w") as file:
        file.write(",".join([*header, "anisotropy", "transcript_count", "solidity", *stains]) + "\n")
        for i, (x, y) in enumerate(centres.tolist()):
            values = ",".join(map(repr, rng.random(9).tolist()))
            extent = f"{x - 4},{y - 4},{x + 4},{y + 4}"
            file.write(f"{FIRST_ID + i},,{x / 7},{x},{y},{extent},{values}\n")


def write_outlines(folder: Path, centres: NDArray[np.float64], n_corners: int) -> None:
    """Write an outline of each cell in seven planes, cell by cell, as multipolygons in WKB."""
    angles = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    circle = 4 * np.column_stack([np.cos(angles), np.sin(angles)])
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, len(centres), 100_000):
        part = np.repeat(centres[start : start + 100_000], N_PLANES, axis=0)
        rings = part[:, None] + circle * rng.uniform(0.8, 1.2, (len(part), n_corners, 1))
        shapes = shapely.multipolygons(shapely.polygons(rings), indices=np.arange(len(part)))
        n = len(part)
        table = pa.table(
            {
                "ID": np.arange(start * N_PLANES, start * N_PLANES + n),
                "EntityID": np.repeat(
                    np.arange(FIRST_ID + start, FIRST_ID + start + n // N_PLANES), N_PLANES
                ),
                "ZIndex": np.tile(np.arange(N_PLANES), n // N_PLANES),
                "Geometry": pa.array(shapely.to_wkb(shapes), pa.binary()),
                "Type": pa.array(["cell"] * n),
                "ZLevel": np.tile(1.5 * np.arange(1, N_PLANES + 1), n // N_PLANES),
            }
        )
        writer = writer or pq.ParquetWriter(folder / "cell_boundaries.parquet", table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


@pytest.fixture(scope="module")
def pancreas(real_section: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of 140,702 cells x 377 genes, with outlines of 20 corners."""
    adata = io.read(real_section("xenium_human_pancreas_full"))
    folder = tmp_path_factory.mktemp("real") / "run"
    centres: NDArray[np.float64] = np.asarray(adata.obsm[keys.SPATIAL])
    write_tables(folder, sparse.csr_matrix(adata.X), list(adata.var_names), centres)
    write_outlines(folder, centres, 20)
    return folder


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of a million simulated cells x 500 genes, with outlines of 12 corners."""
    adata = datasets.bulk(MILLION, N_GENES)
    folder = tmp_path_factory.mktemp("simulated") / "run"
    centres: NDArray[np.float64] = np.asarray(adata.obsm[keys.SPATIAL])[:, :2]
    write_tables(folder, sparse.csr_matrix(adata.X), list(adata.var_names), centres)
    write_outlines(folder, centres, 12)
    return folder


def measured(folder: Path, what: str, n_times: int) -> Iterator[NDArray[np.float64]]:
    """Give seconds of imports and of reading, CPU seconds of reading, and GB at the peak; fresh processes."""
    for _ in range(n_times):
        command = [sys.executable, "-c", MEASURE, str(folder), what]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        yield np.array(done.stdout.split(), float)


def best(folder: Path, what: str, n_times: int = N_TIMES) -> str:
    """Say what the quickest of some times needed."""
    imports, wall, cpu, peak = min(measured(folder, what, n_times), key=lambda times: times[1])
    return f"{wall:.1f} s, {cpu:.1f} CPU s, {peak:.2f} GB at the peak, after {imports:.1f} s of imports"


@pytest.mark.parametrize("what", ["reader", "read_settled"])
def test_reading_a_real_section(what, pancreas, record):
    record(f"MERSCOPE folder, 140,702 x 377, {what}", best(pancreas, what), "5 s, 1 GB on two idle cores")


def test_reading_a_million_cells(million, record):
    record(
        f"MERSCOPE folder, {MILLION:,} x {N_GENES}, read_settled", best(million, "read_settled"), "30 s, 3 GB"
    )
