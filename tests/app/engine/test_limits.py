"""A worker lives on after a task that wants more memory than its file may take."""

import resource
from pathlib import Path

import numpy as np
import pytest

from app.engine.limits import memory_limit, reading_limit
from squint.errors import InputError
from squint.io.hdf5 import memory_budget
from tests.helpers.engine import Engine

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


@pytest.mark.slow
def test_the_worker_lives_on(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home")
    pid = engine.ask("own_pid").result(60)
    with pytest.raises(InputError, match=r"more than the 0\.3 GB"):
        engine.ask("fill", limit=300 * MEGA, wanted=2_000 * MEGA).result(60)
    assert engine.ask("fill", limit=300 * MEGA, wanted=10 * MEGA).result(60) == 10 * MEGA
    assert engine.ask("own_pid").result(60) == pid
    engine.close()
