"""What tasks about models are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar

from squint.library.results import Task


@dataclass(frozen=True)
class EstimateTraining(Task[dict[str, Any]]):
    """Measure on this machine how long a training will take."""

    name: ClassVar[str] = "estimate_training"
    ids: tuple[str, ...]
    n_codes: int


@dataclass(frozen=True)
class TrainModel(Task[str]):
    """Train a model on sections, without the part that in-paints, and ask for tokens by it."""

    name: ClassVar[str] = "train_model"
    ids: tuple[str, ...]
    n_codes: int
    model_name: str


@dataclass(frozen=True)
class LearnToInpaint(Task[str]):
    """Teach a model that was trained here to in-paint."""

    name: ClassVar[str] = "learn_to_inpaint"
    model: str  # sha256
    ids: tuple[str, ...]  # of the sections that it was trained on
    model_name: str


@dataclass(frozen=True)
class AddModel(Task[dict[str, Any]]):
    """Put a packed model into the library, once all of it was looked at."""

    name: ClassVar[str] = "add_model"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str


@dataclass(frozen=True)
class PackModel(Task[str]):
    """Pack a model as one file; answers with its path."""

    name: ClassVar[str] = "pack_model"
    folder: str  # of the model
