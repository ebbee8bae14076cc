"""What each task of the workers is asked: one frozen class a task, which pages make and tasks take.

Imports nothing heavy, so that pages can ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from app.cell_sets.split import Split
from squint.geometry.regions import Shape
from squint.io.content import Answers
from squint.library.images import Addition
from squint.library.results import Computation, Task
from squint.pl import Kind
from squint.pp import QualityFilter

# --- sections ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Validate(Task[dict[str, Any]]):
    """Read a staged upload and say what it holds."""

    name: ClassVar[str] = "validate"
    private: ClassVar[bool] = True  # its answer tells the patients that the file names
    path: str
    answers: Answers = field(default_factory=Answers)  # to what it leaves open
    quality: QualityFilter = field(default_factory=QualityFilter)  # which of its cells would be kept
    models: tuple[str, ...] = ()  # sha256 of those that it is compared with


@dataclass(frozen=True)
class Keep(Task[list[dict[str, Any]]]):
    """Put the sections of a staged upload into the library."""

    name: ClassVar[str] = "keep"
    private: ClassVar[bool] = True  # it tells the patients that the file names
    path: str
    answers: Answers
    patients: Mapping[str, str]  # patient in the file ("" where it names none) -> study code
    sections: Mapping[str, str]  # section in the file -> name to keep
    organ: str = ""
    assay: str = ""
    quality: QualityFilter = field(default_factory=QualityFilter)  # which cells to keep


@dataclass(frozen=True)
class TakeBack(Task[dict[str, Any]]):
    """Put the section of all cells in the place of one from which some were left out."""

    name: ClassVar[str] = "take_back"
    section: str  # id


@dataclass(frozen=True)
class Rebuild(Task[str]):
    """Make the files of a damaged section again."""

    name: ClassVar[str] = "rebuild"
    section: str  # id


@dataclass(frozen=True)
class FoundPicture:
    """A picture that a staged upload holds, and where it lies."""

    path: str
    name: str  # in words
    to_section: tuple[tuple[float, float, float], tuple[float, float, float]]  # from pixels to positions


@dataclass(frozen=True)
class AddFound(Task[dict[str, str]]):
    """Keep the pictures that a staged upload holds, with the section that was kept of it."""

    name: ClassVar[str] = "add_found"
    section: str  # id
    staged: str  # the upload, which can go afterwards
    pictures: tuple[FoundPicture, ...]


@dataclass(frozen=True)
class ImportSamples(Task[list[str]]):
    """Put the simulated cohort into a new library."""

    name: ClassVar[str] = "import_samples"
    samples: str  # folder


@dataclass(frozen=True)
class Tokenise(Task[list[str]]):
    """Give the cells of sections their tokens."""

    name: ClassVar[str] = "tokenise"
    ids: tuple[str, ...]
    model: str  # sha256


# --- tokens -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SumTokens(Task[None]):
    """Add up what the tokens of sections are, for their description."""

    name: ClassVar[str] = "sum_tokens"
    ids: tuple[str, ...]
    model: str  # sha256


@dataclass(frozen=True)
class Activate(Computation):
    """Score sections against a reference patient."""

    name: ClassVar[str] = "activate"
    ranked: tuple[str, ...]  # those of the sections whose cells choose the codes
    model: str  # sha256
    reference: str
    against: str | None
    n_codes: int

    def __post_init__(self) -> None:
        for name in ("ids", "ranked"):  # in whatever order they are shown, the scores are the same
            object.__setattr__(self, name, tuple(sorted(getattr(self, name))))


# --- cell types -------------------------------------------------------------------------------------------


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


# --- models -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EstimateTraining(Task[dict[str, Any]]):
    """Measure on this machine how long a training will take."""

    name: ClassVar[str] = "estimate_training"
    ids: tuple[str, ...]
    n_codes: int


@dataclass(frozen=True)
class TrainModel(Task[str]):
    """Train a model on sections, without the part that in-paints, and ask for tokens by it."""

    name: ClassVar[str] = "train_model"
    ids: tuple[str, ...]
    n_codes: int
    model_name: str


@dataclass(frozen=True)
class LearnToInpaint(Task[str]):
    """Teach a model that was trained here to in-paint."""

    name: ClassVar[str] = "learn_to_inpaint"
    model: str  # sha256
    ids: tuple[str, ...]  # of the sections that it was trained on
    model_name: str


@dataclass(frozen=True)
class AddModel(Task[dict[str, Any]]):
    """Put a packed model into the library, once all of it was looked at."""

    name: ClassVar[str] = "add_model"
    private: ClassVar[bool] = True  # a file may be called as a person is
    path: str


@dataclass(frozen=True)
class PackModel(Task[str]):
    """Pack a model as one file; answers with its path."""

    name: ClassVar[str] = "pack_model"
    folder: str  # of the model


# --- cell sets --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BringIn(Task[list[str]]):
    """Make cell sets of a staged file of outlines or groups; say what was made, and what was not."""

    name: ClassVar[str] = "bring_in"
    private: ClassVar[bool] = True  # a file may be called as a person is
    section: str  # id
    path: str
    file: str  # its name, as the user knows it
    pixel_size_um: float | None  # um per pixel, for GeoJSON that does not say its unit
    skip_unknown: bool  # leave out cells that the section does not have


@dataclass(frozen=True)
class WriteSet(Task[str]):
    """Write the cells of a set in a section to a file for other programs."""

    name: ClassVar[str] = "write_set"
    cell_set: str  # id
    section: str  # id
    form: Literal["geojson", "groups", "selection"]
    pixel_size_um: float | None = None  # um per pixel, for QuPath
    stamp: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TakeArea(Task[str]):
    """Make or change a cell set by an area that was drawn and takes long; answers with the set's id."""

    name: ClassVar[str] = "take_area"
    section: str  # id
    corners: tuple[tuple[float, float], ...]
    mode: str  # "new", "add" or "subtract"
    chosen: str | None = None  # the set to change


