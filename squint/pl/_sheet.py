"""A page to print, measured in inches from its upper left corner, with text that wraps."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

INK, GREY, RULE = "#000000", "#5B5E69", "#C9CBD1"
_LEADING = 1.32  # of the size of letters
_ASCENT = 0.96  # likewise: from the top of a line to its baseline
_FINE = 720  # dots per inch that text is measured at
# Text is set in a face like Arial where there is one; what it lacks is in DejaVu, which is always there.
_FACES = ("Liberation Sans", "Arial", "Helvetica")


def settings() -> dict[Any, Any]:
    """Give matplotlib's settings of a page: text stays text, and equal pages are equal files."""
    installed = {font.name for font in fontManager.ttflist}
    faces = [face for face in _FACES if face in installed][:1]
    return {
        "font.family": [*faces, "DejaVu Sans", "sans-serif"],
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "squint",
        "image.composite_image": False,
        "text.hinting": "none",  # as wide in a picture as it was measured
    }


class Sheet:
    """A page that text, lines and panels are put on."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), facecolor="white")
        self.axes = self._axes(0, 0, width, height)
        self.axes.set(xlim=(0, width), ylim=(height, 0), zorder=2)
        self.axes.patch.set_visible(False)

    def panel(self, x: float, y: float, width: float, height: float) -> Axes:
        """Give axes that fill a box."""
        return self._axes(x, y, width, height)

    def _axes(self, x: float, y: float, width: float, height: float) -> Axes:
        across, down = self.figure.get_size_inches()
        axes = self.figure.add_axes((x / across, 1 - (y + height) / down, width / across, height / down))
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        return axes

    def write(
        self,
        x: float,
        y: float,
        lines: Iterable[str],
        size: float,
        *,
        bold: bool = False,
        colour: str = INK,
    ) -> float:
        """Write lines, the first with its top at ``y``; return where the next would be."""
        for line in lines:
            self.axes.text(
                x,
                y + _ASCENT * size / 72,
                line,
                fontsize=size,
                fontweight="bold" if bold else "normal",
                color=colour,
                va="baseline",
                parse_math=False,  # a "$" in a name is a "$"
            )
            y += leading(size)
        return y

    def line(self, x: tuple[float, float], y: tuple[float, float], points: float, colour: str = INK) -> None:
        """Draw a line of a width in points."""
        self.axes.add_line(Line2D(x, y, linewidth=points, color=colour, solid_capstyle="butt"))

    def box(self, x: float, y: float, width: float, height: float, **how: Any) -> None:
        """Draw a rectangle."""
        self.axes.add_patch(Rectangle((x, y), width, height, **how))


def leading(size: float) -> float:
    """Give the distance of lines of a size in points, in inches."""
    return _LEADING * size / 72


def line_of(text: str) -> str:
    """Return a text as one line without control or direction characters, which a PDF or SVG may not hold."""
    kept = (c if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"} else " " for c in text)
    return " ".join("".join(kept).split())


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break a text into lines no longer than ``width`` inches."""
    lines = [""]
    for word in line_of(text).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, size, bold=bold) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:  # a word longer than a line goes on in the next
            if lines[-1] and width_of(lines[-1] + letter, size, bold=bold) > width:
                lines.append("")
            lines[-1] += letter
    return lines


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a text, in inches."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    width, _, _ = RendererAgg(1, 1, _FINE).get_text_width_height_descent(text, font, ismath=False)
    return float(width) / _FINE
