"""What every reader is told, and what it takes from a source, whatever its kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from scipy import sparse

from squint.io.boundaries import Boundaries
from squint.io.findings import Findings
from squint.io.mapped import Scratch
from squint.io.transcript_files import Placing


@dataclass(frozen=True)
class Answers:
    """What the user says of a source where it leaves something open; None: not said."""

    section: str | None = None  # which source of a folder that holds several
    table: str | None = None  # which table of a store that holds several
    bin: str | None = None  # which size of bins: "008um"
    unit: str | None = (
        None  # "um", "mm", "nm", "unknown", or the micrometres that one unit of the positions has
    )
    orientation: str | None = None  # of a counts table: "cells-by-genes" or "genes-by-cells"
    match: str | None = None  # of a counts and a positions table without common names: "rows"
    columns: Mapping[str, str] = field(default_factory=dict)  # our name of a column of cells -> the source's

    def given(self) -> dict[str, Any]:
        """Give what was said, as JSON can hold it."""
        said = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: dict(value) if name == "columns" else value for name, value in said.items() if value}


@dataclass(frozen=True)
class Asked:
    """What a reader is told."""

    answers: Answers = field(default_factory=Answers)
    scratch: Scratch | None = None  # where to make files that counts lie in; None: in memory
    part: str = ""  # which of several sources that lie side by side in one folder; see Reader.parts


@dataclass(frozen=True)
class Placed:
    """A picture of the tissue that a source holds, and where it lies."""

    path: Path
    name: str  # in words: "morphology focus"
    to_section: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    """Rows of the matrix that takes (column, row, 1) of a pixel's centre to positions; None: not stated."""


@dataclass
class Content:
    """What is taken from a source, each part consistent with the others, under AnnData's names.

    Positions, boundaries, pictures and transcripts are in the source's own unit: who gathers it converts them
    all at once.
    """

    counts: sparse.csr_matrix  # (n, features), as stored: whole and not negative is asked of them later
    obs: pd.DataFrame  # (n, ...), indexed by the instrument's names of cells as text, no two the same
    var: pd.DataFrame  # (features, ...), by names of features; "feature_types" where the source states them
    obsm: dict[str, Any]  # with "spatial" (n, 2 | 3), x right and y down
    obsp: dict[str, Any] = field(default_factory=dict)
    uns: dict[str, Any] = field(default_factory=dict)
    um_per_unit: float | None = (
        None  # micrometres that one unit of the positions has, where the source states it
    )
    unit_hint: str = ""  # a sentence for who is asked: "Positions count pixels, .12 um on most instruments."
    values: str | None = None  # "counts" or "intensities", where the source states it
    assay: str = ""  # "Xenium"; what the source says made it
    counts_file: str = ""  # that the counts are from, where the source has several
    names: list[str] = field(default_factory=list)  # of everything in it, to look for names of persons in
    findings: Findings = field(default_factory=Findings)
    boundaries: Boundaries | None = None
    pictures: list[Placed] = field(default_factory=list)
    transcripts: Placing | None = None  # where the file does not give places as positions in micrometres


class Reader(NamedTuple):
    """One kind of source."""

    kind: str  # in words
    reads: Callable[[Path], bool]  # whether a file or folder is of this kind; looks at it, and never raises
    read: Callable[[Path, Asked], Content]  # raises an InputError on a source that it refuses
    columns: Callable[[Path], list[str]] | None = (
        None  # of its table of cells, without reading it, if that is quick
    )
    counts_bytes: Callable[[Path], int] | None = None  # that its counts fill, if they can be read in parts
    parts: Callable[[Path], list[str]] | None = None
    """Names of the sources in a folder, where files of several can lie side by side in one; never raises."""
    asks_part: bool = (
        False  # whether several parts are asked about, even if they could be sections beside each other
    )
