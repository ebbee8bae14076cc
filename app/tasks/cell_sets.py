"""Cell sets of areas that take long, and in and out of files. Runs in the worker."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cell_sets import drawn
from app.cell_sets.names import clean_name
from app.cell_sets.store import CellSet, CellSets, Draft
from app.exports.stamp import many
from app.requests import BringIn, TakeArea, WriteSet
from app.tasks.budgets import READING, check_size
from squint.errors import InputError
from squint.formats import qupath, xenium_explorer
from squint.geometry import outlines as shapes
from squint.geometry.outlines import Group, Outline
from squint.io.limits import memory_limit
from squint.library.results import Report
from squint.library.store import Library, Section
from squint.pl import plain

MOST = 50  # sets of one file
_SIMPLY = "Give fewer cells, or draw more simply."


def take_area(library: Library, asked: TakeArea, report: Report) -> str:
    """Make or change a cell set by an area that was drawn; return the set's id."""
    report(0.1, "finding the cells inside")
    section = library.get(asked.section)
    corners = [list(corner) for corner in asked.corners]
    with memory_limit(READING, _SIMPLY):
        made = drawn.take_area(
            library, section, _positions(library, section), corners, mode=asked.mode, chosen=asked.chosen
        )
    return made.id


def write_set(library: Library, asked: WriteSet, report: Report) -> str:
    """Write the cells of a set in a section to a file; return its path."""
    report(0.1, "writing the file")
    section, one = library.get(asked.section), CellSets(library).get(asked.cell_set)
    if asked.form == "geojson":
        text = geojson(library, one, section, asked.pixel_size_um, asked.stamp)
    else:
        text = (cell_groups if asked.form == "groups" else selections)(library, one, section)
    with library.handed_out() as folder:
        path = folder / "cells"
        path.write_text(text)
    return str(path)


def bring_in(library: Library, asked: BringIn, report: Report) -> list[str]:
    """Make cell sets of a file; say what was made, and what was not."""
    report(0.1, "reading the file")
    path = Path(asked.path)
    check_size(path, asked.file)
    with memory_limit(READING, _SIMPLY):
        return make_sets(
            library,
            library.get(asked.section),
            path.read_bytes(),
            asked.file,
            pixel_size_um=asked.pixel_size_um,
            skip_unknown=asked.skip_unknown,
            report=report,
        )


def geojson(
    library: Library,
    cell_set: CellSet,
    section: Section,
    pixel_size_um: float | None = None,
    stamp: Mapping[str, str] | None = None,
) -> str:
    """Write the cells of a set in a section as GeoJSON: its outline, or else the positions of its cells.

    Parameters
    ----------
    library, cell_set, section
        Where, which and of what.
    pixel_size_um
        For QuPath: um per pixel. Without it, in the section's own unit.
    stamp
        For the head of the file.
    """
    unknown = section.unit == "unknown"
    if unknown and pixel_size_um is not None:
        raise InputError(f"The unit of {section.title} is unknown, so it cannot be written in pixels.")
    outline = CellSets(library).outline(cell_set, section.id)
    points = np.empty((0, 2)) if outline else _positions(library, section)[_rows(library, cell_set, section)]
    marked = Outline(cell_set.name, outline, points, cell_set.colour)
    unit = "unknown" if unknown else "um"
    return qupath.write([marked], unit=unit, pixel_size_um=pixel_size_um, stamp=stamp)


def cell_groups(library: Library, cell_set: CellSet, section: Section) -> str:
    """Write the cells of a set in a section as the CSV of cell groups that Xenium Explorer imports."""
    names = library.cells(section.id).index.astype(str).to_numpy()
    cells = tuple(names[_rows(library, cell_set, section)])
    return xenium_explorer.write_groups([Group(cell_set.name, cells, cell_set.colour)])


def selections(library: Library, cell_set: CellSet, section: Section) -> str:
    """Write the outline of a set in a section as the coordinates of a selection of Xenium Explorer.

    Raises
    ------
    InputError
        If it has none, or the section's unit is unknown.
    """
    outline = CellSets(library).outline(cell_set, section.id)
    if not outline or section.unit == "unknown":
        raise InputError(
            f"{cell_set.name} has no outline in um in {section.title}. Take its cells as cell groups instead."
        )
    return xenium_explorer.write_selections([Outline(cell_set.name, outline)])


