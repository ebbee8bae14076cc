"""Zip archives: whole or not at all, nothing outside, and every way out counted."""

import bz2
import gzip
import io
import lzma
import resource
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.io import archives, folders

ROOM = 50_000_000


def packed(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(path: Path, *words: str, max_bytes: int = ROOM) -> None:
    """See that an archive is refused in one line, and that nothing of it stays anywhere."""
    place = path.parent / "place"
    place.mkdir(exist_ok=True)
    before = set(path.parent.rglob("*"))
    with pytest.raises(InputError) as error:
        archives.unpack(path, place / "out", max_bytes=max_bytes)
    said = str(error.value)
    assert "\n" not in said
    assert all(word in said for word in words), said
    assert set(path.parent.rglob("*")) == before


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    files = {"a.csv": b"1,2\n" * 1_000, "deep/er/b": b"", "deep/c": bytes(range(256)) * 9_000}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = archives.unpack(
            packed(tmp_path / "a.zip", files, method), tmp_path / f"{method}", max_bytes=ROOM
        )
        assert out == tmp_path / f"{method}"
        assert content_of(out) == files


_NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters='/\\:."'), min_size=1, max_size=8
)


@given(
    st.dictionaries(
        st.lists(_NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=99), min_size=1
    )
)
def test_any_files_with_fit_names_come_out_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = packed(folder / "a.zip", files)
    try:
        folders.check_names(files, "a.zip")
    except InputError:
        refused(path)
        return
    wanted = {n: c for n, c in files.items() if not folders.is_junk(n) and not folders.is_left_alone(n)}
    if not wanted:
        refused(path, "holds no file")
        return
    archives.unpack(path, folder / "out", max_bytes=ROOM)
    assert content_of(folder / "out") == wanted


def test_an_empty_folder_is_filled_and_a_full_one_is_not(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a": b"1", "b": b"2"})
    (tmp_path / "out").mkdir()
    archives.unpack(path, tmp_path / "out", max_bytes=ROOM)
    with pytest.raises(InputError, match="could not be unpacked"):
        archives.unpack(packed(path, {"a": b"3"}), tmp_path / "out", max_bytes=ROOM)
    assert content_of(tmp_path / "out") == {"a": b"1", "b": b"2"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "out"]


def test_the_folder_inside_is_what_is_read(tmp_path: Path) -> None:
    files = {"outs/": b"", "outs/cells.csv": b"x", "__MACOSX/outs/._cells.csv": b"y", ".DS_Store": b"z"}
    out = archives.unpack(packed(tmp_path / "a.zip", files), tmp_path / "out", max_bytes=ROOM)
    assert out == tmp_path / "out" / "outs"
    assert content_of(tmp_path / "out") == {"outs/cells.csv": b"x"}
    alone = archives.unpack(packed(tmp_path / "b.zip", {"s.h5ad": b"x"}), tmp_path / "b", max_bytes=ROOM)
    assert alone == tmp_path / "b" / "s.h5ad"


def test_raw_transcripts_stay_in_the_archive_and_are_listed(tmp_path: Path) -> None:
    files = {"outs/transcripts.parquet": b"x" * 99, "outs/cells.csv": b"x", "outs/transcripts.zarr/0": b""}
    path = packed(tmp_path / "a.zip", files)
    out = archives.unpack(path, tmp_path / "out", max_bytes=1)
    assert content_of(out) == {"cells.csv": b"x"}
    assert archives.left_alone(path) == ["outs/transcripts.parquet", "outs/transcripts.zarr/0"]


def test_an_archive_inside_stays_a_file(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", {"x": b"0" * 5_000_000}).read_bytes()
    out = archives.unpack(
        packed(tmp_path / "a.zip", {"a": b"", "cells.zarr.zip": inner}), tmp_path / "o", max_bytes=ROOM
    )
    assert content_of(out) == {"a": b"", "cells.zarr.zip": inner}


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "C:\\x",
        "c:/x",
        "a\\b",
        "a\nb",
        "\x1b[2J",
        "a//b",
        "./a",
        "d/" * 33 + "x",
        "x" * 256,
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    refused(packed(tmp_path / "a.zip", {"fine": b"1", name: b"2"}), "no fit name")


def test_a_name_cut_by_nul_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"fine": b"1", "aXb": b"2"})
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b"))
    refused(path, "no fit name", "control")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a.csv", "A.csv", "a.csv/b"])
