"""The output folder of 10x Xenium, of versions 1 to 4: counts, cells, outlines, clusters and pictures."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from squint import keys
from squint.errors import DAMAGED, InputError
from squint.io import packed, tenx
from squint.io.arrow import column_names, read_columns, texts, to_pandas
from squint.io.boundaries import Boundaries
from squint.io.content import Asked, Content, Reader
from squint.io.features import GENES, types_of
from squint.io.findings import Findings
from squint.io.forms import existing, first_sound, real_folder
from squint.io.outlines import read_outlines
from squint.io.xenium_pictures import find_pictures

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "experiment.xenium"
MATRIX = "cell_feature_matrix"
CELLS = ("cells.parquet", "cells.csv.gz", "cells.csv")
OUTLINES = ("cell_boundaries.parquet", "cell_boundaries.csv.gz", "cell_boundaries.csv")
NUCLEI = ("nucleus_boundaries.parquet", "nucleus_boundaries.csv.gz", "nucleus_boundaries.csv")
TRANSCRIPTS = ("transcripts.parquet", "transcripts.csv.gz", "transcripts.zarr.zip", "transcripts.csv")
CLUSTERINGS = ("analysis", "clustering")
GRAPH_CLUSTERS = "gene_expression_graphclust"
CLUSTER = "cluster"  # column of cells: the instrument's clusters, which are no cell types
ID, X, Y = "cell_id", "x_centroid", "y_centroid"
KNOWN_VERSION = 4
MAX_MANIFEST = 2**20


def reads(path: Path) -> bool:
    """Say whether a folder is an output of Xenium, whole or in part, by the names of its files."""
    try:
        if not path.is_dir():
            return False
        if existing(path, MANIFEST) or tenx.sources(path, MATRIX) or existing(path, *TRANSCRIPTS[:3]):
            return True
        return any(_lists_cells(table) for table in existing(path, *CELLS))
    except OSError:
        return False


def _lists_cells(table: Path) -> bool:
    """Say whether a table is Xenium's, by its columns or what lies beside it."""
    if existing(table.parent, *OUTLINES, *NUCLEI):
        return True
    try:
        return {ID, X, Y} <= set(column_names(table))
    except InputError:
        return False


def read(path: Path, _asked: Asked) -> Content:
    """Read counts, cells and what else the folder holds.

    Parameters
    ----------
    path
        The folder.
    _asked
        What the user says: the folder leaves nothing open.

    Returns
    -------
    The content; positions, boundaries and pictures in micrometres, as the instrument states them.

    Raises
    ------
    InputError
        If counts or cells are missing, damaged, or not of one run.
    """
    findings = Findings()
    manifest = _read_manifest(path, findings)
    matrices, tables = tenx.sources(path, MATRIX), existing(path, *CELLS)
    _refuse_missing(path, matrices, tables)
    matrix, counted = tenx.read_first(matrices, findings)
    cells, listed = first_sound(tables, _read_cells, findings)
    names = _named(cells[ID], listed.name)
    order = _order(names, matrix.barcodes, listed.name, counted.name, findings)
    if order is not None:
        cells, names = cells.take(order), names[order]
    findings.find("cells", len(names), listed.name)
    findings.find("features", len(matrix.var), counted.name)
    if isinstance(manifest.get("num_cells"), int) and manifest["num_cells"] != len(names):
        findings.note(
            f"{MANIFEST} states {manifest['num_cells']:,} cells, and {listed.name} lists {len(names):,}."
        )
    index = pd.Index(names, dtype=object)
    obs = to_pandas(cells.drop_columns([ID, X, Y])).set_axis(index)
    clusters = _read_clusters(path, index, findings)
    if clusters is not None:
        obs[CLUSTER] = clusters
    positions = np.column_stack([cells[axis].to_numpy().astype(np.float64) for axis in (X, Y)])
    del cells
    beside = (
        ("transcripts", TRANSCRIPTS, "counts of cells are read; the map can draw those of chosen genes"),
        ("outlines of nuclei", NUCLEI, "squint does not use them"),
    )
    for what, files, why in beside:
        for file in existing(path, *files)[:1]:
            findings.leave_out(what, None, why, file.name)
    return Content(
        counts=matrix.counts,
        obs=obs,
        var=matrix.var,
        obsm={keys.SPATIAL: positions},
        um_per_unit=1.0,
        assay="Xenium",
        names=sorted(file.name for file in path.iterdir()),
        findings=findings,
        boundaries=_read_boundaries(path, index, findings),
        pictures=find_pictures(path, manifest, positions, findings),
    )


