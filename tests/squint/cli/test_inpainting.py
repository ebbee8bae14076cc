"""The commands `inpaint` and `benchmark inpainting`, end to end on small simulated data."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from scipy.stats import pearsonr

from squint import datasets, io, keys
from squint.cli.main import main

pytestmark = pytest.mark.slow

CONFIG = {
    "model": {"n_codes": 6, "n_hidden": 16, "n_latent": 8},
    "train": {"n_epochs": 2, "batch_size": 128, "tile_size": 32, "context_steps": 4},
}
NAME = "TOY-H-1"
POINTS = [[31.0, 42.0], [55.0, 66.0]]


def write_regions(path, *items):
    path.write_text(json.dumps({"regions": items}))
    return str(path)


def run(*words):
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a section, regions, choices and a model trained without the cells in the regions."""
    folder = tmp_path_factory.mktemp("inpainting")
    adata = datasets.toy(n_cells=240)
    io.write(adata, folder / "section.h5ad")
    points = adata.obsm[keys.SPATIAL][(adata.obs[keys.SECTION] == NAME).to_numpy()]
    low, high = np.quantile(points, [0.3, 0.7], axis=0)
    square = {"section": NAME, "x0": low[0], "x1": high[0], "y0": low[1], "y1": high[1]}
    write_regions(folder / "R.json", square)
    write_regions(folder / "points.json", square, {"section": NAME, "points": POINTS})
    (folder / "config.json").write_text(json.dumps(CONFIG))
    train = ("train", folder / "section.h5ad", "--regions", folder / "R.json", "--out", folder / "bundle")
    assert run(*train, "--config", folder / "config.json") == 0
    return folder


def inpaint(folder, out, *more, regions="R.json", section="section.h5ad", model="bundle"):
    words = (folder / section, "--model", folder / model, "--regions", folder / regions, "--out", out)
    assert run("inpaint", *words, *more) == 0
    return anndata.read_h5ad(out)


def hidden_cells(folder, name="R.json"):
    section = io.read(folder / "section.h5ad")
    square = json.loads((folder / name).read_text())["regions"][0]
    x, y = section.obsm[keys.SPATIAL][:, :2].T
    inside = (section.obs[keys.SECTION] == NAME).to_numpy()
    inside &= (x >= square["x0"]) & (x <= square["x1"]) & (y >= square["y0"]) & (y <= square["y1"])
    return section, inside


def test_the_file_holds_the_hidden_cells_and_nothing_else(folder, tmp_path):
    out = inpaint(folder, tmp_path / "out.h5ad")
    section, hidden = hidden_cells(folder)
    genes = json.loads((folder / "bundle" / "config.json").read_text())["genes"]
    assert list(out.obs_names) == list(section.obs_names[hidden])
    assert list(out.var_names) == genes
    for slot in (keys.IMPUTED, keys.IMPUTED_CELL):
        assert isinstance(out.obsm[slot], np.ndarray)
        assert out.obsm[slot].dtype == np.float32
        assert out.obsm[slot].shape == (hidden.sum(), len(genes))
        assert np.isfinite(out.obsm[slot]).all()
    np.testing.assert_array_equal(out.obsm[keys.SPATIAL], section.obsm[keys.SPATIAL][hidden])
    assert out.obs[keys.HIDDEN].all()
    assert not out.obs[keys.SIMULATED_POSITION].any()
    assert set(out.obs[keys.SECTION]) == {NAME}
    said = io.read(folder / "section.h5ad").uns[keys.PROVENANCE]["source_sha256"]
    assert out.uns[keys.PROVENANCE]["source_sha256"] == said
    assert out.uns[keys.PROVENANCE]["inpainting"]["protocol"][NAME] == "trained without these cells"


