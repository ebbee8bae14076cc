"""Rings out of WKB: those that shapely gives, whichever way they are read."""

import numpy as np
import pyarrow as pa
import shapely
from hypothesis import given
from hypothesis import strategies as st

from squint.io.wkb import decode


def triangle(x: float, size: float) -> shapely.Polygon:
    return shapely.Polygon([(x, 0), (x + size, 0), (x, size / 3)])


PLAIN = st.builds(triangle, st.floats(-1e6, 1e6), st.floats(1, 50))
HOLED = PLAIN.map(lambda shape: shape.difference(shape.centroid.buffer(0.05)))
PARTS = st.lists(st.floats(1, 50), min_size=1, max_size=3).map(
    lambda sizes: shapely.MultiPolygon([triangle(100 * i, size) for i, size in enumerate(sizes)])
)
OTHERS = st.sampled_from([shapely.Point(1, 2), shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)])])
STORED = st.one_of(
    PLAIN.map(shapely.to_wkb),
    HOLED.map(shapely.to_wkb),
    PARTS.map(shapely.to_wkb),
    OTHERS.map(shapely.to_wkb),
    PLAIN.map(lambda shape: shapely.to_wkb(shape, byte_order=0)),
    PLAIN.map(lambda shape: shapely.to_wkb(shape)[:-3]),
    PLAIN.map(lambda shape: shapely.to_wkb(shape)[:-16]),
    st.binary(max_size=60),
    st.none(),
)


def outer(stored: bytes | None) -> np.ndarray | None:
    """Give the corners of the largest part by shapely alone."""
    shape = shapely.from_wkb(stored, on_invalid="ignore")
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and not part.is_empty]
    return shapely.get_coordinates(max(parts, key=shapely.area).exterior) if parts else None


@given(stored=st.lists(STORED, max_size=12), cut=st.integers(0, 12))
def test_rings_are_those_of_shapely(stored, cut):
    parts = [pa.array(some, pa.binary()) for some in (stored[:cut], stored[cut:])]
    found: dict[int, np.ndarray] = {}
    for rings in decode(parts, np.arange(len(stored)) * 3):
        ends = np.cumsum(rings.sizes)
        corners = np.split(rings.corners, ends[:-1]) if len(ends) else []
        found |= dict(zip(rings.cells.tolist(), corners, strict=True))
    wanted = {3 * i: ring for i, value in enumerate(stored) if (ring := outer(value)) is not None}
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[cell], wanted[cell], equal_nan=True) for cell in wanted)
