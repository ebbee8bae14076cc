"""What training and tokenising cost: on real sections, and as simulated sections grow."""

import numpy as np
import pytest
import torch

from squint import ModelConfig, TrainConfig, datasets, io, keys, speed
from squint.meter import Meter

pytestmark = pytest.mark.benchmark
MODEL = ModelConfig(n_codes=5000)
N_BREAST = 12_000  # cells, the first by x
SIZES = (10_000, 100_000, 1_000_000)
N_GENES = 500


@pytest.fixture(scope="module")
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def test_training_on_part_of_a_real_section(real_section, device):
    adata = io.read(real_section("xenium_breast_roi_17k"))
    by_x = np.argsort(np.asarray(adata.obsm[keys.SPATIAL])[:, 0], kind="stable")
    part = adata[np.sort(by_x[:N_BREAST])].copy()
    rows = show(f"Breast, {N_BREAST:,} x {adata.n_vars}", part, TrainConfig(n_epochs=5), device)
    tokens = [row for row in rows if row["stage"] not in {"read", "learning to in-paint"}][:-1]
    seconds = sum(row["cpu_seconds"] for row in tokens)
    print(f"Graph, preparing and training without in-painting: {seconds:.1f} CPU s (at most 15 wanted).")


def test_tokenising_a_real_section(real_section, device):
    adata = io.read(real_section("xenium_human_pancreas_full"))
    choices = TrainConfig(n_epochs=2, context_steps=0)
    *_, last = show(f"Pancreas, {adata.n_obs:,} x {adata.n_vars}", adata, choices, device)
    print(f"Tokenised, graph included: {last['cells_per_second']:,.0f} cells/s (at least 20,000 wanted).")


def test_cost_grows_as_the_cells_do(device):
    stages: dict[str, list[float]] = {}
    for n_cells in SIZES:
        adata = datasets.bulk(n_cells, N_GENES)
        choices = TrainConfig(n_epochs=1, context_steps=0)
        for row in show(f"Simulated, {n_cells:,} x {N_GENES}", adata, choices, device):
            stages.setdefault(row["stage"], []).append(row["cpu_seconds"])
    print("| stage | exponent of CPU seconds |\n|---|---|")
    for stage, seconds in stages.items():
        slope = np.polyfit(np.log(SIZES), np.log(seconds), 1)[0]
        print(f"| {stage} | {slope:.2f} |", flush=True)


def show(name, adata, choices, device):
    """Measure every stage, print the table, and give its rows."""
    meter = Meter(device)
    rows = list(speed.benchmark(adata, MODEL, choices, meter))
    print("\n\n" + "\n".join([f"{name}, K {MODEL.n_codes}", "", *meter.lines()]), flush=True)
    return rows
