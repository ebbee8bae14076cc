"""A cohort that no process holds: trained on some of its sections, tokenised by two Dask workers."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import squint
from squint import ModelConfig, TrainConfig, datasets, io

pytestmark = pytest.mark.benchmark
N_CELLS = int(os.environ.get("SQUINT_COHORT_CELLS", "300000"))
N_EACH = 30_000  # cells of a section
N_GENES = 300
N_WORKERS = 2


def test_a_cohort_is_tokenised_in_memory_that_does_not_grow(tmp_path, record):
    n_sections = max(N_CELLS // N_EACH, 3)
    paths = []
    for seed in range(n_sections):
        adata = datasets.bulk(N_EACH, N_GENES, seed=seed)
        adata.obs["section_id"] = adata.obs["section_id"].cat.rename_categories([f"SIM-{seed}"])
        adata.obs["patient_id"] = adata.obs["patient_id"].cat.rename_categories([f"SIM-{seed}"])
        paths.append(tmp_path / f"SIM-{seed}.h5ad")
        io.write(adata, paths[-1])
        del adata
    sample = [io.read(path) for path in paths[:2]]
    choices = TrainConfig(n_epochs=1, context_steps=0)
    *_, last = squint.train(sample, model=ModelConfig(n_codes=50), train=choices, device="cpu")
    last.bundle.save(tmp_path / "model")
    del sample
    few, _ = tokenise(paths[:N_WORKERS], tmp_path / "few", tmp_path / "model")
    all_of_them, seconds = tokenise(paths, tmp_path / "all", tmp_path / "model")
    assert len(list((tmp_path / "all").glob("*.h5ad"))) == n_sections
    what = f"tokenise {n_sections} sections of {N_EACH:,} x {N_GENES} by {N_WORKERS} workers"
    record(what, f"{seconds:.0f} s, {n_sections * N_EACH / seconds:,.0f} cells/s with starting", "")
    found = f"{all_of_them:.2f} GB at the peak; {few:.2f} GB for {N_WORKERS} sections"
    record(f"{what}, the largest worker", found, "at most 1.2 times")
    assert all_of_them < 1.2 * few


def tokenise(paths: list[Path], out: Path, model: Path) -> tuple[float, float]:
    """Tokenise by workers; give the most memory that one of them held, GB, and s."""
    command = ["tokenize", *map(str, paths), "--model", str(model), "--out", str(out)]
    start = time.perf_counter()
    peak = 0
    with subprocess.Popen(
        [sys.executable, "-m", "squint", *command, "--devices", str(N_WORKERS), "--device", "cpu"],
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            peak = max([peak, *map(resident, below(process.pid))])
            time.sleep(0.1)
    assert process.returncode == 0
    return peak / 1e9, time.perf_counter() - start


def below(pid: int) -> list[int]:
    """Give the processes that a process started, and those that these did."""
    children: list[int] = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            children += map(int, path.read_text().split())
    return [*children, *(other for child in children for other in below(child))]


def resident(pid: int) -> int:
    """Give the memory that a process holds, bytes."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
