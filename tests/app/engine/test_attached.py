"""An engine that uses the workers of a Dask scheduler that runs elsewhere."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from squint.engine.lanes import FILES, LANES
from tests.helpers.app import wait_for
from tests.helpers.dashboard import free_port
from tests.helpers.engine import Engine
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow


@contextmanager
def dask(folder: Path, port: int) -> Iterator[str]:
    """Run a scheduler and a worker for each lane, as docs/administrators/index.md says."""
    here = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
    address = f"tcp://127.0.0.1:{port}"
    each = ["--nthreads", "1", "--memory-limit", "0", "--local-directory", str(folder)]
    commands = [
        ["scheduler", *here, "--port", str(port)],
        *(["worker", address, *here, *each, "--resources", f"{lane}=1"] for lane in LANES),
    ]
    log = (folder / "dask.log").open("a")
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{name}", *options],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name, *options in commands
    ]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)
        log.close()


def test_a_job_waits_for_a_scheduler_that_went_and_came_again(tmp_path: Path) -> None:
    port = free_port()
    with dask(tmp_path, port) as address:
        engine = Engine(tmp_path / "home", "tests.helpers.slow_tasks", "--scheduler", address)
        wait_for(lambda: engine.said.get("workers") == dict.fromkeys(LANES, 1), 120)
        assert engine.ask("add", lane=FILES, a=1, b=2).result(60) == 3
    wait_for(lambda: "answer" in engine.said.get("problem", ""), 120)
    job = engine.ask("add", a=2, b=3)
    assert engine.process.poll() is None
    with dask(tmp_path, port):
        assert job.result(180) == 5
        wait_for(lambda: not engine.said.get("problem"))
        engine.close()
