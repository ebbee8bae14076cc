"""What the reader set on a map, as the browser tells it: checked, and said in words. Never to be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.views import MapView
from squint import pl
from squint.errors import InputError
from squint.pl import Categories, Continuous, View, frames_of

_SPECIAL: Mapping[str, str] = {
    "__rest__": "all others",
    "__missing__": "cells without a value",
    "__measured__": "measured cells",
    "__imputed__": "in-painted cells",
    "__low__": "low",
    "__intermediate__": "intermediate",
    "__high__": "high",
}
_MAX_PANELS = 6
_MAX_HIDDEN = 1_000  # entries: a legend has about ten
_LARGEST = 1e9  # of a length or a value
_AGAIN = "Reload the page and try again."


@dataclass(frozen=True)
class MapState:
    """What the reader set."""

    views: Sequence[View]  # one per panel
    range: tuple[float, float] | None = None  # of the colour scale
    ranges: Sequence[tuple[float, float]] = ()  # of each panel, where they differ
    thresholds: tuple[float, ...] | None = None
    classes: bool = False
    hidden: Sequence[str] = ()
    diameter: float | None = None
    size: float = 1.0
    opacity: float = 1.0  # of the pictures below the cells; 0: not shown

    @classmethod
    def load(cls, facts: Mapping[str, Any]) -> "MapState":
        """Make one of what :func:`dataclasses.asdict` made of it, and JSON of that."""
        return cls(**{**facts, "views": [View(**view) for view in facts["views"]]})

    def scale(self, scale: Continuous | Categories) -> Continuous | Categories:
        """Give the colour scale as the reader set it."""
        if isinstance(scale, Categories):
            return scale
        low, high = self.range or (scale.low, scale.high)
        thresholds = scale.thresholds if self.thresholds is None else tuple(self.thresholds)
        return replace(scale, low=low, high=high, thresholds=thresholds)

    def look(self) -> pl.Look:
        """Give how cells are drawn."""
        return pl.Look(self.hidden, self.diameter, self.size, self.classes, [(a, b) for a, b in self.ranges])


def read_state(state: object, view: MapView) -> MapState:
    """Check what the browser told of a map; what it did not tell is as the map is at first.

    Raises
    ------
    InputError
        If no reader can have set this.
    """
    given = _mapping(state, "state")
    coloured = isinstance(view.scale, Continuous)
    known = {*_SPECIAL, *(view.scale.highlighted if isinstance(view.scale, Categories) else ())}
    hidden = _list(given.get("hidden"), "list of hidden entries", _MAX_HIDDEN)
    image = _mapping(given.get("image"), "image")
    diameter, size = given.get("diameter"), given.get("size")
    return MapState(
        views=_views(given.get("panels"), view),
        range=_range(given["range"]) if coloured and given.get("range") is not None else None,
        ranges=_ranges(given.get("ranges"), view.scale, len(view.panels)) if coloured else (),
        thresholds=_thresholds(given.get("thresholds")) if coloured else None,
        classes=coloured and given.get("classes") is True,
        hidden=sorted({label for label in hidden if isinstance(label, str)} & known),
        diameter=None if diameter is None else _number(diameter, "diameter of cells", 1e-6),
        size=1.0 if size is None else _number(size, "size of cells", 0.01, 100),
        opacity=_number(image.get("opacity", 1), "opacity of the image", 0, 1)
        if image.get("shown", True) is True
        else 0.0,
    )


def describe(state: object, view: MapView) -> dict[str, object]:
    """Say in words in what the reader's map differs from the plain one, for the stamp."""
    seen = read_state(state, view)
    said: dict[str, object] = {}
    for i, (panel, window) in enumerate(zip(view.panels, seen.views, strict=True), 1):
        words = ", ".join(filter(None, [_window(panel, window), pl.orientation(window)]))
        if words:
            name = f"window {i}, {pl.plain(panel.title)}" if len(view.panels) > 1 else "window"
            said[name] = words
    said |= _colours(seen, view.scale) if isinstance(view.scale, Continuous) else {}
    if seen.hidden:
        names = view.scale.names if isinstance(view.scale, Categories) else {}
        said["hidden"] = ", ".join(pl.plain(_SPECIAL.get(key, names.get(key, key))) for key in seen.hidden)
    if seen.diameter is not None:
        said["diameter of cells"] = f"{seen.diameter:.4g}"
    if seen.size != 1:
        said["size of cells"] = f"x {seen.size:.3g}"
    if isinstance(state, Mapping) and state.get("image") is not None:
        said["image opacity"] = f"{seen.opacity:.0%}" if seen.opacity else "not shown"
    return said


