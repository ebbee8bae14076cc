"""Read the output folder of Vizgen's MERSCOPE, as its instrument or its post-processing tool wrote it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from squint import keys
from squint.errors import InputError
from squint.io.content import Asked, Content, Reader
from squint.io.counts_csv import columns_of, read_counts_csv
from squint.io.findings import Findings, choose
from squint.io.merscope_outlines import read_outlines
from squint.io.merscope_pictures import find_pictures
from squint.io.positions import find_columns
from squint.io.text_tables import read_table

COUNTS, CELLS, TRANSCRIPTS = "cell_by_gene.csv", "cell_metadata.csv", "detected_transcripts.csv"
CLUSTERS = ("cell_categories.csv", "cell_clusters.csv", "clusters.csv")
CLUSTER = "cluster"  # column of cells
ID_COLUMNS = ("EntityID", "cell", "cell_id", "", "X", "Unnamed: 0")  # the first that is there counts
ROW_NAMES = {"", "X", "Unnamed: 0"}  # no feature where it is the first column
EXTENTS = ("min_x", "min_y", "min_z", "max_x", "max_y", "max_z")
CENTRES = {"x": "center_x", "y": "center_y"}
NO_PREFIX = "no prefix"


class _Files(NamedTuple):
    """The two tables that a run consists of, and what their names begin with."""

    counts: Path
    cells: Path
    prefix: str


def reads(path: Path) -> bool:
    """Say whether a folder holds a table of counts or of cells with Vizgen's names, or transcripts alone."""
    names = _names(path)
    if any(_is(name, COUNTS) for name in names):
        return True
    cells = [path / name for name in names if _is(name, CELLS)]
    if cells:  # others call their tables so too
        return any(_has_centres(table) for table in cells)
    below = (name for name in names for name in _names(path / name))
    has_transcripts = any(_is(name, TRANSCRIPTS) for name in names)
    return has_transcripts and not any(_is(name, COUNTS) or _is(name, CELLS) for name in below)


def read(path: Path, asked: Asked) -> Content:
    """Read counts, cells, outlines and where pictures lie.

    Parameters
    ----------
    path
        The folder.
    asked
        What the user says; of several runs in the folder, told apart by what file names begin with, ``part``
        names one.

    Returns
    -------
    The content, in micrometres.

    Raises
    ------
    InputError
        If a table is missing, damaged, or the tables have not the same cells.
    AskedError
        If there are several runs.
    """
    findings = Findings()
    files = _choose_files(path, asked.part or asked.answers.section, findings)
    columns = columns_of(files.counts)
    key = _id_column(columns)
    table = read_counts_csv(
        files.counts, [key, *(name for name in columns[:1] if name in ROW_NAMES - {key})], asked.scratch
    )
    ids = _unique(table.ids[key], files.counts.name)
    findings.find("cells", len(ids), files.cells.name)
    findings.find("features", len(table.features), files.counts.name)
    obs = _read_cells(files, ids, findings)
    spatial, obs = _positions(obs, files.cells.name, asked.answers.columns)
    obs = _with_clusters(obs, path, files.prefix, findings)
    return Content(
        counts=table.counts,
        obs=obs,
        var=pd.DataFrame(index=pd.Index(table.features, dtype=object)),
        obsm={keys.SPATIAL: spatial},
        um_per_unit=1.0,
        assay="MERSCOPE",
        counts_file=files.counts.name,
        names=sorted(_names(path)),
        findings=findings,
        boundaries=read_outlines(path, files.prefix, ids, findings),
        pictures=find_pictures(path, files.prefix, findings),
    )


def columns(path: Path) -> list[str]:
    """List the columns of the table of cells; none where it is not known which table."""
    tables = [path / name for name in _names(path) if _is(name, CELLS)]
    if len(tables) != 1:
        return []
    found = columns_of(tables[0])
    return [name for name in found if name != _id_column(found) and name not in EXTENTS]


def _names(folder: Path) -> list[str]:
    """List what is in a folder; nothing where it is none, or may not be read."""
    try:
        return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except (OSError, ValueError):
        return []


def _is(name: str, kind: str) -> bool:
    return name.lower().endswith((kind, f"{kind}.gz"))


def _prefix(name: str, kind: str) -> str:
    return name[: name.lower().rindex(kind)]


def _has_centres(table: Path) -> bool:
    try:
        return CENTRES["x"] in columns_of(table)
    except InputError:
        return True  # broken, so that who reads it says why


def parts(path: Path) -> list[str]:
    """Name the runs whose tables lie side by side in a folder, by what file names begin with."""
    found = [[_prefix(name, kind) for name in _names(path) if _is(name, kind)] for kind in (COUNTS, CELLS)]
    if max(len(set(prefixes)) for prefixes in found) < 2:
        return []
    return list(_labels(found[0] + found[1]))


def _labels(prefixes: Iterable[str]) -> dict[str, str]:
    return {prefix.rstrip("_-. ") or NO_PREFIX: prefix for prefix in sorted(set(prefixes))}


