"""Pictures of tissue, such as H&E or DAPI: read region by region, placed under the cells of a section.

Everywhere a place in a picture is (column, row) with the **upper left corner** of the first pixel at (0, 0),
so that its centre is at (0.5, 0.5), as in SpatialData and QuPath. An affine (2, 3) leads from there, at full
resolution, to the coordinates of the section (x right, y down), usually in um.
"""

from squint.images._open import open_image
from squint.images._picture import Box, Level, Picture
from squint.images._shown import Shown, show
from squint.images.placing import Fit, apply, compose, describe, fit_affine, invert
from squint.images.pyramid import TILE, Tile, n_levels, tiles
from squint.images.rendering import Rendered, render

__all__ = [
    "TILE",
    "Box",
    "Fit",
    "Level",
    "Picture",
    "Rendered",
    "Shown",
    "Tile",
    "apply",
    "compose",
    "describe",
    "fit_affine",
    "invert",
    "n_levels",
    "open_image",
    "render",
    "show",
    "tiles",
]
