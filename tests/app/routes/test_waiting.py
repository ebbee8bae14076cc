"""A route waits for a job as long as somebody waits for the route."""

import asyncio
import threading
import time

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.engine.client import Cancelled, Job
from app.routes.waiting import Latest, answer
from squint.errors import InputError
from tests.helpers.loops import finish


def request(*, left: bool = False) -> Request:
    """Make a request of a browser that waits, or has left."""

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def job() -> Job:
    return Job("draw_stage", {})


def test_the_result_of_a_job_is_given_once_it_is_there() -> None:
    asked = job()
    threading.Timer(0.1, asked.finish, ["stage.png"]).start()
    assert finish(answer(asked, request(), 5)) == "stage.png"


def test_what_ended_a_job_is_raised() -> None:
    asked = job()
    asked.finish(error=InputError("Too many cells."))
    with pytest.raises(InputError, match="Too many cells"):
        finish(answer(asked, request(), 5))


@pytest.mark.parametrize(("left", "patience_s"), [(True, 60.0), (False, 0.1)])
def test_a_job_that_nobody_waits_for_is_cancelled(patience_s: float, *, left: bool) -> None:
    asked, start = job(), time.monotonic()
    with pytest.raises(TimeoutError):
        finish(answer(asked, request(left=left), patience_s))
    assert asked.cancelled
    assert time.monotonic() - start < 5


def test_other_requests_are_answered_meanwhile() -> None:
    async def both() -> int:
        waiting = asyncio.create_task(answer(asked, request(), 5))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.001)
            turns += 1
        await waiting
        return turns

    asked = job()
    threading.Timer(0.3, asked.finish).start()
    assert finish(both()) > 20


def test_of_two_jobs_for_the_same_the_later_one_stays() -> None:
    latest, first, second, other = Latest(), job(), job(), job()
    with latest.only("map", first), latest.only("another map", other), latest.only("map", second):
        assert [one.cancelled for one in (first, second, other)] == [True, False, False]
    third = job()
    with latest.only("map", third):
        assert not second.cancelled  # it had ended for its route
    first.finish(error=Cancelled())
