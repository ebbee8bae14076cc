"""Tables that Xenium Explorer imports and exports: cell groups, and the coordinates of selections."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from squint.bounds import FARTHEST
from squint.errors import InputError
from squint.geometry.outlines import (
    MAX_BYTES,
    MAX_CORNERS,
    MAX_FEATURES,
    Floats,
    Group,
    Outline,
    Polygon,
    area,
    as_ring,
    closed,
    hex_of,
)
from squint.parsing import read_lines
from squint.spreadsheet import neutral, restored

MAX_ROWS = 1_500_000  # of a file: a slide of Xenium has up to a million cells
MAX_COLUMNS = 200  # of a file: those of 10x have three to five
MAX_COMMENTS = 1_000  # lines
MAX_NAME = 200  # characters
_MISSING = {"", "na", "n/a", "nan", "none", "null", "<na>"}  # as groups, of cells that have none


def read_groups(content: bytes, name: str) -> list[Group]:
    """Read cell groups from a CSV of Xenium Explorer.

    Parameters
    ----------
    content
        Columns ``cell_id`` and ``group``, and ``color`` (``#rrggbb``) if there is one; cells whose group is
        missing, as ``NaN`` or blank, are in none. Or ``Cell ID`` without groups, as the statistics of a
        selection are downloaded: one group, named in the head of the file.
    name
        Of the file.

    Returns
    -------
    The groups, in order of appearance.

    Raises
    ------
    InputError
        If it is no such table, or names no cell.

    References
    ----------
    10x Genomics publishes ``*_cell_groups.csv`` with ``cell_id,group,color`` beside its data sets, such as
    ``Xenium_Prime_Ovarian_Cancer_FFPE_XRrun_cell_groups.csv``.
    """
    return _groups(_table(content, name), name)


def _groups(table: "_Table", name: str) -> list[Group]:
    titles, comments = table.titles, table.comments
    at_cell, at_group, at_colour = (_column(titles, *known) for known in _GROUP_TITLES)
    if at_cell is None:
        raise InputError(f"{name} has no column cell_id. Write cell_id,group in the first line.")
    alone = _named_in(comments) or Path(name).stem
    cells: dict[str, list[str]] = {}
    colours: dict[str, str | None] = {}
    for line, row in table.rows:
        cell = _field(row, at_cell)
        group = _name(alone if at_group is None else _field(row, at_group), f"Line {line} of {name}")
        if cell and (at_group is None or group.lower() not in _MISSING):
            cells.setdefault(group, []).append(restored(cell))
            colours[group] = colours.get(group) or hex_of(_field(row, at_colour))
            if len(cells) > MAX_FEATURES:
                raise InputError(f"{name} has more than {MAX_FEATURES:,} groups. Keep those that you need.")
    if not cells:
        raise InputError(f"{name} names no cell with a group. Write one cell_id,group per line.")
    return [Group(group, tuple(dict.fromkeys(ids)), colours[group]) for group, ids in cells.items()]


_GROUP_TITLES = (("cell_id", "cell id", "barcode"), ("group", "cluster"), ("color", "colour"))


def write_groups(groups: Iterable[Group]) -> str:
    """Write cell groups as the CSV that Xenium Explorer imports: ``cell_id,group,color``.

    Names are kept from being computed by spreadsheets, as :func:`squint.spreadsheet.neutral` does.

    Parameters
    ----------
    groups
        Of cells named as in the Xenium output.

    Returns
    -------
    The content of the file.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["cell_id", "group", "color"])
    for group in groups:
        name = neutral(group.name)
        writer.writerows([neutral(cell), name, group.colour or ""] for cell in group.cells)
    return file.getvalue()


