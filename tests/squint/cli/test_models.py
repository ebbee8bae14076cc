"""Commands on models, as they are typed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anndata import AnnData, read_h5ad

from squint import keys
from squint.cli.main import main
from squint.library import models, place
from squint.library.store import Library
from squint.model.about import parse_about
from squint.model.card import CONFIG, WEIGHTS, weights_sha256
from tests.helpers.bundles import ABOUT, GENES, content_of, save_bundle
from tests.helpers.paths import ROOT

Facts = dict[str, Any]


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of what ships with squint, with one model, and name a library that is not there yet."""
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(place, "SAMPLES", tmp_path / "samples")
    save_bundle(tmp_path / "samples" / "shipped", seed=1, simulated=True)
    return tmp_path / "samples"


@pytest.fixture
def packed(samples: Path, tmp_path: Path) -> Path:
    """Give an archive of a model that is of no library, made by the command."""
    save_bundle(samples / "mine", seed=2)
    assert main(["models", "export", "mine", str(tmp_path / "mine.zip")]) == 0
    (samples / "mine").rename(tmp_path / "elsewhere")
    return tmp_path / "mine.zip"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Facts]:
    """Run a command that must end well, and give its facts."""

    def run_it(*words: str | Path) -> Facts:
        assert main([*map(str, words), "--json", str(tmp_path / "facts.json")]) == 0
        facts: Facts = json.loads((tmp_path / "facts.json").read_text())
        return facts

    return run_it


def names(facts: Facts) -> list[str]:
    return [model["name"] for model in facts["models"]]


