"""Steps put together many at a time by torch, against one at a time by scipy; and GPUs that are too small."""

import numpy as np
import pytest
import torch

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.model.cohort import prepare
from squint.model.tokens import embed
from squint.training import steps as of_steps
from squint.training.edges import Edges
from squint.training.run import Run
from squint.training.steps import Step, Steps, move

MODEL = ModelConfig(n_codes=12, n_hidden=32, n_latent=16)
CPU = torch.device("cpu")
MASKED = 0.4


@pytest.fixture(scope="module")
def edges():
    """Give edges of 500 cells of two sections, a tenth of the cells hidden."""
    adata = datasets.toy(n_cells=500)
    hidden = np.random.default_rng(0).random(500) < 0.1
    return Edges.of(
        prepare(adata, list(adata.var_names), MODEL, hidden=hidden), 0.2, np.random.default_rng(0)
    )


@pytest.fixture(scope="module")
def rank():
    return np.random.default_rng(2).random(500).astype(np.float32)


@pytest.fixture(scope="module")
def drawn(edges):
    """Give visible cells of several steps, in no order; a cell may be in more than one."""
    visible = np.flatnonzero(edges.cohort.visible)
    rng = np.random.default_rng(1)
    return [[rng.permutation(visible)[:size] for size in sizes] for sizes in ((30, 41), (1,), (60, 2, 9))]


def put_together(edges, rank, drawn, n_hops=1, **choices):
    weight = np.linspace(0.5, 1.5, 500, dtype=np.float32)
    steps = Steps(edges, weight, TrainConfig(**choices), n_hops, CPU)
    # A cell that is in two tiles of a step would be there twice; training never draws one so.
    asked = [Step([np.unique(np.concatenate(tiles))], MASKED) for tiles in drawn]
    found = list(steps.prepare(asked, rank, np.random.default_rng(3)))
    return list(zip((step.tiles[0] for step in asked), found, strict=True))


@pytest.mark.parametrize("at_once", [1, 40, 10_000])
@pytest.mark.parametrize("n_hops", [1, 2, 3])
def test_patches_are_the_same(edges, rank, drawn, n_hops, at_once, monkeypatch):
    monkeypatch.setattr(of_steps, "CELLS_AT_ONCE", at_once)
    for cells, (inputs, _) in put_together(edges, rank, drawn, n_hops):
        patch = edges.cohort.patch(cells, n_hops)
        rows = torch.cat([inputs.counts.seen, inputs.counts.masked])
        assert len(patch.cells) <= len(rows) < len(patch.cells) + 2 * of_steps.ROWS
        assert torch.equal(rows.sort().values, torch.arange(len(rows)))
        assert len(inputs.counts.seen) % of_steps.ROWS == len(inputs.counts.masked) % of_steps.ROWS == 0
        for (edge_index, n_target), hop in zip(patch.hops, inputs.hops, strict=True):
            assert np.array_equal(edge_index, hop.edge_index.numpy())
            assert n_target == hop.n_target
            assert (hop.edge_index[1].diff() >= 0).all()


def test_inputs_are_the_same(edges, rank, drawn):
    cohort = edges.cohort
    for cells, (inputs, _) in put_together(edges, rank, drawn, mask_noise=0.0, section_dropout=0.0):
        patch = cohort.patch(cells, 1)
        masked = (rank[patch.cells] < MASKED) | ~cohort.visible[patch.cells]
        assert np.array_equal(inputs.counts.masked[: masked.sum()], np.flatnonzero(masked))
        n_seen = (~masked).sum()
        assert np.array_equal(inputs.counts.seen[:n_seen], np.flatnonzero(~masked))
        expected = cohort.inputs(patch.cells[~masked]).toarray()
        assert np.allclose(inputs.counts.values[:n_seen], expected, atol=1e-6)
        assert not inputs.counts.values[n_seen:].any()
        assert not inputs.noise.any()
        assert np.array_equal(inputs.features, cohort.features[cells])
        assert np.array_equal(inputs.section, 1 + cohort.section[cells])
        assert torch.equal(inputs.shown_section, inputs.section)


def test_sections_of_whole_tiles_are_withheld_at_times(edges, rank):
    cells = np.random.default_rng(1).permutation(np.flatnonzero(edges.cohort.visible))[:400].reshape(40, 10)
    steps = Steps(edges, np.ones(500, np.float32), TrainConfig(section_dropout=0.5), 1, CPU)
    ((inputs, _),) = steps.prepare([Step(list(cells), MASKED)], rank, np.random.default_rng(0))
    told = (inputs.shown_section == inputs.section).view(40, 10)
    assert (told.all(dim=1) | ~told.any(dim=1)).all()
    assert 8 < told[:, 0].sum() < 32
    assert (inputs.shown_section[~told.flatten()] == 0).all()


def test_targets_are_the_same(edges, rank, drawn):
    n_pairs = 0
    for cells, (_, target) in put_together(edges, rank, drawn):
        assert np.array_equal(target.sums, edges.cohort.neighbourhood_sums(cells))
        assert np.array_equal(target.weight, np.linspace(0.5, 1.5, 500, dtype=np.float32)[cells])
        graph = edges.cohort.graph[cells][:, cells].toarray()
        held_out = {tuple(divmod(number, 500)) for number in edges.numbers[edges.held_out]}
        inside = {
            (one, other)
            for one, other in zip(*np.nonzero(graph), strict=True)
            if cells[one] < cells[other] and (cells[one], cells[other]) not in held_out
        }
        assert inside == {tuple(pair) for pair in target.present.T.tolist()}
        assert len(inside) == target.present.shape[1]
        one, other = target.absent.numpy()
        assert len(one) <= len(inside)
        assert not graph[one, other].any()
        assert (one != other).all()
        n_pairs += len(one)
    assert n_pairs > 40


def test_pairs_without_an_edge_are_drawn_from_all_cells_of_their_step(edges, rank):
    cells = np.flatnonzero(edges.cohort.visible)
    found = [put_together(edges, rank, [[half] for half in np.array_split(cells, 2)]) for _ in range(30)]
    for step in range(2):
        drawn = torch.cat([each[step][1][1].absent.flatten() for each in found])
        assert len(drawn.unique()) == len(found[0][step][0])


def test_a_cohort_beside_the_model_gives_the_same(edges, rank, drawn):
    (_, (inputs, target)), *_ = put_together(edges, rank, drawn)
    moved = move((inputs, target), torch.device("meta"))
    assert moved[0].counts.values.is_meta
    assert moved[0].hops[0].edge_index.is_meta
    assert moved[0].hops[0].n_target == inputs.hops[0].n_target
    assert moved[0].masked is None
    assert moved[1].absent.shape == target.absent.shape


def test_a_training_is_cut_anywhere(monkeypatch):
    """What is put together at once decides the chance of pairs, and nothing else."""
    choices = TrainConfig(n_epochs=10, batch_size=128, tile_size=16, context_steps=0)
    losses = []
    for at_once in (1, 100_000):
        monkeypatch.setattr(of_steps, "CELLS_AT_ONCE", at_once)
        *_, last = squint.train(datasets.toy(n_cells=1000), model=MODEL, train=choices, device="cpu")
        losses.append(last.losses["total"])
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_a_gpu_too_small_for_a_step_is_said(monkeypatch):
    def fails(*_, **__):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(Run, "_step", fails)
    with pytest.raises(squint.InputError, match="too little memory left for steps of 128 cells"):
        next(squint.train(datasets.toy(n_cells=300), model=MODEL, train=TrainConfig(batch_size=128)))


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
