"""How long a training will take: that it grows with the work, and is told with its basis."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import squint
from squint.config import ModelConfig, TrainConfig
from squint.training.estimate import Timed, estimate, extrapolate
from squint.training.run import KMEANS_CELLS

MODEL = ModelConfig(n_codes=6, n_hidden=16, n_latent=8)
TRAIN = TrainConfig(n_epochs=10)
TIMED = Timed(
    n_cells=500,
    preparing=1e-4,
    continuous=0.1,
    starting=0.2,
    quantised=0.15,
    measuring=0.05,
    profile_step=0.01,
    donor_step=0.02,
)


@given(n_cells=st.integers(1, 10_000_000), more=st.integers(1, 999_500), n_epochs=st.integers(1, 500))
def test_more_cells_and_more_epochs_take_longer(n_cells, more, n_epochs):
    def seconds(n_cells, n_epochs):
        return sum(extrapolate(TIMED, n_cells, MODEL, replace(TRAIN, n_epochs=n_epochs)).values())

    assert seconds(n_cells + more, n_epochs) > seconds(n_cells, n_epochs)
    assert seconds(n_cells, n_epochs + more) > seconds(n_cells, n_epochs)


def test_epochs_take_as_many_times_longer_as_there_are_cells_and_epochs():
    few = extrapolate(TIMED, 500, MODEL, TRAIN)
    assert few["epochs before the codebook"] == pytest.approx(2 * 0.1)  # a fifth of ten
    assert few["epochs with the codebook"] == pytest.approx(8 * 0.15)
    assert few["preparing"] == pytest.approx(500 * 1e-4)
    many = extrapolate(TIMED, 50_000, MODEL, replace(TRAIN, n_epochs=20))
    for part in ("epochs before the codebook", "epochs with the codebook"):
        assert many[part] == pytest.approx(200 * few[part])
    assert many["starting the codebook"] == pytest.approx(0.2 * KMEANS_CELLS / 500)  # a sample is enough


def test_in_painting_is_learned_from_a_sample_or_not_at_all():
    parts = [extrapolate(TIMED, n_cells, MODEL, TRAIN) for n_cells in (1_000_000, 10_000_000)]
    assert parts[0]["learning to in-paint"] == pytest.approx(parts[1]["learning to in-paint"])
    assert parts[0]["learning to in-paint"] > TRAIN.context_steps * (3 * 0.01 + 0.02)
    without = extrapolate(TIMED, 1_000_000, MODEL, replace(TRAIN, context_steps=0))
    assert without["learning to in-paint"] == 0


def test_an_estimate_is_measured_here_and_says_so():
    chance = torch.get_rng_state()
    said = estimate(20_000, 60, model=MODEL, train=TRAIN, device="cpu")
    assert torch.equal(torch.get_rng_state(), chance)
    assert said.seconds == pytest.approx(sum(said.parts.values()))
    assert all(seconds > 0 for seconds in said.parts.values())
    assert "cells x 60 genes" in said.basis
    assert "20,000 cells and 10 epochs" in said.basis


def test_what_the_model_would_refuse_or_leave_out_is_no_obstacle():
    model = replace(MODEL, covariates=("cell_type", "position"), n_genes=40)
    train = TrainConfig(batch_size=100_000, context_steps=0, cells_held_out=0.5)
    assert "x 40 genes" in estimate(1, 5_000, model=model, train=train, device="cpu").basis


@pytest.mark.parametrize(("n_cells", "n_genes"), [(0, 10), (10, 0)])
def test_nothing_to_train_on_is_refused(n_cells, n_genes):
    with pytest.raises(squint.InputError, match="At least"):
        estimate(n_cells, n_genes)
