"""What the reader set on a map, as the browser tells it: checked, and said in words. Never to be trusted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.maps.views import MapView
from squint import pl
from squint.errors import InputError
from squint.pl import Categories, Continuous, Orbit, View, frames_of

_SPECIAL: Mapping[str, str] = {
    "__rest__": "all others",
    "__missing__": "cells without a value",
    "__measured__": "measured cells",
    "__imputed__": "in-painted cells",
    "__low__": "low",
    "__intermediate__": "intermediate",
    "__high__": "high",
}
_OF_COLOURS = ("range", "ranges", "thresholds", "classes", "hidden")
_OF_CELLS = ("panels", "ranges", "camera", "bounded")
_MAX_PANELS = 6  # of a map; a stack has as many as it has levels
_LONGEST = 100  # letters of what hides the transcripts of a gene
_MAX_HIDDEN = 1_000  # entries: a legend has about ten
_LARGEST = 1e9  # of a length or a value
_LARGEST_SCREEN = 16_384  # pixels
_AGAIN = "Reload the page and try again."


@dataclass(frozen=True)
class MapState:
    """What the reader set."""

    views: Sequence[View]  # one per panel
    range: tuple[float, float] | None = None  # of the colour scale
    ranges: Sequence[tuple[float, float]] = ()  # of each panel, where they differ
    thresholds: tuple[float, ...] | None = None
    classes: bool = False
    dark: bool = False  # ground in files
    hidden: Sequence[str] = ()
    diameter: float | None = None
    size: float = 1.0
    opacity: float = 1.0  # of the pictures below the cells; 0: not shown
    orbit: Orbit | None = None  # from where a stack is seen
    bounded: Sequence[bool] = ()  # of each panel, whether cells are drawn by their boundaries

    @classmethod
    def load(cls, facts: Mapping[str, Any]) -> "MapState":
        """Make one of what :func:`dataclasses.asdict` made of it, and JSON of that."""
        views = [View(**view) for view in facts["views"]]
        told: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in (facts["orbit"] or {}).items()
        }
        orbit = Orbit(**told) if told else None
        return cls(**{**facts, "views": views, "orbit": orbit})

    def scale(self, scale: Continuous | Categories) -> Continuous | Categories:
        """Give the colour scale as the reader set it."""
        if isinstance(scale, Categories):
            return scale
        low, high = self.range or (scale.low, scale.high)
        thresholds = scale.thresholds if self.thresholds is None else tuple(self.thresholds)
        return replace(scale, low=low, high=high, thresholds=thresholds)

    def look(self) -> pl.Look:
        """Give how cells are drawn."""
        ranges = [(a, b) for a, b in self.ranges]
        return pl.Look(self.hidden, self.diameter, self.size, self.classes, ranges, dark=self.dark)


def read_state(state: object, view: MapView, stretch: float | None = None) -> MapState:
    """Check what the browser told of a map; what it did not tell is as the map is at first.

    Parameters
    ----------
    state
        What it told.
    view
        What the map shows.
    stretch
        For panels above each other: how much farther apart they are drawn than they are, at first.

    Raises
    ------
    InputError
        If no reader can have set this.
    """
    given = read_mapping(state, "state")
    coloured = isinstance(view.scale, Continuous)
    known = {*_SPECIAL, *(view.scale.highlighted if isinstance(view.scale, Categories) else ())}
    hidden = read_list(given.get("hidden"), "list of hidden entries", _MAX_HIDDEN)
    image = read_mapping(given.get("image"), "image")
    diameter, size = given.get("diameter"), given.get("size")
    return MapState(
        views=_views(given.get("panels"), view),
        range=_range(given["range"]) if coloured and given.get("range") is not None else None,
        ranges=_ranges(given.get("ranges"), view.scale, len(view.panels)) if coloured else (),
        thresholds=_thresholds(given.get("thresholds")) if coloured else None,
        classes=coloured and given.get("classes") is True,
        dark=given.get("dark") is True,
        hidden=_hidden(hidden, known),
        diameter=None if diameter is None else read_number(diameter, "diameter of cells", 1e-6),
        size=1.0 if size is None else read_number(size, "size of cells", 0.01, 100),
        opacity=read_number(image.get("opacity", 1), "opacity of the image", 0, 1)
        if image.get("shown", True) is True
        else 0.0,
        orbit=_orbit(given.get("camera"), len(view.panels), stretch),
        bounded=_bounded(given, len(view.panels)),
    )


def fitting(state: Mapping[str, Any], coloured: str, points: Sequence[str]) -> dict[str, Any]:
    """Leave out of what a browser told what it told of other colours, or of other cells.

    Parameters
    ----------
    state
        What it told.
    coloured
        What the map is coloured by: kind and title of the scale.
    points
        Per panel, the name of the positions of its cells.
    """
    panels = state.get("panels")
    told = [one.get("points") for one in panels if isinstance(one, dict)] if isinstance(panels, list) else []
    gone = {
        *(() if state.get("coloured") == coloured else _OF_COLOURS),
        *(() if told == list(points) else _OF_CELLS),
    }
    return {key: value for key, value in state.items() if key not in gone}


def describe(state: object, view: MapView, stretch: float | None = None) -> dict[str, object]:
    """Say in words in what the reader's map differs from the plain one, for the stamp."""
    seen = read_state(state, view, stretch)
    said: dict[str, object] = {} if seen.orbit is None else _seen_from(seen.orbit, view.panels)
    windows = zip(view.panels, seen.views, strict=True) if seen.orbit is None else ()
    for i, (panel, window) in enumerate(windows, 1):
        words = ", ".join(filter(None, [_window(panel, window), pl.orientation(window)]))
        if words:
            name = f"window {i}, {pl.plain(panel.title)}" if len(view.panels) > 1 else "window"
            said[name] = words
    said |= _colours(seen, view.scale) if isinstance(view.scale, Continuous) else {}
    if seen.hidden:
        names = view.scale.names if isinstance(view.scale, Categories) else {}
        said["hidden"] = ", ".join(pl.plain(_name(key, names)) for key in seen.hidden)
    if seen.diameter is not None:
        said["diameter of cells"] = f"{seen.diameter:.4g}"
    if seen.dark:
        said["ground"] = "dark"
    if seen.size != 1:
        said["size of cells"] = f"x {seen.size:.3g}"
    said |= _shapes(seen, view.panels)
    if isinstance(state, Mapping) and state.get("image") is not None:
        said["image opacity"] = f"{seen.opacity:.0%}" if seen.opacity else "not shown"
    return said


