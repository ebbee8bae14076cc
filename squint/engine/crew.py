"""The worker processes of an engine, as Dask knows them: who is there, who is ready, and who is busy."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from squint.engine import worker
from squint.engine.lanes import LANES, MODEL

START_S = 300.0  # in which a worker makes its tasks ready
_MISSED_S = 120.0  # a lane may be without a worker, as while one is started again on a busy machine
_ALONE_S = 5.0  # from the start on, in which nothing is made ready beside a job that runs
# A worker that ends while its tasks are made ready is started again; then without the model; and then its
# tasks are left to its first job, which says so.
_WITH_MODEL, _WITHOUT = 2, 4

logger = logging.getLogger("squint.engine")


@dataclass
class _Worker:
    """A worker process, as Dask knows it."""

    lane: str
    prepared: bool = False  # whether its tasks were made ready, or are being so
    starting: Future[Any] | None = None  # while they are
    start_by: float = float("inf")
    is_busy: bool = False  # with a job


class Crew:
    """The workers: the only one who talks to Dask.

    Parameters
    ----------
    client
        Of the scheduler whose workers do the work; each says by its resources in which lane it is.
    model
        Folder of the model that workers hold.
    tasks
        Module that the workers of a lane make ready before their first job.
    wake
        Is called when something that was asked of a worker has ended.
    """

    def __init__(
        self, client: Client, model: Path, tasks: Mapping[str, str], wake: Callable[[], None]
    ) -> None:
        self._client, self._tasks, self._wake = client, tasks, wake
        self.address = str(client.scheduler_info()["address"])  # of the scheduler
        self.model: str | None = str(model)  # None: it ended the workers that loaded it
        self._said: dict[str, Any] | None = None  # by the first worker with the model
        self._problems: dict[str, str] = {}  # of a lane, until a worker of it starts
        self._began = time.monotonic()
        self._there = dict.fromkeys(LANES, self._began)  # when a lane last had a worker
        self._workers: dict[str, _Worker] = {}
        self._deaths: Counter[str] = Counter()  # by lane, while tasks were made ready

    def __contains__(self, address: str) -> bool:
        """Say whether a worker is there."""
        return address in self._workers

    def look(self) -> None:
        """Note who came and who went.

        Raises
        ------
        ConnectionError
            If the scheduler is gone.
        """
        if self._client.status == "closed":  # by itself, when it could not connect again
            raise ConnectionError("it was there, and is gone")
        found = self._client.scheduler_info(n_workers=-1).get("workers", {})
        for address in self._workers.keys() - found.keys():
            self._lose(address)
        for address in found.keys() - self._workers.keys():
            lane = next((lane for lane in LANES if found[address]["resources"].get(lane)), "")
            if lane:
                self._workers[address] = _Worker(lane)

    def free(self, lane: str) -> str | None:
        """Give a worker of a lane that is ready and has no job, if there is one; others are made ready."""
        for address, known in self._workers.items():
            if known.lane == lane:
                if not known.prepared:
                    self._prepare(address)
                if known.starting is None and not known.is_busy:
                    return address
        return None

    def give(self, address: str, *job: Any) -> Future[Any]:
        """Give a job to a free worker, as :func:`squint.engine.worker.run_job` takes it."""
        known = self._workers[address]
        known.is_busy = True
        return self._submit(address, known.lane, worker.run_job, *job)

    def release(self, address: str) -> None:
        """Note that a worker, if it is still there, has no job any more."""
        if address in self._workers:
            self._workers[address].is_busy = False

    def forget(self, address: str) -> None:
        """Note that a worker ended with its job."""
        self._workers.pop(address, None)

    def kill(self, address: str) -> None:
        """End a worker process, which listens to nobody; its nanny starts another."""
        self._client.run(worker.kill, workers=[address], nanny=True, on_error="ignore")

    def prepare_next(self, *, is_busy: bool) -> None:
        """Make ready the workers of a lane that has no job yet, one lane after the other.

        Side by side they would take the cores from the first page, and so they would from the first job, such
        as the import of the samples.

        Parameters
        ----------
        is_busy
            Whether a job runs.
        """
        waits = is_busy and time.monotonic() < self._began + _ALONE_S
        if waits or any(known.starting is not None for known in self._workers.values()):
            return
        waiting = [address for address, known in self._workers.items() if not known.prepared]
        first = min((LANES.index(self._workers[address].lane) for address in waiting), default=None)
        for address in waiting:
            if LANES.index(self._workers[address].lane) == first:
                self._prepare(address)

    def end_starts(self) -> None:
        """Note which workers are ready."""
        for address, known in list(self._workers.items()):
            starting = known.starting
            if starting is None:
                continue
            if not starting.done():
                self._end_if_late(address, known)
                continue
            if starting.status != "finished" and is_death(starting):
                self._lose(address)
                continue
            known.starting = None
            if starting.status != "finished":
                logger.error("The tasks of a worker were not made ready", exc_info=starting.exception())
                self._complain(known.lane)
                continue
            self._problems.pop(known.lane, None)
            if known.lane != MODEL or self.model:
                self._deaths[known.lane] = 0
            if known.lane == MODEL:
                self._said = starting.result()

    def _end_if_late(self, address: str, known: _Worker) -> None:
        if time.monotonic() > known.start_by:
            logger.error("A worker of the lane %s does not get ready, and is ended.", known.lane)
            known.start_by = float("inf")
            self.kill(address)

    def facts(self) -> dict[str, Any]:
        """Give what is to be said of the workers."""
        counted = dict(Counter(known.lane for known in self._workers.values()))
        return {"worker": self._said, "problem": self._problem(), "workers": counted}

    def _prepare(self, address: str) -> None:
        known = self._workers[address]
        lane, known.prepared = known.lane, True
        if lane in self._tasks and self._deaths[lane] < _WITHOUT:
            known.starting = self._submit(address, lane, worker.make_ready, self._tasks[lane], self.model)
            known.start_by = time.monotonic() + START_S

    def _submit(self, address: str, lane: str, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future = self._client.submit(
            function,
            *args,
            workers=[address],
            resources={lane: 1},
            pure=False,
            key=f"{lane}-{uuid.uuid4().hex}",
        )
        future.add_done_callback(lambda _: self._wake())
        return future

    def _lose(self, address: str) -> None:
        """Note that a worker is gone, and whether its tasks ended it before it had any job."""
        lost = self._workers.pop(address, None)
        if lost is None or lost.starting is None:
            return
        lost.starting.cancel()
        self._deaths[lost.lane] += 1
        if lost.lane == MODEL and self._deaths[MODEL] == _WITH_MODEL:
            logger.error("The model %s ended the process that loaded it.", self.model)
            self.model = None
        elif self._deaths[lost.lane] == _WITHOUT:
            self._complain(lost.lane)

    def _complain(self, lane: str) -> None:
        self._problems[lane] = "The worker process does not start. See the server's log."

    def _problem(self) -> str:
        """Say why some work is not done, if it is not."""
        lanes = {known.lane for known in self._workers.values()}
        self._there.update(dict.fromkeys(lanes, time.monotonic()))
        missing = [lane for lane, seen in self._there.items() if time.monotonic() - seen > _MISSED_S]
        if missing:
            return f"No worker does what is in the lane {' or '.join(missing)}. See the server's log."
        return next(iter(self._problems.values()), "")


def is_death(future: Future[Any]) -> bool:
    """Say whether a task ended because its worker process did."""
    return isinstance(future.exception(), KilledWorker | CancelledError)
