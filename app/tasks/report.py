"""A report of sections in the library: its recipe drawn up, computed and written. Runs in the worker."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.cell_sets.content import read_rows
from app.cell_sets.store import CellSets
from app.requests import MakeReport
from app.tasks import models
from squint._version import __version__
from squint.errors import InputError
from squint.library import token_naming
from squint.library.results import Report
from squint.library.store import Library
from squint.report import kept
from squint.report.documents import write_report
from squint.report.pieces import Piece, write_outline, write_set
from squint.report.recipe import SCHEMA, CellSetRecord, ModelRecord, Recipe
from squint.report.replay import read_outlines, read_sets
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
        token_names=_token_names(library, asked.model),
    )
    report(0.2, "computing the tables")
    computed = compute(recipe, pieces, read_sets(recipe, inputs.get), read_outlines(recipe, inputs.get))
    with library.handed_out() as folder:
        written = write_report(computed, inputs, folder, lambda share, what: report(0.4 + 0.6 * share, what))
    return {"folder": str(folder), "no_pdf": written.no_pdf}


def _model(library: Library, sha256: str) -> ModelRecord:
    found = next((one for one in models.known_here(library) if one.sha256 == sha256), None)
    if found is None:
        raise InputError("The model is not here any more. Choose another one.")
    return kept.model_record(found)


def _token_names(library: Library, model: str | None) -> dict[str, str]:
    """Give what users call the tokens of a model, by their numbers."""
    known = token_naming.named(library, model) if model else {}
    return {token: one.name for token, one in known.items() if one.name}


def _sets(
    library: Library, ids: Sequence[str], pieces: Sequence[Piece], inputs: kept.Inputs
) -> tuple[CellSetRecord, ...]:
    """Put the cells of sets, and where they were drawn, among the tables of a recipe."""
    found, sets = [], CellSets(library)
    for one in map(sets.get, ids):
        members, outlines = {}, {}
        for piece in pieces:
            rows = read_rows(library, piece.record.id, one.members.get(piece.record.id, ""))
            if piece.record.shown and len(rows):
                members[piece.record.name] = [str(name) for name in piece.adata.obs_names[rows]]
                if polygons := sets.outline(one, piece.record.id):
                    outlines[piece.record.name] = polygons
        drawn = kept.keep_input(inputs, write_outline(outlines)) if outlines else ""
        found.append(CellSetRecord(one.name, one.how, kept.keep_input(inputs, write_set(members)), drawn))
    return tuple(found)
