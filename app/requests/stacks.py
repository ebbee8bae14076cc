"""What tasks about stacks are asked."""

from collections.abc import Mapping
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


@dataclass(frozen=True)
class JudgeLevels(Computation):
    """Tell levels of a stack from the others, as if they had not been measured, and score that."""

    name: ClassVar[str] = "judge_levels"
    model: str  # sha256 of the model whose tokens are told too; empty for none
    aligned: bool  # as `Align` proposes


@dataclass(frozen=True)
class VirtualSection(Computation):
    """Predict a section at a depth between two measured levels."""

    name: ClassVar[str] = "virtual_section"
    model: str
    aligned: bool
    z: float  # um
    like: str  # id of the level whose positions are taken; empty for a grid
    step: float  # of the grid, in the unit of the coordinates

    @property
    def judged(self) -> JudgeLevels:
        """What says how good it is."""
        return JudgeLevels(self.ids, self.model, self.aligned)


@dataclass(frozen=True)
class WriteVirtualSection(Task[str]):
    """Write a predicted section as an AnnData file."""

    name: ClassVar[str] = "write_virtual_section"
    section: VirtualSection
    marks: Mapping[str, str]  # the stamp
