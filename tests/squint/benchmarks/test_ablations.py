"""The command `benchmark ablations`, on small simulated data."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

import squint
from squint import datasets, io, keys, pp
from squint.benchmarks import ablations
from squint.benchmarks.ablation_report import KNN, REPORTED, draw, write_figure
from squint.benchmarks.ablations import ALL, BASE, FACTORS, ONE, RANDOM, Ablations, Trial, diameter
from squint.benchmarks.score_table import METRICS
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.geometry.regions import Rectangle
from squint.nn.encoder import MaskedLinear, Rows
from squint.stats.metrics import Judge

pytestmark = pytest.mark.slow

NAME = "TOY-H-1"
MODEL = ModelConfig(n_codes=8, n_hidden=16, n_latent=10)
TRAIN = TrainConfig(n_epochs=2, batch_size=128, tile_size=32, context_steps=0)
COST = {"train_s", "inpaint_s"}


def squares(section):
    """Give two squares of the first section."""
    points = section.obsm[keys.SPATIAL][(section.obs[keys.SECTION] == NAME).to_numpy()]
    low, middle, high = np.quantile(points, [0.2, 0.4, 0.6], axis=0)
    return [
        Rectangle(NAME, low[0], middle[0], low[1], middle[1]),
        Rectangle(NAME, middle[0], high[0], middle[1], high[1]),
    ]


def experiments(folder, section=None, regions=None):
    section = datasets.toy(n_cells=240) if section is None else section
    return Ablations([section], [regions or squares(section)], folder, MODEL, TRAIN, "cpu")


def results(folder):
    """Read all runs, without what they cost."""
    return {
        path.name: [{k: v for k, v in row.items() if k not in COST} for row in json.loads(path.read_text())]
        for path in folder.glob("*_*.json")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Give the folder of two small experiments, finished."""
    folder = tmp_path_factory.mktemp("finished")
    list(experiments(folder).run([0], ["sites", "mask"]))
    return folder


def test_each_factor_changes_one_thing_and_holds_the_base():
    trials: dict[str, Trial] = {}
    for factor in FACTORS.values():
        assert BASE in factor.levels.values()
        for trial in factor.levels.values():
            assert trials.setdefault(trial.name, trial) == trial
            config = replace(ablations.MODEL, **trial.model)
            choices = replace(ablations.TRAIN, **trial.train)
            changed = config != ablations.MODEL, choices != ablations.TRAIN, trial.site != ALL
            assert sum(changed) == (0 if trial is BASE else 2 if trial.name.startswith("no_c_") else 1)
    assert {report.factor for report in REPORTED} <= set(FACTORS)


def test_every_setting_runs(tmp_path, monkeypatch):
    # Two sections of few cells; 5,000 codes are more than there are cells.
    monkeypatch.setattr(ablations, "FACTORS", {name: FACTORS[name] for name in ("gnn", "codes", "heads")})
    run = experiments(tmp_path)
    list(run.run([0]))
    assert set(run.table["factor"]) == {"gnn", "codes", "heads", KNN}
    assert np.isfinite(run.table[list(METRICS.values())].to_numpy(dtype=float)).all()
    assert "mean degree" in run.text


def test_all_of_it_is_hidden_once_half_of_it_or_as_many_cells_at_random():
    section = datasets.toy(n_cells=240)
    hidden = experiments("unused", section).hidden
    (everything,), (one,), (random,) = hidden[ALL], hidden[ONE], hidden[RANDOM]
    first = squares(section)[0].mask(section.obs_names, section.obsm[keys.SPATIAL], np.random.default_rng(0))
    np.testing.assert_array_equal(one, first & (section.obs[keys.SECTION] == NAME).to_numpy())
    assert one.sum() < everything.sum() == random.sum()
    assert set(section.obs[keys.SECTION][random]) == {NAME}
    assert (random != everything).any()


def test_random_cells_do_not_depend_on_the_order_of_rows():
    section = datasets.toy(n_cells=240)
    shuffled = section[np.random.default_rng(1).permutation(240)].copy()
    names = [
        set(part.obs_names[experiments("unused", part).hidden[RANDOM][0]]) for part in (section, shuffled)
    ]
    assert names[0] == names[1]


def test_what_is_finished_is_not_done_again_and_what_is_deleted_is(finished):
    before = results(finished)
    stamps = {path.name: path.stat().st_mtime_ns for path in finished.glob("*_*.json")}
    lines = list(experiments(finished).run([0], ["sites", "mask"]))
    assert all("done before" in line or line.startswith("figure") for line in lines)
    assert stamps == {path.name: path.stat().st_mtime_ns for path in finished.glob("*_*.json")}
    (finished / "mask_zero_seed0.json").unlink()
    (finished / "mask_zero_seed0.tmp").write_text("[{")  # what a run leaves that was killed as it wrote
    lines = list(experiments(finished).run([0], ["sites", "mask"]))
    assert any(line.startswith("mask_zero_seed0: epoch") for line in lines)
    assert results(finished) == before


