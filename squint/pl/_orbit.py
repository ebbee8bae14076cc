"""A stack of levels seen from a point of view, without perspective: the same numbers as on screen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from squint.pl._frame import frames_of
from squint.pl._panel import Panel
from squint.pl._view import View

AXES = ("none", "x", "y")  # across which a stack is cut
_FITTED = 0.95  # of a panel, that the whole stack takes

Heights = float | NDArray[Any]  # of a panel, um; or of each of its cells (n,)


@dataclass(frozen=True)
class Orbit:
    """A point of view on a stack, which is turned about its vertical axis and then tipped."""

    azimuth: float = 25.0  # degrees
    elevation: float = 35.0  # degrees; 90 is from above
    zoom: float = 1.0
    dx: float = 0.0  # pixels that the middle of the stack lies right of the middle of the panel
    dy: float = 0.0  # likewise below
    width: float = 1_000.0  # of the panel, pixels
    height: float = 620.0
    scale: float | None = None  # pixels per unit at zoom 1; None: the stack fits however it is turned
    centre: tuple[float, float, float] | None = None  # what it turns about, z stretched; None: its middle
    stretch: float = 1.0  # how much farther apart the levels are drawn than they are
    first: int = 0  # the lowest level drawn, by its place
    last: int | None = None  # the uppermost; None: all
    cut: tuple[int, float] = (0, 0.5)  # none (0), x (1) or y (2), and where: cells before it are not drawn

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Rows from the tissue (x right, y down, z up) to the screen (right, down, nearer), (3, 3)."""
        a, e = np.deg2rad([self.azimuth, self.elevation])
        (ca, ce), (sa, se) = np.cos([a, e]), np.sin([a, e])
        return np.array([[ca, -sa, 0], [sa * se, ca * se, -ce], [sa * ce, ca * ce, se]])

    def around(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> "Orbit":
        """Set what is to be found out, for a stack that lies between two corners (3,)."""
        stretched = np.array([1, 1, self.stretch])
        x, y, z = ((low + high) / 2 * stretched).tolist()
        fitting = _FITTED * min(self.width, self.height) / np.linalg.norm((high - low) * stretched)
        return replace(self, centre=self.centre or (x, y, z), scale=self.scale or float(fitting))

    @property
    def pixels_per_unit(self) -> float:
        """How large a unit is drawn."""
        return (self.scale or 1.0) * self.zoom

    @property
    def view(self) -> View:
        """The panel as a window on what :meth:`turn` gives."""
        unit = self.pixels_per_unit
        return View(-self.dx / unit, -self.dy / unit, self.width / unit, self.height / self.width)

    def turn(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give places (n, 3) as right, down and nearer (n, 3) of the centre, in their unit."""
        rows = np.ascontiguousarray((self.rotation * [1, 1, self.stretch]).T)
        return np.asarray(places @ rows - self.rotation @ np.array(self.centre or (0, 0, 0)))

    def drawn(self, i: int, n_levels: int) -> bool:
        """Whether level ``i`` is drawn."""
        return self.first <= i <= (n_levels - 1 if self.last is None else self.last)

    def words(self, *, known: bool) -> str:
        """Say how it differs from the tissue; ``known``: whether heights and places have one unit."""
        height = (
            "" if abs(self.stretch - 1) < 1e-3 else f"height drawn \N{MULTIPLICATION SIGN} {self.stretch:.3g}"
        )
        axis, share = self.cut
        cut = f"cut at {round(100 * share)} % of {AXES[axis]}" if axis else ""
        return ", ".join(filter(None, [height if known else "height not to scale", cut]))


def bounds(
    panels: Sequence[Panel], heights: Sequence[Heights]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the lower and the upper corner (3,) of a stack."""
    frames = frames_of(panels)
    ends = [(float(np.min(z)), float(np.max(z))) for z in heights if np.size(z)] or [(0.0, 0.0)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return (
        np.array([min(f.left for f in frames), min(f.top for f in frames), low]),
        np.array(
            [
                max(f.left + f.width for f in frames),
                max(f.top + f.height for f in frames),
                high if high > low else low + 1,
            ]
        ),
    )


def corners(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the corners (8, 3) of a box; bit 1, 2 or 4 of a place says that x, y or z is high."""
    bits = np.arange(8)[:, None] >> np.arange(3) & 1
    return np.where(bits, high, low)


def ticks(heights: Sequence[Heights]) -> list[float]:
    """Give the heights to be written, at most eight."""
    if all(not np.ndim(z) for z in heights):
        every = sorted({float(np.min(z)) for z in heights})
    else:
        known = [z for z in heights if np.size(z)]
        every = np.linspace(min(map(np.min, known)), max(map(np.max, known)), 5).tolist() if known else []
    return every[:: -(-len(every) // 8)] if every else []
