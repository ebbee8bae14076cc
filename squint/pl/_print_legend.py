"""The legend of a printed map: colour bars, classes, and what the other marks mean."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.collections import PolyCollection

from squint.pl._layers import layers
from squint.pl._look import TRANSCRIPTS, Look
from squint.pl._panel import Categories, Continuous, Panel
from squint.pl._plate import LEVELS, class_colours, classify, key_of, numbers
from squint.pl._raster import shades
from squint.pl._sheet import INK, RULE, Sheet, leading, width_of, wrap

_SIZE = 8  # points
_KEY = 0.2  # inches, from a mark to its name
_BAR, _STEPS = 0.17, 128  # width of a colour bar in inches, and the colours drawn of it
_LONG, _SHORT = 2.2, 0.62  # inches, of the colour bar of all panels and of one
_PALE = "#8A8D96"


class Item(Protocol):
    """A part of the legend."""

    @property
    def height(self) -> float:
        """Height in inches."""

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it with its upper left corner at a place."""


@dataclass(frozen=True)
class Heading:
    """What the colours stand for."""

    lines: Sequence[str]
    bold: bool = True

    @property
    def height(self) -> float:
        """Height in inches."""
        return len(self.lines) * leading(_SIZE + self.bold) + 0.06

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Write it."""
        sheet.write(x, y, self.lines, _SIZE + self.bold, bold=self.bold)


@dataclass(frozen=True)
class Entry:
    """A mark and its name."""

    lines: Sequence[str]
    how: Mapping[str, Any]  # the mark, as matplotlib draws one
    hidden: bool = False

    @property
    def height(self) -> float:
        """Height in inches."""
        return len(self.lines) * leading(_SIZE) + 0.04

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it."""
        how: dict[str, Any] = {"marker": "o", "s": 42, "linewidths": 0, **self.how}
        if self.hidden:
            how |= {"facecolors": "none", "edgecolors": RULE, "linewidths": 1}
        sheet.axes.scatter([x + 0.07], [y + leading(_SIZE) / 2], **how)
        sheet.write(x + _KEY, y, self.lines, _SIZE, colour=_PALE if self.hidden else INK)


@dataclass(frozen=True)
class Line:
    """The line around an area, and its name."""

    lines: Sequence[str]
    colour: str

    @property
    def height(self) -> float:
        """Height in inches."""
        return len(self.lines) * leading(_SIZE) + 0.04

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it."""
        middle = y + leading(_SIZE) / 2
        sheet.line((x, x + 0.14), (middle, middle), 1.5, self.colour)
        sheet.write(x + _KEY, y, self.lines, _SIZE)


@dataclass(frozen=True)
class Bar:
    """A colour bar, with its ticks and thresholds."""

    scale: Continuous
    length: float  # inches
    below: bool = False  # whether there are values beyond its ends
    above: bool = False

    @property
    def height(self) -> float:
        """Height in inches."""
        return self.length + 0.22

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it."""
        scale, y = self.scale, y + 0.05
        thresholds = [t for t in scale.thresholds if scale.low <= t <= scale.high]
        names = [_number(threshold) for threshold in thresholds]
        x += max((width_of(name, _SIZE, bold=True) + 0.12 for name in names), default=0)
        self._draw_colours(sheet, x, y)
        for tick in (scale.low, (scale.low + scale.high) / 2, scale.high):
            at = self._at(tick, y)
            sheet.line((x + _BAR, x + _BAR + 0.04), (at, at), 0.6)
            sign = "≤ " if tick == scale.low and self.below else ""
            sign = "≥ " if tick == scale.high and self.above else sign
            sheet.write(x + _BAR + 0.08, at - leading(_SIZE) / 2, [sign + _number(tick)], _SIZE)
        for threshold in thresholds:
            sheet.line((x - 0.06, x + _BAR), (self._at(threshold, y),) * 2, 1.4)
        for name, at in zip(names, _apart([self._at(t, y) for t in thresholds]), strict=True):
            left = x - 0.1 - width_of(name, _SIZE, bold=True)
            sheet.write(left, at - leading(_SIZE) / 2, [name], _SIZE, bold=True)

    def _draw_colours(self, sheet: Sheet, x: float, y: float) -> None:
        # Each colour reaches up to the top and is covered from there on: no seams in any viewer.
        starts = np.linspace(y + self.length, y, _STEPS, endpoint=False)
        bars = [[(x, start), (x + _BAR, start), (x + _BAR, y), (x, y)] for start in starts]
        colours = shades(np.linspace(0, 1, _STEPS), 0, 1, self.scale.palette) / 255
        sheet.axes.add_collection(PolyCollection(bars, facecolors=colours, edgecolors="none", linewidths=0))

    def _at(self, value: float, y: float) -> float:
        share = (value - self.scale.low) / (self.scale.high - self.scale.low)
        return y + (1 - share) * self.length


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _apart(places: Sequence[float]) -> list[float]:
    """Move two places so far apart that names fit beside them."""
    if len(places) != 2 or places[0] - places[1] >= leading(_SIZE):
        return list(places)
    middle, half = sum(places) / 2, leading(_SIZE) / 2
    return [middle + half, middle - half]


