"""How long trainings were said to take, beside how long they took."""

import time

import pytest

import squint
from squint import ModelConfig, TrainConfig, datasets
from squint.training.estimate import LONGEST, estimate

pytestmark = pytest.mark.benchmark
FACTOR = 3  # either way: the machine may be busier now than it is then


@pytest.mark.parametrize(
    ("n_cells", "n_genes", "n_codes", "n_epochs"),
    [(1_000, 200, 50, 4), (4_000, 500, 50, 6), (4_000, 500, 5_000, 6), (20_000, 300, 512, 4)],
)
def test_a_training_takes_about_as_long_as_was_said(n_cells, n_genes, n_codes, n_epochs, record):
    choices = {"model": ModelConfig(n_codes=n_codes), "train": TrainConfig(n_epochs=n_epochs)}
    section = datasets.bulk(n_cells, n_genes, seed=1)
    estimate(10, n_genes)  # imports apart
    start = time.perf_counter()
    said = estimate(n_cells, n_genes, **choices)
    itself = time.perf_counter() - start
    start = time.perf_counter()
    list(squint.train(section, **choices))
    took = time.perf_counter() - start
    what = f"estimate, {n_cells:,} x {n_genes}, K {n_codes:,}, {n_epochs} epochs"
    record(what, f"{said.seconds:.1f} s, took {took:.1f} s", f"within a factor of {FACTOR}")
    record(f"{what}, itself", f"{itself:.1f} s", f"at most {LONGEST:.0f} s")
    assert took / FACTOR < said.seconds < took * FACTOR
