"""What the task that makes a report is asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Task
from squint.report.recipe import Activation, Comparison, GeneSet, Part


@dataclass(frozen=True)
class MakeReport(Task[dict[str, str]]):
    """Make a report; answers with the folder of its files, and why there is no PDF, if there is none."""

    name: ClassVar[str] = "make_report"
    private: ClassVar[bool] = True  # a title may name anybody
    ids: tuple[str, ...]  # of the sections, in the order in which they are shown
    model: str | None  # sha256
    title: str
    parts: tuple[Part, ...]
    activation: Activation | None
    comparison: Comparison | None  # of cell sets by their names
    gene_sets: tuple[GeneSet, ...]
    cell_sets: tuple[str, ...]  # ids of those compared