def _shapes(seen: MapState, panels: Sequence[pl.Panel]) -> dict[str, object]:
    """Say in which sections cells are drawn by their boundaries."""
    titles = [pl.plain(panel.title) for panel, one in zip(panels, seen.bounded, strict=False) if one]
    if not titles:
        return {}
    return {"cell boundaries": "drawn" if all(seen.bounded) else f"drawn in {', '.join(titles)}"}


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


def _seen_from(orbit: Orbit, panels: Sequence[pl.Panel]) -> dict[str, object]:
    """Say from where a stack is seen, and what of it."""
    parts = [
        f"turned {orbit.azimuth:.3g}°, seen from {orbit.elevation:.3g}° above",
        f"magnified x {orbit.zoom:.3g}" if abs(orbit.zoom - 1) > 1e-3 else "",
        orbit.words(known=len(panels) == 1 or all(panel.unit != "unknown" for panel in panels)),
    ]
    said: dict[str, object] = {"stack": ", ".join(filter(None, parts))}
    if orbit.first or orbit.last is not None:
        last = len(panels) - 1 if orbit.last is None else orbit.last
        said["levels"] = f"{orbit.first + 1} to {last + 1} of {len(panels)}"
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
    listed = read_list(panels, "list of panels", max(_MAX_PANELS, len(view.panels)))
    if len(listed) != len(view.panels):
        raise InputError(
            f"The map shows {len(view.panels)} sections, but {len(listed)} windows were told. {_AGAIN}"
        )
    return [_view(read_mapping(panel, "window")) for panel in listed]


def _view(panel: Mapping[str, Any]) -> View:
    return View(
        read_number(panel.get("x"), "centre of a window"),
        read_number(panel.get("y"), "centre of a window"),
        read_number(panel.get("width"), "width of a window", 1e-6),
        read_number(panel.get("aspect", 1), "height of a window over its width", 0.05, 20),
        read_number(panel.get("rotation", 0), "rotation of a window") % 360,
        panel.get("flipped") is True,
    )


