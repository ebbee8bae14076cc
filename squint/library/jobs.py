"""Jobs of a library: what was asked for, by whom, how far it is, and how it ended.

A row of the database is what is true of a job. Pages write and read rows here; an engine takes them, does the
work and writes down what came of it. Neither needs the other to be there. Jobs come in the order of their
numbers, never by the clock, which may jump.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from squint.errors import InputError
from squint.library.acting import actor
from squint.library.database import Database, lock_alone
from squint.library.records import JobAsker, JobRow

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN = (QUEUED, RUNNING)
MOST_KEPT = 1_000  # jobs that have ended
MOST_TRIES = 2  # a job whose worker ends is tried once more
MOST_STARTS = 3  # as often is a job begun whose engine ends
_LOCK = 7_305_902  # any number: PostgreSQL's name of the lock of whoever adds a job
_ABOUT = 255  # characters


@dataclass(frozen=True)
class JobState:
    """What was true of a job when it was read."""

    id: int  # counts upwards
    task: str
    module: str  # whose TASKS do it
    args: Mapping[str, Any]
    lane: str
    about: str  # what it does, in the user's words
    state: str  # one of QUEUED, RUNNING, DONE, FAILED and CANCELLED
    fraction: float  # done, in [0, 1]
    words: str  # what it is doing
    cancel: bool  # whether it was asked to stop
    tries: int  # how often it was begun
    limit_s: float
    private: bool  # whether what it was asked is forgotten when it has ended, and itself some time later
    engine: str  # that took it; empty before
    worker: str  # that does it
    answer: Any
    problem: str  # why it failed, in words
    defect: bool  # whether that was a fault of squint's
    added: float  # seconds since 1970, as those below: to be shown, not to be sorted by
    started: float | None
    ended: float | None
    askers: tuple[str, ...]
    person: int | None = None  # id of whoever asked first
    place: str = ""  # where they did, as :class:`squint.library.acting.Actor` has it

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in OPEN


class Times(NamedTuple):
    """When a job was added, began and ended, in seconds since 1970."""

    id: int
    lane: str
    state: str
    added: float
    started: float | None
    ended: float | None


class Jobs:
    """The jobs of a library.

    Parameters
    ----------
    database
        Where their rows are. Every method raises :class:`squint.errors.InputError` if it does not answer.
    tell
        Is called when something was written that an engine is to do.
    """

    def __init__(self, database: Database, tell: Callable[[], None] = lambda: None) -> None:
        self._database, self._tell = database, tell

    # --- for whoever asks ---------------------------------------------------------------------------------

    def submit(
        self,
        task: str,
        args: Mapping[str, Any],
        *,
        module: str,
        lane: str,
        asker: str,
        about: str = "",
        limit_s: float = 3600.0,
        private: bool = False,
    ) -> JobState:
        """Ask for a job; the same job, while it waits or runs, is found again and has one asker more.

        Parameters
        ----------
        task
            Name of the task.
        args
            What it is asked, as JSON.
        module
            Name of the module whose ``TASKS`` has it.
        lane
            Of the workers that may do it.
        asker
            Who wants it.
        about
            What it does, in the user's words.
        limit_s
            After so many seconds of work it is stopped.
        private
            Whether what it is asked, or answers, may name a person. What it was asked is forgotten when it
            has ended, and the rest by :meth:`forget_private`.
        """
        asked = json.dumps(args, sort_keys=True)
        key = hashlib.sha256(json.dumps([module, task, asked]).encode()).hexdigest()
        who = actor()
        with self._database.writing() as session:
            self._add_alone(session)
            same = sa.select(JobRow).where(
                JobRow.key == key, JobRow.state.in_(OPEN), JobRow.cancel.is_(False)
            )
            row = session.scalars(same.order_by(JobRow.id)).first()
            if row is None:
                row = JobRow(
                    task=task,
                    module=module,
                    args=asked,
                    key=key,
                    lane=lane,
                    about=_harmless(about)[:_ABOUT],
                    state=QUEUED,
                    limit_s=limit_s,
                    private=private,
                    person=who.person,
                    place=who.place,
                    added=time.time(),
                )
                session.add(row)
                self._trim(session)
            if asker not in [known.asker for known in row.askers]:
                row.askers.append(JobAsker(asker=asker))
            session.flush()
            session.refresh(row)
            state = _state(row)
        self._tell()
        return state

    def get(self, job_id: int) -> JobState:
        """Give one job.

        Raises
        ------
        InputError
            If it is not known, or so old that it was forgotten.
        """
        with self._database.reading() as session:
            row = session.get(JobRow, job_id)
            if row is None:
                raise InputError("This job is no longer known. Ask for it again.")
            return _state(row)

    def list(self, asker: str | None = None, *, n: int = MOST_KEPT) -> Sequence[JobState]:
        """List the last ``n`` jobs, or those of one asker, the newest first."""
        chosen = sa.select(JobRow).options(selectinload(JobRow.askers)).order_by(JobRow.id.desc()).limit(n)
        if asker is not None:
            chosen = chosen.where(JobRow.askers.any(JobAsker.asker == asker))
        with self._database.reading() as session:
            return [_state(row) for row in session.scalars(chosen)]

    def count(self) -> dict[tuple[str, str], int]:
        """Count the jobs that are kept, by lane and state."""
        chosen = sa.select(JobRow.lane, JobRow.state, sa.func.count()).group_by(JobRow.lane, JobRow.state)
        with self._database.reading() as session:
            return {(lane, state): n for lane, state, n in session.execute(chosen)}

    def times(self, *, after: int = 0) -> Sequence[Times]:
        """Give when jobs with numbers above ``after`` were added, began and ended, in their order."""
        chosen = sa.select(
            JobRow.id, JobRow.lane, JobRow.state, JobRow.added, JobRow.started, JobRow.ended
        ).where(JobRow.id > after)
        with self._database.reading() as session:
            return [Times(*row) for row in session.execute(chosen.order_by(JobRow.id))]

    def cancel(self, job_id: int, asker: str) -> None:
        """Let an asker do without a job, which goes on for others that want it.

        Where nobody else does, a job that waits is cancelled at once, and one that runs is asked to stop.
        More than once, or afterwards, this does nothing.
        """
        with self._database.writing() as session:
            row = _locked(session, job_id)
            if row is None or row.state not in OPEN:
                return
            own = [known for known in row.askers if known.asker == asker]
            if len(row.askers) > len(own):
                for known in own:
                    row.askers.remove(known)
                return
            row.cancel = True  # its last asker stays with it, to see what became of it
            if row.state == QUEUED:
                _end(row, CANCELLED)
        self._tell()

    def again(self, job_id: int, asker: str) -> JobState:
        """Ask once more for what a job was asked.

        Raises
        ------
        InputError
            If the job is not known, or what it was asked is forgotten.
        """
        job = self.get(job_id)
        if job.private:
            raise InputError("What this was asked is not kept: it may name a person. Ask for it on its page.")
        return self.submit(
            job.task,
            job.args,
            module=job.module,
            lane=job.lane,
            asker=asker,
            about=job.about,
            limit_s=job.limit_s,
        )

    def forget_private(self, older_than_s: float) -> None:
        """Forget private jobs that ended so many seconds ago."""
        old = JobRow.ended < time.time() - older_than_s
        with self._database.writing() as session:
            session.execute(sa.delete(JobRow).where(JobRow.private, JobRow.state.not_in(OPEN), old))

    # --- for an engine ------------------------------------------------------------------------------------

    def open(self) -> Sequence[JobState]:
        """List the jobs that wait or run, the oldest first."""
        chosen = sa.select(JobRow).options(selectinload(JobRow.askers)).where(JobRow.state.in_(OPEN))
        with self._database.reading() as session:
            return [_state(row) for row in session.scalars(chosen.order_by(JobRow.id))]

    def take(self, job_id: int, engine: str, worker: str) -> JobState | None:
        """Begin a job; ``None`` if nothing is to be done.

        Its number of tries names this beginning: what an earlier one still writes is not taken.
        """
        with self._database.writing() as session:
            row = _locked(session, job_id)
            if row is None or row.state not in OPEN:
                return None
            if row.state == RUNNING:  # its worker ended, and Dask tries another
                _give_up_or_wait(row, MOST_TRIES)
            if row.cancel:
                _end(row, CANCELLED)
            if row.state not in OPEN:
                return None
            row.state, row.engine, row.worker = RUNNING, engine, worker
            row.tries += 1
            row.started = time.time()
            row.fraction, row.words = 0.0, "starting"
            return _state(row)

    def progress(self, job_id: int, tries: int, fraction: float, words: str) -> None:
        """Say how far a job is."""
        with self._database.writing() as session:
            session.execute(
                sa.update(JobRow)
                .where(JobRow.id == job_id, JobRow.state == RUNNING, JobRow.tries == tries)
                .values(fraction=fraction, words=_harmless(words))
            )

    def is_wanted(self, job_id: int, tries: int) -> bool:
        """Say whether a job that was begun is to go on."""
        with self._database.reading() as session:
            row = session.execute(
                sa.select(JobRow.state, JobRow.tries, JobRow.cancel).where(JobRow.id == job_id)
            ).first()
            return row is not None and tuple(row) == (RUNNING, tries, False)

    def finish(self, job_id: int, tries: int, answer: Any) -> bool:
        """Say what came of a job, as JSON; return whether it had not ended before."""
        return self._close(job_id, tries, DONE, answer=json.dumps(answer), fraction=1.0)

    def fail(self, job_id: int, tries: int, problem: str, *, defect: bool = False) -> bool:
        """Say why a job failed; return whether it had not ended before."""
        return self._close(job_id, tries, FAILED, problem=_harmless(problem), defect=defect)

    def stop(self, job_id: int, tries: int) -> bool:
        """Say that a job stopped as it was asked to; return whether it had not ended before."""
        return self._close(job_id, tries, CANCELLED)

    def requeue(self, job_id: int, tries: int) -> None:
        """Put a job whose worker ended back into the queue, or fail it if that is not the first time."""
        with self._database.writing() as session:
            row = _locked(session, job_id)
            if row is not None and row.state == RUNNING and row.tries == tries:
                _give_up_or_wait(row, MOST_TRIES)

    def reconcile(self, engine: str) -> None:
        """Put jobs that other engines began back into the queue; to be called where no other one lives."""
        with self._database.writing() as session:
            lost = sa.select(JobRow).where(JobRow.state == RUNNING, JobRow.engine != engine)
            for row in session.scalars(lost.with_for_update()):
                _give_up_or_wait(row, MOST_STARTS, "engine")

    def _close(self, job_id: int, tries: int, state: str, **values: Any) -> bool:
        with self._database.writing() as session:
            row = _locked(session, job_id)
            if row is None or row.state != RUNNING or row.tries != tries:
                return False
            for name, value in values.items():
                setattr(row, name, value)
            _end(row, state)
            return True

    def _add_alone(self, session: Session) -> None:
        """Let nobody else add a job meanwhile, so that the same one is not added twice."""
        if not self._database.is_sqlite:  # where whoever writes is alone
            lock_alone(session, _LOCK)

    @staticmethod
    def _trim(session: Session) -> None:
        """Forget the oldest jobs that have ended."""
        ended = sa.select(JobRow.id).where(JobRow.state.not_in(OPEN)).order_by(JobRow.id.desc())
        last = session.scalar(ended.offset(MOST_KEPT).limit(1))
        if last is not None:
            session.execute(sa.delete(JobRow).where(JobRow.id <= last, JobRow.state.not_in(OPEN)))


def _locked(session: Session, job_id: int) -> JobRow | None:
    return session.get(JobRow, job_id, with_for_update=True)


def _give_up_or_wait(row: JobRow, most: int, what: str = "worker process") -> None:
    if row.cancel:
        _end(row, CANCELLED)
    elif row.tries >= most:
        row.problem = (
            f"The {what} ended {row.tries} times while doing this. "
            "The data may be damaged, or too large for this machine."
        )
        _end(row, FAILED)
    else:
        row.state, row.fraction, row.words = QUEUED, 0.0, f"the {what} ended; trying again"


def _end(row: JobRow, state: str) -> None:
    row.state, row.ended, row.words = state, time.time(), ""
    if row.private:
        row.args, row.key = "{}", ""


def _harmless(text: str) -> str:
    """Give what every database takes: no half characters, and none that ends a text for PostgreSQL."""
    return text.encode(errors="replace").decode().replace("\0", "")


def _state(row: JobRow) -> JobState:
    values = {name: getattr(row, name) for name in JobState.__dataclass_fields__}
    values |= {
        "args": json.loads(row.args),
        "answer": json.loads(row.answer),
        "askers": tuple(sorted(one.asker for one in row.askers)),
    }
    return JobState(**values)
