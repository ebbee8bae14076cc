"""What the workers for short work can do, without waiting for long work and without torch."""

from pathlib import Path
from typing import Any

from app import requests
from app.exports import drawing
from app.tasks import (
    cell_sets,
    cell_types,
    co_occurrence,
    codebook,
    compare,
    gene_set_scores,
    gene_sets,
    map_files,
    marking,
    packing,
    picture,
    profiles,
    scoring,
)
from app.tasks.decode import does
from squint.library.results import Report
from squint.library.store import Library


def start(model: Path | None) -> dict[str, Any]:
    """Start without the model."""
    del model
    return {}


def draw(library: Library, asked: requests.Draw, report: Report) -> str:
    """Draw a figure to a file; return its path."""
    del library
    report(0.2, f"drawing the {asked.format.upper()}")
    return str(drawing.draw(Path(asked.folder), asked.format, asked.stamp, dpi=asked.dpi))


def write_csv(library: Library, asked: requests.WriteCsv, report: Report) -> str:
    """Write all rows of a table as CSV; return its path."""
    del library
    report(0.2, "writing all rows")
    return str(drawing.write_csv(Path(asked.folder), asked.stamp))


TASKS = dict(
    (
        does(requests.Draw, draw),
        does(requests.DrawMap, map_files.draw_map),
        does(requests.DrawStage, picture.draw_stage),
        does(requests.WriteCsv, write_csv),
        does(requests.BringIn, cell_sets.bring_in),
        does(requests.ReadLabelColumns, cell_types.read_columns),
        does(requests.NameByFile, cell_types.name_by_file),
        does(requests.DescribeTypes, cell_types.describe),
        does(requests.TakeArea, cell_sets.take_area),
        does(requests.WriteSet, cell_sets.write_set),
        does(requests.ReadRegions, marking.read_regions),
        does(requests.CountInside, marking.count_inside),
        does(requests.AddGeneSets, gene_sets.add),
        does(requests.ReadGeneSets, gene_sets.read_all),
        does(requests.ReadProfile, profiles.read_profile),
        does(requests.Activate, scoring.activate),
        does(requests.ScoreGeneSet, gene_set_scores.score),
        does(requests.BorderProfile, gene_set_scores.border_profile),
        does(requests.CoOccurrence, co_occurrence.co_occurrence),
        does(requests.Neighbours, co_occurrence.neighbours),
        does(requests.WriteSequences, co_occurrence.write_sequences),
        does(requests.CompareSections, compare.compare_sections),
        does(requests.CountScores, compare.count_scores),
        does(requests.AddPatients, compare.add_patients),
        does(requests.CompareVocabularies, codebook.compare),
        does(requests.PackModel, packing.pack),
    )
)
