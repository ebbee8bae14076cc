"""Commands on the library, as they are typed."""

import json
import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint.cli.main import main
from squint.library.database import database
from squint.library.images import Images
from squint.library.records import Patient, ResultUse, SectionRow
from squint.library.results import Computation, keep
from squint.library.store import GENES, Library, Section
from tests.helpers.section_pictures import keep_picture
from tests.helpers.sections import add_sections


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
    rows = json.loads(facts.read_text())["rows"]
    assert f"records: {sum(rows.values())}" in capsys.readouterr().out
    assert (rows["patients"], rows["audit_head"]) == (1, 1)  # the backup itself is noted in it
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


@pytest.fixture
def two(home: Path, section: AnnData, tmp_path: Path) -> list[Section]:
    """Add two sections."""
    return add_sections(Library(home), section, tmp_path)


def test_sections_are_listed_and_shown(
    two: list[Section], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "facts.json"
    assert main(["library", "list", "--json", str(facts)]) == 0
    out = capsys.readouterr().out
    assert "2 sections, 0 damaged" in out
    assert all(f"{one.n_cells:,} cells x {one.n_genes:,} genes" in out for one in two)
    assert {one["id"] for one in json.loads(facts.read_text())["sections"]} == {one.id for one in two}
    for name in (two[0].section, two[0].id[:12]):
        assert main(["library", "show", name, "--json", str(facts)]) == 0
        said = json.loads(facts.read_text())
        assert (said["id"], said["unit"], said["tokens"]) == (two[0].id, "um", [])
    assert "unit: um" in capsys.readouterr().out
    assert main(["library", "show", "nothing"]) == 2
    assert "No section in the library" in capsys.readouterr().err
    assert main(["library", "show", ""]) == 2
    assert "2 sections in the library" in capsys.readouterr().err


def test_a_hidden_section_is_listed_as_hidden_and_shown_by_name(
    two: list[Section], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Library(home).hide([two[0].id])
    facts = tmp_path / "facts.json"
    assert main(["library", "list", "--json", str(facts)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [two[0].id in line for line in lines if line.endswith(", hidden")] == [True]
    assert lines[-1].startswith("2 sections, 0 damaged")
    listed = json.loads(facts.read_text())["sections"]
    assert {one["id"]: one["hidden"] for one in listed} == {two[0].id: True, two[1].id: False}
    assert main(["library", "show", two[0].section]) == 0


class Sum(Computation):
    """A computation."""

    name = "sum"


def test_results_that_nobody_uses_are_pruned(
    home: Path, two: list[Section], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, asked = Library(home), Sum(tuple(one.id for one in two))
    keep(library, asked, {}, {"one": pd.DataFrame({"x": [1.0]})})
    place, facts = library.results / asked.result, tmp_path / "facts.json"
    n_bytes = (place / "one.parquet").stat().st_size
    assert main(["library", "prune"]) == 0
    assert "0 results not used for 90 days deleted: 0.00 MB" in capsys.readouterr().out
    with library.database.writing() as session:
        session.merge(ResultUse(name=asked.result, used=time.time() - 50 * 86_400, day=0))
    for dry in (["--dry-run"], []):
        assert place.exists()
        assert main(["library", "prune", "--older-than", "30", "--json", str(facts), *dry]) == 0
        said = json.loads(facts.read_text())
        assert (said["n_bytes"], [one["name"] for one in said["results"]]) == (n_bytes, [asked.result])
        assert (
            f"1 results not used for 30 days {'would be ' if dry else ''}deleted" in capsys.readouterr().out
        )
    assert not place.exists()
    assert main(["library", "prune", "--older-than", "soon"]) == 2
    assert "--older-than must be a number of days" in capsys.readouterr().err
    assert len(library.sections()) == 2


def test_pictures_are_shown_with_their_section(
    home: Path, two: list[Section], capsys: pytest.CaptureFixture[str]
) -> None:
    library = Library(home)
    keep_picture(library, two[0].id, "ab")
    keep_picture(library, two[0].id, "cd")
    assert main(["library", "show", two[0].id]) == 0
    assert "picture he_cd: 600 x 600 pixels\n" in capsys.readouterr().out
    (Images(library).folder(two[0].id, "cd") / "0" / "0_0.webp").unlink()
    assert main(["library", "verify", two[0].id]) == 2
    capsys.readouterr()
    assert main(["library", "show", two[0].id]) == 0
    out = capsys.readouterr().out
    assert "picture he_ab: 600 x 600 pixels\n" in out
    assert "picture he_cd: damaged. 0_0.webp is missing in the library.\n" in out


def test_what_is_not_as_it_was_kept_is_said_and_its_section_marked(
    home: Path, two: list[Section], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["library", "verify"]) == 0
    assert "all as they were kept" in capsys.readouterr().out
    path = home / "sections" / two[0].id / GENES
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert main(["library", "verify", two[1].id]) == 0
    capsys.readouterr()
    assert main(["library", "verify"]) == 2
    captured = capsys.readouterr()
    assert captured.out == f"sections/{two[0].id}/{GENES} is not as it was kept.\n"
    assert ", 1 are not as they were kept" in captured.err
    assert [bad.id for bad in Library(home).damaged()] == [two[0].id]
    assert main(["library", "list"]) == 0
    assert f"{two[0].id}  " in capsys.readouterr().out
    with database(home).engine.begin() as connection:
        asked = sa.update(SectionRow.__table__).where(sa.column("id") == two[1].id)  # not signed anew
        connection.execute(asked.values(n_cells=1))
    assert main(["library", "verify", two[1].id]) == 2
    assert f"What the library knows of sections {two[1].id} is damaged." in capsys.readouterr().out
    assert main(["library", "verify", "0" * 16]) == 2
