"""The engine: progress, errors, cancelling, and workers, engines and databases that die."""

import os
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.client import Cancelled
from squint.engine.lanes import FILES, LANES, MODEL, SHORT
from squint.errors import InputError
from squint.library.database import FILE, database
from squint.library.jobs import CANCELLED, DONE, QUEUED, Jobs
from squint.library.store import Library
from tests.helpers.app import wait_for
from tests.helpers.engine import Engine
from tests.helpers.postgres import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine") / "home")
    yield engine
    engine.close()


def test_a_result_comes_back_whatever_libraries_print(engine: Engine) -> None:
    job = engine.ask("add", a=2, b=3)
    assert job.result(60) == 5
    assert job.done
    assert engine.said["worker"]["device"] == "CPU"
    assert engine.said["workers"] == dict.fromkeys(LANES, 1)


def test_bad_input_is_told_as_it_is(engine: Engine) -> None:
    with pytest.raises(InputError, match="This is not a section"):
        engine.ask("refuse").result(60)


@pytest.mark.parametrize("task", ["break", "answer_no_json", "no_such_task"])
def test_a_defect_is_told_without_what_it_says(engine: Engine, task: str) -> None:
    with pytest.raises(RuntimeError, match="see the server's log") as error:
        engine.ask(task).result(60)
    assert "secret" not in str(error.value)
    assert engine.ask("add", a=1, b=1).result(60) == 2


def test_the_same_job_is_found_again_while_it_runs(engine: Engine) -> None:
    job = engine.ask("count", same=1, steps=10_000)
    wait_for(lambda: job.progress.fraction > 0)
    assert engine.ask("count", same=1, steps=10_000).id == job.id
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(60)
    again = engine.ask("count", same=1, steps=10_000)
    assert again.id != job.id
    again.cancel()


def test_a_running_job_stops_when_it_is_cancelled_and_its_worker_goes_on(engine: Engine) -> None:
    job = engine.ask("count", n=1, steps=10_000)
    pid = engine.pid_of(job)
    job.cancel()
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(60)
    job.cancel()  # afterwards: nothing
    assert engine.jobs.get(job.id).state == CANCELLED
    other = engine.ask("count", n=2, steps=10_000)
    assert engine.pid_of(other) == pid
    other.cancel()


def test_a_job_that_does_not_listen_is_stopped_too(engine: Engine) -> None:
    job = engine.ask("hang")
    pid = engine.pid_of(job)
    job.cancel()
    with pytest.raises(Cancelled):
        job.result(60)
    assert engine.ask("add", a=1, b=1).result(60) == 2
    assert not Path(f"/proc/{pid}").exists()


def test_a_waiting_job_is_cancelled_without_being_run(engine: Engine) -> None:
    first, second = engine.ask("count", n=2, steps=10_000), engine.ask("count", n=3)
    engine.pid_of(first)
    second.cancel()
    with pytest.raises(Cancelled):
        second.result(0)
    assert engine.jobs.get(second.id).tries == 0
    assert not first.done
    first.cancel()


def test_a_job_goes_on_for_the_other_who_asked(engine: Engine) -> None:
    ann, bob = (engine.ask("count", shared=1, steps=50, asker=asker) for asker in ("ann", "bob"))
    assert ann.id == bob.id
    engine.pid_of(bob)
    ann.cancel()
    with pytest.raises(Cancelled):
        ann.result(1)
    assert bob.result(60) == "finished"


def test_short_work_and_files_do_not_wait_for_long_work(engine: Engine) -> None:
    long = engine.ask("count", n=4, steps=10_000)
    engine.pid_of(long)
    for lane in (FILES, SHORT):
        assert engine.ask("add", lane=lane, a=1, b=2).result(60) == 3
    assert not long.done
    behind = engine.ask("add", lane=MODEL, a=5, b=2)
    time.sleep(0.5)
    assert behind.progress.words == "waiting for its turn"
    long.cancel()
    assert behind.result(60) == 7


def test_a_job_that_takes_too_long_is_stopped(engine: Engine) -> None:
    with pytest.raises(InputError, match="took longer"):
        engine.ask("hang", limit=True, limit_s=0.5).result(60)
    assert engine.ask("add", a=3, b=1).result(60) == 4


def test_a_job_survives_the_death_of_its_worker(engine: Engine, tmp_path: Path) -> None:
    job = engine.ask("die_once", marker=str(tmp_path / "marker"))
    assert job.result(60) == "survived"
    assert engine.jobs.get(job.id).tries == 2


