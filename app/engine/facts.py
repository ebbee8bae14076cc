"""What the engine says of itself: whether it lives, and on what its workers compute."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.engine import supervisor
from app.settings import settings
from squint.errors import InputError
from squint.library.database import database
from squint.library.place import root_of
from squint.library.records import EngineRow

_LOOK_S = 0.25  # between two looks at what it says
_SILENT_S = 5.0  # after so long without a sign of life it is away
_WAIT_S = 0.05


@dataclass(frozen=True)
class WorkerFacts:
    """A worker that computes with models."""

    device: str  # "CPU", or "GPU" with its name
    problem: str  # why it could not load the server's model; empty if it could
    chrome: bool  # whether figures can be drawn to files


@dataclass
class _Sight:
    """What was seen of the engine of a server last; the clock of this process says when."""

    looked: float = float("-inf")
    changed: float = float("-inf")  # when its sign of life last changed: clocks of machines differ, and jump
    sign: tuple[str, float] | None = None
    said: dict[str, Any] | None = None


_sights: dict[Path, _Sight] = {}  # by the server's first library
_looking = threading.Lock()


def worker_facts() -> WorkerFacts | None:
    """Give what the workers with the model said, without waiting for it; ``None`` until one is ready."""
    said = _look(settings().home).said
    worker = said["worker"] if said else None
    return WorkerFacts(**worker) if worker is not None else None


def worker_problem() -> str:
    """Say why no worker starts; empty while one does, and once it has."""
    said = _look(settings().home).said
    return (said["problem"] if said else "") or supervisor.problem()


def is_away(home: Path) -> bool:
    """Say whether the engine of a library was there, and has not been heard of for a while."""
    sight = _look(home)
    return sight.sign is not None and time.monotonic() - sight.changed > _SILENT_S


def age(home: Path) -> float | None:
    """Say how many seconds ago the last sign of life of an engine came; ``None`` if none ever did."""
    sight = _look(home)
    return None if sight.sign is None else time.monotonic() - sight.changed


def workers() -> dict[str, int]:
    """Count the workers by lane, as the engine said last."""
    said = _look(settings().home).said
    return dict(said["workers"]) if said else {}


def wait_ready(timeout: float = 300) -> WorkerFacts | None:
    """Wait for the first worker with the model; ``None`` if it does not start."""
    end = time.monotonic() + timeout
    while (facts := worker_facts()) is None and not worker_problem() and time.monotonic() < end:
        time.sleep(_WAIT_S)
    return facts


def _look(home: Path) -> _Sight:
    root = root_of(home)
    with _looking:
        sight = _sights.setdefault(root, _Sight())
        if time.monotonic() - sight.looked >= _LOOK_S:
            row = _read(root)
            sight.looked = time.monotonic()
            if row is not None and sight.sign != (row.id, row.seen):
                sight.sign, sight.changed = (row.id, row.seen), sight.looked
            if row is not None:
                sight.said = row.facts
        return sight


def _read(home: Path) -> EngineRow | None:
    """Read the sign of life that came last, if the database answers."""
    try:
        with database(home).reading() as session:
            return session.scalars(sa.select(EngineRow).order_by(EngineRow.seen.desc())).first()
    except InputError:
        return None