def _orbit(camera: object, n_panels: int, stretch: float | None) -> Orbit | None:
    """Check from where a stack is seen; there is none if nothing was told of one."""
    if camera is None:
        return None if stretch is None else Orbit(stretch=stretch)
    given = read_mapping(camera, "camera")
    turn, cut = read_mapping(given.get("orbit"), "turn of the stack"), read_mapping(given.get("cut"), "cut")
    last = _whole(given, "last", "uppermost level", n_panels - 1)
    first = _whole(given, "first", "lowest level", n_panels - 1) or 0
    if last is not None and first > last:
        raise InputError(f"The lowest level, {first + 1}, lies above the uppermost, {last + 1}. {_AGAIN}")
    at_first = Orbit()
    scale, centre = given.get("scale"), given.get("centre")
    return Orbit(
        azimuth=read_number(turn.get("azimuth", at_first.azimuth), "turn of the stack") % 360,
        elevation=read_number(turn.get("elevation", at_first.elevation), "tilt of the stack", -90, 90),
        zoom=read_number(turn.get("zoom", 1), "magnification of the stack", 1e-3, 1e6),
        dx=read_number(turn.get("dx", 0), "place of the stack"),
        dy=read_number(turn.get("dy", 0), "place of the stack"),
        width=read_number(given.get("width", at_first.width), "width of the panel", 1, _LARGEST_SCREEN),
        height=read_number(given.get("height", at_first.height), "height of the panel", 1, _LARGEST_SCREEN),
        scale=None if scale is None else read_number(scale, "scale of the stack", 1e-9),
        centre=None if centre is None else _place(centre),
        stretch=read_number(given.get("stretch", stretch or 1), "stretch of the height", 1e-3, 1_000),
        first=first,
        last=None if last == n_panels - 1 else last,
        cut=(_whole(cut, "axis", "axis of the cut", 2) or 0, read_number(cut.get("share", 0.5), "cut", 0, 1)),
    )


def _whole(given: Mapping[str, Any], key: str, what: str, most: int) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    number = read_number(value, what, 0, most)
    if number % 1:
        raise InputError(f"The {what} of the map is not a whole number. {_AGAIN}")
    return int(number)


def _place(centre: object) -> tuple[float, float, float]:
    listed = read_list(centre, "centre of the stack", 3)
    if len(listed) != 3:
        raise InputError(f"The centre of the stack has three numbers, not {len(listed)}. {_AGAIN}")
    x, y, z = (read_number(value, "centre of the stack", -1e3 * _LARGEST, 1e3 * _LARGEST) for value in listed)
    return x, y, z


def _hidden(labels: Sequence[Any], known: Collection[str]) -> list[str]:
    """Leave of what is said to be hidden what can be: entries of the legend, and transcripts of any gene."""
    named = {label for label in labels if isinstance(label, str)}
    genes = {label for label in named if label.startswith(pl.TRANSCRIPTS) and len(label) < _LONGEST}
    return sorted(named & {*known, *genes})


def _name(label: str, names: Mapping[str, str]) -> str:
    """Say in words what is hidden."""
    if label.startswith(pl.TRANSCRIPTS):
        return f"transcripts of {label.removeprefix(pl.TRANSCRIPTS)}"
    return _SPECIAL.get(label, names.get(label, label))


def _bounded(given: Mapping[str, Any], n_panels: int) -> list[bool]:
    """Check which panels draw cells by their boundaries; none if nothing was told, or of other panels."""
    listed = read_list(given.get("bounded"), "list of panels with boundaries", max(_MAX_PANELS, n_panels))
    if given.get("boundaries") is not True or len(listed) != n_panels:
        return []
    return [one is True for one in listed]


def _range(ends: object) -> tuple[float, float]:
    low, high = (read_number(end, "end of the colour range") for end in _two(ends))
    if low >= high:
        raise InputError(
            f"The colour range cannot go from {low:g} to {high:g}: its ends must differ, low first."
        )
    return low, high


def _two(ends: object) -> Sequence[Any]:
    listed = read_list(ends, "colour range", 2)
    if len(listed) != 2:
        raise InputError(f"A colour range has two ends, not {len(listed)}. {_AGAIN}")
    return listed


def _ranges(ranges: object, scale: Continuous | Categories, n_panels: int) -> list[tuple[float, float]]:
    listed = read_list(ranges, "list of colour ranges", max(_MAX_PANELS, n_panels))
    if not listed or isinstance(scale, Categories):
        return []
    if len(listed) != n_panels:
        raise InputError(f"There are {n_panels} sections, but {len(listed)} colour ranges. {_AGAIN}")
    return [(scale.low, scale.high) if ends is None else _range(ends) for ends in listed]


def _thresholds(values: object) -> tuple[float, ...] | None:
    if values is None:
        return None
    return tuple(
        sorted(read_number(value, "threshold") for value in read_list(values, "list of thresholds", 2))
    )


def read_number(value: object, what: str, low: float = -_LARGEST, high: float = _LARGEST) -> float:
    """Check a number; ``what`` it is, for the reader."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"The {what} of the map is not a number from {low:g} to {high:g}. {_AGAIN}")
    return float(value)


def read_list(value: object, what: str, at_most: int) -> Sequence[Any]:
    """Check a list, which is empty if nothing was told."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InputError(f"The {what} of the map is no list. {_AGAIN}")
    if len(value) > at_most:
        raise InputError(f"The {what} of the map has {len(value):,} entries, more than {at_most:,}. {_AGAIN}")
    return value


def read_mapping(value: object, what: str) -> Mapping[str, Any]:
    """Check an object, which is empty if nothing was told."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"The {what} of the map cannot be read. {_AGAIN}")
    return value
