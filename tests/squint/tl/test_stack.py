"""Cells held out of a stack: hidden completely, in-painted, and judged beside the nearest observed cells."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_matrix
from scipy.stats import pearsonr

import squint
from squint import datasets, io, keys, pp, tl
from squint.baselines.nearest import knn_profiles, nearest_observed
from squint.benchmarks.masked import cell_profiles, observed_depth
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.model.card import NOT_IN_TRAINING, TRAINED_ON, TRAINED_WITHOUT
from squint.model.cohort import prepare
from squint.stats.metrics import column_pearson
from squint.tl._imputation_quality import N_BLOCKS, _gain_se
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

MODEL = ModelConfig(n_codes=6, n_hidden=16, n_latent=8)
TRAIN = TrainConfig(n_epochs=2, batch_size=128, tile_size=32, context_steps=20)
HELD_OUT = replace(TRAIN, cells_held_out=0.2)


def train(sections, choices=HELD_OUT, **more):
    *_, last = squint.train(sections, model=MODEL, train=choices, **more)
    return last.bundle


def with_other_counts(adata, cells):
    """Replace the counts of some cells (n,)."""
    changed = adata.copy()
    counts = changed.X.toarray()
    counts[cells] = np.random.default_rng(0).poisson(20, counts[cells].shape)
    changed.X = csr_matrix(counts)
    return changed


@pytest.fixture(scope="module")
def bundle(stack):
    return train(stack)


@pytest.fixture(scope="module")
def imputed(stack, bundle):
    return tl.inpaint(stack, bundle, copy=True)


@pytest.fixture(scope="module")
def quality(imputed):
    return tl.imputation_quality(imputed, copy=True).uns[keys.QUALITY]


# --- holding cells out -----------------------------------------------------------------------------------


def test_the_share_of_each_section_is_hidden_and_on_the_card(bundle):
    assert [len(record.hidden) for record in bundle.sections] == [20, 20, 20, 20]
    assert bundle.metrics["n_cells"] == 320


def test_which_cells_depends_on_the_seed_but_not_on_their_order_or_on_other_sections(stack, bundle):
    hidden = {record.name: set(record.hidden) for record in bundle.sections}
    turned = train(stack[::-1].copy())
    assert {record.name: set(record.hidden) for record in turned.sections} == hidden
    (alone,) = train(stack[stack.obs[keys.SECTION] == "TOY-L-2"].copy()).sections
    assert set(alone.hidden) == hidden["TOY-L-2"]
    other = train(stack, replace(HELD_OUT, seed=1))
    assert all(set(record.hidden) != hidden[record.name] for record in other.sections)


def test_held_out_cells_come_beside_those_hidden_by_the_caller(stack, bundle):
    given = np.arange(400) < 50
    both = train(stack, hidden=[given])
    listed = {name for record in bundle.sections for name in record.hidden}
    found = {name for record in both.sections for name in record.hidden}
    assert found == listed | set(stack.obs_names[given])


def test_their_counts_change_no_weight(stack, bundle):
    hidden = stack.obs_names.isin([name for record in bundle.sections for name in record.hidden])
    after = train(with_other_counts(stack, hidden))
    assert after.scale.depth == bundle.scale.depth
    for part in ("model", "context"):
        before = getattr(bundle, part).state_dict()
        for name, tensor in getattr(after, part).state_dict().items():
            assert torch.equal(before[name], tensor), name


def test_a_share_of_nothing_changes_no_weight(stack):
    plain, none = (train(stack, choices) for choices in (TRAIN, replace(TRAIN, cells_held_out=0.0)))
    before = plain.model.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in none.model.state_dict().items())
    assert not any(record.hidden for record in none.sections)


def test_bundles_from_before_the_choices_can_be_read(bundle, tmp_path):
    bundle.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for choice in ("cells_held_out", "context_steps"):
        del config["train"][choice]
    del config["context_components"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = load_file(tmp_path / "weights.safetensors")
    save_file(
        {name: tensor for name, tensor in weights.items() if not name.startswith("context.")},
        tmp_path / "weights.safetensors",
    )
    before = squint.Bundle.load(tmp_path)
    assert before.train_config.cells_held_out == 0
    assert before.context is None


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(squint.InputError, match="cells_held_out"):
        TrainConfig(cells_held_out=share)


def test_the_command_holds_out_too(stack, tmp_path, capsys):
    io.write(stack, tmp_path / "stack.h5ad")
    (tmp_path / "config.json").write_text(
        json.dumps(
            {
                "model": {"n_codes": 6, "n_hidden": 16, "n_latent": 8},
                "train": {"tile_size": 32, "context_steps": 5},
            },
        )
    )
    words = ["train", str(tmp_path / "stack.h5ad"), "--config", str(tmp_path / "config.json")]
    words += ["--out", str(tmp_path / "model"), "--epochs", "2", "--hold-out", "0.2"]
    assert main(words) == 0
    assert "80 cells were hidden" in capsys.readouterr().out
    loaded = squint.Bundle.load(tmp_path / "model")
    assert loaded.train_config.cells_held_out == 0.2
    read = io.read(tmp_path / "stack.h5ad")
    tl.inpaint(read, loaded)
    assert read.obs[keys.HIDDEN].sum() == 80


# --- in-painting -----------------------------------------------------------------------------------------


def test_the_cells_on_the_card_are_predicted_and_no_others(imputed, bundle):
    listed = {name for record in bundle.sections for name in record.hidden}
    assert set(imputed.obs_names[imputed.obs[keys.HIDDEN]]) == listed
    for slot in (keys.IMPUTED, keys.IMPUTED_CELL):
        table = imputed.obsm[slot]
        assert list(table.columns) == bundle.genes
        assert set(table.dtypes) == {np.dtype(np.float32)}
        assert table[imputed.obs[keys.HIDDEN]].notna().all(axis=None)
        assert table[~imputed.obs[keys.HIDDEN]].isna().all(axis=None)
        assert (table[imputed.obs[keys.HIDDEN]] >= 0).all(axis=None)


def test_no_count_of_a_hidden_cell_enters(stack, imputed, bundle):
    changed = with_other_counts(stack, imputed.obs[keys.HIDDEN].to_numpy())
    tl.inpaint(changed, bundle)
    for slot in (keys.IMPUTED, keys.IMPUTED_CELL):
        assert changed.obsm[slot].equals(imputed.obsm[slot])
    warnings = changed.uns[keys.PROVENANCE]["inpainting"]["warnings"]
    assert sum("not what the model was trained on" in line for line in warnings) == 4
    assert not imputed.uns[keys.PROVENANCE]["inpainting"]["warnings"]


def test_a_count_of_an_observed_cell_does(stack, imputed, bundle):
    changed = with_other_counts(stack, ~imputed.obs[keys.HIDDEN].to_numpy())
    tl.inpaint(changed, bundle)
    assert not np.allclose(changed.obsm[keys.IMPUTED].dropna(), imputed.obsm[keys.IMPUTED].dropna(), rtol=0.1)


def test_the_order_of_cells_does_not_matter_for_in_painting(stack, imputed, bundle):
    turned = stack[np.random.default_rng(0).permutation(stack.n_obs)].copy()
    tl.inpaint(turned, bundle)
    for slot in (keys.IMPUTED, keys.IMPUTED_CELL):
        again = turned.obsm[slot].loc[imputed.obs_names]
        assert np.allclose(again, imputed.obsm[slot], rtol=1e-4, atol=1e-5, equal_nan=True)


def test_the_depth_of_a_masked_cell_is_that_of_its_observed_neighbours(imputed, bundle):
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    cohort = prepare(imputed, bundle.genes, MODEL, scale=bundle.scale, hidden=hidden)
    profiles = cell_profiles(bundle, cohort, cohort.own_conditions())
    counts = imputed.X.toarray()
    graph = imputed.obsp[keys.CONNECTIVITIES].toarray() > 0
    for row, cell in enumerate(np.flatnonzero(hidden)[:20]):
        expected = counts[graph[cell] & ~hidden].sum(axis=1).mean()
        assert profiles[row].sum() == pytest.approx(expected, rel=1e-4)


def test_without_observed_neighbours_it_is_that_of_the_section(stack):
    corner = stack.obsm[keys.SPATIAL].sum(axis=1)
    hidden = (corner < np.quantile(corner, 0.5)) & (stack.obs[keys.SECTION] == "TOY-H-1").to_numpy()
    cohort = prepare(stack, list(stack.var_names), MODEL, hidden=hidden)
    depth = np.asarray(stack.X.sum(axis=1)).ravel()
    observed = ~hidden & (stack.obs[keys.SECTION] == "TOY-H-1").to_numpy()
    inside = np.asarray(cohort.graph[hidden] @ (~hidden).astype(float)) == 0
    assert inside.any()
    assert np.allclose(observed_depth(cohort)[inside], depth[observed].mean())


def test_the_neighbourhood_is_the_mean_of_what_is_observed_and_predicted(imputed):
    filled = imputed.X.toarray()
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    filled[hidden] = imputed.obsm[keys.IMPUTED_CELL][hidden]
    graph = imputed.obsp[keys.CONNECTIVITIES].toarray() > 0
    for cell in np.flatnonzero(hidden)[:20]:
        closed = graph[cell] | (np.arange(len(graph)) == cell)
        assert np.allclose(imputed.obsm[keys.IMPUTED].iloc[cell], filled[closed].mean(axis=0), rtol=1e-4)


def test_it_says_what_training_knew_of_the_cells(stack, imputed, bundle):
    def protocol(adata, hidden):
        done = tl.inpaint(adata, bundle, hidden=hidden, copy=True)
        return done.uns[keys.PROVENANCE]["inpainting"]["protocol"]

    names = list(stack.obs[keys.SECTION].unique())
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    assert imputed.uns[keys.PROVENANCE]["inpainting"]["protocol"] == dict.fromkeys(names, TRAINED_WITHOUT)
    first = (stack.obs[keys.SECTION] == names[0]).to_numpy()
    assert protocol(stack, hidden & first) == {names[0]: TRAINED_WITHOUT}
    one = np.zeros(400, dtype=bool)
    one[np.flatnonzero(~hidden)[0]] = True
    assert set(protocol(stack, one).values()) == {TRAINED_ON}
    elsewhere = datasets.toy(seed=5, n_cells=100)
    assert set(protocol(elsewhere, np.arange(100) < 5).values()) == {NOT_IN_TRAINING}


def test_what_cannot_be_predicted_is_refused(stack, bundle):
    with pytest.raises(squint.InputError, match="--hold-out"):
        tl.inpaint(datasets.toy(seed=5, n_cells=100), bundle)
    with pytest.raises(squint.InputError, match="--hold-out"):
        tl.inpaint(stack, train(stack, TRAIN))
    with pytest.raises(squint.InputError, match="marks no cell"):
        tl.inpaint(stack, bundle, hidden=np.zeros(400, dtype=bool))
    with pytest.raises(squint.InputError, match="for each of the 400 cells"):
        tl.inpaint(stack, bundle, hidden=np.arange(400))
    with pytest.raises(squint.InputError, match="'TOY-L-1' are hidden"):
        tl.inpaint(stack, bundle, hidden=(stack.obs[keys.SECTION] == "TOY-L-1").to_numpy())


def test_what_was_predicted_can_be_written(imputed, tmp_path):
    io.write(imputed, tmp_path / "imputed.h5ad")
    assert io.read(tmp_path / "imputed.h5ad").obs[keys.HIDDEN].sum() == 80


def test_the_shipped_model_in_paints_the_shipped_stack():
    adata = io.read(ROOT / "data_samples" / "stack.h5ad")
    tl.inpaint(adata, squint.Bundle.load(ROOT / "data_samples" / "stack_model"))
    facts = adata.uns[keys.PROVENANCE]["inpainting"]
    assert facts["n_hidden"] == 2079
    assert set(facts["protocol"].values()) == {TRAINED_WITHOUT}
    assert not facts["warnings"]
    tl.imputation_quality(adata)
    of_cells, of_means = (
        tl.level_badges(adata.uns[keys.QUALITY], target=t) for t in ("cell", "neighbourhood")
    )
    assert (of_cells["verdict"] == "above kNN").sum() >= 8
    assert set(of_means["verdict"]) == {"level with kNN"}


# --- quality ---------------------------------------------------------------------------------------------


def test_each_level_is_judged_for_each_group_and_method(quality, imputed):
    assert set(quality["group"]) == {"top 10", "top 25", "all 40"}
    n_levels, n_groups = 4, 3
    assert (quality.groupby(["target", "method"]).size() == n_levels * n_groups).all()
    assert set(map(tuple, quality[["target", "method"]].to_numpy())) == {
        ("cell", "model"),
        ("cell", "knn"),
        ("neighbourhood", "model"),
        ("neighbourhood", "knn"),
        ("neighbourhood", "nothing"),
    }
    assert (quality["n_cells"] == 20).all()
    assert sorted(quality["z_um"].unique()) == [0, 60, 120, 180]
    assert list(quality["level"].unique()) == list(imputed.obs[keys.SECTION].unique())
    assert (quality.loc[quality["method"] == "knn", "k"] >= 1).all()
    assert (quality.loc[quality["method"] != "knn", "k"] == 0).all()


def test_the_numbers_agree_with_a_loop(quality, imputed):
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    truth = imputed.X.toarray()[hidden]
    said = imputed.obsm[keys.IMPUTED_CELL].to_numpy()[hidden]
    overall = [pearsonr(t, s).statistic for t, s in zip(truth.T, said.T, strict=True)]
    best = np.argsort(np.negative(overall), kind="stable")[:10]
    for level, rows in quality[(quality["target"] == "cell") & (quality["method"] == "model")].groupby(
        "level"
    ):
        here = (imputed.obs[keys.SECTION] == level).to_numpy()[hidden]
        genes = [gene for gene in best if np.ptp(truth[here, gene]) > 0]
        expected = np.mean([pearsonr(truth[here, gene], said[here, gene]).statistic for gene in genes])
        row = rows.set_index("group").loc["top 10"]
        assert row["pearson"] == pytest.approx(expected, abs=1e-5)
        assert row["n_genes"] == len(genes)


def test_knn_has_the_k_that_is_best_over_genes_and_levels(quality, imputed):
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    section = pp.section_codes(imputed)
    truth = imputed.X.toarray()[hidden]
    nearest = nearest_observed(imputed.obsm[keys.SPATIAL], section, hidden)
    means = {
        k: np.mean(
            [np.nanmean(column_pearson(truth[at], p[at])) for at in np.equal.outer(range(4), section[hidden])]
        )
        for k, p in knn_profiles(imputed.X, nearest)
    }
    rows = quality[(quality["target"] == "cell") & (quality["method"] == "knn")]
    assert set(rows["k"]) == {max(means, key=means.get)}
    found = rows[rows["group"] == "all 40"]["pearson"].mean()
    assert found == pytest.approx(max(means.values()), abs=1e-6)


def test_a_perfect_prediction_scores_one_and_a_flat_one_zero(imputed):
    hidden = imputed.obs[keys.HIDDEN].to_numpy()
    for values, score in ((imputed.X.toarray(), 1.0), (np.full(imputed.shape, 0.1, np.float32), 0.0)):
        changed = imputed.copy()
        table = changed.obsm[keys.IMPUTED_CELL].copy()
        table[hidden] = values[hidden]
        changed.obsm[keys.IMPUTED_CELL] = table
        tl.imputation_quality(changed)
        found = changed.uns[keys.QUALITY]
        of_model = found[(found["target"] == "cell") & (found["method"] == "model")]
        assert np.allclose(of_model["pearson"], score, atol=1e-6)


def test_the_order_of_cells_does_not_matter_for_quality(quality, imputed):
    turned = imputed[np.random.default_rng(0).permutation(imputed.n_obs)].copy()
    again = tl.imputation_quality(turned, copy=True).uns[keys.QUALITY]
    pd.testing.assert_frame_equal(again, quality, rtol=1e-4, atol=1e-6)


def test_cells_that_training_knew_are_no_test(stack, bundle):
    known = tl.inpaint(stack, bundle, hidden=np.arange(400) % 7 == 0, copy=True)
    with pytest.raises(squint.InputError, match="--hold-out"):
        tl.imputation_quality(known)
    with pytest.raises(squint.InputError, match=r"squint\.tl\.inpaint"):
        tl.imputation_quality(stack)


def test_badges_say_in_a_word_who_is_ahead():
    def table(gain, se, n_cells):
        rows = [
            {"target": "cell", "method": m, "k": k, "level": "A", "z_um": 0.0, "n_cells": n_cells}
            | {"group": g, "n_genes": 9, "pearson": 0.5 + x, "gain_se": se}
            for g in ("top 10", "all 40")
            for m, k, x in (("model", 0, gain if g == "all 40" else 0), ("knn", 8, 0))
        ]
        return pd.DataFrame(rows)

    said = {
        (0.05, 0.01, 100): "above kNN",
        (-0.05, 0.01, 100): "below kNN",
        (0.05, 0.03, 100): "level with kNN",  # within two standard errors
        (0.005, 0.001, 100): "level with kNN",  # certain, and too little to matter
        (0.05, 0.01, 29): "too few cells",
    }
    for facts, verdict in said.items():
        badges = tl.level_badges(table(*facts), target="cell")
        assert list(badges["verdict"]) == [verdict]
        assert list(badges["group"]) == ["all 40"]
    of_few = tl.level_badges(table(0.05, 0.01, 100), target="cell", group="top 10")
    assert list(of_few["verdict"]) == ["level with kNN"]
    with pytest.raises(squint.InputError, match="there is top 10, all 40"):
        tl.level_badges(table(0.05, 0.01, 100), target="cell", group="top 50")


def test_the_standard_error_is_that_of_chance():
    rng = np.random.default_rng(0)
    in_errors = []
    for _ in range(100):  # two predictions of the same worth
        truth = rng.normal(size=(200, 20))
        pair = truth + rng.normal(size=truth.shape), truth + rng.normal(size=truth.shape)
        one, other = (np.mean(column_pearson(truth, values)) for values in pair)
        (se,) = _gain_se(truth, pair, np.arange(200) % N_BLOCKS, np.arange(20), [20])
        in_errors.append((one - other) / se)
    assert 0.8 < np.std(in_errors) < 1.4
    assert abs(np.mean(in_errors)) < 0.3
