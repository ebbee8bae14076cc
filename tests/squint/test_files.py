"""What is written is there whole or not at all."""

import errno
import json
import os
import resource
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint import files
from squint.errors import InputError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@contextmanager
def at_most(n_bytes):
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON, before=st.none() | st.binary(), indent=st.none() | st.just(1))
def test_what_is_written_is_read_again_whatever_was_there(tmp_path, content, before, indent):
    path = tmp_path / "facts.json"
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)
    files.write_json(path, content, indent=indent)
    assert json.loads(path.read_text()) == content
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_at_once_leave_what_one_of_them_wrote(tmp_path):
    path = tmp_path / "x"
    with files.whole(path) as first, files.whole(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert not path.exists()
    assert path.read_text() == "first"  # the block that ends last
    assert list(tmp_path.iterdir()) == [path]


def test_no_reader_sees_a_part_however_many_write(tmp_path):
    path, size, letters = tmp_path / "x", 100_000, "abcd"
    files.write_text(path, "z" * size)
    at_once = threading.Barrier(len(letters) + 1)

    def write(letter):
        at_once.wait()
        for _ in range(10):
            files.write_text(path, letter * size)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in letters]
    for writer in writers:
        writer.start()
    at_once.wait()
    seen = [path.read_text()]
    while any(writer.is_alive() for writer in writers):
        seen.append(path.read_text())
    for writer in writers:
        writer.join()
    assert {(len(text), len(set(text))) for text in [*seen, path.read_text()]} == {(size, 1)}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("before", ["old", None])
def test_an_exception_leaves_what_was_there_and_nothing_beside_it(tmp_path, raised, before):
    path = tmp_path / "x"
    if before:
        path.write_text(before)

    def write():
        with files.whole(path) as temporary:
            temporary.write_text("half of")
            raise raised

    with pytest.raises(raised):
        write()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({"x": "old"} if before else {})


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.json"
    files.write_json(path, ["old"])
    expected = rf"^x\.json could not be written in {tmp_path}: File too large\.$"
    with pytest.raises(InputError, match=expected), at_most(1000):
        files.write_json(path, ["new"] * 10_000)
    assert json.loads(path.read_text()) == ["old"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("place", "reason"),
    [("absent/x", "No such file"), ("file/x", "Not a directory"), ("folder", "Is a directory")],
)
def test_a_place_where_nothing_can_be_written_is_said(tmp_path, place, reason):
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=f"could not be written in .*: {reason}"):
        files.write_text(tmp_path / place, "x")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_takes_no_file_is_said():
    with pytest.raises(InputError, match=r"^x could not be written in /sys: .+\.$"):  # not even of root
        files.write_text(Path("/sys/x"), "x")


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    files.make_folder(tmp_path / "a" / "b")
    files.make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match=r"file/x cannot be made: Not a directory\."):
        files.make_folder(tmp_path / "file" / "x")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_known_by_what_was_said_of_it(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert files.is_full(error)
    assert files.is_full(InputError(f"x could not be written: {files.why_refused(error)}."))
    assert not files.is_full(InputError(files.why_refused(OSError(errno.EACCES, "Permission denied"))))