# --- comparison -------------------------------------------------------------------------------------------


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


# --- stacks -----------------------------------------------------------------------------------------------


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


# --- areas ------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class TrainWithoutArea(Task[str]):
    """Train a model on one section without the cells of a marked area."""

    name: ClassVar[str] = "train_without_region"
    section_id: str
    regions: tuple[Shape, ...]
    model_name: str


# --- co-occurrence ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoOccurrence(Computation):
    """Correlate the usage of tokens over sections or patients."""

    name: ClassVar[str] = "co_occurrence"
    model: str  # sha256
    by: str  # column of the groups
    n_tokens: int
    clr: bool  # centred log-ratios instead of shares
    n_permutations: int


@dataclass(frozen=True)
class Neighbours(Computation):
    """Count which tokens are neighbours, against tokens shuffled within sections."""

    name: ClassVar[str] = "neighbours"
    model: str
    n_tokens: int
    n_permutations: int


@dataclass(frozen=True)
class WriteSequences(Task[str]):
    """Write the tokens of sections as sequences."""

    name: ClassVar[str] = "write_sequences"
    ids: tuple[str, ...]
    model: str
    format: str  # ending of the file


# --- images -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LookAtImage(Task[dict[str, Any]]):
    """Say what a picture of tissue is; nothing is kept."""

    name: ClassVar[str] = "look_at_image"
    private: ClassVar[bool] = True  # a file may be called as a person is
    addition: Addition


@dataclass(frozen=True)
class AddImage(Task[dict[str, Any]]):
    """Keep a picture of tissue with its section."""

    name: ClassVar[str] = "add_image"
    private: ClassVar[bool] = True  # a file may be called as a person is
    addition: Addition


# --- exports ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw(Task[str]):
    """Draw a figure to a file."""

    name: ClassVar[str] = "draw"
    folder: str  # where the page left what is to be drawn
    format: str
    stamp: Mapping[str, str]
    dpi: int


@dataclass(frozen=True)
class DrawMap(Task[str]):
    """Draw a map to a file."""

    name: ClassVar[str] = "draw_map"
    folder: str
    format: Kind
    stamp: Mapping[str, str]
    dpi: int


@dataclass(frozen=True)
class DrawStage(Task[str]):
    """Draw a map as a picture, for a browser that cannot."""

    name: ClassVar[str] = "draw_stage"
    folder: str  # where the route left the map


@dataclass(frozen=True)
class WriteCsv(Task[str]):
    """Write all rows of a table as CSV."""

    name: ClassVar[str] = "write_csv"
    folder: str
    stamp: Mapping[str, str]
