"""Folders that others made: nothing but plain files with fit names, and what of them is left alone."""

import os
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.io import folders


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(InputError) as error:
        folders.check(folder)
    said = str(error.value)
    assert "\n" not in said
    assert all(word in said for word in words), said


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a folder as zarr makes one."""
    (tmp_path / "s.zarr" / "obs" / "cell type").mkdir(parents=True)
    (tmp_path / "s.zarr" / ".zgroup").write_text("{}")
    (tmp_path / "s.zarr" / "obs" / "cell type" / "0.0").write_bytes(b"x")
    (tmp_path / "s.zarr" / "empty").mkdir()
    return tmp_path / "s.zarr"


def test_plain_files_and_folders_pass(store: Path) -> None:
    folders.check(store)
    (store.parent / "elsewhere").symlink_to(store)
    folders.check(store.parent / "elsewhere")  # as the import folder is staged


def test_links_are_refused_wherever_they_lead(store: Path) -> None:
    for target in ("/etc/passwd", ".zgroup", "nowhere", "."):
        link = store / "obs" / "0"
        link.symlink_to(target)
        refused(store, "'obs/0'", "a link")
        link.unlink()


def test_what_is_no_file_is_refused(store: Path) -> None:
    os.mkfifo(store / "pipe")
    refused(store, "'pipe'", "neither a file nor a folder")
    (store / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(store / "line"))
        refused(store, "'line'", "neither a file nor a folder")


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_files_that_would_run_as_another_user_are_refused(store: Path, mode: int) -> None:
    (store / ".zgroup").chmod(mode)
    refused(store, "'.zgroup'", "another user")


@pytest.mark.parametrize(
    "name", [b"a\nb", b"\xff\xfe", b"a\x1b[31m", b"back\\slash", b"C:", "a\u2028b".encode()]
)
def test_names_that_are_no_plain_text_are_refused(store: Path, name: bytes) -> None:
    (Path(os.fsdecode(os.path.join(os.fsencode(store), name)))).write_bytes(b"x")  # noqa: PTH118 - bytes
    refused(store, "no fit name")


def test_too_many_files_are_refused_and_many_are_looked_at_fast(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5_000):
        (store / f"{i}").touch()
    start = time.perf_counter()
    folders.check(store)
    assert time.perf_counter() - start < 2
    monkeypatch.setattr(folders, "MAX_ENTRIES", 5_000)
    refused(store, "more than 5,000 files")


def test_a_depth_that_nothing_needs_is_refused(store: Path) -> None:
    folder = store
    for _ in range(folders.MAX_DEPTH + 1):
        folder /= "d"
        folder.mkdir()
    refused(store, "deep")


def test_a_folder_that_cannot_be_opened_is_said(store: Path) -> None:
    refused(store / "none", "cannot be looked through")
    refused(store / ".zgroup", "cannot be looked through")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/",
        "C:\\x",
        "c:x",
        "a\\b",
        "a\0",
        "a\x7f",
        "\ud800",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="no fit name"):
        folders.check_name(name, "a.zip")


@given(st.text(max_size=30))
def test_a_name_that_passes_stays_below_its_folder(name: str) -> None:
    try:
        folders.check_name(name, "a.zip")
    except InputError:
        return
    inside = os.path.normpath(f"/folder/{name}")
    assert inside == f"/folder/{name}"
    os.fsencode(name)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "a"], "one name"),
        (["cells.csv", "Cells.csv"], "one name"),
        (["é", "e\u0301"], "one name"),
        (["A/x", "a/y"], "one name"),
        (["a", "a/b"], "both a file and a folder"),
        (["a/b/c", "A"], "both a file and a folder"),
    ],
)
def test_names_that_clash_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        folders.check_names(names, "a.zip")
    folders.check_names([*names[:1], "other", "b/c/d", "b/c/e"], "a.zip")


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("outs/transcripts.parquet", True),
        ("transcripts.zarr/grids/0/.zarray", True),
        ("transcripts.zarr.zip", True),
        ("Run1_tx_file.csv.gz", True),
        ("region_0/detected_transcripts.csv", True),
        ("s.zarr/points/transcripts/points.parquet/part.0.parquet", True),
        ("s.zarr/points/transcripts/zarr.json", False),  # or the store would not agree with itself
        ("s.zarr/tables/table/obs/points/0", False),
        ("outs/morphology.ome.tif", True),
        ("outs/morphology_focus/morphology_focus_0000.ome.tif", False),
        ("outs/possorted_genome_bam.bam", True),
        ("outs/cells.parquet", False),
        ("outs/cell_feature_matrix.h5", False),
        ("cell_by_gene.csv", False),
    ],
)
def test_what_is_huge_and_not_needed_is_left_alone(name: str, *, left: bool) -> None:
    assert folders.is_left_alone(name) == left


@pytest.mark.parametrize(
    ("name", "junk"),
    [
        (".DS_Store", True),
        ("outs/._cells.parquet", True),
        ("__MACOSX/outs/x", True),
        ("Thumbs.db", True),
        (".git/config", True),
        ("s.zarr/.zattrs", False),
        ("s.zarr/obs/.zgroup", False),
        ("experiment.xenium", False),
    ],
)
def test_what_systems_leave_behind_is_known(name: str, *, junk: bool) -> None:
    assert folders.is_junk(name) == junk
