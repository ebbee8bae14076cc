"""What tasks about two groups of cells, and sets of genes are asked."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from app.cell_sets.split import Split
from squint.library.results import Computation, Task


@dataclass(frozen=True)
class Pseudobulk(Computation):
    """Test every gene between two groups, patients as observations."""

    name: ClassVar[str] = "pseudobulk"
    model: str | None  # sha256; needed where groups are of tokens or scores
    split: Split


@dataclass(frozen=True)
class Differential(Computation):
    """Test every gene between two groups, cells as observations."""

    name: ClassVar[str] = "differential"
    model: str | None
    split: Split
    test: Literal["wilcoxon", "t-test"]


@dataclass(frozen=True)
class AddGeneSets(Task[int]):
    """Put a staged file of gene sets into the library; answers with how many it holds."""

    name: ClassVar[str] = "add_gene_sets"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str
    file: str  # its name, as the user knows it


@dataclass(frozen=True)
class ReadGeneSets(Task[int]):
    """Read the files of gene sets that nobody has read yet; answers with how many there were."""

    name: ClassVar[str] = "read_gene_sets"
