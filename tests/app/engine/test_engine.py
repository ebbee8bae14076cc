"""The engine: progress, errors, cancelling, and a worker that dies."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from app.engine import client as engines
from app.engine.client import Cancelled, Engine
from app.requests import WriteCsv
from app.settings import settings
from squint.errors import InputError
from squint.library.store import Library
from squint.library.tables import write_table
from tests.helpers.app import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(Path("some/model"), tasks="tests.helpers.slow_tasks")
    yield engine
    engine.close()


def test_a_result_comes_back_whatever_libraries_print(engine: Engine) -> None:
    job = engine.submit("add", {"a": 2, "b": 3})
    assert job.result(20) == 5
    assert job.progress == (0.5, "adding")
    assert engine.facts is not None
    assert engine.facts["device"] == "CPU"


def test_bad_input_is_told_as_it_is(engine: Engine) -> None:
    with pytest.raises(InputError, match="This is not a section"):
        engine.submit("refuse", {}).result(20)


def test_a_defect_is_told_without_what_it_says(engine: Engine) -> None:
    with pytest.raises(RuntimeError, match="see the server's log") as error:
        engine.submit("break", {}).result(20)
    assert "secret" not in str(error.value)
    assert engine.submit("add", {"a": 1, "b": 1}).result(20) == 2


def test_the_same_job_is_found_again_while_it_runs(engine: Engine) -> None:
    job = engine.submit("count", {"same": 1})
    assert engine.submit("count", {"same": 1}) is job
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(20)
    again = engine.submit("count", {"same": 1})
    assert again is not job
    again.cancel()


def test_a_running_job_stops_within_two_seconds(engine: Engine) -> None:
    pid = engine.worker_pid
    job = engine.submit("count", {"n": 1})
    wait_for(lambda: job.progress.fraction > 0)
    began = time.monotonic()
    job.cancel()
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(20)
    assert time.monotonic() - began < 2
    assert engine.worker_pid == pid
    job.cancel()  # afterwards: nothing


def test_a_job_that_does_not_listen_is_stopped_too(engine: Engine) -> None:
    job = engine.submit("hang", {})
    wait_for(lambda: job.progress.words == "hanging")
    began = time.monotonic()
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(20)
    assert time.monotonic() - began < 3
    assert engine.submit("add", {"a": 1, "b": 1}).result(20) == 2


def test_a_waiting_job_is_cancelled_without_being_run(engine: Engine) -> None:
    first, second = engine.submit("count", {"n": 2}), engine.submit("count", {"n": 3})
    second.cancel()
    first.cancel()
    for job in (first, second):
        with pytest.raises(Cancelled):
            job.result(20)
    assert second.progress.fraction == 0


def test_a_job_that_takes_too_long_is_stopped(engine: Engine) -> None:
    with pytest.raises(InputError, match="took longer"):
        engine.submit("hang", {"limit": True}, limit_s=0.5).result(20)


def test_a_job_survives_the_death_of_its_worker(engine: Engine, tmp_path: Path) -> None:
    assert engine.submit("die_once", {"marker": str(tmp_path / "marker")}).result(20) == "survived"


def test_a_job_that_kills_every_worker_fails_and_the_next_one_works(engine: Engine) -> None:
    with pytest.raises(InputError, match="ended 2 times"):
        engine.submit("die", {}).result(20)
    assert engine.submit("add", {"a": 4, "b": 4}).result(20) == 8


def test_a_worker_killed_from_outside_is_replaced(engine: Engine) -> None:
    job = engine.submit("count", {"killed": True})
    wait_for(lambda: job.progress.fraction > 0)
    pid = engine.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: engine.worker_pid not in {pid, None})
    wait_for(lambda: job.progress.fraction > 0)
    job.cancel()


def test_the_worker_ends_with_the_server() -> None:
    engine = Engine(Path("m"), tasks="tests.helpers.slow_tasks")
    engine.wait_ready(20)
    assert engine._worker is not None
    assert engine._worker.stdin is not None
    engine._worker.stdin.close()  # as when the server's process is gone
    assert engine._worker.wait(10) == 0
    engine.close()


def test_a_worker_that_cannot_start_is_told() -> None:
    engine = Engine(Path("m"), tasks="tests.app.no_such_tasks")
    assert engine.wait_ready(30) is None
    with pytest.raises(InputError, match="worker process"):
        engine.submit("add", {}).result(30)
    engine.close()


def test_an_export_does_not_wait_for_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SQUINT_MODEL", "some/model")
    slow, model = Engine(Path("some/model"), tasks="tests.helpers.slow_tasks"), settings().model
    monkeypatch.setitem(engines._engines, (model, engines.MODEL), slow)
    busy = engines.engine().submit("hang", {})
    wait_for(lambda: busy.progress.words == "hanging")
    write_table(pd.DataFrame({"a": [1, 2]}), tmp_path / "table.parquet")
    job = engines.ask(WriteCsv(str(tmp_path), {"Title": "Two"}), Library(tmp_path / "home"))
    assert Path(job.result(60)).read_text("utf-8-sig").splitlines() == ["# Title: Two", '"a"', "1", "2"]
    assert not busy.done
    busy.cancel()
    slow.close()
    engines._engines.pop((model, engines.DRAWING)).close()
