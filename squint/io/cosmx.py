"""CosMx: the flat files of a run, in old and new naming."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from squint import keys
from squint.errors import InputError
from squint.io import checks, cosmx_places, cosmx_transcripts, packed
from squint.io.content import Answers, Asked, Content, Reader
from squint.io.cosmx_files import (
    CELLS,
    COUNTS,
    FIELDS,
    OUTLINES,
    PICTURES,
    TRANSCRIPTS,
    Export,
    check_complete,
    exports,
)
from squint.io.cosmx_ids import CELL, CELL_NAMES, FOV, NO_ROW, Ints, cell_numbers, find_column, key, rows_of
from squint.io.cosmx_outlines import Corners
from squint.io.cosmx_places import Places
from squint.io.counts_csv import columns_of, read_counts_csv
from squint.io.delimited import read_table
from squint.io.findings import Findings, choose
from squint.io.forms import first_sound
from squint.io.mapped import Scratch, change_rows
from squint.io.transcript_files import Placing
from squint.io.units import said_unit

Taken = TypeVar("Taken")
STATED = "cell"  # names of cells that are unique in a run: "c_1_16_905"


def reads(path: Path) -> bool:
    """Say whether a folder holds files that are called like CosMx's."""
    return bool(exports(path))


def parts(path: Path) -> list[str]:
    """Name the data sets in a folder."""
    return [export.name for export in exports(path)]


def read(path: Path, asked: Asked) -> Content:
    """Read counts, cells, positions and outlines of one data set.

    Parameters
    ----------
    path
        The folder.
    asked
        What the user says.

    Returns
    -------
    The content, with a row for each cell of the table of counts but cell 0.

    Raises
    ------
    InputError
        If a table is missing or damaged, or tables do not belong together.
    AskedError
        If the folder holds several data sets, or it is not shown how fields lie to each other.
    """
    found = {export.name: export for export in exports(path)}
    export = found[
        choose("section", asked.part or None, "It holds several data sets.", list(found), path.name)
    ]
    check_complete(export)
    findings = Findings()
    (counts, ids, genes), counted = first_sound(
        export.files[COUNTS], lambda p: _read_counts(p, asked.scratch), findings
    )
    cells, listed = first_sound(export.files[CELLS], _read_cells, findings)
    counts_file, cells_file = counted.name, listed.name
    counts, cells = _join(counts, ids, cells, (counts_file, cells_file), findings)
    findings.find("cells", len(cells), cells_file)
    findings.find("features", len(genes), counts_file)
    is_protein = _is_protein(cells)
    if is_protein:
        findings.note(
            f"{cells_file} states a protein assay: values are read as intensities, for viewing only."
        )
    fields = _optional(export, FIELDS, read_table, findings)
    in_fields = cosmx_places.show_fields(cells)
    corners = _optional(export, OUTLINES, lambda p: Corners(p, in_fields=in_fields), findings)
    places = cosmx_places.place(
        cells, fields, None if corners is None else corners.fields(), asked.answers, findings, cells_file
    )
    boundaries = None if corners is None else corners.outlines(cells, places, findings)
    transcripts = None if is_protein else cosmx_transcripts.placing(export, cells, places)
    _say_what_is_left(path, export, transcripts, findings)
    return Content(
        counts=counts,
        obs=_named(cells, _um_per_pixel(places, asked.answers)),
        var=pd.DataFrame(index=pd.Index(genes)),
        obsm={keys.SPATIAL: places.xy},
        um_per_unit=places.um_per_unit,
        unit_hint=cosmx_places.HINT,
        values="intensities" if is_protein else None,
        assay="CosMx",
        counts_file=counts_file,
        findings=findings,
        boundaries=boundaries,
        transcripts=transcripts,
    )


def _optional(
    export: Export, kind: str, read_one: Callable[[Path], Taken], findings: Findings
) -> Taken | None:
    """Read a file that one can do without; say if it is missing or damaged."""
    if kind not in export.files:
        findings.note(f"There is no {export.expected(kind)}.")
        return None
    try:
        return first_sound(export.files[kind], read_one, findings)[0]
    except InputError as error:
        name = export.files[kind][0].name
        findings.leave_out(name, None, str(error), name)
        return None