def test_a_run_that_is_broken_off_leaves_no_result(tmp_path):
    steps = experiments(tmp_path).run([0], ["heads"])
    next(line for line in steps if line.startswith("base_seed0: epoch"))
    steps.close()
    assert not list(tmp_path.glob("*_seed0.json"))


def test_counts_of_hidden_cells_change_no_prediction():
    section = datasets.toy(n_cells=240)
    hidden = experiments("unused", section).hidden[ALL][0]
    changed = section.copy()
    counts = changed.X.toarray()
    counts[hidden] = np.random.default_rng(0).poisson(20, counts[hidden].shape)
    changed.X = csr_matrix(counts)

    def predictions(adata):
        *_, last = squint.train(adata, model=MODEL, train=TRAIN, hidden=[hidden], device="cpu")
        return list(ablations._in_paint(adata, hidden, last.bundle))

    for (name, means, empty), (name_then, means_then, empty_then) in zip(
        predictions(section), predictions(changed), strict=True
    ):
        assert name == name_then
        np.testing.assert_array_equal(means, means_then)
        np.testing.assert_array_equal(empty, empty_then)


def test_the_table_is_of_the_runs(finished):
    run = experiments(finished)
    run.write_tables([0, 1], ["sites", "mask"])
    table = pd.read_csv(finished / "ablations.csv")
    (row,) = json.loads((finished / "no_c_one_seed0.json").read_text())
    level = table[table["level"] == "no C, one region"].iloc[0]
    assert level["seeds"] == 1
    assert level["n"] == row["n"] == run.hidden[ONE][0].sum()
    for name, metric in METRICS.items():
        assert level[metric] == pytest.approx(row[name])
        assert np.isnan(level[f"{metric}_sd"])
    of_floor = pd.DataFrame(json.loads((finished / "knn_random.json").read_text()))
    best = table[(table["factor"] == KNN) & (table["site"] == RANDOM)].iloc[0]
    assert best["PG"] == pytest.approx(of_floor["pg"].max())
    assert best["MMD3"] == pytest.approx(of_floor["mmd3"].min())
    text = (finished / "ablations.md").read_text()
    assert "Reported by others" in text
    assert "GAT" not in text.split("Reported by others")[1]


def test_mean_and_spread_are_over_seeds(finished):
    rows = json.loads((finished / "base_seed0.json").read_text())
    other = finished / "base_seed7.json"
    other.write_text(json.dumps([row | {"seed": 7, "pc": row["pc"] + 0.2} for row in rows]))
    run = experiments(finished)
    run.write_tables([0, 7], ["mask"])
    other.unlink()
    base = run.table[run.table["level"] == "learned"].iloc[0]
    assert base["seeds"] == 2
    assert base["PC"] == pytest.approx(rows[0]["pc"] + 0.1)
    assert base["PC_sd"] == pytest.approx(0.2 / 2**0.5)


def test_the_figure_shows_every_level_with_the_kNN_mean_of_its_own_cells(finished):  # noqa: N802
    run = experiments(finished)
    run.write_tables([0], ["sites", "mask"])
    figure = draw(run.table)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(dots) == len(lines) == len(METRICS)
    assert [len(trace.x) for trace in dots] == [9] * len(METRICS)
    best = run.table[run.table["factor"] == KNN].set_index("site")
    assert set(lines[0].x) - {None} == set(best["PC"])
    for trace in dots:
        low, high = figure.layout[f"xaxis{trace.xaxis.removeprefix('x')}"].range
        # Random cells may lie beyond; then their scores are written at the edge.
        beyond = sum(not low <= x <= high for x in trace.x)
        notes = sum(note.xref == f"{trace.xaxis} domain" for note in figure.layout.annotations)
        assert beyond == notes <= 2


def test_without_chrome_the_figure_is_a_page(finished, tmp_path, monkeypatch):
    run = experiments(finished)
    run.write_tables([0], ["mask"])
    for found in (None, "/nowhere/chromium"):  # none at all, or one that does not start
        monkeypatch.setattr("shutil.which", lambda _, found=found: found)
        assert write_figure(draw(run.table), tmp_path / "ablations") == ["ablations.html"]
        assert "plotly" in (tmp_path / "ablations.html").read_text()


def test_a_folder_of_other_experiments_is_refused(finished):
    section = datasets.toy(n_cells=240)
    with pytest.raises(InputError, match="other hidden cells"):
        list(experiments(finished, section, squares(section)[:1]).run([0], ["mask"]))