def legend_of(
    panels: Sequence[Panel], scales: Sequence[Continuous | Categories], look: Look, width: float
) -> list[Item]:
    """Make the legend of a map, no wider than ``width`` inches."""
    items: list[Item] = [Heading(wrap(scales[0].title, width, _SIZE + 1, bold=True))]
    colours = [scale for scale in scales if isinstance(scale, Continuous)]
    if colours and look.classes:
        items += _classes(panels, colours[0], look, width)
    elif all(scale == colours[0] for scale in colours):
        items += [_bar(panels, scale, _LONG) for scale in colours[:1]]
    else:
        for panel, scale in zip(panels, colours, strict=True):
            items += [
                Heading(wrap(panel.title, width, _SIZE), bold=False),
                _bar([panel], scale, _SHORT),
            ]
    items += _marks(panels, scales[0], look, width)
    items += _genes(look, width)
    outlines = {(o.name, o.colour): o for own in look.outlines for o in own}
    return items + [Line(wrap(o.name, width - _KEY, _SIZE), o.colour) for o in outlines.values()]


def _genes(look: Look, width: float) -> list[Item]:
    """Give an entry for the transcripts of each gene."""
    genes = {dots.gene: dots.colour for own in look.dots for dots in own}
    entries: list[Item] = []
    for gene, colour in genes.items():
        hidden = f"{TRANSCRIPTS}{gene}" in look.hidden
        n = sum(dots.n for own in look.dots for dots in own if dots.gene == gene)
        how = {"facecolors": colour, "s": 16}
        entries.append(Entry(_named(f"{gene} · {n:,}", width, hidden=hidden), how, hidden))
    return [Heading(wrap("Transcripts", width, _SIZE + 1, bold=True)), *entries] if entries else []


def _bar(panels: Sequence[Panel], scale: Continuous, long: float) -> Bar:
    values = np.concatenate([numbers(panel, ~panel.missing) for panel in panels])
    return Bar(scale, long, bool((values < scale.low).any()), bool((values > scale.high).any()))


def _classes(panels: Sequence[Panel], scale: Continuous, look: Look, width: float) -> list[Entry]:
    """Give an entry for each of three classes, the highest first."""
    values = np.concatenate([numbers(panel, ~panel.missing) for panel in panels])
    counts = np.bincount(classify(values, scale), minlength=3)
    low, high = (f"{threshold:g}" for threshold in scale.thresholds)
    names = (f"low, below {low}", f"intermediate, {low} to {high}", f"high, above {high}")
    entries = []
    for key, name, n, colour in zip(LEVELS, names, counts, class_colours(scale) / 255, strict=True):
        share = f"{n:,} cells ({n / max(1, len(values)):.1%})"
        lines = [*_named(name, width, hidden=key in look.hidden), *wrap(share, width - _KEY, _SIZE)]
        entries.append(Entry(lines, {"facecolors": [colour]}, key in look.hidden))
    return entries[::-1]


def _marks(panels: Sequence[Panel], scale: Continuous | Categories, look: Look, width: float) -> list[Entry]:
    """Give an entry for each set of cells that has a colour or mark of its own."""
    found = {
        key_of(layer, scale): layer for panel in panels for layer in layers(panels, panel, scale, look.style)
    }
    entries = []
    for key, layer in sorted(found.items(), key=lambda item: item[1].rank):
        hidden = key in look.hidden
        if layer.colour is None and not layer.listed and not hidden:
            continue
        colour = layer.colour or _PALE
        if layer.colour is None and isinstance(scale, Continuous) and not look.classes:
            colour = "#{:02x}{:02x}{:02x}".format(*shades(np.array([0.5]), 0, 1, scale.palette)[0])
        how: dict[str, Any] = {"facecolors": colour}
        if layer.hollow:
            how = {"facecolors": "none", "edgecolors": colour, "linewidths": 1.2}
        elif layer.outlined:
            how |= {"marker": "D", "s": 30, "edgecolors": INK, "linewidths": 0.8}
        entries.append(Entry(_named(html.unescape(layer.name), width, hidden=hidden), how, hidden))
    return entries


def _named(name: str, width: float, *, hidden: bool) -> list[str]:
    return wrap(f"{name} (hidden)" if hidden else name, width - _KEY, _SIZE)
