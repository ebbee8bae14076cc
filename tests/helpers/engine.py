"""Engines: a process as the dashboard starts one, and threads of this process that share its workers."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from distributed import Client

from app.engine import client as engines
from app.engine import facts
from app.engine.client import Job
from app.settings import settings
from squint.engine import bell
from squint.engine.dispatcher import Dispatcher
from squint.engine.lanes import LANES, MODEL, TASKS
from squint.library.database import database
from squint.library.records import EngineRow
from squint.library.results import Task
from squint.library.store import Library
from squint.model.card import weights_sha256
from tests.helpers.app import wait_for
from tests.helpers.paths import ROOT


class Worker:
    """Does the jobs of any library that is named, as an engine does that is attached to a scheduler.

    Parameters
    ----------
    client
        Of the scheduler.
    model
        Folder of the model.
    """

    def __init__(self, client: Client, model: Path) -> None:
        self.client, self._model = client, model
        self._serving: dict[Path, tuple[Dispatcher, threading.Thread, threading.Event]] = {}

    @property
    def model(self) -> str:
        """Hash of the weights of its model."""
        return weights_sha256(self._model)

    def serve(self, home: Path, model: Path | None = None, tasks: dict[str, str] = TASKS) -> None:
        """Do the jobs of a library from here on."""
        if home not in self._serving:
            dispatcher, stop = Dispatcher(home, self.client, model or self._model, tasks), threading.Event()
            thread = threading.Thread(target=dispatcher.serve, kwargs={"until": stop.is_set}, daemon=True)
            self._serving[home] = (dispatcher, thread, stop)
            thread.start()

    def ask(self, task: Task[Any], library: Library, **how: Any) -> Job:
        """Ask for a job of a library."""
        self.serve(library.home)
        return engines.ask(task, library, **how)

    def wait_ready(self) -> None:
        """Do the jobs of the app's library, and wait until the app knows the model."""
        Library(settings().home)
        self.serve(settings().home, settings().model)
        facts.wait_ready()

    def pid(self, lane: str = MODEL) -> int:
        """Give the number of the process that does the jobs of a lane."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        (address,) = [address for address, known in workers.items() if known["resources"].get(lane)]
        return int(self.client.run(os.getpid, workers=[address])[address])

    def rest(self, home: Path | None = None) -> None:
        """Do no more jobs of a library, or of any."""
        for served in [home] if home else list(self._serving):
            dispatcher, thread, stop = self._serving.pop(served)
            stop.set()
            dispatcher.wake()
            thread.join(60)
            assert not thread.is_alive()
            database(served).close()


class Engine:
    """An engine's process, whose workers do tasks of one module in all lanes.

    Parameters
    ----------
    home
        Of its library.
    tasks
        Name of the module.
    more
        What the command is told besides.
    """

    def __init__(self, home: Path, tasks: str = "tests.helpers.slow_tasks", *more: str) -> None:
        self.home, self.tasks, self._more = home, tasks, more
        self.library = Library(home)
        self.jobs = engines.jobs_of(self.library)
        self.start()

    def start(self) -> None:
        """Start it, and wait until its workers are there."""
        lanes = [word for lane in LANES for word in ("--tasks", f"{lane}={self.tasks}")]
        command = [sys.executable, "-m", "squint.engine", "--home", str(self.home), "--model", "some/model"]
        self.process = subprocess.Popen([*command, *lanes, *self._more], cwd=ROOT)
        wait_for(lambda: self.said.get("worker") or self.said.get("problem"), 120)

    @property
    def said(self) -> dict[str, Any]:
        """What it says of itself."""
        row = read_engine(self.home)
        return row.facts if row else {}

    def ask(
        self, task: str, *, lane: str = MODEL, asker: str = "ann", limit_s: float = 3600, **args: Any
    ) -> Job:
        """Ask it for a job."""
        state = self.jobs.submit(task, args, module=self.tasks, lane=lane, asker=asker, limit_s=limit_s)
        return Job(self.library, state, asker)

    def pid_of(self, job: Job) -> int:
        """Give the process in which a job runs, which its first words name."""
        wait_for(lambda: job.progress.words.startswith("process "))
        return int(job.progress.words.split()[1])

    def kill(self) -> None:
        """End it at once, as a full memory does."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """Tell it to stop."""
        self.process.terminate()
        assert self.process.wait(60) == 0
        database(self.home).close()


def read_engine(home: Path) -> EngineRow | None:
    """Read what an engine says of itself."""
    with database(home).reading() as session:
        return session.scalars(sa.select(EngineRow).order_by(EngineRow.seen.desc())).first()


def copied(home: Path, to: Path) -> Path:
    """Copy the folder of a library, but for the bell of an engine that looks after it."""
    return Path(shutil.copytree(home, to, ignore=shutil.ignore_patterns(bell.FILE)))
