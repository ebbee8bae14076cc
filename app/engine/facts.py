"""What the worker with the model says of itself once it is ready."""

from dataclasses import dataclass

from app.engine.client import engine
from app.models import ModelFacts


@dataclass(frozen=True)
class WorkerFacts:
    """The worker, and the model that it holds."""

    device: str  # "CPU", or "GPU" with its name
    model: ModelFacts | None
    problem: str  # why there is no model; empty if there is one
    chrome: bool  # whether figures can be drawn to files


def worker_facts() -> WorkerFacts | None:
    """Give what the worker said, without waiting for it; ``None`` until it is ready."""
    said = engine().facts
    if said is None:
        return None
    model = said["model"]
    return WorkerFacts(**{**said, "model": ModelFacts(**model) if model else None})


def worker_problem() -> str:
    """Say why the worker does not start; empty while it does, and once it has."""
    return engine().problem
