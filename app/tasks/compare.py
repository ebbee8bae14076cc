"""Sections and patients beside each other. Runs in the worker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from app.maps import views
from app.requests import AddPatients, CompareSections, CountScores
from app.tasks.budgets import READING
from squint import keys
from squint.errors import InputError
from squint.formats.patient_table import MAX_BYTES, parse
from squint.io.limits import memory_limit
from squint.library import patient_facts
from squint.library.results import Report, keep
from squint.library.store import Library
from squint.stats.diversity import half_widths, hill, interval, rarefied
from squint.stats.section_distances import Tissue, compare, count_blocks, overview

_COLUMN = {"tokens": keys.TOKEN, "types": keys.CELL_TYPE}
TABLES = ("distance", "expected", "high", "p", "q")


def compare_sections(library: Library, asked: CompareSections, report: Report) -> None:
    """Count what the cells of sections are, how diverse, and how far sections lie from each other."""
    report(0.05, "reading cells")
    sections = [library.get(section_id) for section_id in asked.ids]
    named = tuple(sorted((one.id, one.named.sha256) for one in sections if one.named))
    if asked.of == "types" and named != asked.named:
        raise InputError("Cell types were changed meanwhile. Compare again.")
    labels, places = {}, {}
    for section in sections:
        cells = views.cells_of(library, [section], asked.model)
        kinds = cells.get(_COLUMN[asked.of])
        known = np.zeros(len(cells), dtype=bool) if kinds is None else kinds.notna().to_numpy()
        if kinds is not None and known.any():
            own = pd.Categorical(kinds[known]).remove_unused_categories()
            labels[section.id] = own.rename_categories(str)
            places[section.id] = cells[["x", "y"]].to_numpy(dtype=np.float64)[known]
    if not labels:
        keep(library, asked, {"n_cells": 0, "compared": False}, {})
        return
    ids = list(labels)
    joined = union_categoricals(list(labels.values()), sort_categories=True)
    names = list(joined.categories)
    parts = np.split(joined.codes.astype(np.int64), np.cumsum([len(labels[one]) for one in ids])[:-1])
    counts = pd.DataFrame([np.bincount(part, minlength=len(names)) for part in parts], ids, names)
    n_cells = int(counts.sum(axis=1).min())
    tissue = [Tissue(places[one], part) for one, part in zip(ids, parts, strict=True)]
    tables = {"counts": counts, "diversity": _diversity(counts, tissue, n_cells)}
    facts: dict[str, Any] = {"n_cells": n_cells, "compared": len(ids) > 1}
    if len(ids) > 1:
        found = compare(
            tissue,
            len(names),
            n_draws=asked.n_draws,
            report=lambda done, of: report(0.1 + 0.85 * done / of, f"pair {done:,} of {of:,}"),
        )
        lie = overview(found.distance)
        tables |= {name: pd.DataFrame(getattr(found, name), ids, ids) for name in TABLES}
        tables["sections"] = pd.DataFrame(
            {
                "n_cells": counts.sum(axis=1),
                "n_blocks": found.n_blocks,
                "halves": found.halves,
                "reach": found.reach,
                "x": lie.points[:, 0],
                "y": lie.points[:, 1],
            },
            ids,
        )
        facts |= {"linkage": lie.linkage.tolist(), "order": lie.order.tolist(), "stress": lie.stress}
    keep(library, asked, facts, tables)


def _diversity(counts: pd.DataFrame, tissue: Sequence[Tissue], n_cells: int) -> pd.DataFrame:
    """Give the effective numbers of kinds of each section, whole and at one number of cells.

    Their interval is over blocks of tissue; NaN where there are too few of these.
    """
    rows = []
    for row, one in zip(counts.to_numpy(), tissue, strict=True):
        whole, even = hill(row), rarefied(row, n_cells)
        low, high = interval(even, half_widths(count_blocks(one, counts.shape[1]), n_cells), counts.shape[1])
        ends = {f"{name}_low": end for name, end in low._asdict().items()}
        ends |= {f"{name}_high": end for name, end in high._asdict().items()}
        rows.append({"n_cells": int(row.sum()), **even._asdict(), **ends, "richness_of_all": whole.richness})
    return pd.DataFrame(rows, counts.index)


def count_scores(library: Library, asked: CountScores, report: Report) -> None:
    """Count the cells of each section by activation score."""
    parts = []
    for i, section_id in enumerate(asked.ids):
        report(i / len(asked.ids), f"section {i + 1:,} of {len(asked.ids):,}")
        cells = views.cells_of(library, [library.get(section_id)], run=asked.run)
        known = cells[keys.ACTIVATION].dropna().astype(float)
        n = known.value_counts().sort_index()
        parts.append(pd.DataFrame({"section": section_id, "score": n.index, "n": n.to_numpy()}))
    keep(library, asked, {}, {"scores": pd.concat(parts, ignore_index=True)})


def add_patients(library: Library, asked: AddPatients, report: Report) -> dict[str, Any]:
    """Put what a file says of patients into the library; say what was left out, and no value of it.

    Raises
    ------
    InputError
        If it is no table of patients of this library.
    """
    report(0.1, "reading the file")
    with Path(asked.path).open("rb") as file, memory_limit(READING, "Keep the columns that you need."):
        content = file.read(MAX_BYTES + 1)
        found = parse(content, asked.file, patient_facts.codes(library), sure=asked.sure)
    patient_facts.keep(library, found, replace=asked.replace)
    return {
        "code_column": found.code_column,
        "columns": found.columns,
        "n_patients": len(found.rows),
        "left_out": found.left_out,
        "unknown": found.unknown,
        "n_unlisted": found.n_unlisted,
    }
