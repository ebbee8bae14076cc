"""Training in several processes against training in one; real processes, on the CPU."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from squint import datasets, io, keys, tl
from squint.config import ModelConfig
from squint.model.bundle import Bundle
from squint.model.cohort import prepare
from squint.training.edges import Edges
from squint.training.shards import deal, reach

pytestmark = pytest.mark.slow

MODEL = ModelConfig(n_codes=12, n_hidden=32, n_latent=16)
CHOICES = {
    "model": {"n_codes": 12, "n_hidden": 32, "n_latent": 16},
    "train": {"n_epochs": 20, "batch_size": 128, "tile_size": 16, "context_steps": 4},
}
KEEP_CODES = """
import sys, torch, squint
from squint.training import fabric as group
from squint.config import ModelConfig, TrainConfig

folder, sections = sys.argv[1], [squint.read(path) for path in sys.argv[2:]]
fabric = group.open_group("cpu", 2)
choices = {"model": ModelConfig(n_codes=12, n_hidden=32, n_latent=16),
           "train": TrainConfig(n_epochs=4, batch_size=64, tile_size=16, context_steps=0)}
for epoch in squint.train(sections, **choices, fabric=fabric):
    torch.save(epoch.bundle.model.state_dict(), f"{folder}/rank{fabric.global_rank}_epoch{epoch.number}.pt")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with three toy sections in two files, and choices."""
    folder = tmp_path_factory.mktemp("parallel")
    for seed, n_sections in enumerate((2, 1)):
        adata = datasets.toy(seed=seed, n_cells=600, n_sections=n_sections)
        adata.obs[keys.SECTION] = [f"{seed}-{name}" for name in adata.obs[keys.SECTION]]
        io.write(adata, folder / f"file{seed}.h5ad")
    (folder / "choices.json").write_text(json.dumps(CHOICES))
    return folder


def run(folder, *words):
    """Run Python in the folder, and give what it printed on stderr."""
    command = [sys.executable, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


def train(folder, out, *words):
    """Train by the command, and give the losses of each epoch."""
    files = ["file0.h5ad", "file1.h5ad", "--config", "choices.json", "--device", "cpu"]
    said = run(folder, "-m", "squint", "train", *files, "--out", out, "--json", f"{out}.json", *words)
    assert said.count("epoch 20/20") == 1  # one process speaks
    return [epoch["losses"]["total"] for epoch in json.loads((folder / f"{out}.json").read_text())["epochs"]]


def test_two_processes_learn_as_one_does(folder):
    alone, together = train(folder, "one"), train(folder, "two", "--devices", "2")
    assert together[-1] == pytest.approx(alone[-1], rel=0.01)
    assert together[-1] < 0.95 * together[0]
    cards = [json.loads((folder / f"{out}.json").read_text()) for out in ("one", "two")]
    assert cards[0]["sections"] == cards[1]["sections"]

    # The bundle that two processes made gives equal tokens here and in a process of its own.
    run(folder, "-m", "squint", "tokenize", "file0.h5ad", "--model", "two", "--out", "tokens.h5ad")
    adata = io.read(folder / "file0.h5ad")
    tl.tokenize(adata, Bundle.load(folder / "two"))
    assert np.array_equal(adata.obsm[keys.TOKENS], io.read(folder / "tokens.h5ad").obsm[keys.TOKENS])


def test_torchrun_keeps_weights_and_codes_equal(folder):
    (folder / "keep.py").write_text(KEEP_CODES)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run(folder, *launcher, "keep.py", str(folder), "file0.h5ad", "file1.h5ad")
    for epoch in range(1, 5):
        first, second = (torch.load(folder / f"rank{rank}_epoch{epoch}.pt") for rank in (0, 1))
        assert first.keys() == second.keys()
        different = [name for name in first if not torch.equal(first[name], second[name])]
        assert different == []
    codes = [torch.load(folder / f"rank0_epoch{epoch}.pt")["codebook.codes"] for epoch in (3, 4)]
    assert not torch.equal(*codes)  # they moved


@given(
    n_cells=st.integers(20, 60),
    n_ranks=st.integers(1, 5),
    n_hidden=st.integers(0, 10),
    seed=st.integers(0, 9),
)
def test_every_visible_cell_is_dealt_once_and_equally(n_cells, n_ranks, n_hidden, seed):
    adata = datasets.toy(seed=seed, n_cells=n_cells)
    hidden = np.zeros(adata.n_obs, dtype=bool)
    hidden[np.random.default_rng(seed).permutation(adata.n_obs)[:n_hidden]] = True
    cohort = prepare(adata, list(adata.var_names), MODEL, hidden=hidden)
    hands = np.stack([deal(cohort, rank, n_ranks) for rank in range(n_ranks)])
    assert np.array_equal(hands.sum(axis=0), ~hidden)
    assert np.ptp(hands.sum(axis=1)) <= 1


def test_a_share_holds_all_that_its_cells_depend_on():
    adata = datasets.toy(n_cells=300)
    cohort = prepare(adata, list(adata.var_names), MODEL)
    edges = Edges.of(cohort, 0.2, np.random.default_rng(0))
    own = deal(cohort, 1, 3)
    kept = np.flatnonzero(reach(cohort, own, 1))
    assert own.sum() < len(kept) < cohort.n_cells
    part = edges.within(kept)
    cells = np.flatnonzero(own)
    inside = np.searchsorted(kept, cells)
    assert np.array_equal(part.cohort.neighbourhood_sums(inside), cohort.neighbourhood_sums(cells))
    whole, some = cohort.patch(cells, 1), part.cohort.patch(inside, 1)
    assert np.array_equal(kept[some.cells], whole.cells)
    assert np.array_equal(some.hops[0][0], whole.hops[0][0])
    source, target = np.divmod(part.numbers[part.held_out], part.cohort.n_cells)
    both_kept = np.isin(np.stack(np.divmod(edges.numbers, cohort.n_cells)), kept).all(axis=0)
    wanted = edges.numbers[edges.held_out & both_kept]
    assert np.array_equal(kept[source] * cohort.n_cells + kept[target], wanted)
