"""What is seen of a section: a window, mirrored and turned. A setting of the view, never of the data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """A window on a section, in the unit of its coordinates (x right, y down)."""

    x: float  # centre
    y: float
    width: float
    aspect: float = 1.0  # height over width
    rotation: float = 0.0  # degrees that the tissue is turned clockwise, after mirroring
    flipped: bool = False  # left and right exchanged

    @property
    def height(self) -> float:
        """Height of the window, in the unit of the coordinates."""
        return self.width * self.aspect

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Turn and mirror (2, 2): offsets from the centre to offsets on the screen, x right and y down."""
        angle = np.deg2rad(self.rotation)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return turn @ np.diag([-1.0 if self.flipped else 1.0, 1.0])

    def place(self, coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give where points (n, 2) lie in the window (n, 2), from its upper left corner, in their unit."""
        offsets = (np.asarray(coordinates, dtype=np.float64)[:, :2] - [self.x, self.y]) @ self.matrix.T
        return np.asarray(offsets + np.array([self.width / 2, self.height / 2]))

    def locate(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the coordinates (n, 2) of points of the window (n, 2), the inverse of :meth:`place`."""
        offsets = np.asarray(points, dtype=np.float64) - [self.width / 2, self.height / 2]
        return offsets @ self.matrix + [self.x, self.y]
