"""An HDF5 file is written whole, or the disk's refusal is told of once HDF5 is done."""

import errno

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint.io.hdf5_writing import PatientFile, new_hdf5
from tests.helpers.small_disk import PAGE, small_disk
from tests.squint.test_files import at_most

PLACES = st.tuples(st.integers(0, 300), st.binary(max_size=200))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    most=st.integers(0, 300), writes=st.lists(PLACES, max_size=12), read=st.tuples(*2 * [st.integers(0, 400)])
)
def test_what_was_written_is_read_whatever_the_disk_takes(tmp_path, most, writes, read):
    path = tmp_path / "x"
    path.unlink(missing_ok=True)
    expected, end = bytearray(1_000), 0
    with PatientFile(path) as file, at_most(most):
        for place, content in writes:
            file.seek(place)
            assert file.write(content) == len(content)
            expected[place : place + len(content)] = content
            end = max(end, place + len(content)) if content else end
        file.seek(read[0])
        assert file.read(read[1]) == bytes(expected[read[0] : sum(read)])
        file.seek(0, 2)
        assert file.tell() == end
        refused = file.problem is not None
    if not refused:
        assert path.read_bytes() == bytes(expected[:end])


def fill(path, values):
    with new_hdf5(path) as file:
        for i, part in enumerate(values):
            file.create_dataset(f"group{i}/values", data=part, chunks=(1_000,), compression="gzip")
            file[f"group{i}"].attrs["name"] = "x" * 100


def test_a_full_disk_is_told_of_and_its_room_is_free_again(tmp_path):
    values = np.random.default_rng(0).random((6, 20_000))
    with small_disk(tmp_path / "disk") as disk:
        path, empty = disk.folder / "x.h5", disk.free
        fill(path, values)
        with h5py.File(path) as file:
            assert all(np.array_equal(file[f"group{i}/values"][:], values[i]) for i in range(6))
        size = path.stat().st_size
        path.unlink()
        for room in range(0, size - PAGE, 9 * PAGE):
            disk.leave(room // PAGE * PAGE)
            with pytest.raises(OSError, match="No space left") as refused:
                fill(path, values)
            assert refused.value.errno == errno.ENOSPC
            path.unlink()
            disk.clear()
            assert disk.free == empty  # nobody holds on to the deleted file


def test_what_is_raised_while_it_is_written_stays_as_it_is(tmp_path):
    with pytest.raises(KeyError, match="absent"), new_hdf5(tmp_path / "x.h5") as file:
        file["absent"]
