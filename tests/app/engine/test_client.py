"""A job as whoever asked for it sees it."""

import pytest

from app.engine.client import Cancelled, Job, jobs_of
from squint.library.store import Library


def begun(library: Library) -> Job:
    jobs = jobs_of(library)
    state = jobs.submit("t", {}, module="m", lane="nowhere", asker="ann")
    assert jobs.take(state.id, "an engine", "a worker")
    return Job(library, state, "ann")


def test_what_was_done_before_it_could_stop_is_told(library: Library) -> None:
    job = begun(library)
    job.cancel()
    assert jobs_of(library).finish(job.id, 1, "kept")
    assert job.result(10) == "kept"


def test_what_stopped_when_it_was_asked_to_has_no_answer(library: Library) -> None:
    job = begun(library)
    job.cancel()
    assert jobs_of(library).stop(job.id, 1)
    with pytest.raises(Cancelled):
        job.result(10)