def make_sets(
    library: Library,
    section: Section,
    content: bytes,
    name: str,
    *,
    pixel_size_um: float | None = None,
    skip_unknown: bool = False,
    report: Report = lambda *_: None,
) -> list[str]:
    """Make a cell set of each name in a file, all in one change.

    Parameters
    ----------
    library, section
        Where, and of what.
    content, name
        The file: GeoJSON, or a CSV of cell groups or of a selection's coordinates.
    pixel_size_um
        um per pixel, for GeoJSON that does not say its unit; 1 where it is in um.
    skip_unknown
        Leave out cells that the section does not have.
    report
        Is told how far the work is; what it raises ends it, and nothing is made.

    Returns
    -------
    What was made, and what was not, a line each.

    Raises
    ------
    InputError
        If the file is none of these, or marks no cell of the section.
    """
    name = Path(name).name[:80]
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["} or name.lower().endswith("json"):
        found: Sequence[Outline | Group] = qupath.read(content, name, pixel_size_um=pixel_size_um)
        origin = qupath.origin(content)
    else:
        found, origin = xenium_explorer.read(content, name), ""
    if len(found) > MOST:
        raise InputError(f"{name} holds {len(found)} names, and at most {MOST} sets are made. Split it.")
    drafts, notes = [], []
    for i, item in enumerate(found):
        report(0.2 + 0.7 * i / len(found), "finding the cells")
        draft, note = _draft(library, section, item, name, skip_unknown=skip_unknown)
        notes.append(note)
        if draft is not None:
            drafts.append(draft)
    if not drafts:
        raise InputError(
            f"{name} marks no cell of {section.title}. {_extents(library, section, found)}Check the section "
            "and the um per pixel."
        )
    made = iter(CellSets(library).make_all(drafts))
    said = [
        f"{next(made).name}: {note}" if note else "An outline that holds no cell was left out"
        for note in notes
    ]
    if origin and section.sha256[:12] not in origin:
        said.append(f"Mind that {name} was made from another section, {plain(origin)[:100]}")
    return said


def _draft(
    library: Library, section: Section, item: Outline | Group, where: str, *, skip_unknown: bool
) -> tuple[Draft | None, str]:
    """Find the cells of a name; say how many they are, or nothing if there are none."""
    how, name = f"from {Path(where).suffix.lower().lstrip('.') or 'a file'}", _name(item.name)
    if isinstance(item, Group):
        names = library.cells(section.id).index.astype(str).tolist()
        rows = shapes.find_cells(item.cells, names, where, skip=skip_unknown)
        n_unknown = len(item.cells) - len(rows)
        note = many(len(rows), "cell") + (f", {n_unknown:,} that are not here left out" if n_unknown else "")
        return Draft(name, {section.id: rows}, {}, how, item.colour or ""), note
    positions = _positions(library, section)
    shapes.check_outline(item.polygons, f"{item.name[:60]} of {where}")
    inside = np.flatnonzero(shapes.inside(item.polygons, positions)).astype(np.uint32)
    clicked, n_far = shapes.at_points(item.points, positions) if len(item.points) else (inside[:0], 0)
    rows = np.union1d(inside, clicked)
    if not len(rows):
        return None, ""
    outlined = {section.id: item.polygons} if item.polygons and not len(clicked) else {}
    note = many(len(rows), "cell") + (f", {many(n_far, 'position')} at no cell left out" if n_far else "")
    return Draft(name, {section.id: rows}, outlined, how, item.colour or ""), note


def _name(name: str) -> str:
    with suppress(InputError):
        return clean_name(name)
    return "Imported"


def _extents(library: Library, section: Section, found: Sequence[Outline | Group]) -> str:
    """Say where outlines and cells lie, so that a wrong unit shows."""
    corners = [ring for o in found if isinstance(o, Outline) for rings in o.polygons for ring in rings]
    points = [o.points for o in found if isinstance(o, Outline) and len(o.points)]
    if not corners and not points:
        return ""
    marked, cells = np.concatenate([*corners, *points]), _positions(library, section)
    return f"It spans {_span(marked)}, and the cells {_span(cells)}. "


def _span(points: NDArray[np.float64]) -> str:
    low, high = points.min(axis=0), points.max(axis=0)
    return f"x {low[0]:.9g} to {high[0]:.9g}, y {low[1]:.9g} to {high[1]:.9g}"


def _positions(library: Library, section: Section) -> NDArray[np.float64]:
    return library.cells(section.id)[["x", "y"]].to_numpy(dtype=np.float64)


def _rows(library: Library, cell_set: CellSet, section: Section) -> NDArray[np.uint32]:
    return CellSets(library).rows(cell_set, section.id)
