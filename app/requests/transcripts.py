"""What tasks about transcripts are asked."""

from dataclasses import dataclass
from typing import ClassVar

from squint.library.results import Task


@dataclass(frozen=True)
class ReadTranscripts(Task[None]):
    """Read the transcripts of some genes from the original of a section, and keep them by gene."""

    name: ClassVar[str] = "read_transcripts"
    section: str  # id
    genes: tuple[str, ...]
