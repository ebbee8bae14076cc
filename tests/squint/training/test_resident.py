"""Batches put together by torch against those put together by scipy, on the CPU."""

import numpy as np
import pytest
import torch

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.model.cohort import prepare
from squint.model.tokens import embed, to_inputs
from squint.training.edges import Edges
from squint.training.resident import Resident
from squint.training.run import Run

MODEL = ModelConfig(n_codes=12, n_hidden=32, n_latent=16)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def edges():
    """Give edges of 500 cells of two sections, a tenth of the cells hidden."""
    adata = datasets.toy(n_cells=500)
    hidden = np.random.default_rng(0).random(500) < 0.1
    return Edges.of(
        prepare(adata, list(adata.var_names), MODEL, hidden=hidden), 0.2, np.random.default_rng(0)
    )


@pytest.fixture(scope="module")
def resident(edges):
    return Resident(edges, np.linspace(0.5, 1.5, 500, dtype=np.float32), CPU)


@pytest.fixture(scope="module")
def cells(edges):
    """Give some visible cells, in no order."""
    return np.random.default_rng(1).permutation(np.flatnonzero(edges.cohort.visible))[:60]


@pytest.mark.parametrize("n_hops", [1, 2, 3])
def test_patches_are_the_same(edges, resident, cells, n_hops):
    on_cpu, on_device = edges.cohort.patch(cells, n_hops), resident.patch(torch.from_numpy(cells), n_hops)
    assert np.array_equal(on_cpu.cells, on_device.cells.numpy())
    assert len(on_cpu.hops) == len(on_device.hops)
    for (edge_index, n_target), hop in zip(on_cpu.hops, on_device.hops, strict=True):
        assert np.array_equal(edge_index, hop.edge_index.numpy())
        assert n_target == hop.n_target


def test_inputs_are_the_same(edges, resident, cells):
    rank = np.random.default_rng(2).random(500).astype(np.float32)
    resident.mask_by(rank)
    section = 1 + edges.cohort.section[cells]
    patch = edges.cohort.patch(cells, 1)
    masked = (rank[patch.cells] < 0.4) | ~edges.cohort.visible[patch.cells]
    on_cpu = to_inputs(edges.cohort, patch, masked, section, CPU)
    on_device = resident.inputs(
        resident.patch(torch.from_numpy(cells), 1),
        0.4,
        torch.from_numpy(section),
        torch.from_numpy(section),
        0,
    )
    assert all(torch.equal(*pair) for pair in zip(on_cpu.counts, on_device.counts, strict=True))
    for name in ("masked", "noise", "features", "section", "shown_section"):
        assert torch.equal(getattr(on_cpu, name), getattr(on_device, name)), name


def test_targets_are_the_same(edges, resident, cells):
    target = resident.target(torch.from_numpy(cells), resident.patch(torch.from_numpy(cells), 1))
    assert np.array_equal(target.sums.numpy(), edges.cohort.neighbourhood_sums(cells))
    present, _ = edges.draw(cells, np.random.default_rng(0))
    assert {tuple(pair) for pair in present.T} == {tuple(pair) for pair in target.present.T.tolist()}
    assert present.shape[1] > 20
    graph = edges.cohort.graph[cells][:, cells].toarray()
    one, other = target.absent.numpy()
    assert 0 < len(one) <= present.shape[1]
    assert not graph[one, other].any()
    assert (one != other).all()


def test_training_learns_the_same_either_way():
    choices = TrainConfig(n_epochs=10, batch_size=128, tile_size=16, context_steps=0)
    losses = []
    for on_device in (False, True):
        run = Run([datasets.toy(n_cells=1000)], MODEL, choices, None, CPU)
        if on_device:
            run.resident = Resident(run.edges, run.weight, CPU)
        for number in range(1, 11):
            if number == run.n_continuous + 1:
                run.start_codebook()
            last = run.epoch(number)
        losses.append(last.losses["total"])
    # Chance differs: pairs without an edge are drawn where the cohort is.
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_a_gpu_too_small_for_anything_hands_over_to_the_cpu(monkeypatch):
    choices = TrainConfig(n_epochs=1, context_steps=0)
    *_, last = squint.train(datasets.toy(n_cells=300), model=MODEL, train=choices)
    expected, found = datasets.toy(n_cells=300), datasets.toy(n_cells=300)
    tl.tokenize(expected, last.bundle)
    model, failures = last.bundle.model, [torch.cuda.OutOfMemoryError]
    encode = model.encode

    def fails_at_first(inputs):
        assert len(inputs.section) <= 256  # not to be halved
        if failures:
            raise failures.pop()
        return encode(inputs)

    monkeypatch.setattr(model, "encode", fails_at_first)
    tl.tokenize(found, last.bundle)
    assert not failures
    assert np.array_equal(found.obsm[keys.TOKENS], expected.obsm[keys.TOKENS])
    assert "CPU was used" in " ".join(found.uns[keys.PROVENANCE]["warnings"])


def test_a_gpu_too_small_for_a_tile_gets_halves_of_it(monkeypatch):
    run = Run([datasets.toy(n_cells=1500)], MODEL, TrainConfig(n_epochs=1, context_steps=0), None, CPU)
    whole = list(embed(run.model, run.cohort, run.cohort.own_conditions()))
    encode = run.model.encode

    def small(inputs):
        if len(inputs.section) > 400:
            raise torch.cuda.OutOfMemoryError
        return encode(inputs)

    monkeypatch.setattr(run.model, "encode", small)
    halves = list(embed(run.model, run.cohort, run.cohort.own_conditions()))
    assert len(halves) > len(whole)
    tokens = [np.empty(1500, dtype=np.int32) for _ in range(2)]
    for into, parts in zip(tokens, (whole, halves), strict=True):
        for part in parts:
            into[part.cells] = part.tokens[:, 0]
    assert np.array_equal(*tokens)
