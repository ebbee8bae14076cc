"""What tasks about stacks are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Computation, Task


@dataclass(frozen=True)
class TrainOnStack(Task[str]):
    """Train a model on a stack, some cells of each level held out."""

    name: ClassVar[str] = "train_on_stack"
    ids: tuple[str, ...]  # of the levels, the lowest first
    hold_out: float  # share of the cells of each level
    n_epochs: int
    model_name: str


@dataclass(frozen=True)
class InpaintStack(Computation):
    """Predict the held-out cells of a stack, and judge it beside the nearest cells."""

    name: ClassVar[str] = "inpaint"
    bundle: str  # folder
    weights: str  # their sha256: another model at the same place is another request


@dataclass(frozen=True)
class Align(Computation):
    """Measure how neighbouring levels lie to each other."""

    name: ClassVar[str] = "align"
