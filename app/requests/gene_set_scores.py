"""What tasks about scores of gene sets, and about what lies around a border, are asked."""

from dataclasses import dataclass
from typing import ClassVar

from app.cell_sets.split import Split
from squint.library.results import Computation


@dataclass(frozen=True)
class ScoreGeneSet(Computation):
    """Score the cells of sections for a set of genes, on one scale."""

    name: ClassVar[str] = "score_gene_set"
    genes: tuple[str, ...]  # of the set

    def __post_init__(self) -> None:
        # In whatever order sections are shown and genes are listed, the scores are the same.
        object.__setattr__(self, "ids", tuple(sorted(self.ids)))
        object.__setattr__(self, "genes", tuple(sorted(set(self.genes))))


@dataclass(frozen=True)
class BorderProfile(Computation):
    """Say what cells are like by their distance to a border."""

    name: ClassVar[str] = "border_profile"
    model: str | None  # sha256; needed where tokens or scores are asked for
    split: Split  # its group is inside
    outlines: tuple[tuple[str, str], ...]  # section, and the hash of the outline of its cells in the group
    genes: tuple[str, ...]
    sets: tuple[tuple[str, tuple[str, ...]], ...]  # name and genes of gene sets
    tokens: tuple[str, ...]
    types: tuple[str, ...]
    named: tuple[tuple[str, str], ...]  # section, and the hash of its labeling, where types are asked for
    width: float  # of a bin, in the unit of the sections
    reach: float
    min_cells: int
    min_patch: int
