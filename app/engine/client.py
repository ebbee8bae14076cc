"""The one seam for work that takes over a second: ``ask(task, library)`` gives a job.

A job is a row of the library's database, which an engine takes: a process of its own, whose workers hold the
model. Pages see a job's progress, result and error, and can cancel it; they never import torch. Arguments and
results are JSON; large results are files, named in the result.
"""

import time
import uuid
from functools import partial
from typing import Any, NamedTuple

from app.engine.facts import is_away
from app.engine.lanes import lane_of
from app.engine.roles import role_for
from squint.engine import bell
from squint.engine.lanes import TASKS
from squint.errors import InputError
from squint.library.database import database
from squint.library.jobs import CANCELLED, DONE, FAILED, QUEUED, Jobs, JobState
from squint.library.results import Task
from squint.library.store import Library

AWAY = "the engine is starting again; this goes on by itself"
_SOON_S, _LATER_S, _YOUNG_S = 0.01, 0.1, 0.5  # between two looks at a job: while it is young, and later
_PATIENCE_S = 60.0  # with a database that does not answer


class Progress(NamedTuple):
    """How far a job is, in [0, 1], and what it is doing."""

    fraction: float
    words: str


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The job was cancelled."""


class Job:
    """One piece of work, as one of those sees it who asked for it.

    Parameters
    ----------
    library
        Whose job it is.
    state
        What was true of it when it was asked for.
    asker
        Who sees it.
    """

    def __init__(self, library: Library, state: JobState, asker: str) -> None:
        self._library, self._jobs, self._asker = library, jobs_of(library), asker
        self._state = state
        self._asked = self._answered = time.monotonic()
        self._look_at = self._asked

    @property
    def id(self) -> int:
        """Its number."""
        return self._state.id

    @property
    def progress(self) -> Progress:
        """How far it is."""
        state = self._look()
        if state.is_open and is_away(self._library.home):
            return Progress(state.fraction, AWAY)
        waiting = "waiting for its turn" if state.state == QUEUED else "starting"
        return Progress(state.fraction, state.words or waiting)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        state = self._look()
        return not state.is_open or self._asker not in state.askers

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop, or this asker does without it."""
        state = self._look()
        return state.cancel or state.state == CANCELLED or self._asker not in state.askers

    def cancel(self) -> None:
        """Do without it, and stop it if nobody else wants it; more than once, or afterwards, does nothing."""
        self._jobs.cancel(self.id, self._asker)
        self._look_at = 0.0

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result.

        Raises
        ------
        Exception
            What ended the job: an :class:`squint.errors.InputError` that a user understands, a
            ``RuntimeError`` for a defect, or :class:`Cancelled`.
        """
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not self.done:
            if time.monotonic() > end:
                raise TimeoutError(f"{self._state.task} has not ended within {timeout:g} s")
            time.sleep(self._pause)
        state = self._state
        if state.state == FAILED:
            raise RuntimeError(state.problem) if state.defect else InputError(state.problem)
        if self.cancelled and (state.state != DONE or self._asker not in state.askers):
            raise Cancelled
        return state.answer  # also of one that was done before it could stop

    @property
    def _pause(self) -> float:
        return _SOON_S if time.monotonic() - self._asked < _YOUNG_S else _LATER_S

    def _look(self) -> JobState:
        """Read what is true of it, if that was not done just now; a database may be away for a minute."""
        now = time.monotonic()
        if self._state.is_open and now >= self._look_at:
            try:
                self._state = self._jobs.get(self.id)
                self._answered = time.monotonic()
            except InputError:
                if now - self._answered > _PATIENCE_S:
                    raise
            self._look_at = time.monotonic() + self._pause
        return self._state


def jobs_of(library: Library) -> Jobs:
    """Give the jobs of a library, whose engine is woken for what is asked."""
    return Jobs(database(library.home), partial(bell.ring, library.home))


def ask(
    task: Task[Any], library: Library, *, limit_s: float = 3600.0, asker: str = "", about: str = ""
) -> Job:
    """Ask the engine of a library for a job; the same job, while it waits or runs, is found again.

    Parameters
    ----------
    task
        What is asked.
    library
        Where its sections are.
    limit_s
        After so many seconds of work it is stopped.
    asker
        Who wants it; somebody new if not given.
    about
        What it does, in the user's words.

    Raises
    ------
    NotAllowedError
        If whoever opened the library may not ask for this.
    """
    library.access.require(role_for(task.name), task.name)
    asker, lane = asker or uuid.uuid4().hex, lane_of(task.name)
    state = jobs_of(library).submit(
        task.name,
        task.args,
        module=TASKS[lane],
        lane=lane,
        asker=asker,
        about=about,
        limit_s=limit_s,
        private=task.private,
    )
    return Job(library, state, asker)
