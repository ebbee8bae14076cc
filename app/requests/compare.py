"""What tasks about sections and patients beside each other are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from squint.library.results import Computation, Task

Kinds = Literal["tokens", "types"]


@dataclass(frozen=True)
class CompareSections(Computation):
    """Count what the cells of sections are, how diverse, and how far sections lie from each other."""

    name: ClassVar[str] = "compare_sections"
    form: ClassVar[int] = 2
    model: str  # sha256
    of: Kinds
    n_draws: int  # of each pair of sections
    named: tuple[tuple[str, str], ...] = ()  # section, and the hash of its labeling, where types are compared

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(sorted(self.ids)))  # in whatever order, it is the same
        object.__setattr__(self, "named", tuple((one, labeling) for one, labeling in self.named))


@dataclass(frozen=True)
class CountScores(Computation):
    """Count the cells of each section by activation score."""

    name: ClassVar[str] = "count_scores"
    run: str  # name of the result of an activation

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(sorted(self.ids)))


@dataclass(frozen=True)
class AddPatients(Task[dict[str, Any]]):
    """Put what a staged file says of patients into the library; answers with what was left out."""

    name: ClassVar[str] = "add_patients"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str
    file: str  # its name, as the user knows it
    replace: bool
    sure: bool  # that values which look like names identify nobody
