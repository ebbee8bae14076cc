"""What a report is made of, as a JSON recipe: everything that decides its numbers, and nobody's name.

A recipe names sections, originals, labelings, cell sets and the model by their hashes, so that whoever
replays it computes from the same or is refused. Files of users are named nowhere: only their hashes are.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

from squint.errors import InputError
from squint.pp import QualityFilter
from squint.sensitive import looks_like

SCHEMA = 1
TILE_SEED = 0  # of the order in which cells are encoded, which squint fixes; tokens do not depend on it
MOST_SECTIONS, MOST_SHOWN, MOST_LETTERS, MOST_GENES = 1_000, 24, 200, 5_000
MOST_NAMED = 100_000  # tokens

Part = Literal["types", "tokens", "activation", "comparison", "cells"]
By = Literal["score", "token", "cell_type", "region", "patient", "section", "cell_set"]
_STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}
_HEX = set("0123456789abcdef")
_MOST_DIGITS = 9  # of a token
_MOST_LIMITS = 20  # that a model names of itself


def _check_sha256(value: str, what: str, *, may_lack: bool = False) -> None:
    if not (may_lack and not value) and (len(value) != 64 or set(value) - _HEX):
        raise InputError(f"{what} is no sha256: 64 hexadecimal digits.")


def _check_text(value: str, what: str, *, most: int = MOST_LETTERS, may_lack: bool = False) -> None:
    if not value.strip() and not may_lack:
        raise InputError(f"{what} is empty.")
    if len(value) > most or not value.isprintable():
        raise InputError(f"{what} is not one line of at most {most} letters.")


def _check_number(value: float, what: str, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(f"{what} is {value:g}, not from {low:g} to {high:g}.")


@dataclass(frozen=True)
class Types:
    """Where the types of a section's cells are from."""

    source: Literal["none", "file", "labeling"] = "none"
    words: str = ""  # how, by what and when they were named
    sha256: str = ""  # of the table of them that goes with the recipe, where a labeling is in use
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        _check_text(self.words, "What is said of cell types", most=2_000, may_lack=True)
        _check_sha256(self.sha256, "The hash of a labeling", may_lack=self.source != "labeling")


@dataclass(frozen=True)
class SectionRecord:
    """A section, and how it was read of its original."""

    name: str  # in the report; no two the same
    section: str  # code
    patient: str  # study code
    sha256: str  # of genes, counts and positions
    labels_sha256: str  # of the names of its cells, with the types and regions that its file gives
    original: str  # sha256 of the file or folder that it was read of; empty where that is not known
    part: int = 0  # which section of the original
    answers: Mapping[str, Any] = field(default_factory=dict)  # to what the original leaves open
    quality: Mapping[str, Any] = field(default_factory=dict)  # which of its cells were kept
    unit: str = "unknown"  # of positions
    organ: str = ""
    assay: str = ""
    simulated: bool = False
    shown: bool = True  # False: its cells only help to rank codes
    ranks: bool = True  # whether codes are ranked by its cells, if it is of a reference patient
    types: Types = field(default_factory=Types)
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("name", "section", "patient"):
            _check_text(getattr(self, name), f"The {name} of a section")
        for name in ("unit", "organ", "assay"):
            _check_text(getattr(self, name), f"The {name} of a section", may_lack=True)
        _check_sha256(self.sha256, f"The hash of section {self.name}")
        _check_sha256(self.labels_sha256, f"The hash of the labels of section {self.name}")
        _check_sha256(self.original, f"The hash of the original of section {self.name}", may_lack=True)
        _check_number(self.part, "The part of an original", 0, 100_000)
        try:
            QualityFilter(**self.quality)
        except (TypeError, ValueError) as error:
            raise InputError(f"The quality filter of section {self.name}: {error}") from error

    @property
    def id(self) -> str:
        """What the section is called in a library."""
        return self.sha256[:16]


