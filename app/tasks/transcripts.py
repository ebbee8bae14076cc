"""Transcripts of chosen genes. Runs in the worker."""

from app.requests import ReadTranscripts
from app.tasks.budgets import DRAWING
from squint.io.limits import memory_limit
from squint.library import transcripts
from squint.library.results import Report
from squint.library.store import Library


def read_transcripts(library: Library, asked: ReadTranscripts, report: Report) -> None:
    """Read the transcripts of some genes from the original of a section, and keep them by gene."""
    with memory_limit(DRAWING, "Choose fewer genes."):
        transcripts.read(library, asked.section, asked.genes, report)