def read_selections(content: bytes, name: str) -> list[Outline]:
    """Read outlines, in um, from the coordinates of selections that Xenium Explorer exports.

    Parameters
    ----------
    content
        Lines beginning with ``#``; then the columns ``X`` and ``Y`` in um, and ``Selection`` where there may
        be several, with ``Color`` in later versions. A corner that repeats the first one ends a ring; what
        follows under the same name is a further ring.
    name
        Of the file.

    Returns
    -------
    The outlines, in order of appearance.

    Raises
    ------
    InputError
        If it is no such table, or a selection has fewer than three corners.

    References
    ----------
    ``spatialdata_io.xenium_explorer_selection`` (scverse/spatialdata-io, pull requests 106 and 136): two
    lines are skipped, ``#Selection name: ...`` and ``#Area (µm^2): ...`` or their plurals; a file of one
    selection may lack the column.
    """
    return _selections(_table(content, name), name)


def _selections(table: "_Table", name: str) -> list[Outline]:
    titles, comments = table.titles, table.comments
    at_x, at_y, at_name, at_colour = (_column(titles, *known) for known in _SELECTION_TITLES)
    if at_x is None or at_y is None:
        raise InputError(f"{name} has no columns X and Y. Export the selection's coordinates once more.")
    alone = _named_in(comments) or Path(name).stem
    rings: dict[str, list[list[list[float]]]] = {}
    colours: dict[str, str | None] = {}
    n_corners, before = 0, ""
    for line, row in table.rows:
        where = f"Line {line} of {name}"
        label = _name(_field(row, at_name) or alone, where)
        own = rings.setdefault(label, [[]])
        if _is_closed(own[-1]) or (own[-1] and label != before):
            own.append([])
        own[-1].append([_number(_field(row, at), where) for at in (at_x, at_y)])
        colours.setdefault(label, hex_of(_field(row, at_colour)))
        n_corners, before = n_corners + 1, label
        if len(rings) > MAX_FEATURES or n_corners > MAX_CORNERS:
            raise InputError(
                f"{name} has more than {MAX_FEATURES:,} selections or {MAX_CORNERS:,} corners. Split it."
            )
    if not rings:
        raise InputError(f"{name} has no corners. Export the selection's coordinates once more.")
    return [
        Outline(
            label,
            tuple((as_ring(ring, f"Selection {label[:60]!r} of {name}"),) for ring in own),
            colour=colours[label],
        )
        for label, own in rings.items()
    ]


def _is_closed(ring: Sequence[Sequence[float]]) -> bool:
    return len(ring) > 3 and ring[0] == ring[-1]


_SELECTION_TITLES = (("x",), ("y",), ("selection",), ("color", "colour"))


def write_selections(outlines: Sequence[Outline]) -> str:
    """Write outlines, in um, as the coordinates of selections in Xenium Explorer's form.

    A selection is one ring. So each polygon is a selection of its own, and a hole is cut to its border by a
    line there and back, which by either rule of filling holds no area. A ring begins at a corner that it
    passes once, as one that comes back to its first corner ends there.

    Parameters
    ----------
    outlines
        With polygons; positions are left out.

    Returns
    -------
    The content of the file.

    Raises
    ------
    InputError
        If a polygon passes all its corners twice.
    """
    rings = [
        (" ".join(neutral(name).replace(",", " ").split()), _one_ring(polygon), area([polygon]))
        for outline in outlines
        for name, polygon in _each(outline)
    ]
    s = "" if len(rings) == 1 else "s"
    file = StringIO()
    file.write(f"#Selection name{s}: {', '.join(name for name, _, _ in rings)}\n")
    file.write(f"#Area{s} (µm^2): {', '.join(f'{size:.2f}' for _, _, size in rings)}\n")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["Selection", "X", "Y"])
    for name, ring, _ in rings:
        writer.writerows([name, x, y] for x, y in closed(ring))
    return file.getvalue()


def _each(outline: Outline) -> Iterator[tuple[str, Polygon]]:
    """Name the polygons of an outline apart."""
    for number, polygon in enumerate(outline.polygons, start=1):
        yield (outline.name if number == 1 else f"{outline.name} ({number})"), polygon


