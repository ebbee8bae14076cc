"""The option --project: whose library a command is about."""

import json
import shutil
from pathlib import Path

import pytest
from anndata import AnnData

import squint
from squint import datasets
from squint.cli.main import main
from squint.library import identity
from squint.library.place import MARK, project_home
from squint.library.records import Project
from squint.library.store import GENES, Library
from tests.helpers.bundles import save_bundle
from tests.helpers.sections import add_sections

Capture = pytest.CaptureFixture[str]
ONE, OTHER = "0a11" * 4, "0a22" * 4  # projects


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Give a server's first library, with two projects beside it."""
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    for project in (ONE, OTHER):
        Library(project_home(tmp_path / "home", project))
    return Library(tmp_path / "home")


def project(root: Library, name: str) -> Library:
    return Library(project_home(root.home, name))


def name_project(root: Library, folder: str, name: str) -> None:
    """Call a project something, as signing in does."""
    with root.database.writing() as session:
        session.add(Project(folder=folder, name=name, added="2026-01-01T00:00:00+00:00"))


def test_sections_are_listed_with_their_project_and_found_in_any(
    root: Library, section: AnnData, tmp_path: Path, capsys: Capture
) -> None:
    (one, other) = add_sections(project(root, ONE), section, tmp_path)
    facts = tmp_path / "facts.json"
    assert main(["library", "list", "--json", str(facts)]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("Project")] == [
        "Project first",
        f"Project {ONE}",
        f"Project {OTHER}",
    ]
    assert {found["project"] for found in json.loads(facts.read_text())["sections"]} == {ONE}
    assert main(["library", "show", one.id]) == 0
    assert main(["library", "show", one.id, "--project", OTHER]) == 2
    assert "No section" in capsys.readouterr().err
    add_sections(project(root, OTHER), section, tmp_path)
    assert main(["library", "show", one.id]) == 2
    assert "say --project" in capsys.readouterr().err
    assert main(["library", "show", other.id, "--project", "0a2"]) == 0
    for wrong in ("0a", "", "..", f"{ONE}/..", "nothing"):
        assert main(["library", "list", "--project", wrong]) == 2
        assert f"There are: first, {ONE}, {OTHER}" in capsys.readouterr().err


def test_a_project_is_found_by_its_name(root: Library, capsys: Capture) -> None:
    name_project(root, OTHER, "Kidney")
    assert main(["library", "list", "--project", "Kidney"]) == 0
    assert f"Project Kidney ({OTHER})" in capsys.readouterr().out
    assert main(["library", "list", "--project", "first"]) == 0
    assert "Project" not in capsys.readouterr().out


def test_a_file_and_a_model_go_into_the_project_that_is_named(
    root: Library, tmp_path: Path, capsys: Capture
) -> None:
    squint.write(datasets.toy(n_cells=60), tmp_path / "a.h5ad")
    assert main(["import", str(tmp_path / "a.h5ad"), "--project", ONE]) == 0
    save_bundle(tmp_path / "mine", seed=2)
    assert main(["models", "add", str(tmp_path / "mine"), "--project", OTHER]) == 0
    assert [len(one.sections()) for one in (root, project(root, ONE), project(root, OTHER))] == [0, 2, 0]
    capsys.readouterr()
    for asked, n in (([], 0), (["--project", ONE], 0), (["--project", OTHER], 1)):
        assert main(["models", "list", *asked]) == 0
        assert capsys.readouterr().out.count("in the library since") == n
    assert main(["import", str(tmp_path / "a.h5ad"), "--project", "0b"]) == 2


@pytest.mark.usefixtures("root")
def test_the_model_that_fits_is_sought_among_those_of_the_project(tmp_path: Path, capsys: Capture) -> None:
    adata = datasets.toy(n_cells=60)
    squint.write(adata, tmp_path / "a.h5ad")
    save_bundle(tmp_path / "own", list(adata.var_names)[:6], seed=2)
    assert main(["models", "add", str(tmp_path / "own"), "--project", OTHER]) == 0
    words = ["tokenize", str(tmp_path / "a.h5ad"), "--model", "auto", "--device", "cpu"]
    for project, code in (("first", 2), (ONE, 2), (OTHER, 0)):  # no model of squint's knows these genes
        out = tmp_path / f"{project}.h5ad"
        assert main([*words, "--project", project, "--out", str(out)]) == code
        assert ("own (" in capsys.readouterr().err) == out.exists() == (code == 0)
    for wrong in (["--project", "nothing"], ["--project", OTHER, "--model", str(tmp_path / "own")]):
        assert main([*words, *wrong, "--out", str(tmp_path / "out.h5ad")]) == 2
        assert "project" in capsys.readouterr().err
    assert not (tmp_path / "out.h5ad").exists()


def test_all_projects_are_verified_and_the_damage_is_said_with_its_project(
    root: Library, section: AnnData, tmp_path: Path, capsys: Capture
) -> None:
    own = project(root, OTHER)
    (one, _) = add_sections(own, section, tmp_path)
    assert main(["library", "verify"]) == 0
    (own.folder(one.id) / GENES).write_bytes(b"other")
    capsys.readouterr()
    assert main(["library", "verify"]) == 2
    said = capsys.readouterr()
    assert f"Project {OTHER}: sections/{one.id}/{GENES} is not as it was kept" in said.out
    assert main(["library", "verify", "--project", ONE]) == 0
    (project_home(root.home, ONE) / MARK).write_text("another")  # nor does one hide the next
    identity._seen.clear()
    assert main(["library", "verify"]) == 2
    said = capsys.readouterr()
    assert f"Project {ONE}: The library folder" in said.out
    assert f"Project {OTHER}: " in said.out
    shutil.rmtree(project_home(root.home, ONE))
    assert main(["library", "rebuild", one.id]) == 0
    assert main(["library", "verify"]) == 0


def test_a_backup_holds_all_projects_or_one(
    root: Library, section: AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sections(project(root, OTHER), section, tmp_path)
    facts = tmp_path / "facts.json"
    assert main(["backup", str(tmp_path / "all.zip"), "--json", str(facts)]) == 0
    assert json.loads(facts.read_text())["projects"] == [ONE, OTHER]
    assert main(["backup", str(tmp_path / "one.zip"), "--project", OTHER]) == 0
    for n, name in ((0, "all"), (2, "one")):
        monkeypatch.setenv("SQUINT_HOME", str(tmp_path / name))
        assert main(["restore", str(tmp_path / f"{name}.zip")]) == 0
        assert len(Library(tmp_path / name).sections()) == n
    assert len(Library(project_home(tmp_path / "all", OTHER)).sections()) == 2
