"""What happens in a worker process: tasks are made ready once, then jobs are done, one after the other."""

import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from squint import logs
from squint.errors import InputError
from squint.files import why_refused
from squint.library.acting import Actor, acting
from squint.library.database import Database, database
from squint.library.jobs import CANCELLED, DONE, FAILED, Jobs, JobState
from squint.library.place import MARK

Report = Callable[[float, str], None]
Done = TypeVar("Done")

_LOOK_S, _SAY_S = 0.1, 0.2  # between two looks whether a job is wanted, and two words on how far it is
_PATIENCE_S = 600.0  # with a database that does not answer

logger = logging.getLogger(__name__)
_ready: dict[tuple[str, str | None], dict[str, Any]] = {}  # module and model -> what it said of itself
_used: list[Database] = []  # the last one


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """A job is no longer wanted."""


def make_ready(module: str, model: str | None) -> dict[str, Any]:
    """Import tasks and start them with a model, once in the life of a worker, or after another model.

    Parameters
    ----------
    module
        Its name; it has ``start(model)`` and ``TASKS``.
    model
        Folder of the bundle; ``None`` for one that ended a worker which loaded it.

    Returns
    -------
    What the tasks say of themselves.
    """
    if (module, model) not in _ready:
        said = importlib.import_module(module).start(None if model is None else Path(model))
        _ready.clear()  # what it loaded has taken the place of what was there
        _ready[module, model] = said
    return _ready[module, model]


def run_job(home: str, job_id: int, engine: str, model: str | None) -> None:
    """Do a job; what came of it, good or bad, is in its row afterwards."""
    from distributed import get_worker  # noqa: PLC0415 - of the extra `cluster`

    if not (Path(home) / MARK).exists():  # the project was removed just now
        return
    jobs, address = Jobs(_database_of(Path(home))), get_worker().address
    job = _patiently(lambda: jobs.take(job_id, engine, address))
    if job is None:
        return
    began = time.monotonic()
    # What it changes, they have changed who asked for it.
    with acting(Actor(job.person, job.place)), logs.about(job=job.id, task=job.task, lane=job.lane):
        end, came = _outcome(jobs, job, home, model)
        logs.say(logger, "job ended", outcome=came, seconds=round(time.monotonic() - began, 3))
    _patiently(lambda: end(job.id, job.tries))


def kill(dask_worker: Any) -> None:
    """End the worker process of a nanny at once, in which this runs; the nanny starts another."""
    if dask_worker.pid:
        os.kill(dask_worker.pid, signal.SIGKILL)


def end(dask_worker: Any) -> None:
    """End a nanny and its worker process at once, in which this runs."""
    dask_worker.close_gracefully()
    kill(dask_worker)


def _outcome(
    jobs: Jobs, job: JobState, home: str, model: str | None
) -> tuple[Callable[[int, int], Any], str]:
    """Do a job; return what writes down how it ended, and how that was in a word."""
    try:
        make_ready(job.module, model)
        task = sys.modules[job.module].TASKS[job.task]
        answer = task({"home": home, "asked": job.args}, _Reporter(jobs, job))
        json.dumps(answer)
    except Stopped:
        return jobs.stop, CANCELLED
    except InputError as error:
        problem, defect = str(error), False
    except OSError as error:
        problem, defect = f"The disk did not do what was asked: {why_refused(error)}.", False
    except Exception as error:  # a defect: said on the page, the worker lives on
        logger.exception("Job %d was ended by a defect", job.id)
        problem, defect = f"{type(error).__name__} in {job.task}: see the server's log.", True
    else:
        return (lambda job_id, tries: jobs.finish(job_id, tries, answer)), DONE
    return (lambda job_id, tries: jobs.fail(job_id, tries, problem, defect=defect)), FAILED


class _Reporter:
    """How a task says how far it is, and finds out that nobody wants it any more."""

    def __init__(self, jobs: Jobs, job: JobState) -> None:
        self._jobs, self._job = jobs, job
        self._looked = self._said = float("-inf")

    def __call__(self, fraction: float, words: str) -> None:
        now, job = time.monotonic(), self._job
        try:
            if now - self._looked >= _LOOK_S:
                self._looked = now
                if not self._jobs.is_wanted(job.id, job.tries):
                    raise Stopped
            if now - self._said >= _SAY_S:
                self._said = now
                self._jobs.progress(job.id, job.tries, float(fraction), words)
        except InputError:  # the database does not answer: that is no reason to stop the work
            self._looked = time.monotonic()


def _patiently(do: Callable[[], Done]) -> Done:
    """Do something with the database, again and again while it does not answer."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return do()
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _database_of(home: Path) -> Database:
    """Open the database of a library, and close that of another one before."""
    found = _patiently(lambda: database(home))
    if _used and _used[0] is not found:
        last = _used.pop()
        if last.url != found.url:  # else they share connections
            last.close()
    _used[:] = [found]
    return found
