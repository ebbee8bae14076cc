"""Names of what a section shows, its dimensions, and how patients differ."""

from dataclasses import dataclass

import numpy as np

from squint.datasets._points import Floats

REGIONS = (
    "proximal cortex",
    "distal cortex",
    "medullary ray",
    "glomerulus",
    "vessel",
    "stroma",
    "capsule",
    "tertiary lymphoid structure",
    "invasive margin",
    "tumour",
    "tumour core",
)
# Compartments, finer than regions: each has its own density and its own mixture of cells (``_cells.py``).
COMPARTMENTS = (
    "lumen",
    "interstitium",
    "stroma",
    "proximal wall",
    "distal wall",
    "loop wall",
    "duct wall",
    "tuft centre",
    "tuft rim",
    "parietal layer",
    "vessel lining",
    "vessel wall",
    "adventitia",
    "capsule",
    "follicle",
    "T zone",
    "nest",
    "septum",
    "margin nest",
    "margin septum",
    "core nest",
    "core septum",
    "necrosis",
)
TUBULES = ("proximal wall", "distal wall", "loop wall", "duct wall")
RADIUS = np.array([32.0, 27.0, 24.0, 28.0])  # um, of the tubules
WALL = np.array([11.0, 9.0, 8.0, 9.0])  # um, thickness of their epithelium
GAP = 3.5  # um, half the interstitium between two tubules
CAPSULE = 45.0  # um, thickness
RIM = 50.0  # um over which hypoxia rises inside the core


@dataclass(frozen=True)
class Window:
    """A square that is cut out of a block: its corner (x, y), its height and its side, in um."""

    x: float
    y: float
    z: float
    side: float

    @property
    def low(self) -> Floats:
        """Corner (3,) nearest the origin."""
        return np.array([self.x, self.y, self.z])

    @property
    def high(self) -> Floats:
        """Corner (3,) farthest from it."""
        return np.array([self.x + self.side, self.y + self.side, self.z])


@dataclass(frozen=True)
class Patient:
    """A patient: the shape of the tumour, how it behaves, and where sections are cut."""

    name: str
    semi_axes: tuple[float, float, float]  # um, of the tumour
    tumour_z: float  # um, height of its middle; x and y are 0
    aggressive: bool  # with hypoxic core and invasive margin
    windows: tuple[Window, ...]
    stack: tuple[Window, ...] = ()
