"""What the map in the browser is told: little on the socket, and where to fetch the rest."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.cell_sets.store import CellSet, CellSets
from app.maps import contract, tables
from app.maps.views import MapView
from app.web.buffers import BUFFERS, SIGNER
from app.web.kept import Kept
from squint.errors import InputError
from squint.geometry.outlines import Polygon
from squint.library.boundary_tiles import has_boundaries
from squint.library.place import project_of, word_of
from squint.library.points import Order, progressive_order
from squint.library.store import PLACES, Library, Section
from squint.library.transcripts import Spots
from squint.pl import Categories, Continuous, Panel, Style, frames_of, spacing
from squint.pl import palette as palette_of
from squint.pl._captions import count
from squint.pl._frame import grid

_NUMBER_TYPES: Mapping[str, contract.NumberType] = {"uint8": "u1", "uint16": "u2", "float32": "f4"}
REST, MISSING = 254, 255  # codes of labels that are not highlighted, and of cells without one
_NO_NUMBER = float(np.float32(-3.4e38))  # NaN would be at the mercy of graphics drivers
Sign = Callable[[str], str]  # gives the address of a path
_At = Callable[[str], contract.Address]  # says where a buffer is, by its name
_DISC = 1.7  # diameter of a cell, in distances between nearest cells: tissue looks filled


def describe(
    library: Library,
    view: MapView,
    style: Style,
    stack: "Stack | None" = None,
    pictures: Sequence[contract.Picture | None] = (),
    sign: Sign = SIGNER.sign,
) -> tuple[contract.Described, tuple[Order, ...]]:
    """Describe a map for the browser.

    Parameters
    ----------
    library, view, style
        What is shown, and in the colours of which page.
    stack
        How the panels lie above each other, to draw them in three dimensions.
    pictures
        Per panel, what lies under its cells.
    sign
        Makes an address of a path for the browser that is told; by default for one without a name.

    Returns
    -------
    JSON with addresses of what is large, and per panel the order (n,) in which its cells are sent.
    """
    panels: list[contract.Panel] = []
    orders = []
    colours, at = view.gene_colours(style), partial(_address, word_of(project_of(library.home)), sign)
    drawn = outlines_in(library, view.sections) if view.whole and not stack else []
    for i, (panel, frame) in enumerate(zip(view.panels, frames_of(view.panels), strict=True)):
        section = view.sections[i] if view.whole else None
        place = _place(library, section, panel.coordinates[:, :2])
        orders.append(place.order)
        panels.append(
            {
                "title": panel.title,
                "said": count(panel),
                "n": len(panel.coordinates),
                "unit": panel.unit,
                "origin": place.origin,
                "frame": (frame.left, frame.top, frame.width, frame.height),
                "diameter": _DISC * place.spacing or frame.width / 20,  # cells at one point have no spacing
                "points": at(place.name),
                "values": _values(panel, view.scale, place.order, at),
                "predicted": _bytes(panel.predicted[place.order], at) if panel.predicted.any() else None,
                "outlines": [_rounded(corners, frame.width) for corners in panel.outlines],
                "heights": _heights(stack.heights[i], place.order, at) if stack else None,
                "sets": _sets(drawn[i], frame.width, at) if drawn else None,
                "picture": pictures[i] if pictures else None,
                "boundaries": _boundaries(library, section, sign) if section and not stack else None,
                "transcripts": [
                    _spots(one, place.origin, colours[one.gene], at)
                    for one in (view.transcripts[i] if view.transcripts else ())
                ],
            }
        )
    described: contract.Described = {
        "title": view.title,
        "panels": panels,
        "scale": _scale(view.panels, view.scale, style),
        "grid": (1, 1) if stack else grid(len(panels)),
        "linked": view.linked,
        "style": {"ink": style.ink, "ground": style.ground, "dark": style.has_dark_ground},
        "stack": stack.described() if stack else None,
    }
    return described, tuple(orders)


@dataclass(frozen=True)
class Stack:
    """Panels above each other."""

    title: str
    n: str  # what is shown
    heights: Sequence[float | NDArray[np.float32]]  # of each panel, um; or of each of its cells (n,)
    stretch: float  # how much farther apart the levels are drawn than they are
    unit: str

    def described(self) -> contract.Stack:
        """Describe it for the browser."""
        ends = [(float(np.min(z)), float(np.max(z))) for z in self.heights]
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        single = all(not np.ndim(z) for z in self.heights)
        ticks = sorted({low for low, _ in ends}) if single else np.linspace(low, high, 5).tolist()
        return {
            "title": self.title,
            "n": self.n,
            "levels": [low for low, _ in ends],
            "ticks": ticks,
            "low": low,
            "high": high if high > low else low + 1,
            "stretch": self.stretch,
            "unit": self.unit,
        }


def _rounded(corners: NDArray[np.float64], width: float) -> list[contract.Point]:
    """Give corners (k, 2) to a millionth of the tissue's width: fine enough for any screen, and short."""
    rounded = np.round(corners, int(np.ceil(6 - np.log10(max(width, 1e-6)))))
    return [(x, y) for x, y in rounded.tolist()]


