"""Who starts the engine of this server's library, and starts it again when it is gone."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import settings
from squint.engine import locks

_ROOT = Path(__file__).resolve().parents[2]
_ALONE_S = 60.0  # an engine that nobody needs stays so long, for a server that is started again
_LOOK_S, _MOST_S = 1.0, 30.0  # between two looks, and between two starts that fail

logger = logging.getLogger(__name__)
_problems: list[str] = []  # why the engine does not start, if it does not


def problem() -> str:
    """Say why the engine does not start; empty if it does."""
    return _problems[-1] if _problems else ""


@contextmanager
def supervised(alone_s: float = _ALONE_S) -> Iterator[None]:
    """Look after the engine of this server's library; it outlives the server by ``alone_s`` and its jobs."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(stop, alone_s), name="squint-supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)


def _watch(stop: threading.Event, alone_s: float) -> None:
    home, pause = settings().home, _LOOK_S
    while not stop.is_set():
        try:
            with locks.Lock(home / locks.WEB, shared=True) as lock:
                lock.take()
                while not stop.is_set():
                    if locks.is_held(home / locks.ENGINE) or _start(home, stop, alone_s):
                        _problems.clear()
                        pause = _LOOK_S
                    else:
                        _problems[:] = ["The engine does not start. See the server's log."]
                        pause = min(2 * pause, _MOST_S)
                    stop.wait(pause)
        except OSError as error:  # of the library's folder, which every page says
            logger.warning("The engine is not started: %s", error)
            stop.wait(_MOST_S)


def _start(home: Path, stop: threading.Event, alone_s: float) -> bool:
    """Start an engine; return whether it lives, or another one does."""
    options = ["--home", str(home), "--model", str(settings().model), "--alone-s", str(alone_s)]
    # In our process group: Ctrl-C in a terminal ends both, and a signal to the server alone ends only it.
    engine = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "squint.engine", *options], cwd=_ROOT, stdin=subprocess.DEVNULL
    )
    threading.Thread(target=engine.wait, daemon=True).start()  # so that the system forgets it when it ends
    while engine.poll() is None and not stop.is_set():
        if locks.is_held(home / locks.ENGINE):
            return True
        time.sleep(0.05)
    return stop.is_set() or engine.returncode == 0
