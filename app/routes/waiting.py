"""Jobs that a route waits for: no thread is held, and nothing is worked on that nobody waits for any more."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request

from app.engine.client import Job

_EVERY_S = 0.02


async def answer(job: Job, request: Request, patience_s: float) -> Any:
    """Wait for the result of a job, which is cancelled if the browser leaves or the time is up.

    Raises
    ------
    Exception
        What ended the job, as :meth:`app.engine.client.Job.result` says; ``TimeoutError`` if nothing did.
    """
    end = time.monotonic() + patience_s
    try:
        while not job.done and time.monotonic() < end and not await request.is_disconnected():
            await asyncio.sleep(_EVERY_S)
        return job.result(0)
    finally:
        job.cancel()


class Latest:
    """Jobs by what they are for: of two for the same, the one that was asked for first is cancelled."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    @contextmanager
    def only(self, what: str, job: Job) -> Iterator[None]:
        """Let a job be the only one for something while the block runs; on the event loop alone."""
        before = self._jobs.get(what)
        if before is not None:
            before.cancel()
        self._jobs[what] = job
        try:
            yield
        finally:
            if self._jobs.get(what) is job:
                del self._jobs[what]