@dataclass(frozen=True)
class ModelRecord:
    """The model whose tokens are reported."""

    name: str
    sha256: str  # of its weights
    genes_sha256: str  # of its list of genes
    n_codes: int
    n_genes: int
    simulated: bool = False  # whether it was trained on simulated sections alone
    trained_on: str = ""  # as its card says it
    limits: tuple[str, ...] = ()  # likewise
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        _check_text(self.name, "The name of the model")
        _check_sha256(self.sha256, "The hash of the model")
        _check_sha256(self.genes_sha256, "The hash of the model's genes")
        object.__setattr__(self, "limits", tuple(self.limits))
        if len(self.limits) > _MOST_LIMITS:
            raise InputError(f"The model has more than {_MOST_LIMITS} limits.")
        for said in (self.trained_on, *self.limits):
            _check_text(said, "What is said of the model", most=2_000, may_lack=True)


@dataclass(frozen=True)
class Activation:
    """How cells are scored against a reference patient."""

    reference: str  # patient
    against: str | None = None  # patient; None: the most frequent codes of the reference count
    n_codes: int = 5
    low: float = 0.25  # a score below is low
    high: float = 0.75  # a score above is high
    n_bins: int = 20  # of the histogram over [0, 1]
    n_neighbors: int = 8  # nearest cells that make a neighbourhood, besides those that a cell is nearest of
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        if self.reference == self.against:
            raise InputError("The reference patient cannot be compared with itself.")
        _check_number(self.n_codes, "The number of codes", 1, 10_000)
        _check_number(self.low, "The lower threshold", 0, 1)
        _check_number(self.high, "The upper threshold", self.low, 1)
        _check_number(self.n_bins, "The number of bins", 1, 1_000)
        _check_number(self.n_neighbors, "The number of neighbours", 1, 1_000)


