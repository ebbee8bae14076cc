"""What tasks about sections, on their way into the library and in it are asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from squint.io.content import Answers
from squint.library.results import Task
from squint.pp import QualityFilter


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
