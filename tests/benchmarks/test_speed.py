"""What training and tokenising cost: on real sections, and as simulated sections grow."""

import subprocess
import sys

import numpy as np
import pytest
import torch

import squint
from squint import ModelConfig, TrainConfig, datasets, io, keys
from squint.benchmarks import speed
from squint.benchmarks.meter import Meter

pytestmark = pytest.mark.benchmark
MODEL = ModelConfig(n_codes=5000)
N_BREAST = 12_000  # cells, the first by x
SIZES = (10_000, 100_000, 1_000_000)
N_GENES = 500
# A program's peak begins with that of the process that started it: a small one must come between.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.fixture(scope="module")
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_training_on_part_of_a_real_section(real_section, device, record):
    adata = io.read(real_section("xenium_breast_roi_17k"))
    by_x = np.argsort(np.asarray(adata.obsm[keys.SPATIAL])[:, 0], kind="stable")
    part = adata[np.sort(by_x[:N_BREAST])].copy()
    rows = show(f"Breast, {N_BREAST:,} x {adata.n_vars}", part, TrainConfig(n_epochs=5), device)
    trained = [row for row in rows[:-1] if row["stage"] != "read"]
    tokens = sum(row["cpu_seconds"] for row in trained if row["stage"] != "learning to in-paint")
    both = sum(row["cpu_seconds"] for row in trained)
    what = f"train breast, {N_BREAST:,} x {adata.n_vars}, 5 epochs"
    record(f"{what}, tokens", f"{tokens:.1f} CPU s", "at most 15 CPU s")
    record(f"{what}, tokens and in-painting", f"{both:.1f} CPU s", "at most 15 CPU s")


def test_tokenising_a_real_section(real_section, device, record):
    adata = io.read(real_section("xenium_human_pancreas_full"))
    choices = TrainConfig(n_epochs=2, context_steps=0)
    *_, last = show(f"Pancreas, {adata.n_obs:,} x {adata.n_vars}", adata, choices, device)
    what = f"tokenise pancreas, {adata.n_obs:,} x {adata.n_vars}, graph included"
    record(what, f"{last['cells_per_second']:,.0f} cells/s", "at least 20,000 cells/s")


def test_cost_grows_as_the_cells_do(device, record):
    stages: dict[str, list[float]] = {}
    for n_cells in SIZES:
        adata = datasets.bulk(n_cells, N_GENES)
        choices = TrainConfig(n_epochs=1, context_steps=0)
        for row in show(f"Simulated, {n_cells:,} x {N_GENES}", adata, choices, device):
            stages.setdefault(row["stage"], []).append(row["cpu_seconds"])
    stages["all of it"] = np.sum(list(stages.values()), axis=0).tolist()
    for stage, seconds in stages.items():
        slope = np.polyfit(np.log(SIZES), np.log(seconds), 1)[0]
        each = " / ".join(f"{value:.1f}" for value in seconds)
        record(
            f"{stage}, 10^4 / 10^5 / 10^6 x {N_GENES}", f"{each} CPU s, exponent {slope:.2f}", "at most 1.05"
        )


def test_a_million_cells_are_tokenised_in_little_memory(tmp_path, record):
    io.write(datasets.bulk(SIZES[-1], N_GENES), tmp_path / "million.h5ad")
    (tmp_path / "scratch").mkdir()
    few = datasets.bulk(N_BREAST, N_GENES)
    *_, last = squint.train(few, model=MODEL, train=TrainConfig(n_epochs=1, context_steps=0))
    last.bundle.save(tmp_path / "model")
    for words in ([], ["--scratch", str(tmp_path / "scratch")]):
        command = ["tokenize", str(tmp_path / "million.h5ad"), "--model", str(tmp_path / "model")]
        squint_itself = [
            sys.executable,
            "-m",
            "squint",
            *command,
            "--out",
            str(tmp_path / "out.h5ad"),
            *words,
        ]
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *squint_itself], check=True, stdout=subprocess.PIPE, text=True
        )
        peak = int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024) / 1e9
        how = "counts in scratch files" if words else "counts in memory"
        record(f"tokenise {SIZES[-1]:,} x {N_GENES}, {how}", f"{peak:.2f} GB at the peak", "below 3 GB")


def show(name, adata, choices, device):
    """Measure every stage, print the table, and give its rows."""
    meter = Meter(device)
    rows = list(speed.benchmark(adata, MODEL, choices, meter))
    print("\n\n" + "\n".join([f"{name}, K {MODEL.n_codes}", "", *meter.lines()]), flush=True)
    return rows