@dataclass(frozen=True)
class Comparison:
    """Two groups of cells whose genes are compared."""

    by: By = "score"
    group: tuple[str, ...] = ("high",)  # labels
    reference: tuple[str, ...] = ("low",)  # none: all other cells
    types: tuple[str, ...] = ()  # cell types that count; none: all cells
    test: Literal["wilcoxon", "t-test"] = "wilcoxon"
    pseudo_count: float = 0.05  # added to both means of a fold change
    min_cells: int = 10  # that a patient must have in a group to count across patients
    q: float = 0.05  # drawn in colour: a smaller q ...
    fold: float = 1.0  # ... and a larger log2 fold change
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("group", "reference", "types"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.group:
            raise InputError("The group of a comparison has no label.")
        if set(self.group) & set(self.reference):
            raise InputError("A label cannot be in both the group and the reference.")
        if self.by == "score" and not {*self.group, *self.reference} <= {"low", "intermediate", "high"}:
            raise InputError("Scores are low, intermediate or high.")
        _check_number(self.pseudo_count, "The pseudo-count", 1e-9, 1e6)
        _check_number(self.min_cells, "The fewest cells of a patient", 1, 1_000_000)
        _check_number(self.q, "The q of the volcano", 0, 1)
        _check_number(self.fold, "The fold change of the volcano", 0, 100)


@dataclass(frozen=True)
class GeneSet:
    """Genes under one name."""

    name: str
    genes: tuple[str, ...]
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", tuple(self.genes))
        _check_text(self.name, "The name of a gene set")
        if not 1 <= len(self.genes) <= MOST_GENES:
            raise InputError(f"Gene set {self.name} has not 1 to {MOST_GENES:,} genes.")


@dataclass(frozen=True)
class CellSetRecord:
    """A set of cells, which lie in a table that goes with the recipe."""

    name: str
    how: str  # it was made, in words
    sha256: str  # of the table of its cells
    outline: str = ""  # sha256 of the table of the outline that it was drawn with; empty if it has none
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        _check_text(self.name, "The name of a cell set")
        _check_text(self.how, "How a cell set was made", most=2_000, may_lack=True)
        _check_sha256(self.sha256, f"The hash of cell set {self.name}")
        _check_sha256(self.outline, f"The hash of the outline of cell set {self.name}", may_lack=True)


@dataclass(frozen=True)
class Seeds:
    """What chance comes from."""

    tiles: int = TILE_SEED
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        if self.tiles != TILE_SEED:
            raise InputError(f"Cells are encoded in the order of seed {TILE_SEED}, not {self.tiles}.")


@dataclass(frozen=True)
class Recipe:
    """A report: what it is of, and every choice."""

    schema: int
    squint: str  # version that made it
    made: str  # UTC
    title: str
    parts: tuple[Part, ...]
    sections: tuple[SectionRecord, ...]
    model: ModelRecord | None = None
    activation: Activation | None = None
    comparison: Comparison | None = None
    gene_sets: tuple[GeneSet, ...] = ()
    cell_sets: tuple[CellSetRecord, ...] = ()
    token_names: Mapping[str, str] = field(default_factory=dict)  # what users call tokens, by their numbers
    n_token_genes: int = 5  # that say what a token is
    seeds: Seeds = field(default_factory=Seeds)
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def __post_init__(self) -> None:
        for name in ("parts", "sections", "gene_sets", "cell_sets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.schema != SCHEMA:
            raise InputError(f"It is of schema {self.schema}; this squint reads schema {SCHEMA}.")
        _check_text(self.title, "The title")
        if kind := looks_like(self.title):
            raise InputError(f"The title looks like {kind}. Give the report another one.")
        for name in ("squint", "made"):
            _check_text(getattr(self, name), f"The field {name}")
        _check_number(self.n_token_genes, "The number of genes of a token", 1, 100)
        if not 1 <= len(self.shown) <= MOST_SHOWN or len(self.sections) > MOST_SECTIONS:
            raise InputError(f"A report shows 1 to {MOST_SHOWN} sections, not {len(self.shown)}.")
        for what, names in (
            ("sections", [one.name for one in self.sections]),
            ("sections", [one.sha256 for one in self.sections]),
            ("gene sets", [one.name for one in self.gene_sets]),
            ("cell sets", [one.name for one in self.cell_sets]),
            ("parts", list(self.parts)),
        ):
            if len(set(names)) < len(names):
                raise InputError(f"Two {what} are the same.")
        self._check_names()
        self._check_choices()

    def _check_names(self) -> None:
        if len(self.token_names) > MOST_NAMED:
            raise InputError(f"It names more than {MOST_NAMED:,} tokens.")
        for token, name in self.token_names.items():
            if not (token.isascii() and token.isdecimal() and len(token) <= _MOST_DIGITS):
                raise InputError(f"It names a token {token[:20]!r}; tokens are numbers, from 0 up.")
            _check_text(name, f"The name of token {token}")

    def _check_choices(self) -> None:
        if self.model is None and (self.activation or (self.comparison and self.comparison.by == "token")):
            raise InputError("Scores and tokens need a model, and it names none.")
        if self.activation is None and self.comparison and self.comparison.by == "score":
            raise InputError("A comparison of scores needs the activation, and it says nothing of it.")
        self._check_patients()
        if self.comparison and self.comparison.by == "cell_set":
            known = {one.name for one in self.cell_sets}
            for label in (*self.comparison.group, *self.comparison.reference):
                if label not in known:
                    raise InputError(f"It compares the cell set {label}, which it does not hold.")

    def _check_patients(self) -> None:
        if self.activation is not None:
            patients = {one.patient for one in self.sections if one.ranks}
            for patient in (self.activation.reference, self.activation.against):
                if patient is not None and patient not in patients:
                    raise InputError(f"No section of patient {patient} is in it to rank codes by.")

    @property
    def shown(self) -> tuple[SectionRecord, ...]:
        """The sections that the report is of."""
        return tuple(one for one in self.sections if one.shown)

    @property
    def inputs(self) -> set[str]:
        """The hashes of the tables that go with it."""
        found = {one.types.sha256 for one in self.sections}
        found |= {sha256 for one in self.cell_sets for sha256 in (one.sha256, one.outline)}
        return found - {""}

    @property
    def simulated(self) -> str:
        """Whether the sections shown are simulated, in words; nothing if none is."""
        simulated = [one.simulated for one in self.shown]
        return "" if not any(simulated) else "simulated" if all(simulated) else "partly simulated"

    def facts(self) -> dict[str, Any]:
        """Give it as JSON can hold it."""
        return asdict(self)