def test_a_job_that_kills_every_worker_fails_and_others_finish(engine: Engine) -> None:
    deadly = engine.ask("die")
    others = [engine.ask("add", lane=lane, a=4, b=4) for lane in LANES]
    with pytest.raises(InputError, match="ended 2 times"):
        deadly.result(60)
    assert [job.result(60) for job in others] == [8, 8, 8]


def test_a_worker_killed_from_outside_is_replaced_and_its_job_done_again(engine: Engine) -> None:
    job = engine.ask("count", killed=True, steps=100)
    pid = engine.pid_of(job)
    os.kill(pid, signal.SIGKILL)
    assert job.result(60) == "finished"
    state = engine.jobs.get(job.id)
    assert (state.state, state.tries) == (DONE, 2)


def test_a_result_outlives_its_worker(engine: Engine) -> None:
    job = engine.ask("count", steps=1, kept=True)
    pid = engine.pid_of(job)
    assert job.result(60) == "finished"
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    assert engine.jobs.get(job.id).answer == "finished"


def test_a_job_ends_right_though_another_program_locks_the_database(engine: Engine) -> None:
    job = engine.ask("count", locked=True, steps=50)
    engine.pid_of(job)
    holder = sqlite3.connect(engine.home / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    time.sleep(3)
    assert engine.process.poll() is None
    holder.execute("ROLLBACK")
    holder.close()
    assert job.result(60) == "finished"
    assert engine.jobs.get(job.id).tries == 1


def test_a_second_engine_of_the_same_library_ends_at_once(
    engine: Engine, capfd: pytest.CaptureFixture
) -> None:
    second = Engine.__new__(Engine)
    second.home, second.tasks, second._more = engine.home, engine.tasks, ()
    second.start()
    assert second.process.wait(60) == 0
    assert "does the jobs of" in capfd.readouterr().err
    assert engine.process.poll() is None


def test_jobs_of_an_engine_that_was_killed_are_done_by_the_next_one(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home")
    running, waiting = engine.ask("count", steps=100), engine.ask("add", a=1, b=2)
    pid = engine.pid_of(running)
    engine.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())  # its workers end with it
    assert not waiting.done
    engine.start()
    assert running.result(60) == "finished"
    assert waiting.result(60) == 3
    assert engine.jobs.get(running.id).tries == 2
    engine.close()


def test_jobs_of_an_engine_that_was_told_to_stop_wait_for_the_next_one(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "home")
    job = engine.ask("count", steps=100)
    engine.pid_of(job)
    engine.close()
    assert engine.jobs.get(job.id).state == QUEUED
    engine.start()
    assert job.result(60) == "finished"
    engine.close()


def test_an_engine_that_nobody_needs_ends_and_one_with_a_job_stays(tmp_path: Path) -> None:
    home, tasks = tmp_path / "home", "tests.helpers.slow_tasks"
    jobs = Jobs(database(Library(home).home))
    job = jobs.submit("count", {"steps": 200}, module=tasks, lane=MODEL, asker="ann")
    engine = Engine(home, tasks, "--alone-s", "3")  # which takes longer to start, on a busy machine
    wait_for(lambda: not jobs.get(job.id).is_open, 60)
    assert jobs.get(job.id).answer == "finished"
    assert engine.process.wait(60) == 0
    assert engine.said == {}


def test_jobs_in_postgresql_end_right_though_it_is_stopped_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres() as server:
        monkeypatch.setenv("SQUINT_DATABASE_URL", server.create(f"squint_{uuid.uuid4().hex}"))
        engine = Engine(tmp_path / "home")
        job = engine.ask("count", steps=100)
        engine.pid_of(job)
        server.stop()
        time.sleep(3)
        assert not job.done
        server.start()
        assert job.result(60) == "finished"
        assert engine.jobs.get(job.id).tries == 1
        assert engine.ask("add", a=1, b=1).result(60) == 2
        engine.close()
        database(engine.home).close()


def test_many_jobs_of_many_askers_all_end(engine: Engine) -> None:
    jobs: list[int] = []

    def ask(asker: str) -> None:
        for n in range(10):
            job = engine.ask("add", lane=LANES[n % 3], a=n, b=0, asker=asker)
            assert job.result(60) == n
            jobs.append(job.id)

    threads = [threading.Thread(target=ask, args=(f"asker {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 40
    assert {engine.jobs.get(job).state for job in jobs} == {DONE}
