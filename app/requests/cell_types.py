"""What tasks about the names of cells are asked."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from squint.library.results import Computation, Task


@dataclass(frozen=True)
class NameCells(Task[str]):
    """Name the cells of a section; answers with the id of the labeling, which is in use from then on."""

    name: ClassVar[str] = "name_cells"
    section: str  # id
    by: Literal["instrument", "clusters", "markers", "transfer"]
    title: str  # of the labeling
    resolution: float = 1.0  # of clusters
    seed: int = 0
    groups: Literal["found", "instrument"] = "found"  # clusters that markers name
    species: str | None = None  # of markers; None: told from the genes
    tissue: str | None = None  # whose own lineages are looked for as well
    sets: tuple[str, ...] = ()  # gene sets of the library in place of squint's markers, by name
    teacher: str = ""  # id of the section whose types are carried over
    min_confidence: float = 0.5  # of a type that is carried over; less is unknown


@dataclass(frozen=True)
class ReadLabelColumns(Task[dict[str, Any]]):
    """Look which columns a staged table of labels has; answers as :class:`squint.tl.LabelFile` says it."""

    name: ClassVar[str] = "read_label_columns"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str


@dataclass(frozen=True)
class NameByFile(Task[str]):
    """Name the cells of a section as a staged table says; answers as :class:`NameCells`."""

    name: ClassVar[str] = "name_by_file"
    private: ClassVar[bool] = True  # a file may be called as a person is
    section: str  # id
    title: str
    path: str
    cells: str | None = None  # column of the ids of cells; None: told from what it is called
    types: str | None = None  # of their types


@dataclass(frozen=True)
class SplitType(Task[int]):
    """Part the cells of a type by clusters of them alone; answers with the number of parts."""

    name: ClassVar[str] = "split_type"
    section: str  # id
    labeling: str  # id
    at: int  # number of the version that is split
    type: str
    resolution: float
    seed: int = 0


@dataclass(frozen=True)
class DescribeTypes(Computation):
    """Find the genes that set each type of a section apart, and what its markers show."""

    name: ClassVar[str] = "describe_types"
    named: str  # sha256 of the labeling in use; empty: the types of the section's file
    sets: str = ""  # sha256 of the gene sets of the library, among which markers of types are looked for
