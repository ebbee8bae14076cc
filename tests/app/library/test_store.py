"""The library: kept whole, kept once, kept without names, deleted for good."""

import os
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import squint.io
from squint import keys
from squint.errors import InputError
from squint.library import ingest, keeping
from squint.library.store import DATA, Library, Section, harmless_name
from squint.library.tables import read_table, write_table
from squint.sensitive import looks_like


@pytest.fixture
def upload(section: AnnData, tmp_path: Path) -> AnnData:
    section.obs["patient_name"] = "Jane Doe"
    section.obs["dob"] = "1970-01-01"
    section.obs["celltype"] = ["tumour", "<script>alert(1)</script>"] * 15
    section.obsm["X_umap"] = np.zeros((30, 2))
    section.uns["operator"] = "Jane Doe"
    section.write_h5ad(tmp_path / "upload.h5ad")
    return squint.io.read(tmp_path / "upload.h5ad")


LABELS = ingest.Labels({"P1": "A-1", "P2": "A-2"}, {}, organ="kidney")


def _add_all(library: Library, adata: AnnData) -> list[tuple[Section, bool]]:
    return [ingest.add(library, part, LABELS) for part in ingest.clean(adata, LABELS)]


def test_only_allowed_content_is_kept(library: Library, upload: AnnData) -> None:
    kept = [section for section, _ in _add_all(library, upload)]
    assert [(s.section, s.patient, s.n_cells) for s in kept] == [("left", "A-1", 15), ("right", "A-2", 15)]
    for section in kept:
        stored = anndata.read_h5ad(library.folder(section.id) / DATA)
        assert set(stored.obs) == {keys.SECTION, keys.PATIENT, keys.CELL_TYPE}
        assert set(stored.obsm) == {keys.SPATIAL}
        assert set(stored.uns) == {keys.PROVENANCE}
    everything = b"".join(path.read_bytes() for path in library.home.rglob("*") if path.is_file())
    assert b"Jane" not in everything
    assert b"1970" not in everything


def test_what_is_kept_reads_back(library: Library, upload: AnnData) -> None:
    left = _add_all(library, upload)[0][0]
    part = upload[upload.obs[keys.SECTION] == "left"]
    cells = library.cells(left.id)
    assert cells.index.tolist() == part.obs_names.tolist()
    np.testing.assert_array_equal(cells[["x", "y"]], part.obsm[keys.SPATIAL])
    np.testing.assert_array_equal(library.gene(left.id, "GENE3"), part[:, "GENE3"].X.toarray().ravel())
    assert library.gene(left.id, "no such gene") is None
    assert library.genes(left.id) == [f"GENE{i}" for i in range(6)]


def test_the_third_coordinate_is_kept(library: Library, upload: AnnData) -> None:
    upload.obsm[keys.SPATIAL] = np.column_stack([upload.obsm[keys.SPATIAL], np.arange(30) % 4])
    left = _add_all(library, upload)[0][0]
    assert library.cells(left.id)["z"].tolist() == [float(i % 4) for i in range(15)]


def test_the_same_section_is_kept_once(library: Library, upload: AnnData) -> None:
    first = _add_all(library, upload)
    other = ingest.Labels({"P1": "B-1", "P2": "B-2"}, {})
    again = [ingest.add(library, part, other) for part in ingest.clean(upload, other)]
    assert [new for _, new in first] == [True, True]
    assert [new for _, new in again] == [False, False]
    assert [section for section, _ in again] == [section for section, _ in first]
    assert len(library.sections()) == 2
    assert not list(library.staging.iterdir())


def test_a_unit_that_is_said_later_is_taken_for_what_is_there(library: Library, upload: AnnData) -> None:
    upload.uns[keys.PROVENANCE]["unit"] = "unknown"
    assert {section.unit for section, _ in _add_all(library, upload)} == {"unknown"}
    upload.uns[keys.PROVENANCE]["unit"] = "um"
    assert {(section.unit, new) for section, new in _add_all(library, upload)} == {("um", False)}
    upload.uns[keys.PROVENANCE]["unit"] = "unknown"
    assert {section.unit for section, _ in _add_all(library, upload)} == {"um"}


def test_one_section_is_of_one_patient(upload: AnnData) -> None:
    upload.obs[keys.SECTION] = pd.Categorical(["all"] * 30)
    with pytest.raises(InputError, match="2 patients"):
        list(ingest.clean(upload, LABELS))


def test_deleting_removes_the_section_and_all_that_came_of_it(library: Library, upload: AnnData) -> None:
    left, right = (section for section, _ in _add_all(library, upload))
    keeping.keep_result(library, library.workspace(), "of-left", "{}", [left.id])
    keeping.keep_result(library, library.workspace(), "of-right", "{}", [right.id])
    library.delete(left.id)
    assert library.sections() == [right]
    assert not library.folder(left.id).exists()
    assert not list(library.staging.iterdir())
    assert [folder.name for folder in library.results.iterdir()] == ["of-right"]
    with pytest.raises(InputError, match="no longer"):
        library.get(left.id)


@pytest.mark.parametrize("bad", ["", "..", "../../etc", "a/b", "A" * 16, "zz"])
def test_an_id_cannot_lead_elsewhere(library: Library, bad: str) -> None:
    with pytest.raises(InputError):
        library.folder(bad)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../x", "x"),
        ("C:\\patients\\SEC-1", "SEC-1"),
        ("Doe, Jane 1970-01-01", "section"),
        ("Jane Doe", "section"),
        ("-rf", "rf"),
        ("", "section"),
        ("é" * 300, "section"),
        ("a" * 300, "a" * 60),
    ],
)
def test_a_file_name_is_made_harmless(name: str, stem: str) -> None:
    assert harmless_name(name) == stem


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("Jane Doe", "a person's name"),
        ("Doe, Jane", "a person's name"),
        ("Dr Who", "a person's name"),
        ("1970-01-01", "a date"),
        ("3.12.1970", "a date"),
        ("12 March 1970", "a date"),
        ("MRN 1234567", "a record number"),
        ("SIM-H", None),
        ("KID-007", None),
        ("P1", None),
        ("tumour_3", None),
        ("1970_01_05", "a date"),
        ("3mar1970", "a date"),
        ("1_marker20", None),
        ("core_1_2_30", None),
        ("NHS 943 476 5919", "a record number"),
        ("Xenium_Breast_Cancer_Rep1_ROI", None),
        ("Doe_Jane_section1", "a person's name"),
    ],
)
def test_codes_that_look_like_people_are_noticed(code: str, what: str | None) -> None:
    assert looks_like(code) == what


def test_a_flipped_byte_in_a_table_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(pd.DataFrame({"x": np.random.default_rng(0).random(5_000)}), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_table(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_library_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="SQUINT_HOME"):
        Library(tmp_path / "library")


def test_a_library_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="SQUINT_HOME"):
        Library(tmp_path / "file" / "library")
