"""Files that wait to be taken home."""

import gc

import pytest

from app.exports.ready import taken
from squint.errors import InputError
from squint.library.store import Library


def test_files_wait_on_the_disk_as_long_as_they_are_remembered(tmp_path):
    library = Library(tmp_path / "library")
    with library.handed_out() as folder:
        (folder / "a.csv").write_bytes(b"a,b\n")
        (folder / "b.csv").write_bytes(b"c")
    ready, other = taken(library, folder / "a.csv", folder / "b.csv")
    assert not folder.exists()
    assert (ready.read(), ready.n_bytes) == (b"a,b\n", 4)
    ready.forget()
    assert other.read() == b"c"
    with pytest.raises(InputError, match=r"a\.csv is gone\. Make it again"):
        ready.read()
    del other
    gc.collect()
    assert list(library.staging.iterdir()) == []


def test_what_is_gone_leaves_nothing_behind(tmp_path):
    library = Library(tmp_path / "library")
    with library.handed_out() as folder:
        (folder / "a.csv").write_bytes(b"a")
    with pytest.raises(InputError, match="Make it again"):
        taken(library, folder / "a.csv", folder / "b.csv")
    gc.collect()
    assert list(library.staging.iterdir()) == []
