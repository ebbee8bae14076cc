"""Start an engine: ``python -m squint.engine --home library``."""

import argparse
import logging
import os
import resource
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from squint import logs
from squint.engine import locks, nursery
from squint.engine.lanes import TASKS
from squint.errors import InputError
from squint.library import place

if TYPE_CHECKING:
    from distributed import Client

_AGAIN_S = 3.0  # between two attempts to reach a scheduler
# Else the system ends this process, as it may any time: Dask waits for ever for workers that cannot start, as
# where the process that they are forked from was told to stop too.
_START_S, _END_S = 180, 20

logger = logging.getLogger("squint.engine")


def main() -> int:
    """Do the jobs of a server's libraries until told to stop; return the exit status."""
    options = _parser().parse_args()
    home = place.root_of(Path(options.home).absolute())
    os.environ.pop("HDF5_PLUGIN_PATH", None)  # files of strangers name filters to load
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each library takes five files
    try:
        logs.configure("engine")
        with locks.Lock(home / locks.ENGINE) as lock:
            if not lock.take():
                logger.warning("An engine does the jobs of %s already.", home)
                return 0
            lock.write(f"{os.getpid()} {options.mark}".strip())
            _Engine(home, options).run()
    except ModuleNotFoundError as error:
        logger.error("The engine needs %s. Run: pip install 'squint[cluster]'", error.name)  # noqa: TRY400
        return 1
    except (InputError, OSError) as error:
        logger.error("%s", error)  # noqa: TRY400 - a word, no traceback
        return 1
    return 0


class _Engine:
    """The engine of the libraries of a server."""

    def __init__(self, home: Path, options: argparse.Namespace) -> None:
        self._home, self._options, self._id = home, options, uuid.uuid4().hex
        self._tasks = TASKS | dict(pair.split("=", 1) for pair in options.tasks)
        self._told = threading.Event()
        self._wake: Callable[[], None] = self._told.set
        self._lived, self._look_by = time.monotonic(), 0.0  # when somebody was there; when to look again
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())

    def run(self) -> None:
        """Do jobs until told to stop, or until nobody is there who could ask for one."""
        if not self._options.scheduler:
            nursery.begin()  # beside the import of Dask
        from squint.engine import cluster  # noqa: PLC0415 - of the extra `cluster`, and slow to import

        logging.getLogger("distributed").setLevel(logging.WARNING)
        logs.configure("engine")  # Dask gave its loggers handlers when it was imported
        if not self._options.scheduler:
            self._end_by(_START_S)
            with cluster.start() as client:
                self._end_by(0)
                self._serve(client)
            return
        while not self._is_over(0):
            self._attach(self._options.scheduler)
            self._told.wait(_AGAIN_S)

    def _attach(self, address: str) -> None:
        """Serve with the workers of a scheduler that runs elsewhere, as long as it answers."""
        from squint.engine.scheduler import connect  # noqa: PLC0415 - of the extra `cluster`

        try:
            with connect(address) as client:
                self._serve(client)
        except InputError as error:
            problem = str(error)
        except (OSError, TimeoutError, RuntimeError) as error:  # the connection was lost
            problem = f"The engine at {address} does not answer: {error}"
        else:
            return
        logger.warning("%s", problem)
        with suppress(InputError):
            self._complain(address, problem)

    def _complain(self, address: str, problem: str) -> None:
        from squint.engine.dispatcher import say  # noqa: PLC0415 - of the extra `cluster`
        from squint.library.database import database  # noqa: PLC0415

        facts: dict[str, Any] = {"worker": None, "problem": problem, "workers": {}}
        say(database(self._home), self._id, address, facts)

    def _serve(self, client: "Client") -> None:
        from squint.engine.dispatcher import Dispatcher  # noqa: PLC0415 - of the extra `cluster`

        dispatcher = Dispatcher(self._home, client, Path(self._options.model), self._tasks)
        self._wake, self._lived = dispatcher.wake, time.monotonic()
        dispatcher.serve(until=lambda: self._is_over(dispatcher.n_open))

    def _stop(self) -> None:
        self._told.set()
        self._end_by(_END_S)
        self._wake()

    def _end_by(self, seconds: int) -> None:
        """Have the system end this process in so many seconds, or not (0); once told to stop, it stays so."""
        if seconds == _END_S or not self._told.is_set():
            signal.alarm(seconds)

    def _is_over(self, n_open: int) -> bool:
        """Say whether to end: told to, or the library is gone, or nobody has been there for a while."""
        now = time.monotonic()
        if now >= self._look_by:
            self._look_by = now + 1
            if not (self._home / locks.ENGINE).exists():
                self._told.set()
            if n_open or locks.is_held(self._home / locks.WEB):
                self._lived = now
        return self._told.is_set() or 0 < self._options.alone_s < now - self._lived


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m squint.engine",
        description="Do the jobs of a server, on workers of this machine or of a Dask scheduler.",
    )
    parser.add_argument("--home", default=str(place.home()), help="the server's first library")
    parser.add_argument("--model", default=str(place.server_model()), help="folder of the model's bundle")
    parser.add_argument(
        "--scheduler",
        default=os.environ.get("SQUINT_ENGINE", ""),
        metavar="ADDRESS",
        help="use the workers of this Dask scheduler instead of starting some",
    )
    parser.add_argument(
        "--mark", default="", metavar="WORD", help="left in the lock for who starts the next engine"
    )
    parser.add_argument(
        "--tasks",
        action="append",
        default=[],
        metavar="LANE=MODULE",
        help=f"whose tasks the workers of a lane do ({', '.join(f'{k}={v}' for k, v in TASKS.items())})",
    )
    parser.add_argument(
        "--alone-s",
        type=float,
        default=0.0,
        metavar="S",
        help="end when no dashboard of the library has been there for so many seconds, and no job is open",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