def test_names_that_clash_are_refused(tmp_path: Path, second: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr(second, "2")
    refused(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (0o120777, "a link"),
        (0o020666, "neither"),
        (0o010666, "neither"),
        (0o104755, "another user"),
        (0o040755, "neither"),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, mode: int, words: str) -> None:
    entry = zipfile.ZipInfo("entry")
    entry.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine", "1")
        archive.writestr(entry, "/etc/passwd")
    refused(tmp_path / "a.zip", "'entry'", words)


def test_bombs_are_refused_from_what_they_declare_and_from_what_comes_out(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"zeros": bytes(30_000_000)})  # 1,000 to 1
    refused(path, "unpacks to more than")
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\1\2")
    struct.pack_into("<L", content, at + 24, 1_000)  # a lie about the size
    path.write_bytes(content)
    refused(path, "damaged")
    refused(
        packed(tmp_path / "b.zip", {"a": b"x" * 999}, zipfile.ZIP_STORED), "more than 1 MB", max_bytes=998
    )


def test_entries_that_share_their_bytes_are_counted_each(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {f"{i:03}": bytes(1_000_000) for i in range(100)})
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2")
    while at > 0:
        struct.pack_into("<L", content, at + 42, 0)  # all begin where the first one does
        at = content.find(b"PK\1\2", at + 1)
    path.write_bytes(content)
    refused(path)


def test_a_size_that_is_said_too_large_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a": b"x" * 99, "b": b"y"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.find(b"PK\1\2") + 24, 5_000)
    path.write_bytes(content)
    refused(path, "not as long as it says")


def test_a_million_entries_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    head = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0)
    directory = b"".join(head + b"%07d" % i for i in range(1_000_000))
    local = b"PK\3\4" + bytes(26)
    for said in (0xFFFF, 3):
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, said, said, len(directory), len(local), 0)
        (tmp_path / "a.zip").write_bytes(local + directory + end)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        refused(tmp_path / "a.zip", "more than 500,000 files")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


def test_what_is_encrypted_or_packed_otherwise_is_refused_with_the_way(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a": b"1"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    refused(path, "encrypted", "unpack it, and give the folder")
    refused(packed(tmp_path / "b.zip", {"a": b"1"}, zipfile.ZIP_LZMA), "unusual way", "give the folder")


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tar(), "a tar archive"),
        (gzip.compress(_tar()), "a gzip file"),
        (lzma.compress(_tar()), "an xz file"),
        (bz2.compress(_tar()), "a bzip2 file"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive"),
        (b"Rar!\x1a\x07\x00" + bytes(99), "a rar archive"),
    ],
)
def test_other_archives_are_refused_with_the_way(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", words, "unpack it, and give the folder")


def test_zip64_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    path = packed(tmp_path / "a.zip", {"a": b"x" * 99, "b": b"y" * 99})
    monkeypatch.undo()
    assert b"PK\6\6" in path.read_bytes()
    out = archives.unpack(path, tmp_path / "out", max_bytes=ROOM)
    assert content_of(out) == {"a": b"x" * 99, "b": b"y" * 99}


def test_data_before_or_after_it_is_refused(tmp_path: Path) -> None:
    good = packed(tmp_path / "good.zip", {"a": b"x"}).read_bytes()
    for i, content in enumerate((b"MZ junk" + good, b"PK\3\4 junk" + good, good + b"junk")):
        (path := tmp_path / f"{i}.zip").write_bytes(content)
        refused(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\3\4", b"PK\5\6" + bytes(18), b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_what_is_no_archive_or_an_empty_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    refused(tmp_path / "a.zip", "could not be unpacked: No such file")


@pytest.mark.parametrize("share", [0.99, 0.5, 0.1])
def test_cut_off_archives_are_refused(tmp_path: Path, share: float) -> None:
    path = packed(tmp_path / "a.zip", {"a": bytes(range(256)) * 99, "b": b"x"})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "incomplete")


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    path = packed(folder / "a.zip", {"d/a": b"abc" * 50, "d/b": b"x" * 99})
    content = bytearray(path.read_bytes())
    for at, value in flips:
        content[at % len(content)] = value
    path.write_bytes(content)
    try:
        archives.unpack(path, folder / "out", max_bytes=ROOM)
    except InputError:
        assert [p.name for p in folder.iterdir()] == ["a.zip"]
    else:
        assert set(content_of(folder / "out").values()) <= {b"abc" * 50, b"x" * 99}


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a": b"1", "b": bytes(range(256)) * 20_000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))  # the kernel refuses more
    try:
        refused(path, "could not be unpacked", "Nothing of it was kept")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
