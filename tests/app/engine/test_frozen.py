"""Workers and engines that freeze: before a job begins, and while they start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from app.engine.client import Job, jobs_of
from squint.engine import crew, dispatcher, locks
from squint.engine.lanes import LANES, MODEL
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.engine import Engine, Worker, read_engine
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow
TASKS = "tests.helpers.slow_tasks"


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Worker]:
    """Start workers, of which a second engine in this process has hold, whose patience can be set."""
    engine = Engine(tmp_path / "home")
    row = read_engine(engine.home)
    assert row is not None
    with Client(row.address, set_as_default=False) as client:
        serving = Worker(client, tmp_path)
        yield serving
        serving.rest()
    engine.close()


@pytest.mark.parametrize("wait_s", [0.5, 2.0])
def test_an_engine_that_is_told_to_stop_while_it_starts_ends_though_its_workers_were_too(
    tmp_path: Path, wait_s: float
) -> None:
    """As a service is ended: all of its processes are told at once, so that no worker can start any more."""
    Library(tmp_path / "home")
    command = [
        sys.executable,
        "-m",
        "squint.engine",
        "--home",
        str(tmp_path / "home"),
        "--model",
        "some/model",
    ]
    engine = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    lock = tmp_path / "home" / locks.ENGINE
    wait_for(lambda: locks.read(lock))
    time.sleep(wait_s)
    os.killpg(engine.pid, signal.SIGTERM)
    assert engine.wait(90) in {0, 1, -signal.SIGALRM}
    assert not locks.is_held(lock)


def ask(library: Library, task: str, n: int) -> Job:
    state = jobs_of(library).submit(task, {"n": n}, module=TASKS, lane=MODEL, asker="ann")
    return Job(library, state, "ann")


def test_a_worker_that_freezes_before_its_job_begins_is_replaced_and_the_job_done(
    workers: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path / "other")
    workers.serve(library.home, tasks=dict.fromkeys(LANES, TASKS))
    pid = ask(library, "own_pid", 0).result(60)
    monkeypatch.setattr(dispatcher, "IDLE_S", 1.0)
    os.kill(pid, signal.SIGSTOP)
    job = ask(library, "own_pid", 1)
    assert job.result(60) != pid
    assert jobs_of(library).get(job.id).tries == 2


def test_a_worker_that_freezes_while_its_tasks_are_made_ready_is_replaced(
    workers: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path / "other")
    monkeypatch.setattr(crew, "START_S", 2.0)
    workers.serve(library.home, tasks={MODEL: "tests.helpers.hanging_start"})
    assert ask(library, "own_pid", 0).result(60)
    assert (tmp_path / "began").exists()
