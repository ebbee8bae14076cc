"""What a session was given and has not kept yet: sections and pictures on their way, and matched points."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.requests import AddFound, Validate
from app.uploads.parts import Arrived
from squint.io.content import Answers
from squint.pp import QualityFilter


@dataclass
class Upload:
    """An upload that is not kept yet."""

    widget: int = 0  # counts uploads, so that the next starts with an empty widget
    file_id: str = ""
    arrived: Arrived | None = None  # a large file, streamed past the widget
    staged: Path | None = None
    likeness: str | None = None  # what the file's name looks like, if it may name a person
    answers: Answers | None = None  # to what the file leaves open; None: none yet, nor remembered
    quality: QualityFilter = field(default_factory=QualityFilter)  # which cells are kept
    looked: tuple[Validate, dict[str, Any]] | None = None  # what was asked of it last, and what was found
    keeping: bool = False
    kept: list[str] = field(default_factory=list)  # ids, to be tokenised
    samples: list[str] = field(default_factory=list)  # ids of samples, to be tokenised
    known: list[str] = field(default_factory=list)  # titles of what was in the library already
    nameless: list[str] = field(default_factory=list)  # ids of what was kept last, which may lack cell types
    unfit: list[str] = field(default_factory=list)  # titles of what was kept though no model fits
    pictures: AddFound | None = None  # to be kept once the cells are there
    rebuilding: str = ""  # id of a damaged section that is to be made again
    taking_back: str = ""  # id of a section whose left-out cells are wanted


@dataclass
class ImageUpload:
    """A picture of a section that is not kept yet."""

    widget: int = 0  # counts pictures, so that the next starts with an empty widget
    chosen: tuple[str, ...] = ()  # what was uploaded, or taken from the import folder
    arrived: Arrived | None = None  # a large file, streamed past the widget
    path: Path | None = None
    placement: Path | None = None
    found: dict[str, Any] | None = None  # what the worker saw
    adding: bool = False
    added: str = ""  # id of the one that was kept last


@dataclass
class Landmarks:
    """Points that somebody matched: column and row of the picture, x and y of the section."""

    rows: list[list[float | None]] = field(default_factory=list)  # as they are
    given: list[list[float | None]] = field(default_factory=list)  # as the table began
    table: int = 0  # counts changes from outside, so that the table begins anew