def _sets(
    drawn: Sequence[tuple[CellSet, Sequence[Polygon]]], width: float, at: _At
) -> contract.Address | None:
    """Give the outlines of the cell sets in a section, beside the socket: there may be many corners."""
    outlined: list[contract.CellSetOutline] = [
        {
            "name": one.name,
            "colour": one.colour,
            "rings": [_rounded(ring, width) for polygon in polygons for ring in polygon],
        }
        for one, polygons in drawn
    ]
    return at(BUFFERS.put(json.dumps(outlined).encode())) if outlined else None


def _spots(spots: Spots, origin: contract.Point, colour: str, at: _At) -> contract.Transcripts:
    content = np.ascontiguousarray(spots.places - np.asarray(origin), dtype="<f4").tobytes()
    points = at(BUFFERS.put(content))
    return {"gene": spots.gene, "colour": colour, "n": spots.n, "shown": len(spots.places), "points": points}


def _boundaries(library: Library, section: Section, sign: Sign) -> contract.Boundaries | None:
    if not has_boundaries(library, section.id):
        return None
    path, query = sign(f"/map/boundaries/{word_of(project_of(library.home))}/{section.id}").split("?")
    return {"path": path, "query": query}


def outlines_in(
    library: Library, sections: Sequence[Section]
) -> list[list[tuple[CellSet, Sequence[Polygon]]]]:
    """List, for each section, the cell sets that were drawn around in it, with their outlines."""
    sets = CellSets(library)
    try:
        known = sets.all()
    except InputError:  # the panel of cell sets says what is wrong with them
        return [[] for _ in sections]
    return [_outlines_in(sets, known, section) for section in sections]


def _outlines_in(
    sets: CellSets, known: Sequence[CellSet], section: Section
) -> list[tuple[CellSet, Sequence[Polygon]]]:
    try:
        whole = [one for one in known if not sets.damage(one, [section])]
        drawn = [(one, sets.outline(one, section.id)) for one in whole]
    except InputError:
        return []
    return [(one, polygons) for one, polygons in drawn if polygons]


def _heights(height: float | NDArray[np.float32], order: Order, at: _At) -> contract.Address | None:
    if np.ndim(height) == 0:
        return None
    return at(BUFFERS.put(np.asarray(height, dtype="<f4")[order].tobytes()))


def _address(project: str, sign: Sign, name: str) -> contract.Address:
    """Say where a buffer is, for members of a project; its name tells whether it is known already."""
    return {"name": name, "url": sign(f"/map/buffer/{project}/{name}")}


class _Place:
    """Where the cells of a panel are, as they are sent."""

    def __init__(self, coordinates: NDArray[np.float64], known: Mapping[str, Any]) -> None:
        self.order: Order = known["order"] if known else progressive_order(coordinates)
        self.spacing = float(known["spacing"]) if known else spacing(coordinates)
        low = coordinates.min(axis=0) if len(coordinates) else np.zeros(2)
        # Subtracted, so that small numbers lose no digits.
        self.origin: contract.Point = (float(low[0]), float(low[1]))
        self._content = np.ascontiguousarray((coordinates - low)[self.order], dtype="<f4").tobytes()

    @property
    def name(self) -> str:
        """Name of the buffer."""
        return BUFFERS.put(self._content)

    @property
    def n_bytes(self) -> int:
        """How much memory it takes."""
        return len(self._content) + self.order.nbytes


_PLACES = Kept[tuple[str, str], _Place](lambda place: place.n_bytes)


