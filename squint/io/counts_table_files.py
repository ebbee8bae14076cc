"""Which files of a folder are a table of counts, and which one says where its cells lie."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError
from squint.io import tenx
from squint.io.delimited import Start, is_table, start_of, stem
from squint.io.positions import find_columns

MIN_FEATURES = 5  # columns of values from which a table of numbers is one of counts
MAX_COLUMNS = 200  # of a table of positions
MAX_TABLES = 60  # in a folder, to look into
TYPES_ROW = "type"  # in small letters, begins the second line in files of the Single Cell Portal
TRANSCRIPTS = re.compile(
    r"(.*[_-])?(detected_)?transcripts(\.\w+)*\.(csv|csv\.gz|parquet|zarr|zip)|(.*_)?tx_file\.csv(\.gz)?",
    re.IGNORECASE,
)
VISIUM = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
MEX = {*tenx.MATRIX, *tenx.BARCODES, *tenx.FEATURES}


class Positions(NamedTuple):
    """A table of positions."""

    path: Path
    names: list[str]  # of its columns
    n_header: int  # lines before the first cell
    delimiter: str


class Pair(NamedTuple):
    """Counts, and where their cells lie."""

    name: str
    counts: Path
    positions: Positions
    is_shared: bool  # whether the positions are also those of other tables of counts


class Tables(NamedTuple):
    """What a folder holds."""

    counts: list[Path]
    positions: list[Positions]
    values: list[Path]  # of numbers that are no counts
    others: list[Path]
    unreadable: list[Path]


def look(folder: Path) -> Tables:
    """Sort the tables in a folder by what their first two lines show."""
    found = Tables([], [], [], [], [])
    starts: dict[Path, Start] = {}
    for path in _tables(folder):
        try:
            starts[path] = start_of(path)
        except InputError:
            found.unreadable.append(path)
    for path, start in starts.items():
        _sort_in(path, start, found)
    if not found.counts:
        found.counts.extend(_matrices(folder))
    if len(found.counts) == len(found.others) == 1 and not found.positions:
        start = starts[found.others[0]]
        if sum(map(_is_number, start.second)) >= 2:  # positions, perhaps, under names that are not known
            found.positions.append(Positions(found.others.pop(), start.first, 1, start.delimiter))
    return found


def _sort_in(path: Path, start: Start, found: Tables) -> None:
    if not start.second and not start.first[1:]:  # one line, and no columns: a file of text, if anything
        (found.others if any(start.first) else found.unreadable).append(path)
    elif not start.second:
        found.unreadable.append(path)
    elif (positions := _as_positions(path, start)) is not None:
        found.positions.append(positions)
    elif not _is_wide(start):
        found.others.append(path)
    elif _are_whole(start.second[1:]):
        found.counts.append(path)
    else:
        found.values.append(path)


def pairs_in(tables: Tables) -> list[Pair]:
    """Put counts and positions together: the only ones, or those whose names are most alike.

    Returns
    -------
    The pairs; none where it is not clear which belongs to which.
    """
    counts, positions = tables.counts, tables.positions
    if not counts or not positions:
        return []
    if len(positions) == 1:
        return [Pair(stem(path), path, positions[0], len(counts) > 1) for path in counts]
    pairs = []
    for path in counts:
        alike = [_alike(stem(path), stem(other.path)) for other in positions]
        if alike.count(max(alike)) > 1:
            return []
        pairs.append(Pair(stem(path), path, positions[alike.index(max(alike))], is_shared=False))
    return pairs if len({pair.positions.path for pair in pairs}) == len(pairs) else []


def _tables(folder: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except (OSError, ValueError):
        return []
    found = [folder / name for name in names if not name.startswith(".") and name not in MEX]
    found = [path for path in found if is_table(path) and not TRANSCRIPTS.fullmatch(path.name)]
    tables = [path for path in found if path.is_file() and not path.is_symlink()]
    return tables if len(tables) <= MAX_TABLES else []


def _matrices(folder: Path) -> list[Path]:
    """List matrices of 10x Genomics: HDF5 files, or the folder itself or one in it with Matrix Market."""
    try:
        inside = sorted(
            path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_symlink()
        )
    except OSError:
        return []
    folders = [path for path in (folder, *inside) if path.is_dir()]
    return [
        *(path for path in inside if path.suffix.lower() == ".h5" and path.is_file()),
        *(path for path in folders if any((path / name).is_file() for name in tenx.MATRIX)),
    ]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _are_numbers(texts: Sequence[str]) -> bool:
    return all(map(_is_number, texts))


def _are_whole(texts: Sequence[str]) -> bool:
    return all(float(text) >= 0 and float(text) % 1 == 0 for text in texts)


def _is_wide(start: Start) -> bool:
    """Say whether there is a header, and below it a name and numbers."""
    first, second = start.first, start.second
    if _are_numbers(first[1:]) and len(set(first)) < len(first):  # numbers may name cells, but each another
        return False
    fits = len(second) in {len(first), len(first) + 1}  # R writes no name above the names of rows
    return (
        fits
        and len(second) > MIN_FEATURES
        and _are_numbers(second[1:])
        and not _are_numbers([*first, *second])
    )


def _as_positions(path: Path, start: Start) -> Positions | None:
    names = _names_without_header(path, start)
    if names is not None:
        return Positions(path, names, 0, start.delimiter)
    first, second = start.first, start.second
    names = ["", *first] if len(second) == len(first) + 1 else [*first]
    try:
        columns, _ = find_columns(names if len(names) <= MAX_COLUMNS else [], {})
    except InputError:
        return None
    if second[0].strip().lower() == TYPES_ROW:
        return Positions(path, names, 2, start.delimiter)
    values = (
        [second[names.index(column)] for column in columns.values()] if len(second) == len(names) else [""]
    )
    return Positions(path, names, 1, start.delimiter) if _are_numbers(values) else None


def _names_without_header(path: Path, start: Start) -> list[str] | None:
    """Name the columns of positions without a header; None where there is one, or they are no positions."""
    first, second = start.first, start.second
    if len(first) != len(second) or not _are_numbers([*first[1:], *second[1:]]):
        return None
    if path.name.startswith("tissue_positions") and len(first) == len(VISIUM):
        return [*VISIUM]
    named = not _is_number(first[0])
    return ["name", "x", "y"][not named :] if len(first) == 2 + named else None


def _alike(name: str, other: str) -> int:
    """Count the letters that two names share at their beginnings and ends."""
    n_first = _shared(name, other)
    return n_first + _shared(name[n_first:][::-1], other[n_first:][::-1])


def _shared(name: str, other: str) -> int:
    pairs = enumerate(zip(name, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(name), len(other)))
