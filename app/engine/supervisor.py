"""Who starts the engine of this server's library, and starts it again when it is gone."""

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.settings import app_version, settings, starts_engine
from squint.engine import locks
from squint.errors import InputError

_ROOT = Path(__file__).resolve().parents[2]
_ALONE_S = 60.0  # an engine that nobody needs stays so long, for a server that is started again
_LOOK_S, _MOST_S = 1.0, 30.0  # between two looks, and between two starts that fail
_PROVEN_S = 60.0  # an engine that has lived so long has started
_END_S = 30.0  # for an engine to end

logger = logging.getLogger(__name__)
_begun: list[tuple[threading.Event, threading.Thread]] = []  # before the server took it over
_problems: list[str] = []  # why the engine does not start, if it does not


def problem() -> str:
    """Say why the engine does not start; empty if it does."""
    return _problems[-1] if _problems else ""


def begin() -> None:
    """Begin to look after the engine of this server's library.

    A server does so before it imports what it is made of: both take seconds, side by side.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(stop,), name="squint-supervisor", daemon=True)
    _begun.append((stop, thread))
    thread.start()


@contextmanager
def supervised() -> Iterator[None]:
    """Look after the engine until the server ends; it outlives the server a little, and by its jobs.

    Where a service of its own starts it, this only says that a server is there.
    """
    if not _begun:
        begin()
    stop, thread = _begun.pop()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)


def _watch(stop: threading.Event) -> None:
    home = settings().home
    while not stop.is_set():
        try:
            if starts_engine() and not locks.is_held(
                home / locks.WEB
            ):  # else it is the engine of another dashboard too
                _end_other(home)
            with locks.Lock(home / locks.WEB, shared=True) as lock:
                lock.take()
                if starts_engine():
                    _look_after(home, stop)
                else:
                    stop.wait()
        except (
            InputError,
            OSError,
        ) as error:  # of a setting, or of the library's folder, which every page says
            logger.warning("The engine is not started: %s", error)
            stop.wait(_MOST_S)


def _look_after(home: Path, stop: threading.Event) -> None:
    """Start an engine whenever there is none; later and later if it fails."""
    engine: subprocess.Popen[bytes] | None = None
    began, n_failed = time.monotonic(), 0
    while not stop.is_set():
        lived = time.monotonic() - began
        if engine is not None and engine.poll() is not None:
            n_failed += engine.returncode != 0 and lived < _PROVEN_S
            engine = None
        elif lived > _PROVEN_S:
            n_failed = 0
        _problems[:] = ["The engine does not start. See the server's log."] if n_failed > 1 else []
        if engine is None and not locks.is_held(home / locks.ENGINE):
            if n_failed > 1:
                stop.wait(min(_LOOK_S * 2**n_failed, _MOST_S))
            engine, began = _start(home), time.monotonic()
        stop.wait(_LOOK_S)


def _start(home: Path) -> "subprocess.Popen[bytes]":
    """Start an engine."""
    model = str(settings().model)
    options = ["--home", str(home), "--model", model, "--alone-s", str(_ALONE_S), "--mark", _mark()]
    # In our process group: Ctrl-C in a terminal ends both, and a signal to the server alone ends only it.
    engine = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "squint.engine", *options], cwd=_ROOT, stdin=subprocess.DEVNULL
    )
    threading.Thread(target=engine.wait, daemon=True).start()  # so that the system forgets it when it ends
    return engine


def _mark() -> str:
    """Mark the settings that an engine takes over from this server."""
    own = {name: value for name, value in os.environ.items() if name.startswith("SQUINT_")}
    told = json.dumps([app_version(), str(settings().model), own], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _end_other(home: Path) -> None:
    """End an engine that an earlier dashboard of this library left, if it had other settings than this one.

    One that was started by hand stays.
    """
    pid, _, mark = locks.read(home / locks.ENGINE).partition(" ")
    if mark and mark != _mark() and locks.is_held(home / locks.ENGINE):
        logger.warning("The engine of an earlier start has other settings, and is ended.")
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
        end = time.monotonic() + _END_S
        while locks.is_held(home / locks.ENGINE) and time.monotonic() < end:
            time.sleep(0.1)
