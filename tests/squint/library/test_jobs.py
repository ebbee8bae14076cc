"""Jobs as rows: who asks, what is found again, how they end, and what an engine that died leaves."""

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from squint.errors import InputError
from squint.library import jobs as module
from squint.library.database import Database
from squint.library.jobs import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Jobs, JobState
from squint.library.records import JobRow


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


def add(jobs: Jobs, n: int = 0, asker: str = "ann") -> JobState:
    return jobs.submit("count", {"n": n}, module="some.tasks", lane="short", asker=asker, about="Counting")


def begin(jobs: Jobs, job: JobState) -> JobState:
    begun = jobs.take(job.id, "engine", "worker")
    assert begun is not None
    return begun


def test_a_job_waits_runs_and_ends_with_its_answer(jobs: Jobs) -> None:
    job = add(jobs)
    assert (job.state, job.tries, job.is_open, job.askers) == (QUEUED, 0, True, ("ann",))
    assert jobs.get(job.id) == job
    begun = begin(jobs, job)
    assert (begun.state, begun.tries, begun.engine, begun.worker) == (RUNNING, 1, "engine", "worker")
    jobs.progress(job.id, 1, 0.5, "half way")
    assert (jobs.get(job.id).fraction, jobs.get(job.id).words) == (0.5, "half way")
    jobs.finish(job.id, 1, {"a": [1, None]})
    done = jobs.get(job.id)
    assert (done.state, done.answer, done.fraction, done.is_open) == (DONE, {"a": [1, None]}, 1.0, False)
    assert None not in {done.started, done.ended}
    assert jobs.take(job.id, "engine", "worker") is None