def test_what_ships_with_squint_is_listed_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from squint.cli.main import main; main(['models', 'list']); "
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "SQUINT_HOME": str(tmp_path / "none"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    *listed, count, torch = done.stdout.splitlines()
    names = [line.partition(" (")[0] for line in listed]
    assert names == [folder.name for folder in place.shipped_models()]
    assert {"pretrained", "stack_model"} <= set(names)
    assert (count, torch) == (f"{len(names)} models, 0 damaged", "False")


def test_a_model_goes_from_one_library_to_another(
    packed: Path,
    run: Callable[..., Facts],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sha256 = weights_sha256(tmp_path / "elsewhere")
    assert names(run("models", "list")) == ["shipped"]
    assert not (tmp_path / "home").exists()
    added = run("models", "add", packed)
    assert (added["new"], added["name"], added["sha256"]) == (True, "mine", sha256)
    assert names(run("models", "list")) == ["mine", "shipped"]
    assert run("models", "add", packed)["new"] is False
    assert names(run("models", "list")) == ["mine", "shipped"]

    run("models", "export", sha256[:8], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "other home"))
    kept = Path(run("models", "add", tmp_path / "again.zip")["folder"])
    assert kept.is_relative_to(tmp_path / "other home")
    assert content_of(kept) == content_of(tmp_path / "elsewhere")

    assert run("models", "remove", "again") == {"name": "again", "sha256": sha256}
    assert names(run("models", "list")) == ["shipped"]
    assert main(["models", "remove", "again"]) == 2
    assert "No model is called 'again'" in capsys.readouterr().err


def test_what_is_listed_of_a_model(
    packed: Path, run: Callable[..., Facts], capsys: pytest.CaptureFixture[str]
) -> None:
    run("models", "add", packed)
    capsys.readouterr()
    mine, shipped = run("models", "list")["models"]
    out = capsys.readouterr().out
    sha256 = mine["sha256"][:12]
    assert (
        f"mine ({sha256}): 6 genes, 5 codes; trained on 1 sections, 100 cells, 2026-01-01; in the lib" in out
    )
    assert "100 cells, simulated, 2026-01-01; ships with squint" in out
    assert "2 models, 0 damaged" in out
    assert (mine["shipped"], shipped["shipped"]) == (False, True)
    assert (mine["simulated"], shipped["simulated"]) == (False, True)
    assert mine["genes"] == list(GENES)
    assert mine["sections"] == [{"name": "left", "sha256": "0" * 64, "n_cells": 100, "hidden": 0}]


def test_whose_data_a_model_was_trained_on_is_listed(
    samples: Path, run: Callable[..., Facts], capsys: pytest.CaptureFixture[str]
) -> None:
    save_bundle(samples / "told", seed=3, about=parse_about(ABOUT))
    shipped, told = run("models", "list")["models"]
    out = capsys.readouterr().out
    assert f"told ({told['sha256'][:12]}): starter; 6 genes" in out
    assert "ships with squint; data: A slide; A. Author et al.; CC BY 4.0; https://example.org/slide\n" in out
    assert (shipped["about"], told["about"]) == (None, ABOUT)


def test_a_damaged_model_is_listed_and_not_exported(
    packed: Path, run: Callable[..., Facts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (Path(run("models", "add", packed)["folder"]) / WEIGHTS).write_bytes(b"")
    found = run("models", "list")["models"]
    assert [bool(model["problem"]) for model in found] == [True, False]
    assert "damaged. weights.safetensors in the library is damaged." in capsys.readouterr().out
    assert main(["models", "export", "mine", str(tmp_path / "b.zip")]) == 2
    assert "is damaged and not exported" in capsys.readouterr().err
    assert not (tmp_path / "b.zip").exists()
    assert run("models", "add", packed)["new"] is True
    assert [bool(model["problem"]) for model in run("models", "list")["models"]] == [False, False]


def test_bad_input_ends_with_2_and_one_line(
    samples: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.zip").write_bytes(b"nothing")
    shutil.copytree(tmp_path / "elsewhere", samples / "twin" / "shipped")
    for words, said in (
        (["add", str(tmp_path / "nowhere.zip")], "There is no file or folder"),
        (["add", str(tmp_path / "bad.zip")], "bad.zip is no zip archive"),
        (["export", "nothing", str(tmp_path / "x.zip")], "No model is called 'nothing'"),
        (["export", "shipped", str(packed)], "is there already"),
        (["export", "shipped", str(tmp_path / "no folder" / "x.zip")], "could not be written"),
        (["remove", "shipped"], "ships with squint: it cannot be removed"),
    ):
        capsys.readouterr()
        assert main(["models", *words]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert [line.startswith("squint: ") for line in error.splitlines()][-1]
    assert not list(tmp_path.glob("x.zip"))
    assert (samples / "shipped" / CONFIG).exists()


def test_two_models_of_one_name_are_told_apart_by_their_hashes(
    packed: Path, run: Callable[..., Facts], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = run("models", "add", shutil.copy(packed, tmp_path / "shipped.zip"))["sha256"]
    assert main(["models", "remove", "shipped"]) == 2
    assert (
        f"2 models are called 'shipped', or of a hash that begins so. They are: shipped ({sha256[:12]})"
        in (capsys.readouterr().err)
    )
    run("models", "remove", sha256[:12])
    assert names(run("models", "list")) == ["shipped"]


@pytest.fixture
def source(section: AnnData, tmp_path: Path) -> Path:
    section.write_h5ad(tmp_path / "section.h5ad")
    return tmp_path / "section.h5ad"


def test_the_model_that_fits_best_is_taken_and_why_is_said(
    samples: Path,
    source: Path,
    run: Callable[..., Facts],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_bundle(samples / "another panel", [f"OTHER{i}" for i in range(6)], seed=3)
    save_bundle(tmp_path / "brought", seed=4)
    run("models", "add", tmp_path / "brought")
    capsys.readouterr()
    out = tmp_path / "out.h5ad"
    facts = run("tokenize", source, "--model", "auto", "--unit", "um", "--device", "cpu", "--out", out)
    error = capsys.readouterr().err
    assert facts["model_sha256"] == weights_sha256(tmp_path / "brought")  # the other is of simulated data
    assert "brought (" in error
    assert "fits best" in error
    choice = read_h5ad(out).uns[keys.PROVENANCE]["model_choice"]
    assert (choice["asked"], choice["name"]) == ("auto", "brought")
    assert choice["why"].startswith("6 of its 6 genes (100%) are measured")
    assert len(choice["others"]) == 2
    assert "trained on simulated data alone" in choice["others"][0]
    assert "another panel" in choice["others"][1]
    assert "cannot be used: 0 of its 6 genes" in choice["others"][1]
    assert facts["files"][0]["model_choice"]["why"] == choice["why"]


def test_one_model_is_taken_for_all_sections(
    samples: Path, section: AnnData, source: Path, run: Callable[..., Facts], tmp_path: Path
) -> None:
    save_bundle(samples / "two genes", ["GENE0", "GENE1"], seed=5)
    save_bundle(samples / "four genes", ["GENE0", "GENE1", "GENE4", "GENE5"], seed=6)
    section[:, :2].copy().write_h5ad(tmp_path / "small.h5ad")
    common = ("--model", "auto", "--unit", "um", "--device", "cpu", "--out")
    alone = run("tokenize", source, *common, tmp_path / "out.h5ad")
    both = run("tokenize", source, tmp_path / "small.h5ad", *common, tmp_path / "out")
    assert alone["files"][0]["model_choice"]["name"] != "two genes"
    assert {file["model_choice"]["name"] for file in both["files"]} == {"two genes"}
    assert {file["model_sha256"] for file in both["files"]} == {weights_sha256(samples / "two genes")}


def test_no_model_is_taken_where_none_fits(
    samples: Path, section: AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section.var_names = [f"OTHER{i}" for i in range(6)]
    section.write_h5ad(tmp_path / "a.h5ad")
    words = ["tokenize", str(tmp_path / "a.h5ad"), "--model", "auto", "--unit", "um", "--out"]
    assert main([*words, str(tmp_path / "out.h5ad")]) == 2
    assert "None of the models fits. The nearest cannot be used: 0 of its 6 genes" in capsys.readouterr().err
    shutil.rmtree(samples)
    assert main([*words, str(tmp_path / "out.h5ad")]) == 2
    assert "There is no model to choose from" in capsys.readouterr().err
    assert not (tmp_path / "out.h5ad").exists()


def test_a_damaged_model_is_not_taken(
    packed: Path, source: Path, run: Callable[..., Facts], tmp_path: Path
) -> None:
    folder = Path(run("models", "add", packed)["folder"])
    (folder / CONFIG).write_bytes(b"{}")
    assert [bool(one.problem) for one in models.known(Library(tmp_path / "home"), [])] == [True]
    words = ("--model", "auto", "--unit", "um", "--device", "cpu", "--out", tmp_path / "out.h5ad")
    assert run("tokenize", source, *words)["files"][0]["model_choice"]["name"] == "shipped"