def columns(path: Path) -> list[str]:
    """List the columns of the table of cells."""
    findings = Findings()
    found, _ = (
        first_sound(existing(path, *CELLS), column_names, findings) if existing(path, *CELLS) else ([], path)
    )
    own = [name for name in found if name not in {"", ID, X, Y}]
    has_clusters = path.joinpath(*CLUSTERINGS, GRAPH_CLUSTERS, "clusters.csv").is_file()
    return [*own, CLUSTER] if has_clusters else own


def _read_manifest(path: Path, findings: Findings) -> dict[str, Any]:
    """Read what the instrument says of the run; without it, all but the pixel size stands elsewhere."""
    there = existing(path, MANIFEST)
    if not there:
        findings.note(f"{path.name} has no {MANIFEST}: it was known by its other files.")
        return {}
    try:
        packed.check_file(there[0])
        with packed.opened(there[0], MAX_MANIFEST) as stream:
            found = json.loads(stream.read())
    except (*DAMAGED, RecursionError) as error:
        why = str(error) if isinstance(error, InputError) else "it is damaged, and what it says is not used"
        findings.leave_out("description of the run", None, why, MANIFEST)
        return {}
    if not isinstance(found, dict) or not found:
        findings.leave_out("description of the run", None, "it says nothing", MANIFEST)
        return {}
    version = str(found.get("analysis_sw_version", ""))[:40]
    if version:
        findings.find("version", None, MANIFEST, version)
    number = re.search(r"(\d{1,4})\.", version)
    if number and int(number[1]) > KNOWN_VERSION:
        findings.note(
            f"{MANIFEST} names version {version!r}, and squint knows those up to {KNOWN_VERSION}: its parts "
            "agree with each other, but something new may be left out."
        )
    return found


def _refuse_missing(path: Path, matrices: list[Path], tables: list[Path]) -> None:
    """Refuse a folder without counts or without cells, naming what is missing."""
    lacking = []
    if not matrices:
        lacking.append(f"{MATRIX}.h5 (or {MATRIX}.zarr.zip, or the folder {MATRIX})")
    if not tables:
        lacking.append("cells.parquet (or cells.csv.gz)")
    if not lacking:
        return
    if matrices:
        matrix, counted = tenx.read_first(matrices, Findings())
        n_genes = int((types_of(matrix.var)[0] == GENES).sum())
        n_others = len(matrix.var) - n_genes
        counts = f"{len(matrix.barcodes):,} cells x {n_genes:,} genes (and {n_others:,} controls)"
        raise InputError(
            f"{path.name} lacks {lacking[0]}: {counted.name} counts {counts}, and does not say where they "
            "lie. Put that file of the same run beside it."
        )
    raise InputError(
        f"{path.name} is an output of Xenium that lacks {' and '.join(lacking)}. Copy the whole output "
        "folder; transcripts alone are not read."
    )


def _read_cells(path: Path) -> "pa.Table":
    table = read_columns(path, text={ID})
    if missing := [name for name in (ID, X, Y) if name not in table.column_names]:
        raise InputError(
            f"{path.name} has no column {', '.join(missing)}; it has {', '.join(table.column_names[:20])}."
        )
    for axis in (X, Y):
        if not _are_numbers(table[axis].type):
            raise InputError(f"{path.name}: column {axis} holds no numbers. Copy it again.")
        values = table[axis].to_numpy().astype(np.float64)
        if n_bad := int((~np.isfinite(values)).sum()):
            raise InputError(f"{path.name}: {n_bad:,} cells have no {axis}. Copy it again, or remove them.")
    return table


def _are_numbers(kind: "pa.DataType") -> bool:
    import pyarrow as pa  # noqa: PLC0415 - only where an instrument's tables are read

    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal))


def _named(column: "pa.ChunkedArray", file: str) -> NDArray[np.object_]:
    try:
        names = texts(column)
    except DAMAGED as error:
        raise InputError(f"{file}: column {ID} does not name each cell. Copy it again.") from error
    if not len(names):
        raise InputError(f"{file} lists no cells. Copy it again.")
    n_repeated = len(names) - len(pd.unique(names))
    if n_repeated:
        raise InputError(f"{file}: {n_repeated:,} names of cells occur twice. Copy it again.")
    return names