def test_answers_and_words_of_any_kind_are_kept(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    jobs.progress(job.id, 1, 0.1, "caf\u00e9 \0 \ud800")
    assert jobs.get(job.id).words == "caf\u00e9  ?"
    jobs.finish(job.id, 1, {"gene_overlap": float("nan"), "name": "a\0b"})
    answer = jobs.get(job.id).answer
    assert math.isnan(answer["gene_overlap"])
    assert answer["name"] == "a\0b"
    failing = begin(jobs, add(jobs))
    jobs.fail(failing.id, 1, "\0 at the start")
    assert jobs.get(failing.id).problem == " at the start"


def test_a_job_that_fails_says_why(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    jobs.fail(job.id, job.tries, "This is no section.")
    failed = jobs.get(job.id)
    assert (failed.state, failed.problem, failed.defect) == (FAILED, "This is no section.", False)
    job = begin(jobs, jobs.again(job.id, "bob"))
    assert (job.args, job.about, job.askers) == ({"n": 0}, "Counting", ("bob",))
    jobs.fail(job.id, job.tries, "KeyError", defect=True)
    assert jobs.get(job.id).defect


@pytest.mark.parametrize("end", [DONE, FAILED, CANCELLED])
def test_what_may_name_a_person_is_forgotten_when_a_job_has_ended(
    database: Database, jobs: Jobs, end: str
) -> None:
    job = jobs.submit("keep", {"who": "Jane Doe"}, module="m", lane="l", asker="ann", private=True)
    begin(jobs, job)
    assert jobs.get(job.id).args == {"who": "Jane Doe"}
    if end == DONE:
        jobs.finish(job.id, 1, [])
    elif end == FAILED:
        jobs.fail(job.id, 1, "No room.")
    else:
        jobs.stop(job.id, 1)
    assert jobs.get(job.id).state == end
    with database.reading() as session:
        rows = session.execute(sa.select(JobRow.__table__)).all()
    assert "Jane" not in repr(rows)
    with pytest.raises(InputError, match="Ask for it on its page"):
        jobs.again(job.id, "ann")
    jobs.forget_private(60)
    assert jobs.get(job.id).state == end
    jobs.forget_private(-1)
    with pytest.raises(InputError):
        jobs.get(job.id)


def test_only_private_jobs_that_have_ended_are_forgotten(jobs: Jobs) -> None:
    waiting = jobs.submit("keep", {}, module="m", lane="l", asker="ann", private=True)
    done = begin(jobs, add(jobs))
    jobs.finish(done.id, 1, None)
    jobs.forget_private(-1)
    assert {job.id for job in jobs.list()} == {waiting.id, done.id}


def test_the_same_job_is_found_again_while_it_is_open_and_wanted(jobs: Jobs) -> None:
    job = add(jobs)
    assert add(jobs).id == job.id
    assert add(jobs, asker="bob").askers == ("ann", "bob")
    assert add(jobs, n=1).id != job.id
    begin(jobs, job)
    assert add(jobs).id == job.id
    jobs.cancel(job.id, "bob")
    jobs.cancel(job.id, "ann")
    assert add(jobs).id != job.id  # that one is stopping


def test_many_that_ask_at_once_get_one_job(jobs: Jobs) -> None:
    ids: list[int] = []
    threads = [threading.Thread(target=lambda i=i: ids.append(add(jobs, asker=f"a{i}").id)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(jobs.get(ids[0]).askers) == 8


def test_a_waiting_job_is_cancelled_at_once_and_for_good(jobs: Jobs) -> None:
    job = add(jobs)
    for _ in range(3):
        jobs.cancel(job.id, "ann")
        assert jobs.get(job.id).state == CANCELLED
    assert jobs.get(job.id).askers == ("ann",)
    assert jobs.take(job.id, "engine", "worker") is None
    jobs.cancel(job.id + 1, "ann")  # no such job: nothing


def test_a_running_job_is_asked_to_stop(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    assert jobs.is_wanted(job.id, 1)
    jobs.cancel(job.id, "ann")
    jobs.cancel(job.id, "ann")
    assert jobs.get(job.id).cancel
    assert jobs.get(job.id).state == RUNNING
    assert not jobs.is_wanted(job.id, 1)
    jobs.stop(job.id, 1)
    assert jobs.get(job.id).state == CANCELLED
    jobs.cancel(job.id, "ann")
    assert jobs.get(job.id).state == CANCELLED


def test_a_job_that_ends_before_it_can_stop_is_done(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    jobs.cancel(job.id, "ann")
    jobs.finish(job.id, 1, "answer")
    assert jobs.get(job.id).state == DONE


@pytest.mark.parametrize("running", [False, True])
def test_a_job_goes_on_while_somebody_wants_it(jobs: Jobs, *, running: bool) -> None:
    job = add(jobs)
    add(jobs, asker="bob")
    if running:
        begin(jobs, job)
    jobs.cancel(job.id, "ann")
    jobs.cancel(job.id, "eve")  # who never asked for it
    assert jobs.get(job.id).askers == ("bob",)
    assert jobs.get(job.id).is_open
    assert not jobs.get(job.id).cancel


def test_who_never_asked_for_a_job_does_not_cancel_it(jobs: Jobs) -> None:
    job = add(jobs)
    jobs.cancel(job.id, "eve")
    assert jobs.get(job.id).state == QUEUED


def test_a_job_whose_worker_ends_is_tried_once_more(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    jobs.requeue(job.id, 1)
    assert jobs.get(job.id).state == QUEUED
    assert "trying again" in jobs.get(job.id).words
    again = begin(jobs, job)
    assert again.tries == 2
    jobs.finish(job.id, 1, "of the first, which was thought dead")
    jobs.progress(job.id, 1, 0.9, "of the first")
    assert jobs.get(job.id).state == RUNNING
    assert jobs.get(job.id).fraction == 0
    jobs.requeue(job.id, 1)
    assert jobs.get(job.id).state == RUNNING
    jobs.requeue(job.id, 2)
    failed = jobs.get(job.id)
    assert failed.state == FAILED
    assert "ended 2 times" in failed.problem


def test_a_job_that_dask_gives_to_another_worker_is_counted_too(jobs: Jobs) -> None:
    job = begin(jobs, add(jobs))
    assert begin(jobs, job).tries == 2
    assert jobs.take(job.id, "engine", "third") is None
    assert jobs.get(job.id).state == FAILED


def test_a_stopping_job_whose_worker_ends_is_cancelled(jobs: Jobs) -> None:
    for way in (lambda job: jobs.requeue(job.id, 1), lambda job: jobs.take(job.id, "engine", "other")):
        job = begin(jobs, add(jobs))
        jobs.cancel(job.id, "ann")
        way(job)
        assert jobs.get(job.id).state == CANCELLED


def test_jobs_of_an_engine_that_is_gone_wait_again_a_few_times(jobs: Jobs) -> None:
    running, waiting, own = add(jobs, 1), add(jobs, 2), add(jobs, 3)
    for tries in range(1, 4):
        taken = jobs.take(running.id, f"engine {tries}", "worker")
        assert taken is not None
        jobs.take(own.id, "this", "worker") if tries == 1 else None
        jobs.reconcile("this")
        assert jobs.get(waiting.id) == waiting
        assert jobs.get(own.id).state == RUNNING
        assert jobs.get(running.id).state == (QUEUED if tries < 3 else FAILED)
    assert "engine ended 3 times" in jobs.get(running.id).problem


def test_open_jobs_come_oldest_first_and_all_newest_first(jobs: Jobs) -> None:
    first, second, third = (add(jobs, n, asker) for n, asker in enumerate(["ann", "bob", "ann"]))
    begin(jobs, second)
    jobs.cancel(third.id, "ann")
    assert [job.id for job in jobs.open()] == [first.id, second.id]
    assert [job.id for job in jobs.list()] == [third.id, second.id, first.id]
    assert [job.id for job in jobs.list("ann")] == [third.id, first.id]
    assert [job.id for job in jobs.list(n=1)] == [third.id]


def test_a_clock_that_jumps_changes_no_order(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    first = add(jobs, 1)
    monkeypatch.setattr("squint.library.jobs.time.time", lambda: 0.0)
    second, third = add(jobs, 2), add(jobs, 3)  # within the same second, too
    assert [job.id for job in jobs.open()] == [first.id, second.id, third.id]
    assert second.added == third.added < first.added


def test_old_jobs_that_ended_are_forgotten_and_open_ones_are_not(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    waiting = add(jobs, 99)
    ended = [add(jobs, n) for n in range(6)]
    for job in ended:
        jobs.cancel(job.id, "ann")
    last = add(jobs, 100)
    assert [job.id for job in jobs.list(n=100)] == [last.id, *(job.id for job in ended[:2:-1]), waiting.id]
    with pytest.raises(InputError, match="no longer known"):
        jobs.get(ended[0].id)
    with pytest.raises(InputError, match="no longer known"):
        jobs.again(ended[0].id, "ann")


_STEPS: dict[str, Callable[[Jobs, JobState], Any]] = {
    "ask": lambda jobs, job: add(jobs, asker=job.askers[0]),
    "take": lambda jobs, job: jobs.take(job.id, "engine", "worker"),
    "ann cancels": lambda jobs, job: jobs.cancel(job.id, "ann"),
    "bob cancels": lambda jobs, job: jobs.cancel(job.id, "bob"),
    "finish": lambda jobs, job: jobs.finish(job.id, job.tries, 1),
    "fail": lambda jobs, job: jobs.fail(job.id, job.tries, "reason"),
    "stop": lambda jobs, job: jobs.stop(job.id, job.tries),
    "requeue": lambda jobs, job: jobs.requeue(job.id, job.tries),
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(sorted(_STEPS)), max_size=10))
def test_whatever_happens_a_job_ends_once_and_stays_as_it_ended(database: Database, steps: list[str]) -> None:
    jobs = Jobs(database)
    now = add(jobs)
    add(jobs, asker="bob")
    for step in steps:
        before, _ = now, _STEPS[step](jobs, now)
        now = jobs.get(now.id)
        assert before.is_open or now == before
        assert now.tries <= module.MOST_TRIES
        assert (now.state == DONE) == (now.answer == 1)
        assert (now.state == FAILED) == bool(now.problem)
    for other in jobs.open():
        for asker in ("ann", "bob"):
            jobs.cancel(other.id, asker)
        jobs.stop(other.id, other.tries)
    assert not jobs.open()
