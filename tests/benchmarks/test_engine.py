"""What the engine costs: its start, a job of no work to a worker and back, and doing nothing."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from app.engine.client import Job, jobs_of
from squint.engine.lanes import SHORT
from squint.library.place import project_home
from squint.library.store import Library
from tests.helpers.engine import Engine
from tests.helpers.visits import cpu_s

pytestmark = pytest.mark.benchmark
N, RESTS_S = 100, 20.0


@pytest.mark.parametrize("n_projects", [1, 10, 50])
def test_a_job_of_no_work_comes_back_soon(tmp_path: Path, n_projects: int) -> None:
    root = Library(tmp_path / "home")
    projects = [root, *(Library(project_home(root.home, f"{n:016x}")) for n in range(n_projects - 1))]
    began = time.perf_counter()
    engine = Engine(root.home)
    start = time.perf_counter() - began
    time.sleep(5)  # until its other workers are ready too

    def asked(library: Library, n: int) -> float:
        began = time.perf_counter()
        how = {"module": engine.tasks, "lane": SHORT, "asker": "ann"}
        state = jobs_of(library).submit("own_pid", {"n": n}, **how)
        assert Job(library, state, "ann").result(20)
        return 1000 * (time.perf_counter() - began)

    print(f"\nload {os.getloadavg()[0]:.1f}; {n_projects} projects; start of the engine {start:.1f} s")
    medians = {}
    for what, chosen in {"of one project": projects[-1:], "each of another project": projects}.items():
        taken = [asked(chosen[n % len(chosen)], n) for n in range(N + 5)][5:]
        half, most = np.percentile(taken, [50, 95])
        print(f"a job of no work, {what}, {N} times: p50 {half:.0f} ms, p95 {most:.0f} ms")
        medians[what] = half
    pid = engine.process.pid
    before = cpu_s(pid), cpu_s(pid, below=False)
    time.sleep(RESTS_S)
    after = cpu_s(pid), cpu_s(pid, below=False)
    own = after[1] - before[1]
    print(f"at rest: {own / RESTS_S:.1%} of a core, with all workers {(after[0] - before[0]) / RESTS_S:.1%}")
    engine.close()
    assert max(medians.values()) < 50 or os.getloadavg()[0] > 1
