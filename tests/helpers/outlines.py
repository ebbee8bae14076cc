"""Outlines to be drawn, written and read."""

import numpy as np
from hypothesis import strategies as st

from squint.geometry.outlines import Outline

POINTS = np.random.default_rng(0).uniform(-10, 110, (400, 2))


GRID = np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), axis=-1).reshape(-1, 2)


SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])


HOLE = np.array([[3.0, 3], [7, 3], [7, 7], [3, 7]])


BOW = np.array([[0.0, 0], [10, 10], [10, 0], [0, 10]])  # crosses itself


corner = st.tuples(st.floats(0, 100, width=16), st.floats(0, 100, width=16))


ring = st.lists(corner, min_size=3, max_size=8, unique=True).map(lambda c: np.array(c, dtype=float))


polygon = st.lists(ring, min_size=1, max_size=3).map(tuple)


polygons = st.lists(polygon, min_size=1, max_size=3).map(tuple)


lattice = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=3, max_size=9, unique=True
).map(lambda c: np.array(c, dtype=float))


label = st.text("aZé9=+-'#; µ", min_size=1, max_size=5).filter(lambda t: t == " ".join(t.split()))


def same(one, other, rtol=0.0):
    assert [o.name for o in one] == [o.name for o in other]
    for a, b in zip(one, other, strict=True):
        assert (a.colour or "#808080") == (b.colour or "#808080")
        assert [len(shape) for shape in a.polygons] == [len(shape) for shape in b.polygons]
        for left, right in zip(
            [c for shape in a.polygons for c in shape],
            [c for shape in b.polygons for c in shape],
            strict=True,
        ):
            np.testing.assert_allclose(left, right, rtol=rtol)
        np.testing.assert_allclose(a.points, b.points, rtol=rtol)


marked = st.builds(
    Outline,
    label,
    polygons | st.just(()),
    st.just(GRID[:5]),
    st.none() | st.just("#E69F00"),
)


several = st.lists(marked, min_size=1, max_size=3, unique_by=lambda o: o.name)
