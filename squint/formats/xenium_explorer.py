"""Tables that Xenium Explorer imports and exports: cell groups, and the coordinates of selections."""

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
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

MAX_ROWS = 1_500_000  # of a file: a slide of Xenium has up to a million cells


def read_groups(content: bytes, name: str) -> list[Group]:
    """Read cell groups from a CSV of Xenium Explorer.

    Parameters
    ----------
    content
        Columns ``cell_id`` and ``group``, and ``color`` (``#rrggbb``) if there is one; or ``Cell ID`` without
        groups, as the statistics of a selection are downloaded: one group, named in the head of the file.
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
    rows, titles, comments = table
    at_cell, at_group, at_colour = (_column(titles, *known) for known in _GROUP_TITLES)
    if at_cell is None:
        raise InputError(f"{name} has no column cell_id. Write cell_id,group in the first line.")
    alone = _named_in(comments) or Path(name).stem
    cells: dict[str, list[str]] = {}
    colours: dict[str, str | None] = {}
    for _, row in rows:
        cell, group = row[at_cell], alone if at_group is None else row[at_group]
        if cell and group:
            cells.setdefault(_plain(group), []).append(_plain(cell))
            colour = None if at_colour is None else hex_of(row[at_colour])
            colours[_plain(group)] = colours.get(_plain(group)) or colour
    if not cells:
        raise InputError(f"{name} names no cell with a group. Write one cell_id,group per line.")
    if len(cells) > MAX_FEATURES:
        raise InputError(f"{name} has more than {MAX_FEATURES:,} groups. Keep those that you need.")
    return [Group(group, tuple(dict.fromkeys(ids)), colours[group]) for group, ids in cells.items()]


_GROUP_TITLES = (("cell_id", "cell id", "barcode"), ("group", "cluster"), ("color", "colour"))


def write_groups(groups: Iterable[Group], text: Callable[[str], str] = str) -> str:
    """Write cell groups as the CSV that Xenium Explorer imports: ``cell_id,group,color``.

    Parameters
    ----------
    groups
        Of cells named as in the Xenium output.
    text
        What is done to each name on its way out, such as to keep spreadsheets from computing it.

    Returns
    -------
    The content of the file.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["cell_id", "group", "color"])
    for group in groups:
        name = text(group.name)
        writer.writerows([text(cell), name, group.colour or ""] for cell in group.cells)
    return file.getvalue()


def read_selections(content: bytes, name: str) -> list[Outline]:
    """Read outlines, in um, from the coordinates of selections that Xenium Explorer exports.

    Parameters
    ----------
    content
        Lines beginning with ``#``; then the columns ``X`` and ``Y`` in um, and ``Selection`` where there may
        be several, with ``Color`` in later versions.
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
    rows, titles, comments = table
    at_x, at_y, at_name, at_colour = (_column(titles, *known) for known in _SELECTION_TITLES)
    if at_x is None or at_y is None:
        raise InputError(f"{name} has no columns X and Y. Export the selection's coordinates once more.")
    alone = _named_in(comments) or Path(name).stem
    corners: dict[str, list[list[float]]] = {}
    colours: dict[str, str | None] = {}
    for line, row in rows:
        label = _plain((row[at_name] if at_name is not None else "") or alone)
        corners.setdefault(label, []).append(
            [_number(row[at], f"Line {line} of {name}") for at in (at_x, at_y)]
        )
        colours.setdefault(label, None if at_colour is None else hex_of(row[at_colour]))
    if not corners:
        raise InputError(f"{name} has no corners. Export the selection's coordinates once more.")
    if len(corners) > MAX_FEATURES or len(rows) > MAX_CORNERS:
        raise InputError(
            f"{name} is too large: {len(corners):,} selections, {len(rows):,} corners. Split it."
        )
    return [
        Outline(label, ((as_ring(ring, f"Selection {label[:60]!r} of {name}"),),), colour=colours[label])
        for label, ring in corners.items()
    ]


_SELECTION_TITLES = (("x",), ("y",), ("selection",), ("color", "colour"))


def write_selections(outlines: Sequence[Outline], text: Callable[[str], str] = str) -> str:
    """Write outlines, in um, as the coordinates of selections in Xenium Explorer's form.

    A selection is one ring. So each polygon is a selection of its own, and a hole is cut to its border by a
    line there and back, which by either rule of filling holds no area.

    Parameters
    ----------
    outlines
        With polygons; positions are left out.
    text
        What is done to each name on its way out, such as to keep spreadsheets from computing it.

    Returns
    -------
    The content of the file.
    """
    rings = [
        (" ".join(text(name).replace(",", " ").split()), _one_ring(polygon), area([polygon]))
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
    ring = [border]
    for hole in holes:
        other_way = hole[::-1] if _runs_as(hole, border) else hole
        ring += [border[:1], other_way, other_way[:1], border[:1]]
    return np.concatenate(ring)


def _runs_as(one: Floats, other: Floats) -> bool:
    """Say whether two rings run the same way round."""

    def turn(ring: Floats) -> float:
        x, y = ring.T
        return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))

    return (turn(one) > 0) == (turn(other) > 0)


class _Table(NamedTuple):
    rows: list[tuple[int, list[str]]]  # numbers of lines, and fields: at least as many as there are titles
    titles: list[str]  # in small letters
    comments: list[str]


def _table(content: bytes, name: str) -> _Table:
    """Split a CSV into rows, titles and comments."""
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the cells that you need.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8.") from error
    if text.count("\n") > MAX_ROWS:
        raise InputError(f"{name} has more than {MAX_ROWS:,} rows. Keep the cells that you need.")
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8.")
    lines = [(at, line) for at, line in enumerate(text.splitlines(), start=1) if line.strip()]
    comments = [line for _, line in lines if line.startswith("#")]
    lines = [(at, line) for at, line in lines if not line.startswith("#")]
    if not lines:
        raise InputError(f"{name} is empty. Export it from Xenium Explorer once more.")
    separator = max(",;\t", key=lines[0][1].count)
    try:
        split = [next(csv.reader([line], delimiter=separator)) for _, line in lines]
    except csv.Error as error:
        raise InputError(f"{name} is no table: {error}. Save it as CSV UTF-8.") from error
    titles = [title.strip().lower() for title in split[0]]
    rows = [
        (at, [field.strip() for field in row] + [""] * (len(titles) - len(row)))
        for (at, _), row in zip(lines[1:], split[1:], strict=True)
        if any(field.strip() for field in row)
    ]
    return _Table(rows, titles, comments)


def _column(titles: Sequence[str], *known: str) -> int | None:
    return next((at for at, title in enumerate(titles) if title in known), None)


def _named_in(comments: Sequence[str]) -> str:
    """Find the name of a selection in the comments of a file."""
    found = (re.match(r"#\s*Selection name:\s*(.+?)[\s,;]*$", line, re.IGNORECASE) for line in comments)
    return next((match[1] for match in found if match), "")


def _plain(field: str) -> str:
    """Take off the apostrophe that keeps spreadsheets from computing a field."""
    return field[1:] if re.match(r"'[=+\-@\t\r]", field) else field


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
