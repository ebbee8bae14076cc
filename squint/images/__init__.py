"""Pictures of tissue, such as H&E or DAPI: read region by region, placed under the cells of a section.

Everywhere a place in a picture is (column, row) with the **upper left corner** of the first pixel at (0, 0),
so that its centre is at (0.5, 0.5), as in SpatialData and QuPath. An affine (2, 3) leads from there, at full
resolution, to the coordinates of the section (x right, y down), usually in um.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
