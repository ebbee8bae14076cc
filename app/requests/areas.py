"""What tasks about marked areas are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar

from squint.geometry.regions import Shape
from squint.library.results import Computation, Task


@dataclass(frozen=True)
class ReadRegions(Task[list[dict[str, Any]]]):
    """Read what a staged R.json marks in a section."""

    name: ClassVar[str] = "read_regions"
    path: str
    section: str  # as the file names it


@dataclass(frozen=True)
class CountInside(Task[int]):
    """Count the cells of a section in any of some regions."""

    name: ClassVar[str] = "count_inside"
    section: str  # id
    regions: tuple[Shape, ...]


@dataclass(frozen=True)
class InpaintArea(Computation):
    """Predict what the cells of a marked area of one section express."""

    name: ClassVar[str] = "inpaint_region"
    bundle: str  # folder
    weights: str  # their sha256: another model at the same place is another request
    regions: tuple[Shape, ...]
    fill: bool  # cells at simulated positions, instead of those that are there
    n_draws: int
    seed: int
    predicted: bool = False  # of those, told from the tissue around, instead of evenly spaced


@dataclass(frozen=True)
class TrainWithoutArea(Task[str]):
    """Train a model on one section without the cells of a marked area."""

    name: ClassVar[str] = "train_without_region"
    section_id: str
    regions: tuple[Shape, ...]
    model_name: str
