"""Commands on the library, as they are typed."""

import json
from pathlib import Path

import pytest

from squint.cli.main import main
from squint.library.database import database
from squint.library.records import Patient


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a library with one patient."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SQUINT_HOME", str(folder))
    with database(folder).writing() as session:
        session.add(Patient(code="A-1", added=""))
    return folder


def test_a_library_goes_into_a_file_and_comes_out_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "results").mkdir()
    (home / "results" / "x").write_bytes(b"x")
    facts, path = tmp_path / "facts.json", tmp_path / "b.zip"
    assert main(["backup", str(path), "--json", str(facts)]) == 0
    assert "records: 1" in capsys.readouterr().out
    assert json.loads(facts.read_text())["rows"]["patients"] == 1
    assert main(["restore", str(path)]) == 2
    assert "holds a library already" in capsys.readouterr().err
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "other"))
    assert main(["restore", str(path)]) == 0
    assert (tmp_path / "other" / "results" / "x").read_bytes() == b"x"


def test_a_library_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "none"))
    assert main(["backup", str(tmp_path / "b.zip")]) == 2
    assert "There is no library" in capsys.readouterr().err
    assert main(["restore", str(tmp_path / "b.zip")]) == 2
    assert "could not be restored" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
