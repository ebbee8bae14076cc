"""The measuring of cost: what is counted, and what is simulated to count on."""

import json
import time

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from squint import datasets, keys
from squint.benchmarks import speed
from squint.benchmarks.meter import Machine, Meter, Work
from squint.cli.main import main
from squint.config import ModelConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def meter():
    return Meter(torch.device("cpu"))


def test_the_simulated_section_is_as_sparse_as_asked_for_and_the_same_again():
    adata, again = (datasets.bulk(3000, 200, nonzero=0.12, seed=1) for _ in range(2))
    counts = csr_matrix(adata.X)
    assert counts.nnz / (3000 * 200) == pytest.approx(0.12, rel=0.1)
    assert (counts.data == counts.data.round()).all()
    assert (counts != csr_matrix(again.X)).nnz == 0
    assert np.array_equal(adata.obsm[keys.SPATIAL], again.obsm[keys.SPATIAL])
    assert adata.uns[keys.PROVENANCE]["simulated"]


def test_neighbours_are_of_one_type_more_often_than_others():
    adata = datasets.bulk(4000, 100, seed=0)
    types, xy = adata.obs["true_type"].to_numpy(), adata.obsm[keys.SPATIAL]
    nearest = cKDTree(xy).query(xy, 2)[1][:, 1]
    assert (types[nearest] == types).mean() > 2 * (types[::-1] == types).mean()


def test_the_floor_is_the_longer_of_computing_and_moving():
    machine = Machine("by hand", operations=10.0, bytes=100.0)
    assert Work(50, 100).floor(machine) == pytest.approx(5)
    assert Work(5, 1000).floor(machine) == pytest.approx(10)


def test_a_stage_is_timed_and_its_memory_is_its_own(meter):
    with meter.stage("large", 1000):
        block = np.ones(40_000_000)
        time.sleep(0.05)
    size = block.nbytes / 1e9
    del block
    with meter.stage("small", 1000):
        pass
    large, small = meter.rows[-2:]
    assert large["seconds"] >= 0.05
    assert large["cells_per_second"] == pytest.approx(1000 / large["seconds"])
    assert large["peak_gb"] >= size
    assert small["peak_gb"] <= large["peak_gb"]


def test_operations_by_hand():
    model = ModelConfig(n_hidden=4, n_latent=3, n_mlp_layers=2, n_codes=5, n_section_features=1)
    size = speed.Size(n_cells=10, n_genes=6, n_counts=20, n_edges=30, n_features=2)
    assert speed.searching(size, model) == 2 * 10 * 5 * 3
    per_cell = 2 * 4 * 4 + 2 * 2 * 4 * 3 + 2 * 3 * 2 * 3  # second layer, graph layer, FiLM
    assert speed.encoding(size, model) == 2 * 20 * 4 + 30 * 4 + 10 * per_cell
    hidden = 3 * 4 + 3 * 2 * 4  # latent to hidden, and its FiLM
    assert speed.decoding(size, model) == 2 * 10 * (2 * hidden + 4 * (6 + 3))


def test_the_command_prints_each_stage(tmp_path, capsys):
    path = tmp_path / "facts.json"
    size = ["--cells", "300", "--genes", "40", "--epochs", "2", "--codes", "4", "--tokens-only"]
    assert main(["benchmark", "speed", *size, "--device", "cpu", "--json", str(path)]) == 0
    facts = json.loads(path.read_text())
    stages = [row["stage"] for row in facts["rows"]]
    assert stages[:3] == ["read", "graph", "prepare"]
    assert stages[-1] == "tokenise, graph included"
    assert all(row["cpu_seconds"] >= 0 and row["seconds"] > 0 for row in facts["rows"])
    printed = capsys.readouterr().out
    assert "simulated" in printed
    assert all(f"| {stage} |" in printed for stage in stages)


def test_no_cells_are_refused(capsys):
    assert main(["benchmark", "speed", "--cells", "0"]) == 2
    assert "At least 1 cell" in capsys.readouterr().err