def test_draws_follow_the_seed(folder, tmp_path):
    expected = inpaint(folder, tmp_path / "expected.h5ad")
    one, again, other = (
        inpaint(folder, tmp_path / "one.h5ad", "--draws", 1, "--seed", seed).obsm[keys.IMPUTED]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert keys.IMPUTED_SD not in expected.obsm
    several = inpaint(folder, tmp_path / "several.h5ad", "--draws", 5)
    assert several.obsm[keys.IMPUTED_SD].dtype == np.float32
    assert (several.obsm[keys.IMPUTED_SD] > 0).any()


def test_counts_of_hidden_cells_change_nothing(folder, tmp_path):
    section, hidden = hidden_cells(folder)
    counts = section.X.toarray()
    counts[hidden] = np.random.default_rng(0).poisson(40, counts[hidden].shape)
    section.X = csr_matrix(counts)
    io.write(section, folder / "other.h5ad")
    for more in ((), ("--draws", 2)):
        one = inpaint(folder, tmp_path / "one.h5ad", *more)
        other = inpaint(folder, tmp_path / "other.h5ad", *more, section="other.h5ad")
        pd.testing.assert_frame_equal(one.obs, other.obs)
        assert list(one.var_names) == list(other.var_names)
        assert set(one.obsm) == set(other.obsm)
        for slot in one.obsm:
            np.testing.assert_array_equal(one.obsm[slot], other.obsm[slot], err_msg=slot)


def test_positions_without_cells_are_imputed_and_marked(folder, tmp_path, capsys):
    out = inpaint(folder, tmp_path / "out.h5ad", regions="points.json")
    simulated = out.obs[keys.SIMULATED_POSITION].to_numpy()
    assert list(out.obs_names[simulated]) == ["point-1", "point-2"]
    assert out.obsm[keys.SPATIAL][simulated].tolist() == POINTS
    assert (out.obsm[keys.IMPUTED][simulated] >= 0).all()
    assert (out.obsm[keys.IMPUTED_CELL][simulated].sum(axis=1) > 0).all()
    assert out.obs[keys.HIDDEN].all()
    assert not simulated[: len(out) - 2].any()
    assert f"{NAME}: {len(out)} cells in-painted; trained without these cells" in capsys.readouterr().out


def test_a_model_that_saw_the_cells_says_so(folder, tmp_path, capsys):
    bundle = folder / "saw"
    assert run("train", folder / "section.h5ad", "--out", bundle, "--config", folder / "config.json") == 0
    out = inpaint(folder, tmp_path / "out.h5ad", model="saw")
    assert "seen in training" in capsys.readouterr().err
    assert out.uns[keys.PROVENANCE]["inpainting"]["protocol"][NAME] == "trained on these cells"
    inpaint(folder, tmp_path / "out.h5ad", model="saw", regions="points.json")
    assert "seen in training" in capsys.readouterr().err


def test_bad_input_ends_with_two_and_one_line(folder, tmp_path, capsys):
    section, model, out = folder / "section.h5ad", folder / "bundle", tmp_path / "out.h5ad"
    nowhere = write_regions(tmp_path / "nowhere.json", {"section": "nowhere", "points": POINTS})
    empty = write_regions(tmp_path / "empty.json", {"section": NAME, "x0": 1e6, "x1": 2e6, "y0": 0, "y1": 1})
    everything = {"section": NAME, "x0": -1e6, "x1": 1e6, "y0": -1e6, "y1": 1e6}
    whole = write_regions(tmp_path / "whole.json", everything)
    high = write_regions(tmp_path / "high.json", {"section": NAME, "points": [[1, 2, 3]]})
    points = write_regions(tmp_path / "points.json", {"section": NAME, "points": POINTS})
    taken = tmp_path / "taken"
    taken.write_text("a file")
    regions = folder / "R.json"
    ways = {
        "no section": ("inpaint", section, "--model", model, "--regions", nowhere, "--out", out),
        "no cell": ("inpaint", section, "--model", model, "--regions", empty, "--out", out),
        "all cells": ("inpaint", section, "--model", model, "--regions", whole, "--out", out),
        "a height": ("inpaint", section, "--model", model, "--regions", high, "--out", out),
        "no regions": ("inpaint", section, "--model", model, "--regions", tmp_path / "none", "--out", out),
        "no model": ("inpaint", section, "--model", tmp_path, "--regions", regions, "--out", out),
        "a folder": ("inpaint", section, "--model", model, "--regions", regions, "--out", tmp_path / "o"),
        "draws": ("inpaint", section, "--model", model, "--regions", regions, "--out", out, "--draws", -1),
        "only points": ("benchmark", "inpainting", section, "--regions", points, "--out", tmp_path / "b"),
        "a file": ("benchmark", "inpainting", section, "--regions", regions, "--out", taken),
        "all": ("benchmark", "inpainting", section, "--regions", whole, "--out", tmp_path / "c"),
    }
    for name, words in ways.items():
        capsys.readouterr()
        assert run(*words) == 2, name
        said = capsys.readouterr().err.strip().splitlines()
        assert said[-1].startswith("squint: "), name
        assert not any("Traceback" in line for line in said), name
    assert not out.exists()


@pytest.fixture(scope="module")
def measured(folder):
    """Run the benchmark for two seeds, and give its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("squint.baselines.coordinate_mlp.N_STEPS", 20)
        assert benchmark(folder, folder / "benchmark") == 0
    return folder / "benchmark"


def benchmark(folder, out, *more, seeds=(0, 1)):
    words = (folder / "section.h5ad", "--regions", folder / "R.json", "--out", out, "--seeds", *seeds)
    return run("benchmark", "inpainting", *words, "--config", folder / "config.json", *more)


def test_the_benchmark_writes_every_row(measured):
    table = pd.read_csv(measured / "table.csv").set_index("method")
    sizes = [1, 4, 8, 16, 32, 64]
    assert set(table.index) == {
        "squint_expected",
        "squint_draw",
        *(f"knn{k}_{how}" for k in sizes for how in ("nbr", "cell_then_graph")),
        *("idw32_nbr", "section_mean", "cell_type_mean", "draw16_nbr", "draw64_nbr", "draw256_nbr"),
        *("random_observed_nbr", "coordinate_mlp", "truth_halves"),
    }
    assert (table["section"] == NAME).all()
    for metric in ("PC", "PG", "MMD", "MMD3", "E"):
        assert np.isfinite(table[metric]).all()
        assert (table[f"{metric}_sd"].notna() == (table["seeds"] == 2)).all()
        best = table.index[table["best_in"].fillna("").str.split().map(lambda names, m=metric: m in names)]
        assert len(best) == 1
        rivals = table.drop(["squint_expected", "squint_draw", "cell_type_mean", "truth_halves"])[metric]
        assert rivals[best[0]] == (rivals.max() if metric in {"PC", "PG"} else rivals.min())
    assert (table["train_s"] > 0).sum() == 2
    assert "label" in table.loc["cell_type_mean", "note"]
    text = (measured / "table.md").read_text()
    assert text.startswith(f"Strict protocol, section {NAME}: ")
    assert "seeds 0, 1" in text.splitlines()[0]
    assert "uses the label" in text


@pytest.mark.parametrize(("method", "draws"), [("squint_expected", ()), ("squint_draw", ("--draws", 1))])
def test_an_outsider_computes_the_same_numbers(folder, measured, tmp_path, method, draws):
    out = inpaint(folder, tmp_path / "out.h5ad", *draws, model="benchmark/bundle_seed0")
    section, hidden = hidden_cells(folder)
    cells = np.flatnonzero((section.obs[keys.SECTION] == NAME).to_numpy())
    points, counts = section.obsm[keys.SPATIAL][cells], section[cells].to_df()[out.var_names].to_numpy()
    joined = np.eye(len(cells), dtype=bool)
    for cell, near in enumerate(cKDTree(points).query(points, 9)[1]):
        joined[cell, near] = joined[near, cell] = True
    truth = np.array([counts[joined[cell]].mean(axis=0) for cell in np.flatnonzero(hidden[cells])])
    said = out.obsm[keys.IMPUTED]
    pc = np.mean([pearsonr(*pair)[0] for pair in zip(truth, said, strict=True)])
    rows = json.loads((measured / "model_seed0.json").read_text())
    (row,) = (row for row in rows if row["method"] == method)
    assert row["pc"] == pytest.approx(pc, abs=1e-5)
    assert row["n"] == len(truth)


def test_the_benchmark_is_taken_up_where_it_stopped(folder, measured, capsys):
    before = {path.name: path.read_bytes() for path in measured.glob("*.*")}
    (measured / "averages.json").unlink()
    (measured / "table.csv").unlink()
    capsys.readouterr()
    assert benchmark(folder, measured) == 0
    said = capsys.readouterr().err
    assert "model_seed0: done before" in said
    assert "averages: done before" not in said
    assert {path.name: path.read_bytes() for path in measured.glob("*.*")} == before


def test_a_folder_of_another_benchmark_is_left_alone(folder, measured, capsys):
    assert benchmark(folder, measured, "--epochs", 1) == 2
    assert "another benchmark (other training)" in capsys.readouterr().err


def test_the_benchmark_scores_the_genes_of_the_model(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("squint.baselines.coordinate_mlp.N_STEPS", 5)
    few = json.loads(json.dumps(CONFIG))
    few["model"]["n_genes"] = 12
    (tmp_path / "few.json").write_text(json.dumps(few))
    words = (folder / "section.h5ad", "--regions", folder / "R.json", "--out", tmp_path / "few")
    assert run("benchmark", "inpainting", *words, "--seeds", 0, "--config", tmp_path / "few.json") == 0
    n_genes = io.read(folder / "section.h5ad").n_vars
    assert f"12 genes of the model, of {n_genes} measured" in (tmp_path / "few" / "table.md").read_text()
    assert len(json.loads((tmp_path / "few" / "bundle_seed0" / "config.json").read_text())["genes"]) == 12


@pytest.mark.parametrize("command", ["inpaint", "learn-to-inpaint"])
def test_a_device_is_not_taken_where_the_cpu_alone_computes(folder, capsys, command):
    words = (folder / "section.h5ad", "--model", folder / "bundle", "--out", folder / "never.h5ad")
    more = ("--regions", folder / "R.json") if command == "inpaint" else ()
    with pytest.raises(SystemExit) as ended:
        run(command, *words, *more, "--device", "cuda")
    assert ended.value.code == 2
    assert "--device" in capsys.readouterr().err