def _place(library: Library, section: Section | None, coordinates: NDArray[np.float64]) -> _Place:
    """Order cells (n, 2) once; what is needed of whole sections was stored when they were added."""
    content = np.ascontiguousarray(coordinates)
    key = hashlib.blake2b(content.data, digest_size=16).hexdigest()
    path = library.folder(section.id) / PLACES if section else None
    stored = str(library.files.checked(path)) if path is not None and path.exists() else ""
    return _PLACES.find((key, stored), lambda: _Place(content, np.load(stored) if stored else {}))


def expire() -> int:
    """Let go of what nobody asked for in a while; return how much of it there was."""
    return tables.expire() + _PLACES.expire() + BUFFERS.expire()


def forget() -> None:
    """Drop what was prepared, as when a section is deleted."""
    tables.forget()
    _PLACES.clear()
    BUFFERS.clear()


def _values(panel: Panel, scale: Continuous | Categories, order: Order, at: _At) -> contract.Values:
    missing: float
    if isinstance(scale, Continuous):
        values, missing = packed(np.asarray(panel.numbers, dtype="<f4")[order])
    else:
        codes = tables.codes(panel.labels, scale.highlighted)
        named = np.where(codes >= 0, codes, np.where(codes == tables.ABSENT, MISSING, REST))
        values, missing = named[order].astype("<u1"), MISSING
    kind = _NUMBER_TYPES[values.dtype.name]
    return {**at(BUFFERS.put(values.tobytes())), "type": kind, "missing": missing}


def packed(numbers: NDArray[np.float32]) -> tuple[NDArray[Any], float]:
    """Give numbers (n,) in the smallest type that holds them as they are, and what stands for a missing one.

    Counts of a gene take a byte, where a number takes four.
    """
    missing = np.isnan(numbers)
    known = np.where(missing, 0, numbers)
    if known.min(initial=0) >= 0 and np.array_equal(known, np.trunc(known)):
        for kind in ("<u1", "<u2"):
            most = int(np.iinfo(kind).max)
            if known.max(initial=0) < most:
                return np.where(missing, most, known).astype(kind), most
    return np.where(missing, np.float32(_NO_NUMBER), numbers), _NO_NUMBER


def _bytes(values: NDArray[Any], at: _At) -> contract.Address:
    return at(BUFFERS.put(values.astype(np.uint8).tobytes()))


def _scale(panels: Sequence[Panel], scale: Continuous | Categories, style: Style) -> contract.Scale:
    n_missing = sum(int(panel.missing.sum()) for panel in panels)
    few = n_missing < sum(len(panel.missing) for panel in panels) / 2
    # Rings stand out; where most cells lack a value, those that have one are what to see.
    missing: contract.Missing = {
        "name": panels[0].missing_name,
        "n": n_missing,
        "colour": style.missing if few else style.rest,
        "hollow": few,
    }
    if isinstance(scale, Continuous):
        return {
            "kind": "numbers",
            "title": scale.title,
            "low": scale.low,
            "high": scale.high,
            "ranges": [_range(panel, scale) for panel in panels],
            "thresholds": list(scale.thresholds),
            "palette": "".join(f"{r:02x}{g:02x}{b:02x}" for r, g, b in palette_of(scale.palette)),
            "n_predicted": max(int(panel.predicted.sum()) for panel in panels),
            "missing": missing,
        }
    coloured = scale.coloured(style)
    entries: list[contract.Entry] = [
        {
            "label": label,
            "name": scale.names.get(label, label),
            "colour": colour,
            "n": sum(panel.n_of(label) for panel in panels),
        }
        for label, colour in coloured
    ]
    n_named = sum(panel.n_of(label) for panel in panels for label, _ in coloured)
    n_rest = sum(len(panel.missing) for panel in panels) - n_missing - n_named
    rest: contract.Rest = {"name": scale.rest, "colour": style.rest, "n": n_rest}
    return {"kind": "labels", "title": scale.title, "entries": entries, "rest": rest, "missing": missing}


def _range(panel: Panel, scale: Continuous) -> contract.Ends:
    """Give the range of a panel's own colours, for readers who unlock the common scale."""
    known = panel.numbers[~panel.missing]
    if not len(known):
        return scale.low, scale.high
    low, high = (float(f"{value:.3g}") for value in np.quantile(known, (0.005, 0.995)))
    return min(low, scale.low), high if high > low else low + 1
