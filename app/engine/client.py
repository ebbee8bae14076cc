"""The one seam for work that takes over a second: ``ask(task, library)`` gives a job.

Jobs run in a process of their own, which holds the model; exports in a second one, so that they never wait.
Pages see a job's progress, result and error, and can cancel it; they never import torch. Arguments and
results are JSON; large results are files, named in the result.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from app.settings import settings
from squint.errors import InputError
from squint.library.results import Task
from squint.library.store import Library

Report = Callable[[float, str], None]  # how a task tells how far it is, and finds out that it was cancelled

# A process each: no export waits for a tokenisation.
MODEL, DRAWING = "app.tasks.with_model", "app.tasks.exports"
_TRIES = 2  # a job whose worker dies is tried once more
_GRACE_S = 1.5  # between asking a job to stop and ending its process


class Progress(NamedTuple):
    """How far a job is, in [0, 1], and what it is doing."""

    fraction: float
    words: str


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The job was cancelled."""


@dataclass
class Job:
    """One piece of work."""

    name: str
    args: Mapping[str, Any]
    limit_s: float = 3600.0
    progress: Progress = field(default_factory=lambda: Progress(0.0, "waiting for its turn"))
    error: Exception | None = None
    _value: Any = None
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._done.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask it to stop; more than once, or afterwards, does nothing."""
        if not self.done:
            self._cancelled.set()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the result.

        Raises
        ------
        Exception
            What ended the job: an :class:`squint.errors.InputError` that a user understands, or
            :class:`Cancelled`.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.name} has not ended within {timeout:g} s")
        if self.error is not None:
            raise self.error
        return self._value

    def finish(self, value: Any = None, error: Exception | None = None) -> None:
        """Set how it ended."""
        self._value, self.error = value, error
        self._done.set()


class _WorkerDied(Exception):  # noqa: N818 - an event, handled where the job is run
    pass


class Engine:
    """Runs jobs one after the other in a worker process, which is started again when it dies."""

    def __init__(self, model: Path, tasks: str = MODEL) -> None:
        self.facts: dict[str, Any] | None = None  # what the worker said when it was ready
        self.problem = ""  # why there is none; empty while it starts, and once it has
        self._model, self._tasks = model, tasks
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._open: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._worker: subprocess.Popen[str] | None = None
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._serve, name="squint-engine", daemon=True)
        self._thread.start()

    def ask(self, task: Task[Any], library: Library, *, limit_s: float = 3600.0) -> Job:
        """Queue a task."""
        return self.submit(task.name, {"home": str(library.home), "asked": task.args}, limit_s=limit_s)

    def submit(self, name: str, args: Mapping[str, Any], *, limit_s: float = 3600.0) -> Job:
        """Queue a job; the same job, while it waits or runs, is found again instead."""
        key = json.dumps([name, args], sort_keys=True)
        with self._lock:
            job = self._open.get(key)
            if job is None or job.done or job.cancelled:
                job = Job(name, args, limit_s)
                if self.facts is None:
                    job.progress = Progress(0.0, "waiting for the worker process to start")
                self._open = {k: j for k, j in self._open.items() if not j.done} | {key: job}
                self._queue.put(job)
        return job

    def wait_ready(self, timeout: float = 300) -> dict[str, Any] | None:
        """Wait for the worker's first facts; ``None`` if it does not start."""
        self._ready.wait(timeout)
        return self.facts

    def close(self) -> None:
        """End the worker and cancel what is left."""
        with self._lock:
            for job in self._open.values():
                job.cancel()
        self._queue.put(None)
        self._thread.join(timeout=10)
        self._stop_worker()

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, if one is running."""
        return self._worker.pid if self._worker is not None and self._worker.poll() is None else None

    def _serve(self) -> None:
        self._try_to_start()
        self._ready.set()
        while (job := self._queue.get()) is not None:
            self._run(job)

    def _run(self, job: Job) -> None:
        for _ in range(_TRIES):
            if job.cancelled:
                break
            try:
                return self._run_once(job)
            except _WorkerDied:
                self._stop_worker()
                job.progress = Progress(0.0, "the worker process ended; trying again")
        if job.cancelled:
            return job.finish(error=Cancelled())
        return job.finish(
            error=InputError(
                f"The worker process ended {_TRIES} times while doing this. "
                "The data may be damaged, or too large for this machine."
            )
        )

    def _run_once(self, job: Job) -> None:
        if self.worker_pid is None and not self._try_to_start():
            raise _WorkerDied
        self._send({"do": job.name, "args": dict(job.args)})
        deadline = time.monotonic() + job.limit_s
        stop_by = float("inf")
        while True:
            if job.cancelled and stop_by == float("inf"):
                self._send({"cancel": True})
                stop_by = time.monotonic() + _GRACE_S
            if time.monotonic() > min(deadline, stop_by):
                self._stop_worker()
                late = InputError(f"This took longer than {job.limit_s:g} s and was stopped.")
                return job.finish(error=Cancelled() if job.cancelled else late)
            message = self._receive(0.1)
            if message is not None and self._take(job, message):
                return None

    @staticmethod
    def _take(job: Job, message: dict[str, Any]) -> bool:
        """Note a message; return whether it was the job's last."""
        if "progress" in message:
            job.progress = Progress(message["progress"], message["words"])
            return False
        if "result" in message:
            job.finish(message["result"])
        elif message.get("cancelled"):
            job.finish(error=Cancelled())
        elif "input_error" in message:
            job.finish(error=InputError(message["input_error"]))
        else:
            job.finish(error=RuntimeError(message["error"]))
        return True

    def _send(self, message: dict[str, Any]) -> None:
        if self._worker is None or self._worker.stdin is None:
            raise _WorkerDied
        try:
            self._worker.stdin.write(json.dumps(message) + "\n")
            self._worker.stdin.flush()
        except OSError as error:
            raise _WorkerDied from error

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        try:
            message = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if message is None:
            raise _WorkerDied
        return message

    def _try_to_start(self) -> bool:
        """Start a worker: with the model, or without one that ends whoever loads it."""
        started = self._start(str(self._model)) or self._start()
        self.problem = "" if started else "The worker process does not start. See the server's log."
        return started

    def _start(self, *model: str) -> bool:
        environment = {k: v for k, v in os.environ.items() if k != "HDF5_PLUGIN_PATH"}
        self._messages = queue.Queue()
        self._worker = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "app.engine.worker", self._tasks, *model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).resolve().parents[2],
        )
        threading.Thread(target=_read, args=(self._worker, self._messages), daemon=True).start()
        try:
            message = self._messages.get(timeout=300)
        except queue.Empty:
            message = None
        if not message:
            self._stop_worker()
            return False
        self.facts = message["ready"]
        return True

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            for stream in (self._worker.stdin, self._worker.stdout):
                if stream is not None:
                    stream.close()
            self._worker = None


def _read(worker: "subprocess.Popen[str]", messages: "queue.Queue[dict[str, Any] | None]") -> None:
    assert worker.stdout is not None  # noqa: S101 - asked for above
    try:
        for line in worker.stdout:
            messages.put(json.loads(line))
    except ValueError:  # closed while reading, or cut off in a line
        pass
    messages.put(None)


_LANES = dict.fromkeys(
    (
        *("draw", "draw_map", "draw_stage", "write_csv", "bring_in", "take_area", "write_set"),
        *("read_regions", "count_inside", "add_gene_sets", "read_gene_sets"),
    ),
    DRAWING,
)
_engines: dict[tuple[Path, str], Engine] = {}
_starting = threading.Lock()


def engine(tasks: str = MODEL) -> Engine:
    """Return an engine of this server, started on first use and found again ever after."""
    key = (settings().model, tasks)
    with _starting:
        if key not in _engines:
            _engines[key] = Engine(*key)
        return _engines[key]


def ask(task: Task[Any], library: Library, *, limit_s: float = 3600.0) -> Job:
    """Queue a task in the engine of this server that can do it."""
    return engine(_LANES.get(task.name, MODEL)).ask(task, library, limit_s=limit_s)