def _choose_files(path: Path, part: str | None, findings: Findings) -> _Files:
    """Find the two tables of one run."""
    found = {kind: _by_prefix(path, kind, findings) for kind in (COUNTS, CELLS)}
    for kind, tables in found.items():
        if not tables:
            there = next((t.name for other in found.values() for t in other.values()), TRANSCRIPTS)
            raise InputError(
                f"{path.name} holds {there}, but no {kind}. Copy it from the run's output folder."
            )
    counts, cells = found.values()
    if len(counts) == len(cells) == 1:
        (prefix, counts_file), (cells_file,) = *counts.items(), cells.values()
        return _Files(counts_file, cells_file, prefix)
    prefixes = _labels([*counts, *cells])
    words = "The tables of several runs lie in this folder."
    prefix = prefixes[choose("section", part, words, list(prefixes), path.name)]
    for kind, tables in found.items():
        if prefix not in tables:
            raise InputError(f"{path.name} has no {prefix}{kind}. Copy it from the run's output folder.")
    return _Files(counts[prefix], cells[prefix], prefix)


def _by_prefix(path: Path, kind: str, findings: Findings) -> dict[str, Path]:
    """Find the tables of one kind by what stands before it in their names."""
    tables: dict[str, Path] = {}
    for name in sorted(name for name in _names(path) if _is(name, kind)):  # plain before gzipped
        prefix = _prefix(name, kind)
        if prefix in tables:
            findings.leave_out(name, None, f"{tables[prefix].name} is used", name)
            continue
        if (path / name).is_symlink():
            raise InputError(f"{name} is a link. Put the file itself into the folder.")
        tables[prefix] = path / name
    return tables


def _id_column(columns: Sequence[str]) -> str:
    return next((name for name in ID_COLUMNS if name in columns), columns[0])


def _unique(ids: Iterable[str], file: str) -> pd.Index:
    index = pd.Index(list(ids), dtype=object)
    if not index.is_unique:
        twice = index[index.duplicated()]
        raise InputError(
            f"{file}: {len(twice):,} cells have the id of another, the first {twice[0]!r}. Copy it again."
        )
    return index


def _read_cells(files: _Files, ids: pd.Index, findings: Findings) -> pd.DataFrame:
    """Read the table of cells, in the order of the counts."""
    file = files.cells.name
    header = columns_of(files.cells)
    key = _id_column(header)
    extents = [name for name in EXTENTS if name in header]
    others = [name for name in header[:1] if name in ROW_NAMES and name != key]
    table = read_table(files.cells, [key], [*extents, *others])
    names = _unique(table.pop(key), file)
    at = names.get_indexer(ids)
    n_shared = int((at >= 0).sum())
    if not len(ids) == len(names) == n_shared:
        raise InputError(
            f"{files.counts.name} has {len(ids):,} cells and {file} {len(names):,}, {n_shared:,} of them in "
            "both: they are incomplete or of different runs. Copy both again from one output folder."
        )
    if extents:
        findings.leave_out(f"columns {', '.join(extents)}", None, "squint does not use extents", file)
    for name in table.columns[table.isna().all()]:
        findings.leave_out(f"column {name!r}", None, "it is empty in all rows", file)
        del table[name]
    return table.take(at).set_axis(ids)


def _positions(
    obs: pd.DataFrame, file: str, chosen: Mapping[str, str]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], pd.DataFrame]:
    """Take the positions of cells out of their table."""
    try:
        found, _ = find_columns(list(obs.columns), CENTRES | dict(chosen))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    x_and_y = obs[[found["x"], found["y"]]]
    for name in x_and_y:
        if not pd.api.types.is_numeric_dtype(obs[name].dtype):
            raise InputError(
                f"{file}: column {name!r} holds text where positions are expected. Copy it again."
            )
    spatial = x_and_y.to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(spatial).all(axis=1))
    if len(bad):
        raise InputError(
            f"{file}: {len(bad):,} cells have no position, the first {obs.index[bad[0]]!r}. Copy it again."
        )
    return spatial, obs.drop(columns=list(x_and_y))


def _with_clusters(obs: pd.DataFrame, path: Path, prefix: str, findings: Findings) -> pd.DataFrame:
    """Add the clusters of cells, if there is a table of them."""
    names = [f"{start}{name}{end}" for name in CLUSTERS for start in (prefix, "") for end in ("", ".gz")]
    file = next((path / name for name in names if (path / name).is_file()), None)
    if file is None or file.is_symlink():
        return obs
    try:
        labels = _read_clusters(file)
    except InputError as error:
        findings.leave_out("clusters of cells", None, str(error).rstrip("."), file.name)
        return obs
    known = labels.index.isin(obs.index)
    findings.find("clusters of cells", int(known.sum()), file.name)
    if not known.all():
        findings.leave_out("clusters", int((~known).sum()), "of cells without counts", file.name)
    return obs.assign(**{CLUSTER: pd.Categorical(labels.reindex(obs.index))}) if known.any() else obs


def _read_clusters(file: Path) -> pd.Series:
    """Read the first column beside the ids, as text."""
    header = columns_of(file)
    key = _id_column(header)
    column = next((name for name in header if name not in {key, *ROW_NAMES}), None)
    if column is None:
        raise InputError("It has no column of clusters.")
    table = read_table(file, header)
    labels = pd.Series(table[column].to_numpy(), index=_unique(table[key], file.name))
    return labels.where(labels != "")


READER = Reader("Vizgen's MERSCOPE", reads, read, columns, parts=parts, asks_part=True)
