"""A route waits for a job as long as somebody waits for the route."""

import asyncio
import threading
import time

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.engine.client import Job, jobs_of
from app.routes.waiting import Latest, answer
from squint.errors import InputError
from squint.library.store import Library
from tests.helpers.loops import finish


def request(*, left: bool = False) -> Request:
    """Make a request of a browser that waits, or has left."""

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


class Asked:
    """Jobs that were asked for, of which a test says how they end."""

    def __init__(self, library: Library) -> None:
        self._library, self._jobs = library, jobs_of(library)
        self._n = 0

    def job(self) -> Job:
        """Ask for another one."""
        self._n += 1
        state = self._jobs.submit("t", {"n": self._n}, module="m", lane="short", asker="ann")
        return Job(self._library, state, "ann")

    def finish(self, job: Job, answer: object = None) -> None:
        """End it well."""
        assert self._jobs.take(job.id, "engine", "worker")
        assert self._jobs.finish(job.id, 1, answer)

    def fail(self, job: Job, problem: str) -> None:
        """End it otherwise."""
        assert self._jobs.take(job.id, "engine", "worker")
        assert self._jobs.fail(job.id, 1, problem)


@pytest.fixture
def asked(library: Library) -> Asked:
    return Asked(library)


def test_the_result_of_a_job_is_given_once_it_is_there(asked: Asked) -> None:
    job = asked.job()
    threading.Timer(0.1, asked.finish, [job, "stage.png"]).start()
    assert finish(answer(job, request(), 5)) == "stage.png"


def test_what_ended_a_job_is_raised(asked: Asked) -> None:
    job = asked.job()
    asked.fail(job, "Too many cells.")
    with pytest.raises(InputError, match="Too many cells"):
        finish(answer(job, request(), 5))


@pytest.mark.parametrize(("left", "patience_s"), [(True, 60.0), (False, 0.1)])
def test_a_job_that_nobody_waits_for_is_cancelled(asked: Asked, patience_s: float, *, left: bool) -> None:
    job, start = asked.job(), time.monotonic()
    with pytest.raises(TimeoutError):
        finish(answer(job, request(left=left), patience_s))
    assert job.cancelled
    assert time.monotonic() - start < 5


def test_other_requests_are_answered_meanwhile(asked: Asked) -> None:
    async def both() -> int:
        waiting = asyncio.create_task(answer(job, request(), 5))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.001)
            turns += 1
        await waiting
        return turns

    job = asked.job()
    threading.Timer(0.3, asked.finish, [job]).start()
    assert finish(both()) > 20


def test_of_two_jobs_for_the_same_the_later_one_stays(asked: Asked) -> None:
    first, second, third, other = (asked.job() for _ in range(4))
    latest = Latest()

    async def ask_for_all() -> None:
        async with latest.only("map", first), latest.only("another map", other), latest.only("map", second):
            cancelled = [one.cancelled for one in (first, second, other)]
            assert cancelled == [True, False, False]
        async with latest.only("map", third):
            assert not second.cancelled  # it had ended for its route

    finish(ask_for_all())