def test_an_unknown_experiment_is_named(tmp_path):
    with pytest.raises(InputError, match=r"'masks'.*sites, backbone"):
        list(experiments(tmp_path / "out").run([0], ["masks"]))
    assert not (tmp_path / "out").exists()


def test_the_penalty_of_cells_without_expression_is_that_of_a_flat_profile():
    truth = np.random.default_rng(0).poisson(3, (40, 6)).astype(float) + 1
    judge = Judge(truth)
    scores = judge.score(truth)
    nobody, everybody = np.zeros(40, dtype=bool), np.ones(40, dtype=bool)
    assert ablations._penalised(judge, truth, nobody, scores)["mmd_penalised"] == scores.mmd
    flat = ablations._penalised(judge, truth, everybody, scores)
    assert flat["zero_share"] == 1
    assert flat["mmd_penalised"] == pytest.approx(judge.score(np.ones_like(truth)).mmd)


def test_the_diameter_of_a_path_is_its_length_and_never_more_than_the_truth():
    line = np.column_stack([np.arange(20.0), np.zeros(20)])
    assert diameter(pp.knn_graph(line, 1)) <= 19
    chain = csr_matrix(np.diag(np.ones(19), 1) + np.diag(np.ones(19), -1))
    assert diameter(chain) == 19
    graph = pp.knn_graph(np.random.default_rng(0).random((200, 2)), 4)
    paths = shortest_path(graph, unweighted=True)
    longest = paths[np.isfinite(paths)].max()
    assert longest - 2 <= diameter(graph) <= longest
    assert diameter(csr_matrix((0, 0))) == 0


def test_a_zero_mask_makes_masked_cells_like_cells_without_counts_and_never_changes():
    layer = MaskedLinear(5, 3, learned_mask=False)
    assert "mask_token" not in dict(layer.named_parameters())
    nothing = Rows(torch.zeros(0, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), torch.zeros(0))
    masked = torch.tensor([True, False])
    out = layer(nothing, torch.zeros(1, 5), masked)
    assert torch.equal(out[0], out[1])
    choices = replace(MODEL, learned_mask=False)
    section = datasets.toy(n_cells=120)
    *_, last = squint.train(section, model=choices, train=TRAIN, device="cpu")
    assert not last.bundle.model.encoder.first.mask_token.any()
    assert last.losses["mask"] == 0
    *_, learned = squint.train(section, model=MODEL, train=TRAIN, device="cpu")
    assert learned.bundle.model.encoder.first.mask_token.any()


def test_bundles_from_before_the_zero_mask_load_with_the_same_tokens(tmp_path):
    section = datasets.toy(n_cells=120)
    *_, last = squint.train(section, model=MODEL, train=TRAIN, device="cpu")
    last.bundle.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model"].pop("learned_mask") is True
    squint.tl.tokenize(section, squint.Bundle.load(tmp_path))
    tokens: np.ndarray = np.array(section.obsm[keys.TOKENS])
    (tmp_path / "config.json").write_text(json.dumps(config))
    squint.tl.tokenize(section, squint.Bundle.load(tmp_path))
    np.testing.assert_array_equal(section.obsm[keys.TOKENS], tokens)


def test_a_mask_is_learned_or_not():
    with pytest.raises(InputError, match="learned_mask"):
        ModelConfig(learned_mask="zero")


def test_the_command_writes_tables_and_figure(tmp_path, monkeypatch, capsys):
    only = {"heads": ablations.Factor("heads", {"1": BASE, "2": Trial("heads2", {"n_heads": 2})})}
    monkeypatch.setattr(ablations, "FACTORS", only)
    section = datasets.toy(n_cells=240)
    io.write(section, tmp_path / "section.h5ad")
    square = squares(section)[1]
    region = {"section": NAME, "x0": square.x0, "x1": square.x1, "y0": square.y0, "y1": square.y1}
    (tmp_path / "R.json").write_text(json.dumps({"regions": [region]}))
    words = ["benchmark", "ablations", tmp_path / "section.h5ad", "--regions", tmp_path / "R.json"]
    words += ["--out", tmp_path / "out", "--seeds", 0, "--only", "heads", "--json", tmp_path / "facts.json"]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr()
    assert "| heads | 2 |" in said.out
    assert said.out.count("| base |") == 1
    assert "base_seed0: epoch 1/" in said.err
    assert said.out.strip() == (tmp_path / "out" / "ablations.md").read_text().strip()
    assert len(json.loads((tmp_path / "facts.json").read_text())["rows"]) == 3
    assert {path.suffix for path in (tmp_path / "out").glob("ablations.*")} >= {".csv", ".md"}