def _colours(seen: MapState, scale: Continuous) -> dict[str, object]:
    """Say what differs on the colour scale."""
    said: dict[str, object] = {}
    if seen.range not in {None, (scale.low, scale.high)}:
        said["colour range"] = _span(seen.range)
    if seen.ranges:
        said["colour range of each section"] = ", ".join(map(_span, seen.ranges))
    if seen.thresholds not in {None, scale.thresholds}:
        said["thresholds"] = " and ".join(f"{value:.4g}" for value in seen.thresholds or ()) or "none"
    if seen.classes:
        said["colours"] = "three classes"
    return said


def _span(ends: Sequence[float] | None) -> str:
    return " to ".join(f"{end:.4g}" for end in ends or ())


def _window(panel: pl.Panel, view: View) -> str:
    """Say what is seen of a section; nothing if all of it is."""
    points = view.place(panel.coordinates)
    if ((points >= 0) & (points <= [view.width, view.height])).all():
        return ""
    unit = "" if panel.unit == "unknown" else " µm"
    return f"centre {view.x:.6g}, {view.y:.6g}{unit}, {view.width:.4g}{unit} wide"


def _views(panels: object, view: MapView) -> list[View]:
    if panels is None:
        return [
            View(f.left + f.width / 2, f.top + f.height / 2, f.width, f.height / f.width)
            for f in frames_of(view.panels)
        ]
    listed = _list(panels, "list of panels", _MAX_PANELS)
    if len(listed) != len(view.panels):
        raise InputError(
            f"The map shows {len(view.panels)} sections, but {len(listed)} windows were told. {_AGAIN}"
        )
    return [_view(_mapping(panel, "window")) for panel in listed]


def _view(panel: Mapping[str, Any]) -> View:
    return View(
        _number(panel.get("x"), "centre of a window"),
        _number(panel.get("y"), "centre of a window"),
        _number(panel.get("width"), "width of a window", 1e-6),
        _number(panel.get("aspect", 1), "height of a window over its width", 0.05, 20),
        _number(panel.get("rotation", 0), "rotation of a window") % 360,
        panel.get("flipped") is True,
    )


def _range(ends: object) -> tuple[float, float]:
    low, high = (_number(end, "end of the colour range") for end in _two(ends))
    if low >= high:
        raise InputError(
            f"The colour range cannot go from {low:g} to {high:g}: its ends must differ, low first."
        )
    return low, high


def _two(ends: object) -> Sequence[Any]:
    listed = _list(ends, "colour range", 2)
    if len(listed) != 2:
        raise InputError(f"A colour range has two ends, not {len(listed)}. {_AGAIN}")
    return listed


def _ranges(ranges: object, scale: Continuous | Categories, n_panels: int) -> list[tuple[float, float]]:
    listed = _list(ranges, "list of colour ranges", _MAX_PANELS)
    if not listed or isinstance(scale, Categories):
        return []
    if len(listed) != n_panels:
        raise InputError(f"There are {n_panels} sections, but {len(listed)} colour ranges. {_AGAIN}")
    return [(scale.low, scale.high) if ends is None else _range(ends) for ends in listed]


def _thresholds(values: object) -> tuple[float, ...] | None:
    if values is None:
        return None
    return tuple(sorted(_number(value, "threshold") for value in _list(values, "list of thresholds", 2)))


def _number(value: object, what: str, low: float = -_LARGEST, high: float = _LARGEST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"The {what} of the map is not a number from {low:g} to {high:g}. {_AGAIN}")
    return float(value)


def _list(value: object, what: str, at_most: int) -> Sequence[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InputError(f"The {what} of the map is no list. {_AGAIN}")
    if len(value) > at_most:
        raise InputError(f"The {what} of the map has {len(value):,} entries, more than {at_most:,}. {_AGAIN}")
    return value


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"The {what} of the map cannot be read. {_AGAIN}")
    return value
