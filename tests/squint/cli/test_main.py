import json
import subprocess
import sys
from importlib.metadata import version

import anndata
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from squint import datasets, io, keys
from squint.cli.main import main
from squint.model.about import parse_about
from squint.model.bundle import Bundle
from squint.pp import QualityFilter
from tests.helpers.bundles import ABOUT

pytestmark = pytest.mark.slow

CONFIG = {
    "model": {"n_codes": 6, "n_hidden": 16, "n_latent": 8},
    "train": {"n_epochs": 2, "batch_size": 128, "tile_size": 32, "context_steps": 4},
}
ORGANS = [word for name in ("kidney", " kidney", "lung", "") for word in ("--organ", name)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with two toy files of two patients each, choices, and a bundle trained on the first."""
    folder = tmp_path_factory.mktemp("cli")
    for seed, name in enumerate(("first", "second")):
        section = datasets.toy(seed=seed, n_cells=200)
        section.obs[keys.SECTION] = [f"{name}-{old}" for old in section.obs[keys.SECTION]]
        io.write(section, folder / f"{name}.h5ad")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    assert main(["train", *words(folder, "first.h5ad", "--out", "bundle", "--config", "config.json")]) == 0
    return folder


def words(folder, *arguments):
    """Turn names of files into paths in the folder, and leave other words alone."""
    return [str(folder / word) if "." in word or word in {"bundle", "out"} else word for word in arguments]


def refused(capsys, *arguments):
    """Run a command that must end with 2 and give the one line that it says."""
    assert main(list(arguments)) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("squint: ")
    assert "Traceback" not in "".join(lines)
    return lines[-1]


def test_the_module_runs_as_a_program(folder):
    done = subprocess.run(
        [sys.executable, "-m", "squint", "validate", str(folder / "first.h5ad")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "200 cells" in done.stdout
    assert not done.stderr


def test_training_writes_a_bundle_and_says_every_epoch(folder, capsys):
    json_file = folder / "facts.json"
    arguments = words(folder, "first.h5ad", "second.h5ad", "--out", "bundle2.x", "--config", "config.json")
    assert main(["train", *arguments, "--codes", "4", "--seed", "3", "--json", str(json_file), *ORGANS]) == 0
    said = capsys.readouterr()
    assert "epoch 2/2" in said.err
    assert "perplexity" in said.err
    facts = json.loads(json_file.read_text())
    assert [epoch["number"] for epoch in facts["epochs"]] == [1, 2]
    config = json.loads((folder / "bundle2.x" / "config.json").read_text())
    assert config["model"]["n_codes"] == 4
    assert config["train"]["seed"] == 3
    assert facts["organs"] == ["kidney", "lung"]
    assert json.loads((folder / "bundle2.x" / "card.json").read_text())["organs"] == facts["organs"]
    assert config["sections"] == ["first-TOY-H-1", "first-TOY-L-1", "second-TOY-H-1", "second-TOY-L-1"]


def test_a_training_on_counts_and_positions_alone_says_whose_data_they_are(folder, capsys):
    (folder / "about.json").write_text(json.dumps(ABOUT))
    arguments = words(folder, "first.h5ad", "--config", "config.json")
    said = [*words(folder, "--about", "about.json", "--out", "bare.x"), "--hold-out", "0.1"]
    assert main(["train", *arguments, *said, "--bare", " One slide "]) == 0
    card = json.loads((folder / "bare.x" / "card.json").read_text())
    assert card["about"] == ABOUT
    (record,) = card["sections"]
    assert (record["name"], record["n_cells"]) == ("One slide", 200)
    assert len(record["hidden"]) == 20
    assert all(cell.isdecimal() for cell in record["hidden"])
    assert Bundle.load(folder / "bare.x").about == parse_about(ABOUT)

    labels = {"model": {**CONFIG["model"], "covariates": [keys.PATIENT]}, "train": CONFIG["train"]}
    (folder / "labels.json").write_text(json.dumps(labels))
    bare = ["--bare", "One slide", *words(folder, "--out", "no.x")]
    assert keys.PATIENT in refused(
        capsys, "train", *words(folder, "first.h5ad", "--config", "labels.json"), *bare
    )
    assert "--bare takes one SECTION" in refused(
        capsys, "train", *words(folder, "first.h5ad", "second.h5ad"), *bare
    )
    assert "needs a name" in refused(
        capsys, "train", *words(folder, "first.h5ad", "--out", "no.x"), "--bare", " "
    )
    (folder / "about.json").write_text("{}")
    assert "about: data is missing" in refused(
        capsys, "train", *words(folder, "first.h5ad", "--out", "no.x", "--about", "about.json")
    )
    assert not (folder / "no.x").exists()


def test_a_training_that_was_ended_is_taken_up_by_the_same_command(folder, monkeypatch, capsys):
    arguments = ["train", *words(folder, "first.h5ad", "--config", "config.json"), "--epochs", "3"]
    assert main([*arguments, "--out", str(folder / "whole.x")]) == 0
    kept = ["--checkpoint", str(folder / "kept.x")]
    with monkeypatch.context() as patch:
        patch.setattr("squint.training.run.Run.measure", interrupt)  # after the last epoch
        with pytest.raises(KeyboardInterrupt):
            main([*arguments, *kept, "--out", str(folder / "again.x")])
    assert not (folder / "again.x").exists()
    capsys.readouterr()
    assert "another training" in refused(
        capsys, *arguments, *kept, "--codes", "4", "--out", str(folder / "no.x")
    )
    assert main([*arguments, *kept, "--out", str(folder / "again.x")]) == 0
    said = capsys.readouterr().err
    assert "epoch 3/3" in said
    assert "epoch 2/3" not in said
    weights = [(folder / name / "weights.safetensors").read_bytes() for name in ("whole.x", "again.x")]
    assert weights[0] == weights[1]
    assert not (folder / "kept.x").exists()  # the model is safe


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_checkpoint_of_several_processes_is_refused_before_they_start(folder, capsys):
    arguments = words(folder, "first.h5ad", "--out", "no.x", "--checkpoint", "kept.x")
    assert "--checkpoint" in refused(capsys, "train", *arguments, "--devices", "2")


def test_in_painting_is_learned_when_it_is_asked_for(folder, capsys):
    arguments = ["train", *words(folder, "first.h5ad", "--config", "config.json"), "--hold-out", "0.1"]
    assert main([*arguments, "--out", str(folder / "at_once.x")]) == 0
    assert main([*arguments, "--tokens-only", "--out", str(folder / "tokens.x")]) == 0
    learn = ["learn-to-inpaint", *words(folder, "first.h5ad", "--model", "tokens.x"), "--steps", "4"]
    assert main([*learn, "--out", str(folder / "both.x")]) == 0
    for name in ("weights.safetensors", "config.json"):
        assert (folder / "both.x" / name).read_bytes() == (folder / "at_once.x" / name).read_bytes()
    learn[1] = str(folder / "second.h5ad")
    assert "was trained on" in refused(capsys, *learn, "--out", str(folder / "no.x"))
    assert not (folder / "no.x").exists()


def test_regions_are_hidden_and_noted_on_the_card(folder):
    regions = {"regions": [{"section": "first-TOY-H-1", "x0": 0, "x1": 60, "y0": 0, "y1": 60}]}
    (folder / "regions.json").write_text(json.dumps(regions))
    arguments = words(folder, "first.h5ad", "--out", "hidden.x", "--config", "config.json")
    assert main(["train", *arguments, "--regions", str(folder / "regions.json")]) == 0
    card = json.loads((folder / "hidden.x" / "card.json").read_text())
    section = io.read(folder / "first.h5ad")
    inside = (section.obs[keys.SECTION] == "first-TOY-H-1") & np.all(section.obsm[keys.SPATIAL] <= 60, axis=1)
    assert sorted(card["sections"][0]["hidden"]) == sorted(section.obs_names[inside])
    assert card["sections"][1]["hidden"] == []


def test_tokenize_writes_one_file_or_one_per_section(folder):
    first_and_second = words(folder, "first.h5ad", "second.h5ad", "--model", "bundle")
    assert main(["tokenize", *first_and_second, "--out", str(folder / "all.h5ad")]) == 0
    assert main(["tokenize", *first_and_second, "--out", str(folder / "out")]) == 0
    together = anndata.read_h5ad(folder / "all.h5ad")
    assert together.n_obs == 400
    assert sorted(file.name for file in (folder / "out").iterdir()) == ["first.h5ad", "second.h5ad"]
    apart = [anndata.read_h5ad(folder / "out" / name) for name in ("first.h5ad", "second.h5ad")]
    tokens = np.concatenate([part.obs[keys.TOKEN].astype(str) for part in apart])
    assert (together.obs[keys.TOKEN].astype(str).to_numpy() == tokens).all()
    for slot in (keys.TOKENS, keys.LATENT):
        assert slot in apart[0].obsm
    assert {keys.CONNECTIVITIES, keys.DISTANCES} <= set(apart[0].obsp)
    assert apart[0].uns[keys.PROVENANCE]["model_sha256"]


@pytest.mark.parametrize("against", [[], ["--against", "TOY-L"]])
def test_activate_writes_scores_and_the_codes_used(folder, against, capsys):
    out = folder / "active.h5ad"
    arguments = words(folder, "first.h5ad", "second.h5ad", "--model", "bundle")
    arguments += ["--reference", "TOY-H", "--top", "2", "--out", str(out)]
    assert main(["activate", *arguments, *against]) == 0
    adata = anndata.read_h5ad(out)
    assert adata.obs[keys.ACTIVATION].between(0, 1).all()
    chosen = adata.uns[keys.PROVENANCE]["activation"]
    assert 1 <= len(chosen["codes"]) <= 2
    assert chosen["mode"] == ("most enriched" if against else "most frequent")
    assert "score above 0.75" in capsys.readouterr().out


def test_cells_without_counts_are_counted_and_said(folder, tmp_path, capsys):
    adata = io.read(folder / "first.h5ad")
    counts = adata.X.toarray()
    counts[:30] = 0
    adata.X = csr_matrix(counts)
    io.write(adata, tmp_path / "bins.h5ad")
    bins, out = str(tmp_path / "bins.h5ad"), str(tmp_path / "out.h5ad")
    model = ["--model", str(folder / "bundle")]
    assert main(["tokenize", bins, *model, "--out", out, "--json", str(tmp_path / "facts.json")]) == 0
    assert "30 cells have no token: no counts" in capsys.readouterr().out
    (facts,) = json.loads((tmp_path / "facts.json").read_text())["files"]
    assert (facts["n_cells"], facts["n_without_token"], facts["n_without_counts"]) == (200, 30, 30)
    assert main(["activate", bins, *model, "--reference", "TOY-H", "--out", out]) == 0
    scored = anndata.read_h5ad(out)
    assert np.isnan(scored.obs[keys.ACTIVATION]).sum() == 30
    said = capsys.readouterr().out
    for patient, scores in scored.obs[keys.ACTIVATION].groupby(scored.obs[keys.PATIENT], observed=True):
        share, n_cells = (scores.dropna() > 0.75).mean(), scores.notna().sum()
        assert f"{patient}: {share:.1%} of {n_cells} cells score above 0.75" in said
    assert main(["export-tokens", bins, *model, "--out", str(tmp_path / "tokens.jsonl")]) == 0
    assert "170 tokens of 6; 30 cells without a token are left out" in capsys.readouterr().out


def test_cells_of_low_quality_are_left_out_when_asked_and_noted(folder, tmp_path, capsys):
    source = io.read(folder / "first.h5ad")
    depth = np.asarray(source.X.sum(axis=1)).ravel()
    least = float(np.median(depth))
    out = tmp_path / "out.h5ad"
    tokenize = ["tokenize", str(folder / "first.h5ad"), "--model", str(folder / "bundle"), "--out", str(out)]
    assert main([*tokenize, "--min-counts", str(least)]) == 0
    n_left = int((depth < least).sum())
    assert f"note: {n_left} of 200 cells left out: fewer than {least:g} counts." in capsys.readouterr().err
    made = io.read(out)
    assert list(made.obs_names) == list(source.obs_names[depth >= least])
    assert made.uns[keys.PROVENANCE]["filter"] == {
        "criteria": {"min_counts": least},
        "n_before": 200,
        "n_after": 200 - n_left,
        "n_alone": {"min_counts": n_left},
        "n_missing": {},
    }
    said = refused(capsys, *tokenize, "--min-counts", "1e6")
    assert "No cell of first.h5ad would be left: 200 of 200 cells" in said
    assert "needs obs['in_tissue']" in refused(capsys, *tokenize, "--in-tissue")
    assert "max_control_share is 5" in refused(capsys, *tokenize, "--max-control-share", "5")


def test_a_worker_does_again_what_was_made_of_other_cells(folder, tmp_path):
    cluster = pytest.importorskip("squint.cli.cluster")
    sha256 = Bundle.load(folder / "bundle").sha256

    def ask(criteria):
        told = (folder / "bundle", sha256, io.Answers(), criteria, "cpu", version("squint"))
        already, facts = cluster._tokenize(cluster._Task(folder / "first.h5ad", tmp_path / "out.h5ad", *told))
        return already, facts["n_cells"]

    few, every = QualityFilter(min_counts=1e-9, max_area=None), QualityFilter()
    assert ask(few) == (False, 200)
    assert ask(few) == (True, 200)
    assert ask(every) == (False, 200)
    assert ask(every) == (True, 200)


def test_a_section_without_counts_is_refused_in_one_line(folder, tmp_path, capsys):
    adata = io.read(folder / "first.h5ad")
    adata.X = csr_matrix(adata.shape, dtype=np.float32)
    io.write(adata, tmp_path / "void.h5ad")
    arguments = [str(tmp_path / "void.h5ad"), "--model", str(folder / "bundle"), "--out"]
    assert "Nothing to tokenise" in refused(capsys, "tokenize", *arguments, str(tmp_path / "out.h5ad"))
    assert not (tmp_path / "out.h5ad").exists()


def test_simulate_writes_the_cohort(tmp_path, capsys):
    assert main(["simulate", str(tmp_path), "--seed", "2"]) == 0
    assert len(list(tmp_path.glob("*.h5ad"))) == 6
    assert "simulated" in capsys.readouterr().out


def test_bad_input_ends_with_two_and_one_line(folder, tmp_path, capsys):
    section = datasets.toy(n_cells=60)
    logged = section.copy()
    logged.X = csr_matrix(np.log1p(section.X.toarray()))
    no_place = section.copy()
    del no_place.obsm[keys.SPATIAL]
    negative = section.copy()
    negative.X = csr_matrix(section.X - 3 * np.eye(*section.shape))
    not_a_number = section.copy()
    not_a_number.X = csr_matrix(section.X.toarray() + np.where(np.eye(*section.shape), np.nan, 0))
    others = section.copy()
    others.var_names = [f"OTHER{i}" for i in range(others.n_vars)]
    said = {
        "logged": (logged, r'layers["counts"]'),
        "no_place": (no_place, 'obsm["spatial"]'),
        "negative": (negative, "negative"),
        "not_a_number": (not_a_number, "NaN"),
        "others": (others, "genes"),
        "empty": (section[:0].copy(), "0 cells"),
    }
    for name, (adata, word) in said.items():
        path, out = tmp_path / f"{name}.h5ad", tmp_path / f"{name}_out.h5ad"
        adata.write_h5ad(path)
        model = ["--model", str(folder / "bundle"), "--out", str(out)]
        assert word.lower() in refused(capsys, "tokenize", str(path), *model).lower(), name
        assert not out.exists()
    text = tmp_path / "text.h5ad"
    text.write_text("no section")
    refused(capsys, "validate", str(text))
    refused(capsys, "validate", str(tmp_path / "nowhere.h5ad"))
    refused(capsys, "tokenize", *words(folder, "first.h5ad", "--model", "out", "--out", "x.h5ad"))
    refused(capsys, "train", *words(folder, "first.h5ad", "first.h5ad", "--out", "twice.x"))
    refused(capsys, "train", *words(folder, "first.h5ad", "--out", "odd.x", "--heads", "7"))
    refused(capsys, "train", *words(folder, "first.h5ad", "--out", "odd.x", "--config", "none.json"))


def test_every_real_section_is_read_or_refused_in_one_line(real_section, capsys):
    folder = real_section("xenium_breast_roi_17k").parent
    for path in sorted(folder.glob("*.h5ad")):
        if main(["validate", str(path)]) == 2:
            refused(capsys, "validate", str(path))
        else:
            assert path.name in capsys.readouterr().out


def test_a_folder_of_a_vendor_is_not_read_yet(tmp_path, capsys):
    assert "not" in refused(capsys, "validate", str(tmp_path))


def test_a_listener_that_has_heard_enough_is_no_error(section, tmp_path):
    section.write_h5ad(tmp_path / "x.h5ad")
    command = [sys.executable, "-m", "squint", "validate", str(tmp_path / "x.h5ad")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
    assert running.returncode == 0
