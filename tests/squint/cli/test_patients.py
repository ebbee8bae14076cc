"""The command on the table of patients."""

import json
from pathlib import Path

import pytest

from squint.cli.main import main
from squint.library.store import Library
from tests.helpers.sections import add_sections, small_section


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a library with two patients."""
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    add_sections(Library(tmp_path / "home"), small_section(), tmp_path)
    return tmp_path / "home"


def write(folder: Path, *lines: str) -> str:
    path = folder / "patients.csv"
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.usefixtures("home")
def test_a_table_is_added_shown_changed_undone_and_deleted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "code,grade,dob", "A-1,3,1950-01-01", "A-2,2,1960-01-01", "Z-1,1,x")
    facts = tmp_path / "facts.json"
    assert main(["library", "patients", path, "--json", str(facts)]) == 0
    told = capsys.readouterr()
    assert "A-1: grade 3" in told.out
    assert "grade holds groups, of 2 patients" in told.out
    assert "Column dob is left out" in told.err
    assert "Z-1" in told.err
    assert "1950" not in told.out + told.err + facts.read_text()
    assert json.loads(facts.read_text())["patients"] == {"A-1": {"grade": "3"}, "A-2": {"grade": "2"}}
    assert main(["library", "patients", "--numbers", "grade"]) == 0
    assert "grade holds numbers" in capsys.readouterr().out
    assert main(["library", "patients", "--undo"]) == 0
    assert "grade holds groups" in capsys.readouterr().out
    assert main(["library", "patients", "--delete"]) == 0
    assert main(["library", "patients"]) == 0
    assert "Nothing is known of the patients" in capsys.readouterr().out


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("words", [["--undo", "--delete"], ["--numbers", "nothing"], ["--undo"]])
def test_what_cannot_be_done_is_said_in_a_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "code,grade", "Z-1,3")
    assert main(["library", "patients", path]) == 2
    assert "A-1, A-2" in capsys.readouterr().err
    try:
        status = main(["library", "patients", *words])
    except SystemExit as error:  # of argparse, for two that exclude each other
        status = int(error.code or 0)
    assert status == 2
    assert "Traceback" not in capsys.readouterr().err