def _read_counts(path: Path, scratch: Scratch | None) -> tuple[sparse.csr_matrix, Ints, list[str]]:
    """Read counts, and fields and numbers of their cells (n, 2)."""
    packed.check_file(path)
    columns = columns_of(path)
    found = [find_column(columns, (FOV,), path.name), find_column(columns, CELL_NAMES, path.name)]
    more = [name for name in (STATED, "cell_id") if name in columns and name not in found]
    table = read_counts_csv(path, [*found, *more], scratch)
    return table.counts, cell_numbers(table.ids, found, path.name), table.features


def _read_cells(path: Path) -> pd.DataFrame:
    """Read the table of cells, with their fields and numbers as ``fov`` and ``cell_ID``."""
    table = read_table(path, text=(STATED,))
    found = [
        find_column(list(table.columns), (FOV,), path.name),
        find_column(list(table.columns), CELL_NAMES, path.name),
    ]
    ids = cell_numbers(table, found, path.name)
    table = table.drop(columns=found)
    table.insert(0, FOV, ids[:, 0])
    table.insert(1, CELL, ids[:, 1])
    return table


def _join(
    counts: sparse.csr_matrix, ids: Ints, cells: pd.DataFrame, files: tuple[str, str], findings: Findings
) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Leave out cell 0, of the transcripts outside of cells; give the others in the order of counts."""
    outside = ids[:, 1] == 0
    if outside.any():
        n_counts = int(checks.row_sums(counts)[outside].sum())
        findings.leave_out(
            "row of cell 0", int(outside.sum()), f"{n_counts:,} counts outside of cells", files[0]
        )
        counts = change_rows(counts, lambda rows, at: sparse.csr_matrix(rows[~outside[at]]))
        ids = ids[~outside]
    cells = cells[cells[CELL] != 0]
    rows = rows_of(key(ids), key(cells[[FOV, CELL]].to_numpy(np.int64)))
    n_without, n_more = int((rows == NO_ROW).sum()), len(cells) - int((rows != NO_ROW).sum())
    if n_without or n_more:
        raise InputError(
            f"{files[0]} has {len(ids):,} cells, {n_without:,} of them not in {files[1]}, and this has "
            f"{len(cells):,}, {n_more:,} of them not in the first: they are not of one run. Export both "
            "again."
        )
    if not len(ids):
        raise InputError(f"{files[0]} holds no cells. Export it again.")
    cells = cells.iloc[rows]
    cells.index = _names(cells)
    return counts, cells


def _names(cells: pd.DataFrame) -> pd.Index:
    """Name cells as the run does, or by field and number."""
    if STATED in cells and cells[STATED].is_unique and cells[STATED].str.len().min() > 0:
        return pd.Index(cells[STATED].astype(str), dtype=object, name=None)
    return pd.Index(
        [f"{fov}_{cell}" for fov, cell in zip(cells[FOV], cells[CELL], strict=True)], dtype=object
    )


def _is_protein(cells: pd.DataFrame) -> bool:
    return "assay_type" in cells and bool((cells["assay_type"].astype(str).str.lower() == "protein").any())


def _um_per_pixel(places: Places, answers: Answers) -> float | None:
    said = said_unit(answers.unit) if places.in_pixels else None
    return places.um_per_pixel if said is None else said


def _named(cells: pd.DataFrame, um_per_pixel: float | None) -> pd.DataFrame:
    """Give the columns of cells that are kept, areas in square micrometres where these are known."""
    areas = cosmx_places.areas(cells, um_per_pixel)
    obs = cells.drop(columns=[STATED], errors="ignore")
    return obs if areas is None else obs.assign(cell_area=areas)


def _say_what_is_left(folder: Path, export: Export, transcripts: Placing | None, findings: Findings) -> None:
    why = "counts of cells are read; the map can draw those of chosen genes"
    if transcripts is None or transcripts.why_not:
        why = f"counts of cells are read{f', and {transcripts.why_not}' if transcripts else ''}"
    for path in export.files.get(TRANSCRIPTS, []):
        findings.leave_out("transcripts", None, why, path.name)
    for name in PICTURES:
        if (folder / name).is_dir():
            findings.leave_out("pictures of fields", None, "where they lie is not stated", name)


READER = Reader("CosMx", reads, read, parts=parts, asks_part=True)
