"""Workers that freeze while they do no job: before one begins, and while their tasks are made ready."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from app.engine.client import Job, jobs_of
from squint.engine import crew, dispatcher
from squint.engine.lanes import LANES, MODEL
from squint.library.store import Library
from tests.helpers.engine import Engine, Worker, read_engine

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
