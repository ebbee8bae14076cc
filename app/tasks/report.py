"""A report of sections in the library: its recipe drawn up, computed and written. Runs in the worker."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.cell_sets.content import read_rows
from app.cell_sets.store import CellSets
from app.requests import MakeReport
from app.tasks import models
from squint._version import __version__
from squint.errors import InputError
from squint.library.results import Report
from squint.library.store import Library
from squint.report import kept
from squint.report.documents import write_report
from squint.report.pieces import Piece, write_set
from squint.report.recipe import SCHEMA, CellSetRecord, ModelRecord, Recipe
from squint.report.replay import read_sets
from squint.report.tables import compute


def make(library: Library, asked: MakeReport, report: Report) -> dict[str, str]:
    """Make a report; return the folder of its files, and why there is no PDF, if there is none."""
    report(0.02, "reading the sections")
    shown = [library.get(section_id) for section_id in asked.ids]
    model = None if asked.model is None else _model(library, asked.model)
    patients = set() if asked.activation is None else {asked.activation.reference, asked.activation.against}
    ranking = kept.ranking_sections(library, asked.model or "", {name for name in patients if name})
    pieces, inputs = kept.gather(library, shown, ranking, asked.model)
    records = _sets(library, asked.cell_sets, pieces, inputs)
    recipe = Recipe(
        schema=SCHEMA,
        squint=__version__,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        title=asked.title,
        parts=asked.parts,
        sections=tuple(piece.record for piece in pieces),
        model=model,
        activation=asked.activation,
        comparison=asked.comparison,
        gene_sets=asked.gene_sets,
        cell_sets=records,
    )
    report(0.2, "computing the tables")
    computed = compute(recipe, pieces, read_sets(recipe, inputs.get))
    with library.handed_out() as folder:
        written = write_report(computed, inputs, folder, lambda share, what: report(0.4 + 0.6 * share, what))
    return {"folder": str(folder), "no_pdf": written.no_pdf}


def _model(library: Library, sha256: str) -> ModelRecord:
    found = next((one for one in models.known_here(library) if one.sha256 == sha256), None)
    if found is None:
        raise InputError("The model is not here any more. Choose another one.")
    return kept.model_record(found)


def _sets(
    library: Library, ids: Sequence[str], pieces: Sequence[Piece], inputs: kept.Inputs
) -> tuple[CellSetRecord, ...]:
    """Put the cells of sets among the tables of a recipe, by the names of their sections and cells."""
    found = []
    for one in map(CellSets(library).get, ids):
        members = {}
        for piece in pieces:
            rows = read_rows(library, piece.record.id, one.members.get(piece.record.id, ""))
            if piece.record.shown and len(rows):
                members[piece.record.name] = [str(name) for name in piece.adata.obs_names[rows]]
        found.append(CellSetRecord(one.name, one.how, kept.keep_input(inputs, write_set(members))))
    return tuple(found)
