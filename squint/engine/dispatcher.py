"""Who hands the jobs of a library to workers, and looks after them: the only one who talks to Dask."""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from distributed import Client, Future
from distributed.scheduler import KilledWorker

from squint.engine import worker
from squint.engine.changes import Changes
from squint.engine.lanes import LANES, MODEL
from squint.errors import InputError
from squint.library.database import Database, database
from squint.library.jobs import QUEUED, RUNNING, Jobs, JobState
from squint.library.records import EngineRow

GRACE_S = 1.5  # between asking a job to stop and ending its process
_MISSED_S = 120.0  # a lane may be without a worker, as while one is started again on a busy machine
_ALONE_S = 5.0  # from the start on, in which nothing is made ready beside a job that runs
_BEAT_S, _WORKERS_S = 1.0, 0.5  # between two signs of life, and two looks which workers there are
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
    doing: int | None = None  # number of its job


@dataclass
class _Run:
    """A job that was handed to a worker."""

    future: Future[Any]
    worker: str  # address
    seen: int = 0  # the try that was seen running
    began: float = field(default_factory=time.monotonic)
    stop_by: float = float("inf")


class Dispatcher:
    """Hands jobs to workers, one each, the oldest of a lane first.

    Parameters
    ----------
    home
        Folder of the library.
    client
        Of the scheduler whose workers do the work; each says by its resources in which lane it is.
    model
        Folder of the model that workers hold.
    tasks
        Module that the workers of a lane make ready before their first job.
    """

    def __init__(self, home: Path, client: Client, model: Path, tasks: Mapping[str, str]) -> None:
        self.id = uuid.uuid4().hex
        self._home, self._client, self._tasks = home, client, tasks
        self._database = database(home)
        self._jobs = Jobs(self._database)
        self._address = str(client.scheduler_info()["address"])
        self._model: str | None = str(model)
        self._facts: dict[str, Any] | None = None  # of the first worker with the model
        self._problems: dict[str, str] = {}  # of a lane, until a worker of it starts
        self._began = time.monotonic()
        self._there = dict.fromkeys(LANES, self._began)  # when a lane last had a worker
        self._workers: dict[str, _Worker] = {}
        self._runs: dict[int, _Run] = {}
        self._deaths: Counter[str] = Counter()  # by lane, while tasks were made ready
        self._wake = threading.Event()
        self._beat_by = self._look_by = 0.0
        self.n_open = 0  # jobs, when they were looked at last

    def serve(self, *, until: Callable[[], bool]) -> None:
        """Do all jobs until something is so; those that run then wait for the next engine.

        Raises
        ------
        ConnectionError
            If the scheduler is gone.
        """
        self._patiently(self._begin, until)
        with Changes(self._database) as changes:
            while not until():
                self._patiently(self._turn, until)
                changes.wait(self._wake, min(self._beat_by, self._look_by))
                self._wake.clear()
        self._patiently(self._leave, lambda: True)

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def _patiently(self, do: Callable[[], None], until: Callable[[], bool]) -> None:
        """Do something with the database; a while without it ends nothing."""
        while True:
            try:
                return do()
            except InputError as error:
                logger.warning("%s", error)
            if until():
                return None
            time.sleep(1)

    def _begin(self) -> None:
        with self._database.writing() as session:
            session.execute(sa.delete(EngineRow))  # of those that are gone
        self._jobs.reconcile(self.id)

    def _leave(self) -> None:
        for run in self._runs.values():
            run.future.cancel()
        self._jobs.reconcile("")
        with self._database.writing() as session:
            session.execute(sa.delete(EngineRow).where(EngineRow.id == self.id))

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self._look_by:
            self._look_by = now + _WORKERS_S
            self._look_for_workers()
        self._end_starts()
        open_jobs = {job.id: job for job in self._jobs.open()}
        self.n_open = len(open_jobs)
        for job_id, run in list(self._runs.items()):
            self._look_after(run, job_id, open_jobs.get(job_id))
        for job in open_jobs.values():
            if job.id not in self._runs and job.state == QUEUED:
                self._hand_out(job)
        self._prepare_next()
        if time.monotonic() >= self._beat_by:
            self._beat()

    # --- workers ------------------------------------------------------------------------------------------

    def _look_for_workers(self) -> None:
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

    def _prepare(self, address: str) -> None:
        known = self._workers[address]
        lane, known.prepared = known.lane, True
        if lane in self._tasks and self._deaths[lane] < _WITHOUT:
            known.starting = self._submit(address, lane, worker.make_ready, self._tasks[lane], self._model)

    def _prepare_next(self) -> None:
        """Make ready the workers of a lane that has no job yet, one lane after the other.

        Side by side they would take the cores from the first page, and so they would from the first job, such
        as the import of the samples.
        """
        is_busy = self._runs and time.monotonic() < self._began + _ALONE_S
        if is_busy or any(known.starting is not None for known in self._workers.values()):
            return
        waiting = [address for address, known in self._workers.items() if not known.prepared]
        first = min((LANES.index(self._workers[address].lane) for address in waiting), default=None)
        for address in waiting:
            if LANES.index(self._workers[address].lane) == first:
                self._prepare(address)

    def _submit(self, address: str, lane: str, function: Callable[..., Any], *args: Any) -> Future[Any]:
        future = self._client.submit(
            function,
            *args,
            workers=[address],
            resources={lane: 1},
            pure=False,
            key=f"{lane}-{uuid.uuid4().hex}",
        )
        future.add_done_callback(lambda _: self._wake.set())
        return future

    def _lose(self, address: str) -> None:
        """Note that a worker is gone, and whether its tasks ended it before it had any job."""
        lost = self._workers.pop(address, None)
        if lost is None or lost.starting is None:
            return
        lost.starting.cancel()
        self._deaths[lost.lane] += 1
        if lost.lane == MODEL and self._deaths[MODEL] == _WITH_MODEL:
            logger.error("The model %s ended the process that loaded it.", self._model)
            self._model = None
        elif self._deaths[lost.lane] == _WITHOUT:
            self._say(lost.lane)

    def _end_starts(self) -> None:
        """Note which workers are ready."""
        for address, known in list(self._workers.items()):
            starting = known.starting
            if starting is None or not starting.done():
                continue
            if starting.status != "finished" and _is_death(starting):
                self._lose(address)
                continue
            known.starting = None
            if starting.status != "finished":
                logger.error("%s", starting.exception())
                self._say(known.lane)
                continue
            self._problems.pop(known.lane, None)
            if known.lane != MODEL or self._model:
                self._deaths[known.lane] = 0
            if known.lane == MODEL:
                self._facts, self._beat_by = starting.result(), 0.0

    def _say(self, lane: str) -> None:
        self._problems[lane] = "The worker process does not start. See the server's log."
        self._beat_by = 0.0

    def _problem(self) -> str:
        """Say why some work is not done, if it is not."""
        lanes = {known.lane for known in self._workers.values()}
        self._there.update(dict.fromkeys(lanes, time.monotonic()))
        missing = [lane for lane, seen in self._there.items() if time.monotonic() - seen > _MISSED_S]
        if missing:
            return f"No worker does what is in the lane {' or '.join(missing)}. See the server's log."
        return next(iter(self._problems.values()), "")

    # --- jobs ---------------------------------------------------------------------------------------------

    def _hand_out(self, job: JobState) -> None:
        """Give a job to a worker of its lane that is ready and has none; others are made ready at once."""
        for address, known in self._workers.items():
            if known.lane != job.lane:
                continue
            if not known.prepared:
                self._prepare(address)
            if known.starting is None and known.doing is None:
                asked = (str(self._home), job.id, self.id, self._model)
                future = self._submit(address, job.lane, worker.run_job, *asked)
                self._runs[job.id] = _Run(future, address)
                known.doing = job.id
                return

    def _look_after(self, run: _Run, job_id: int, job: JobState | None) -> None:
        """See how a job does that was handed out; ``None`` if it has ended."""
        if run.future.done() or run.worker not in self._workers:
            self._drop(run, job_id, job)
        elif job is not None and job.state == RUNNING:
            now = time.monotonic()
            if run.seen != job.tries:
                run.seen, run.began = job.tries, now
            if job.cancel:
                run.stop_by = min(run.stop_by, now + GRACE_S)
            late = f"This took longer than {job.limit_s:g} s and was stopped."
            if (now > run.stop_by and self._jobs.stop(job_id, job.tries)) or (
                now > run.began + job.limit_s and self._jobs.fail(job_id, job.tries, late)
            ):
                self._kill(run.worker)
            self._look_by = min(self._look_by, run.stop_by, run.began + job.limit_s)

    def _drop(self, run: _Run, job_id: int, job: JobState | None) -> None:
        """Note that a job is in no worker any more; one that has not ended is tried again, or given up."""
        failed = run.future.status == "error"
        if failed and _is_death(run.future):
            self._workers.pop(run.worker, None)
        elif failed:
            logger.error("Job %d: %s", job_id, run.future.exception())
        if run.worker in self._workers:
            self._workers[run.worker].doing = None
        if not run.future.done():
            run.future.cancel()
        now = self._jobs.get(job_id) if job is not None else None
        if now is not None and now.state == QUEUED and failed:  # before it could say that it began
            now = self._jobs.take(job_id, self.id, run.worker)
        if now is not None and now.state == RUNNING and now.engine == self.id:
            self._jobs.requeue(job_id, now.tries)
        del self._runs[job_id]  # last: where the database refuses, this is done again

    def _kill(self, address: str) -> None:
        """End a worker process, which listens to nobody; its nanny starts another."""
        self._client.run(worker.kill, workers=[address], nanny=True, on_error="ignore")
        self._look_by = 0.0

    def _beat(self) -> None:
        """Leave a sign of life, and what is to be said of the workers."""
        counted = dict(Counter(known.lane for known in self._workers.values()))
        facts = {"worker": self._facts, "problem": self._problem(), "workers": counted}
        say(self._database, self.id, self._address, facts)
        self._beat_by = time.monotonic() + _BEAT_S


def say(database: Database, engine: str, address: str, facts: Mapping[str, Any]) -> None:
    """Write down that an engine lives, and what it says of itself."""
    with database.writing() as session:
        session.merge(EngineRow(id=engine, address=address, seen=time.time(), facts=dict(facts)))


def _is_death(future: Future[Any]) -> bool:
    """Say whether a task ended because its worker process did."""
    return isinstance(future.exception(), KilledWorker | CancelledError)
