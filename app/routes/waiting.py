"""Jobs that a route waits for: no thread is held, and nothing is worked on that nobody waits for any more."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.concurrency import run_in_threadpool
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
    end, done = time.monotonic() + patience_s, False
    try:
        while not (done := await run_in_threadpool(_is_done, job)):
            if time.monotonic() > end or await request.is_disconnected():
                raise TimeoutError
            await asyncio.sleep(_EVERY_S)
        return await run_in_threadpool(job.result)
    finally:
        if not done:
            await run_in_threadpool(job.cancel)


def _is_done(job: Job) -> bool:
    return job.done


class Latest:
    """Jobs by what they are for: of two for the same, the one that was asked for first is cancelled."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    @asynccontextmanager
    async def only(self, what: str, job: Job) -> AsyncIterator[None]:
        """Let a job be the only one for something while the block runs; on the event loop alone."""
        before = self._jobs.get(what)
        self._jobs[what] = job
        if before is not None:
            await run_in_threadpool(before.cancel)
        try:
            yield
        finally:
            if self._jobs.get(what) is job:
                del self._jobs[what]
