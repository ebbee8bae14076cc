"""What tasks about computed perturbations are asked."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from squint.library.results import Computation, Task

Way = Literal["mean", "profile", "scale"]


@dataclass(frozen=True)
class Some:
    """Some cells of a section: of a cell set, of types, or of both."""

    members: str = ""  # name of the file of a set's rows, which is their hash; none: the whole section
    types: tuple[str, ...] = ()  # none: all

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", tuple(self.types))


@dataclass(frozen=True)
class Perturb(Computation):
    """Change the expression of some cells of one section, and see which tokens the cells beside them take."""

    name: ClassVar[str] = "perturb"
    form: ClassVar[int] = 2
    model: str  # sha256
    changed: Some  # its set is the region of interest
    way: Way
    source: Some  # mean: whose mean
    values: tuple[tuple[str, float], ...]  # profile: expression of genes; scale: factors
    responders: tuple[str, ...]  # types; none: all cells
    programme: tuple[str, ...]
    hold_programme: bool
    labeling: str  # hash of the labeling that types are of
    n_shams: int
    seed: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple((gene, float(value)) for gene, value in self.values))
        for name in ("ids", "responders", "programme"):
            object.__setattr__(self, name, tuple(getattr(self, name)))


@dataclass(frozen=True)
class ReadProfile(Task[list[list[str | float]]]):
    """Read a staged file of a profile; answers with its genes and their expression."""

    name: ClassVar[str] = "read_profile"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str
    file: str  # its name, as the user knows it
