"""The command `benchmark structure`, on small simulated data."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from squint import datasets, io
from squint.benchmarks.structure import COARSE, DOMAINS, FINE, TOKENS, Structure
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError

pytestmark = pytest.mark.slow

LABELS = datasets.REGION
SETTINGS = {
    "model": {"n_codes": 8, "n_hidden": 16, "n_latent": 10},
    "train": {"n_epochs": 3, "batch_size": 128, "context_steps": 0},
}
MODEL, TRAIN = ModelConfig(**SETTINGS["model"]), TrainConfig(**SETTINGS["train"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Give the folder of a finished benchmark, what was printed aside, and the section."""
    folder = tmp_path_factory.mktemp("structure")
    section = datasets.toy(n_cells=500)
    io.write(section, folder / "section.h5ad")
    (folder / "choices.json").write_text(json.dumps(SETTINGS))
    groups = pd.DataFrame(
        {"truth (seed 0)": section.obs[LABELS], "truth (seed 1)": section.obs[LABELS]}, section.obs_names
    )
    groups.iloc[:-5].to_csv(folder / "others.csv")
    assert main(command(folder)) == 0
    return folder, section


def command(folder, *more):
    return [
        *("benchmark", "structure", str(folder / "section.h5ad"), "--labels", LABELS, "--seeds", "0", "1"),
        *("--config", str(folder / "choices.json"), "--out", str(folder / "out"), "--device", "cpu"),
        *("--beside", str(folder / "others.csv"), "--json", str(folder / "facts.json"), *more),
    ]


def test_every_method_has_a_row_and_the_truth_agrees_with_itself(finished):
    folder, section = finished
    table = pd.read_csv(folder / "out" / "table.csv")
    assert set(table.loc[table["groups"] == FINE, "method"]) == {
        TOKENS,
        "k-means, own cell",
        *(f"k-means, mean over {k} neighbours" for k in (8, 30, 100)),
    }
    coarse = table[table["groups"] == COARSE].set_index("method")
    assert coarse.loc["truth", ["nmi", "ari", "homogeneity", "ari_over_seeds"]].tolist() == [1, 1, 1, 1]
    assert coarse.loc["truth", "n"] == section.n_obs - 5
    assert coarse.loc[DOMAINS, "n_groups"] <= section.obs[LABELS].nunique()
    assert np.isfinite(coarse.loc[DOMAINS, ["nmi", "ari_over_seeds", "ari_fewer_cells"]].astype(float)).all()
    facts = json.loads((folder / "facts.json").read_text())
    assert len(facts["rows"]) == len(table)
    assert "| domains |" in (folder / "out" / "table.md").read_text()


def test_k_means_is_what_anybody_would_run(finished):
    """Scanpy's steps, written anew: median depth, log1p, components, k-means."""
    folder, section = finished
    counts = section.X.toarray().astype(float)
    depth = counts.sum(axis=1)
    logs = np.log1p(counts / depth[:, None] * np.median(depth))
    centred = logs - logs.mean(axis=0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    components = (left * scale)[:, :30]
    n_labels = section.obs[LABELS].nunique()
    by_seed = [
        normalized_mutual_info_score(
            section.obs[LABELS], KMeans(n_labels, n_init=10, random_state=seed).fit_predict(components)
        )
        for seed in (0, 1)
    ]
    table = pd.read_csv(folder / "out" / "table.csv").set_index(["groups", "method"])
    assert table.loc[(COARSE, "k-means, own cell"), "nmi"] == pytest.approx(np.mean(by_seed), abs=0.03)


def test_labels_do_not_reach_the_model(tmp_path):
    tables = []
    for name in ("one", "other"):
        section = datasets.toy(n_cells=300)
        if name == "other":
            shuffled = np.random.default_rng(0).permutation(section.obs[LABELS].to_numpy())
            section.obs[LABELS] = pd.Categorical(shuffled)
        run = Structure(section, LABELS, tmp_path / name, model=MODEL, choices=TRAIN, device="cpu")
        list(run.run([0]))
        tables.append(run.table.set_index(["groups", "method"]))
    one, other = tables
    assert np.allclose(one["coherence"], other["coherence"])
    assert one.loc[(FINE, TOKENS), "nmi"] > other.loc[(FINE, TOKENS), "nmi"]


def test_bundles_are_not_trained_again(finished, capsys):
    folder, _ = finished
    before = (folder / "out" / "table.csv").read_text()
    assert main(command(folder)) == 0
    assert "bundle_seed1: trained before" in capsys.readouterr().err
    assert (folder / "out" / "table.csv").read_text() == before


def test_a_folder_of_another_benchmark_is_refused(finished, capsys):
    folder, _ = finished
    assert main(command(folder, "--codes", "5")) == 2
    assert "results of another benchmark" in capsys.readouterr().err


def test_labels_that_say_nothing_are_left_out(tmp_path):
    section = datasets.toy(n_cells=300)
    without = str(section.obs[LABELS].iloc[0])
    run = Structure(section, LABELS, tmp_path, model=MODEL, choices=TRAIN, without=[without])
    assert run.n_labels == section.obs[LABELS].nunique() - 1
    assert run.judge.labelled.sum() == (section.obs[LABELS] != without).sum()


@pytest.mark.parametrize(
    ("column", "without", "said"),
    [
        ("no such", [], "no column 'no such'"),
        (LABELS, ["nowhere"], "No cell of the section is labelled 'nowhere'"),
        ("same", [], "holds 1 labels"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, column, without, said):
    section = datasets.toy(n_cells=100)
    section.obs["same"] = "same"
    with pytest.raises(InputError, match=said):
        Structure(section, column, tmp_path, model=MODEL, choices=TRAIN, without=without)


def test_groups_that_name_no_cell_are_refused(finished, capsys, tmp_path):
    folder, _ = finished
    (tmp_path / "others.csv").write_text("cell,peer\nnowhere,1\n")
    assert main([*command(folder), "--beside", str(tmp_path / "others.csv")]) == 2
    assert "names no cell" in capsys.readouterr().err
