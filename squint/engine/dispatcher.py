"""Who hands the jobs of all libraries of a server to workers, and looks after them."""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from distributed import Client, Future

from squint.engine.bell import Bell
from squint.engine.changes import Libraries, OneLibrary
from squint.engine.crew import Crew, is_death
from squint.engine.lanes import LANES
from squint.errors import InputError
from squint.library.database import Database, database
from squint.library.jobs import QUEUED, RUNNING, JobState
from squint.library.records import EngineRow

GRACE_S = 1.5  # between asking a job to stop and ending its process
IDLE_S = 60.0  # a worker that has a job may do nothing for it, before it begins and when it has ended
_BEAT_S, _LOOK_S = 1.0, 0.5  # between two signs of life, and two looks which workers and libraries there are

logger = logging.getLogger("squint.engine")

Key = tuple[Path, int]  # a job: its library, and its number there


@dataclass
class _Run:
    """A job that was handed to a worker."""

    future: Future[Any]
    worker: str  # address
    seen: int = 0  # the try that was seen running
    began: float = field(default_factory=time.monotonic)
    idle: float = field(default_factory=time.monotonic)  # since when the job was not seen running
    stop_by: float = float("inf")


class Dispatcher:
    """Hands jobs to workers, one each. In a lane libraries take turns, and of one the oldest job is first.

    Parameters
    ----------
    root
        Folder of the server's first library, in whose database it leaves its signs of life. The libraries of
        projects come and go below it.
    client
        Of the scheduler whose workers do the work; each says by its resources in which lane it is.
    model
        Folder of the model that workers hold.
    tasks
        Module that the workers of a lane make ready before their first job.
    """

    def __init__(self, root: Path, client: Client, model: Path, tasks: Mapping[str, str]) -> None:
        self.id = uuid.uuid4().hex
        self._root, self._bell = root, Bell(root)
        self._crew = Crew(client, model, tasks, self._bell.ring)
        self._libraries = Libraries(root, self.id)
        self._runs: dict[Key, _Run] = {}
        self._turns: dict[tuple[str, Path], int] = {}  # by lane and library: when it last had a worker
        self._n_turns = 0
        self._beat_by = self._look_by = 0.0
        self._said: Mapping[str, Any] | None = None

    @property
    def n_open(self) -> int:
        """How many jobs waited or ran, when they were looked at last."""
        return self._libraries.n_open

    def serve(self, *, until: Callable[[], bool]) -> None:
        """Do all jobs until something is so; those that run then wait for the next engine.

        Raises
        ------
        ConnectionError
            If the scheduler is gone.
        """
        try:
            with self._libraries.trying(self._root), database(self._root).writing() as session:
                session.execute(sa.delete(EngineRow))  # of those that are gone
            while not until():
                self._turn()
                self._libraries.wait(self._bell, min(self._beat_by, self._look_by))
            self._leave()
        finally:
            self._bell.close()

    def wake(self) -> None:
        """Look at once."""
        self._bell.ring()

    def _leave(self) -> None:
        for run in self._runs.values():
            run.future.cancel()
        self._libraries.close()
        with suppress(InputError), database(self._root).writing() as session:
            session.execute(sa.delete(EngineRow).where(EngineRow.id == self.id))

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self._look_by:
            self._look_by = now + _LOOK_S
            self._crew.look()
            self._forget(self._libraries.find())
        self._crew.end_starts()
        self._libraries.look()
        for key, run in list(self._runs.items()):
            if not self._libraries.answers(key[0]):
                run.idle = time.monotonic()  # its worker waits for the database too
                continue
            with self._libraries.trying(key[0]):
                self._look_after(run, key)
        for lane in LANES:
            self._hand_out(lane)
        self._crew.prepare_next(is_busy=bool(self._runs))
        self._beat()

    def _forget(self, gone: set[Path]) -> None:
        """Stop the jobs of libraries that are gone: nobody is there to take what comes of them."""
        for (home, _), run in self._runs.items():
            if home in gone:
                self._kill(run.worker)
        for turn in [turn for turn in self._turns if turn[1] in gone]:
            del self._turns[turn]

    def _hand_out(self, lane: str) -> None:
        """Hand the jobs of a lane to its free workers, each from the library whose turn was longest ago."""
        waiting: dict[Path, list[int]] = {}
        for one in self._libraries:
            numbers = [
                job.id
                for job in one.open.values()
                if job.lane == lane and job.state == QUEUED and (one.home, job.id) not in self._runs
            ]
            if numbers:
                waiting[one.home] = numbers
        while waiting and (address := self._crew.free(lane)) is not None:
            home = min(waiting, key=lambda home: self._turns.get((lane, home), 0))
            number = waiting[home].pop(0)
            if not waiting[home]:
                del waiting[home]
            self._n_turns += 1
            self._turns[lane, home] = self._n_turns
            future = self._crew.give(address, str(home), number, self.id, self._crew.model)
            self._runs[home, number] = _Run(future, address)

    def _look_after(self, run: _Run, key: Key) -> None:
        """See how a job does that was handed out."""
        library = self._libraries.get(key[0])
        job = None if library is None else library.open.get(key[1])
        if run.future.done() or run.worker not in self._crew:
            self._drop(run, key, library, job)
        elif library is not None and job is not None and job.state == RUNNING:
            now = run.idle = time.monotonic()
            if run.seen != job.tries:
                run.seen, run.began = job.tries, now
            if job.cancel:
                run.stop_by = min(run.stop_by, now + GRACE_S)
            late = f"This took longer than {job.limit_s:g} s and was stopped."
            if (now > run.stop_by and library.jobs.stop(job.id, job.tries)) or (
                now > run.began + job.limit_s and library.jobs.fail(job.id, job.tries, late)
            ):
                self._kill(run.worker)
            self._look_by = min(self._look_by, run.stop_by, run.began + job.limit_s)
        elif time.monotonic() > run.idle + IDLE_S:  # its process does not answer any more
            logger.error("Job %d: its worker did nothing for %g s, and is ended.", key[1], IDLE_S)
            run.idle = time.monotonic()
            self._kill(run.worker)

    def _drop(self, run: _Run, key: Key, library: OneLibrary | None, job: JobState | None) -> None:
        """Note that a job is in no worker any more; one that has not ended is tried again, or given up."""
        failed = run.future.status == "error"
        if failed and is_death(run.future):
            self._crew.forget(run.worker)
        elif failed:
            logger.error("Job %d was not done by its worker", key[1], exc_info=run.future.exception())
        self._crew.release(run.worker)
        if not run.future.done():
            run.future.cancel()
        if library is not None and job is not None:
            now: JobState | None = library.jobs.get(job.id)
            if now is not None and now.state == QUEUED and failed:  # before it could say that it began
                now = library.jobs.take(job.id, self.id, run.worker)
            if now is not None and now.state == RUNNING and now.engine == self.id:
                library.jobs.requeue(job.id, now.tries)
            library.look()  # or it would be handed out by what was known of it before
        del self._runs[key]  # last: where the database refuses, this is done again

    def _kill(self, address: str) -> None:
        self._crew.kill(address)
        self._look_by = 0.0

    def _beat(self) -> None:
        """Leave a sign of life, and what is to be said of the workers: every second, or when it changed."""
        facts = self._crew.facts()
        is_news = facts != self._said and self._libraries.answers(self._root)
        if time.monotonic() < self._beat_by and not is_news:
            return
        self._beat_by = time.monotonic() + _BEAT_S
        with self._libraries.trying(self._root):
            say(database(self._root), self.id, self._crew.address, facts)
            self._said = facts


def say(database: Database, engine: str, address: str, facts: Mapping[str, Any]) -> None:
    """Write down that an engine lives, and what it says of itself."""
    with database.writing() as session:
        session.merge(EngineRow(id=engine, address=address, seen=time.time(), facts=dict(facts)))
