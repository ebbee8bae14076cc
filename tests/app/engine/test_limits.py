"""A worker lives on after a task that wants more memory than its file may take."""

from pathlib import Path

import pytest

from squint.errors import InputError
from tests.helpers.engine import Engine

MEGA = 10**6


@pytest.mark.slow
def test_the_worker_lives_on(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home")
    pid = engine.ask("own_pid").result(60)
    with pytest.raises(InputError, match=r"more than the 0\.3 GB"):
        engine.ask("fill", limit=300 * MEGA, wanted=2_000 * MEGA).result(60)
    assert engine.ask("fill", limit=300 * MEGA, wanted=10 * MEGA).result(60) == 10 * MEGA
    assert engine.ask("own_pid").result(60) == pid
    engine.close()