def _order(
    names: NDArray[np.object_], barcodes: NDArray[np.object_], listed: str, counted: str, findings: Findings
) -> NDArray[np.intp] | None:
    """Say which row of the table each barcode is; None: they are in one order."""
    if len(names) != len(barcodes):
        raise InputError(
            f"{listed} lists {len(names):,} cells, but {counted} counts {len(barcodes):,}: they are of two "
            "runs. Copy both from one output folder."
        )
    if (names == barcodes).all():
        return None
    index = pd.Index(names)
    order = index.get_indexer(pd.Index(barcodes))
    if (order < 0).any() and all(name.isdigit() for name in names):  # R adds a word: "Cell_644"
        bare = pd.Index([re.sub(r"^\D+", "", barcode) for barcode in barcodes])
        renumbered = index.get_indexer(bare)
        if (renumbered >= 0).all() and bare.is_unique:
            findings.assume(
                f"{barcodes[0]!r} is cell {names[renumbered[0]]!r}",
                f"{listed} has numbers alone",
                counted,
                len(names),
            )
            order = renumbered
    n_found = int((order >= 0).sum())
    if n_found < len(names):
        raise InputError(
            f"{counted} and {listed} name other cells: of {len(barcodes):,} barcodes {n_found:,} are listed, "
            f"and {barcodes[np.argmin(order >= 0)]!r} is not. Copy both from one output folder."
        )
    if len(np.unique(order)) < len(order):
        raise InputError(f"{counted} names cells twice. Copy it again.")
    return order


def _read_boundaries(path: Path, cells: pd.Index, findings: Findings) -> Boundaries | None:
    found = existing(path, *OUTLINES)
    if not found:
        findings.note(f"{path.name} has no {OUTLINES[0]}: cells have no outlines.")
        return None
    try:
        boundaries, file = first_sound(found, lambda file: read_outlines(file, cells, ID), findings)
    except InputError as error:
        for file in found:
            findings.leave_out("outlines of cells", None, str(error), file.name)
        return None
    findings.find("outlines of cells", len(boundaries.cells), file.name)
    if n_without := len(cells) - len(boundaries.cells):
        findings.note(f"{n_without:,} of {len(cells):,} cells have no outline in {file.name}.")
    return boundaries


def _read_clusters(path: Path, cells: pd.Index, findings: Findings) -> "pd.Categorical[str] | None":
    """Read the instrument's clusters on the graph of cells; others are named."""
    folder = real_folder(path, *CLUSTERINGS)
    if folder is None:
        return None
    others = [
        entry.name for entry in sorted(folder.iterdir()) if entry.is_dir() and entry.name != GRAPH_CLUSTERS
    ]
    if others:
        findings.leave_out(
            "other clusterings", len(others), "those of the graph are kept", f"analysis: {others[0]}"
        )
    file = folder / GRAPH_CLUSTERS / "clusters.csv"
    name = f"{GRAPH_CLUSTERS}/{file.name}"
    if real_folder(folder, GRAPH_CLUSTERS) is None or not existing(file.parent, file.name):
        findings.note(f"analysis holds no {name}: cells have no clusters of the instrument.")
        return None
    try:
        table = read_columns(file, ["Barcode", "Cluster"], text={"Barcode", "Cluster"})
        barcodes, clusters = texts(table["Barcode"]), texts(table["Cluster"])
    except InputError as error:
        findings.leave_out("clusters", None, str(error), name)
        return None
    rows = cells.get_indexer(pd.Index(barcodes))
    if not (rows >= 0).any():
        findings.leave_out("clusters", len(barcodes), "they name none of the cells", name)
        return None
    codes, known = pd.factorize(clusters)
    labels = sorted(range(len(known)), key=lambda i: (len(known[i]), known[i]))  # "2" before "10"
    place = np.argsort(labels)
    found = np.full(len(cells), -1)
    found[rows[rows >= 0]] = place[codes[rows >= 0]]
    n_cells = int((found >= 0).sum())
    findings.find(f"column {CLUSTER!r}", n_cells, name)
    if n_cells < len(cells):
        findings.note(f"{len(cells) - n_cells:,} of {len(cells):,} cells have no cluster in {name}.")
    return pd.Categorical.from_codes(found, categories=pd.Index([str(known[i]) for i in labels]))


READER = Reader("10x Xenium", reads, read, columns)