def _one_ring(polygon: Polygon) -> Floats:
    border, *holes = polygon
    times = Counter(map(tuple, np.concatenate(polygon).tolist()))
    once = next((at for at, corner in enumerate(border.tolist()) if times[tuple(corner)] == 1), None)
    if once is None:
        raise InputError("The outline passes each of its corners twice. Save it as GeoJSON instead.")
    border = np.roll(border, -once, axis=0)
    ring = [border]
    for hole in holes:
        other_way = hole[::-1] if _runs_as(hole, border) else hole
        ring += [other_way, other_way[:1], border[-1:]]
    return np.concatenate(ring)


def _runs_as(one: Floats, other: Floats) -> bool:
    """Say whether two rings run the same way round."""

    def turn(ring: Floats) -> float:
        x, y = ring.T
        return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))

    return (turn(one) > 0) == (turn(other) > 0)


class _Table(NamedTuple):
    rows: Iterator[tuple[int, list[str]]]  # numbers of lines, and fields; read while they are asked for
    titles: list[str]  # in small letters
    comments: list[str]


def _table(content: bytes, name: str) -> _Table:
    """Read the titles of a CSV and what stands above them; its rows follow one by one."""
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the cells that you need.")
    lines = read_lines(content, name, most=MAX_ROWS)
    comments = []
    for _, line in lines:
        if not line.startswith("#"):
            break
        comments.append(line)
        if len(comments) > MAX_COMMENTS:
            raise InputError(f"{name} begins with more than {MAX_COMMENTS:,} comments. Export it once more.")
    else:
        raise InputError(f"{name} is empty. Export it from Xenium Explorer once more.")
    separator = max(",;\t", key=line.count)
    titles = [title.lower() for title in _fields(line, separator, name)]
    rows = ((at, _fields(line, separator, name)) for at, line in lines if not line.startswith("#"))
    return _Table((row for row in rows if any(row[1])), titles, comments)


def _fields(line: str, separator: str, name: str) -> list[str]:
    if line.count(separator) >= MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns. Keep those that you need.")
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator))]
    except csv.Error as error:
        raise InputError(f"{name} is no table: {error}. Save it as CSV UTF-8.") from error


def _field(row: Sequence[str], at: int | None) -> str:
    return row[at] if at is not None and at < len(row) else ""


def _name(field: str, where: str) -> str:
    """Give the name of a group or selection as it was before it was kept from spreadsheets."""
    if len(field) > MAX_NAME:
        raise InputError(f"{where} has a name of more than {MAX_NAME} characters. Shorten it.")
    return restored(field)


def _column(titles: Sequence[str], *known: str) -> int | None:
    return next((at for at, title in enumerate(titles) if title in known), None)


def _named_in(comments: Sequence[str]) -> str:
    """Find the name of a selection in the comments of a file."""
    found = (re.match(r"#\s*Selection name:\s*(.+?)[\s,;]*$", line, re.IGNORECASE) for line in comments)
    return next((match[1][:MAX_NAME] for match in found if match), "")


def _number(field: str, where: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not abs(value) <= FARTHEST:
        raise InputError(
            f"{where} has {field[:40]!r} where a coordinate should be. Correct it, or export again."
        )
    return value


def read(content: bytes, name: str) -> list[Group] | list[Outline]:
    """Read whichever of the two a file holds, by its titles.

    Parameters
    ----------
    content
        As for :func:`read_groups`, or as for :func:`read_selections`.
    name
        Of the file.

    Returns
    -------
    Groups or outlines, in order of appearance.

    Raises
    ------
    InputError
        If it is neither, or as :func:`read_groups` and :func:`read_selections` do.
    """
    table = _table(content, name)
    if _column(table.titles, *_GROUP_TITLES[0]) is not None:
        return _groups(table, name)
    if {"x", "y"} <= set(table.titles):
        return _selections(table, name)
    raise InputError(
        f"{name} has neither the columns cell_id,group nor X,Y in its first line. Use a CSV of cell groups "
        "or of a selection's coordinates, as Xenium Explorer has them, or GeoJSON from QuPath."
    )
