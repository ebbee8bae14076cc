"""`squint import`: what is kept, what is refused and how it is asked, and what of names stays out."""

import json
import shutil
from pathlib import Path

import pytest
from anndata import AnnData

import squint
from squint import datasets
from squint.cli.main import main
from squint.library.images import Images
from squint.library.store import DATA, GENES, THUMBNAIL, Library, Section
from tests.helpers.xenium_folder import Run, write_placed_picture, write_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a library that is not there yet."""
    monkeypatch.setenv("SQUINT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Write two sections of two patients, each into a file."""
    toy = datasets.toy(n_cells=60, n_sections=2)
    paths = [tmp_path / "a.h5ad", tmp_path / "b.h5ad"]
    for path, name in zip(paths, toy.obs["section_id"].cat.categories, strict=True):
        squint.write(toy[toy.obs["section_id"] == name].copy(), path)
    return paths


def refused(capsys: Capture, *words: str) -> str:
    """Give the one line by which an import is refused."""
    capsys.readouterr()
    assert main(["import", *words]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("squint: ")]
    assert len(lines) == 1
    return lines[0]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def all_but_data(home: Path, section: Section) -> dict[str, bytes]:
    """Read what a section lies in, but for HDF5 of AnnData, whose bytes are not all of its content."""
    folder = home / "sections" / section.id
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != DATA}


def leaves_nothing(home: Path) -> bool:
    return not [path for name in ("uploads", "staging", "originals") for path in (home / name).iterdir()]


def test_files_are_kept_once(home: Path, files: list[Path], tmp_path: Path, capsys: Capture) -> None:
    facts = tmp_path / "facts.json"
    assert main(["import", *map(str, files), "--organ", "kidney", "--json", str(facts)]) == 0
    out = capsys.readouterr().out
    library = Library(home)
    every = library.sections()
    assert [f"kept as {one.title} ({one.id})" in out for one in every] == [True, True]
    assert "Tokens are not computed yet" in out
    assert not any(library.token_facts(one.id, "") for one in every)
    assert not any((library.folder(one.id) / "tokens").exists() for one in every)
    assert {one.organ for one in every} == {"kidney"}
    said = [section for file in json.loads(facts.read_text())["files"] for section in file["sections"]]
    assert {(one["id"], one["new"]) for one in said} == {(one.id, True) for one in every}

    assert main(["import", str(files[0]), "--patient", "OTHER"]) == 0
    out = capsys.readouterr().out
    assert "already in the library" in out
    assert "Tokens" not in out
    assert Library(home).sections() == every


def test_one_that_is_refused_undoes_no_other(
    home: Path, files: list[Path], section: AnnData, tmp_path: Path, capsys: Capture
) -> None:
    bad = tmp_path / "bad.h5ad"
    section.write_h5ad(bad)
    line = refused(capsys, str(files[0]), str(bad), str(tmp_path / "none.h5ad"), str(files[1]))
    assert line.startswith("squint: 2 of 4 files were not kept")
    assert f"{bad}, {tmp_path / 'none.h5ad'}" in line
    assert len(Library(home).sections()) == 2
    assert not list((home / "uploads").iterdir())


