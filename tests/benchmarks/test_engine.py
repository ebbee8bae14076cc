"""What the engine costs: its start, and the way of a job of no work to a worker and back."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from squint.engine.lanes import SHORT
from tests.helpers.engine import Engine

pytestmark = pytest.mark.benchmark
N = 100


def test_a_job_of_no_work_comes_back_soon(tmp_path: Path) -> None:
    began = time.perf_counter()
    engine = Engine(tmp_path / "home")
    start = time.perf_counter() - began
    taken = []
    for n in range(N + 5):
        began = time.perf_counter()
        assert engine.ask("own_pid", lane=SHORT, n=n).result(20)
        taken.append(1000 * (time.perf_counter() - began))
    engine.close()
    half, most = np.percentile(taken[5:], [50, 95])
    print(f"\nload {os.getloadavg()[0]:.1f}; start of the engine {start:.1f} s")
    print(f"a job of no work, {N} times: p50 {half:.0f} ms, p95 {most:.0f} ms")
    assert half < 50 or os.getloadavg()[0] > 1
