"""What fits into a limit of memory is done, and what does not is refused."""

import resource
from pathlib import Path

import numpy as np
import pytest

from squint.errors import InputError
from squint.io.hdf5 import memory_budget
from squint.io.limits import memory_limit, reading_limit

MEGA = 10**6


def test_what_fits_is_done_and_what_does_not_is_refused() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_limit(400 * MEGA):
        assert len(np.ones(100 * MEGA, np.uint8)) == 100 * MEGA
        with pytest.raises(MemoryError):
            np.ones(1_000 * MEGA, np.uint8)
    with pytest.raises(InputError, match=r"more than the 0\.4 GB"), memory_limit(400 * MEGA):
        np.ones(1_000 * MEGA, np.uint8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert len(np.ones(1_000 * MEGA, np.uint8)) == 1_000 * MEGA


def test_a_file_may_take_what_its_size_admits_and_no_more_than_the_machine_has(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert 0 < reading_limit(path) <= min(memory_budget(), 1_500 * MEGA)
    with path.open("wb") as file:
        file.truncate(10**12)
    assert reading_limit(path) == memory_budget()