def test_what_is_open_is_asked(home: Path, section: AnnData, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bad.h5ad"
    section.write_h5ad(path)
    assert "Say it with --unit (um" in refused(capsys, str(path))
    assert leaves_nothing(home)
    assert main(["import", str(path), "--unit", "unknown"]) == 0
    assert {one.unit for one in Library(home).sections()} == {"unknown"}


def test_patients_are_called_as_is_said_and_never_by_what_may_name_them(
    home: Path, files: list[Path], tmp_path: Path, capsys: Capture
) -> None:
    adata = squint.read(files[0])
    del adata.obs["patient_id"]
    squint.write(adata, tmp_path / "unnamed.h5ad")
    assert "names no patient. Say it with --patient CODE." in refused(capsys, str(tmp_path / "unnamed.h5ad"))
    adata.obs["patient_id"] = "Jane Doe"
    squint.write(adata, tmp_path / "named.h5ad")
    path = str(tmp_path / "named.h5ad")
    line = refused(capsys, path)
    assert "a patient whose name looks like a person's name" in line
    assert "Jane" not in line
    assert "a code looks like a date" in refused(capsys, path, "--patient", "1970-01-01")
    assert "a code is missing" in refused(capsys, path, "--patient", "Jane Doe=")
    assert "not each is given a code" in refused(capsys, path, "--patient", "J Doe=K-1")
    assert leaves_nothing(home)
    assert main(["import", path, "--patient", "Jane Doe=K-1"]) == 0
    (kept,) = Library(home).sections()
    assert kept.patient == "K-1"
    Library(home).delete(kept.id)
    assert main(["import", path, "--identifies-nobody", "--section-code", "1970-01-01"]) == 0
    (kept,) = Library(home).sections()
    assert (kept.patient, kept.section) == ("Jane Doe", "1970-01-01")


def test_several_patients_of_one_file_need_a_code_each(home: Path, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "both.h5ad"
    squint.write(datasets.toy(n_cells=60, n_sections=4), path)
    assert "--patient NAME=CODE, for each patient" in refused(capsys, str(path), "--patient", "K-1")
    assert "not each is given" in refused(capsys, str(path), "--patient", "TOY-H=K-1")
    assert main(["import", str(path), "--patient", "TOY-H=K-1", "--patient", "TOY-L=K-2"]) == 0
    assert {one.patient for one in Library(home).sections()} == {"K-1", "K-2"}


def test_a_section_of_no_patient_beside_one_of_a_patient_is_asked_for(
    home: Path, section: AnnData, tmp_path: Path, capsys: Capture
) -> None:
    section.obs["patient"] = section.obs["patient"].where(section.obs["section"] == "left").astype("category")
    path = tmp_path / "half.h5ad"
    section.write_h5ad(path)
    assert "names no patient of some sections" in refused(capsys, str(path), "--unit", "um")
    assert main(["import", str(path), "--unit", "um", "--patient", "P1=P1", "--patient", "=P-9"]) == 0
    assert {one.section: one.patient for one in Library(home).sections()} == {"left": "P1", "right": "P-9"}


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_the_name_of_a_file_or_folder_that_names_a_person_is_not_kept(
    home: Path, tmp_path: Path, ending: str
) -> None:
    path = write_run(tmp_path / "Jane Doe", Run())
    if ending:
        path = Path(shutil.make_archive(str(path), "zip", path))
    assert main(["import", str(path), "--patient", "K-1"]) == 0
    (kept,) = Library(home).sections()
    assert kept.section == "section"
    assert not [
        one
        for one in home.rglob("*")
        if "Jane" in one.name or (one.is_file() and b"Jane" in one.read_bytes())
    ]


def test_outs_is_called_like_the_folder_that_it_lies_in(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_run(tmp_path / "run 7" / "outs", Run()))
    assert main(["import", ".", "--patient", "K-1"]) == 0
    (kept,) = Library(home).sections()
    assert kept.section == "run_7"


def test_pictures_in_place_come_along_and_others_are_said(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = write_run(tmp_path / "run", Run())
    write_placed_picture(run / "morphology_focus.ome.tif")
    assert main(["import", str(run), "--patient", "K-1"]) == 0
    assert "picture morphology focus: lies under the cells" in capsys.readouterr().out
    (kept,) = Library(home).sections()
    assert len(Images(Library(home)).of(kept.id)) == 1
    assert main(["import", str(run), "--patient", "K-1"]) == 0
    assert len(Images(Library(home)).of(kept.id)) == 1


def test_a_damaged_section_is_made_again(home: Path, files: list[Path], capsys: Capture) -> None:
    assert main(["import", *map(str, files)]) == 0
    section, other = Library(home).sections()
    before = all_but_data(home, section)
    assert main(["library", "rebuild", section.section]) == 0
    assert "nothing of it is damaged" in capsys.readouterr().out
    for names, source in (((GENES,), "its data"), ((DATA, THUMBNAIL), "its original")):
        for name in names:
            flip(home / "sections" / section.id / name)
        assert main(["library", "verify"]) == 2
        assert "squint library rebuild SECTION" in capsys.readouterr().err
        assert main(["library", "rebuild", section.title]) == 0
        assert f"made again of {source}: {', '.join(sorted(names))}" in capsys.readouterr().out
        assert main(["library", "verify"]) == 0
        assert Library(home).sections() == [section, other]
        assert all_but_data(home, section) == before
    assert main(["library", "rebuild", "0" * 16]) == 2
