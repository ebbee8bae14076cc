"""A section as pages know it, and the row that it is in the database."""

from dataclasses import asdict, dataclass, field, fields

from sqlalchemy import String

from squint.errors import InputError
from squint.library.records import Patient, SectionRow
from squint.pp import QualityFilter


@dataclass(frozen=True)
class Naming:
    """The labeling in use of a section: where the types of its cells are from."""

    labeling: str  # id
    words: str  # how, by what and when
    file: str = ""  # of the names, in the section's folder; empty where they are damaged, and no cell has one
    sha256: str = ""  # of that file


@dataclass(frozen=True)
class Section:
    """What the library knows of a section without opening it."""

    id: str  # first 16 digits of sha256
    sha256: str  # of its genes, counts and positions
    section: str
    patient: str  # study code
    organ: str
    assay: str
    added: str  # UTC
    n_cells: int
    n_genes: int
    n_cell_types: int
    unit: str
    values: str  # "counts" or "intensities"
    median_depth: float
    simulated: bool
    notes: tuple[str, ...] = ()
    z_um: float | None = None  # height of the section, where the file names one
    stack: str = ""  # name of the stack it came in as a level, if it came in one
    n_regions: int = 0  # parts of the tissue that somebody outlined and named
    n_left_out: int = 0  # cells of low quality, which lie beside it
    quality: QualityFilter = field(default_factory=QualityFilter)  # what left them out
    named: Naming | None = None  # what its cell types are from; None: from its file, as are their number

    @property
    def title(self) -> str:
        """Patient and section, the patient not said twice."""
        return self.section if self.section.startswith(self.patient) else f"{self.patient} · {self.section}"

    @property
    def left_out(self) -> str:
        """How many cells are left out and why, in words; nothing if none are."""
        n_cells = f"{self.n_left_out:,} cell{'' if self.n_left_out == 1 else 's'}"
        return f"{n_cells} left out: {', '.join(self.quality.words().values())}" if self.n_left_out else ""


@dataclass(frozen=True)
class Damaged:
    """A section that is not shown, as something of it is damaged."""

    id: str
    title: str  # its id where nothing else is sure
    why: str


_NAMES = tuple(one.name for one in fields(Section) if one.name != "named")


def of_row(row: SectionRow) -> Section:
    """Read a row that is intact."""
    known = {name: getattr(row, name) for name in _NAMES}
    quality = QualityFilter(**known["quality"])
    return Section(**{**known, "notes": tuple(known["notes"]), "quality": quality})


def fill(row: SectionRow, section: Section) -> None:
    """Write a section into its row.

    Raises
    ------
    InputError
        If a name is too long for the database.
    """
    known = {**asdict(section), "notes": list(section.notes)}
    lengths = {key: column.type for key, column in SectionRow.__mapper__.columns.items()}
    lengths["patient"] = Patient.__mapper__.columns["code"].type
    for name in _NAMES:
        value, kind = known[name], lengths[name]
        if isinstance(kind, String) and kind.length and len(value) > kind.length:
            raise InputError(f"{value[:40]}… is longer than {kind.length} letters. Give a shorter name.")
        setattr(row, name, value)


def unknown(section_id: str, why: str, added: str) -> Section:
    """Stand for a section of which nothing is known but that it is there."""
    return Section(
        id=section_id,
        sha256="",
        section=section_id,
        patient="",
        organ="",
        assay="",
        added=added,
        n_cells=0,
        n_genes=0,
        n_cell_types=0,
        unit="unknown",
        values="counts",
        median_depth=0.0,
        simulated=False,
        notes=(why,),
    )


def why_damaged(row: SectionRow, *, is_there: bool) -> str:
    """Say what of a section is damaged; nothing if it is as it was kept.

    Parameters
    ----------
    row
        What the database has of it.
    is_there
        Whether its folder is.
    """
    if not row.intact:
        return "What the database says of it is damaged."
    if row.damage:
        return row.damage
    return "" if is_there else "Its folder is missing."


def damaged(row: SectionRow, why: str) -> Damaged:
    """Describe a damaged section by what is sure of it."""
    title = of_row(row).title if row.intact and row.sha256 else str(row.id)
    return Damaged(str(row.id), title, why)
