"""Rings are filled exactly by their triangles, whatever their shape, and the short ones stay inside them."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from squint.geometry.triangles import octagons, simple_rings, triangulated

L = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]], float)
U = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3]], float)
BOW = np.array([[0, 0], [4, 4], [4, 0], [0, 2]], float)  # crosses itself; the right part is the larger


@st.composite
def rings(draw: st.DrawFn) -> list[np.ndarray]:
    """Draw some simple rings around a centre, often with deep notches, in either sense."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        n = draw(st.integers(3, 14))
        radii = np.array(draw(st.lists(st.floats(0.5, 20), min_size=n, max_size=n)))
        angles = 2 * np.pi * np.arange(n) / n
        ring = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        made.append((ring if draw(st.booleans()) else ring[::-1]) + draw(st.integers(-50, 50)))
    return made


def joined(some: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([[0], np.cumsum([len(ring) for ring in some])]), np.concatenate(some)


def triangles_of(some: list[np.ndarray]) -> list[np.ndarray]:
    """Give the triangles (t, 3, 2) of each ring."""
    offsets, corners, fan, listed = triangulated(*joined(some))
    found = []
    for first, last, is_fan in zip(offsets[:-1], offsets[1:], fan, strict=True):
        own = listed[(listed[:, 0] >= first) & (listed[:, 0] < last)]
        assert ((own >= first) & (own < last)).all()
        assert not (is_fan and len(own))
        k = np.arange(first + 1, last - 1)
        found.append(corners[np.column_stack([np.full(len(k), first), k, k + 1]) if is_fan else own])
    return found


@given(rings())
def test_triangles_fill_a_ring_exactly(some: list[np.ndarray]) -> None:
    for ring, triangles in zip(some, triangles_of(some), strict=True):
        whole, parts = shapely.Polygon(ring), shapely.polygons(triangles)
        assert shapely.area(parts).sum() == pytest.approx(whole.area)
        assert shapely.union_all(parts).symmetric_difference(whole).area < 1e-6 * whole.area


def test_a_ring_that_no_corner_sees_whole_is_listed() -> None:
    offsets, _, fan, listed = triangulated(*joined([L, U]))
    assert list(fan) == [True, False]
    assert len(listed) == len(U) - 2
    assert (listed >= offsets[1]).all()


@given(rings())
def test_octagons_are_convex_parts_of_rings(some: list[np.ndarray]) -> None:
    offsets, corners = octagons(*joined(some))
    for ring, first, last in zip(some, offsets[:-1], offsets[1:], strict=True):
        own = corners[first:last]
        assert len(own) <= 8
        assert {tuple(corner) for corner in own} <= {tuple(corner) for corner in ring}
        if len(own) > 2:
            made = shapely.Polygon(own)
            assert made.area == pytest.approx(made.convex_hull.area)
            assert np.ptp(own, axis=0).max() <= np.ptp(ring, axis=0).max() + 1e-9


def test_of_a_ring_that_crosses_itself_the_largest_part_is_kept() -> None:
    offsets, corners = simple_rings(*joined([L, BOW, U]))
    kept = [shapely.Polygon(part) for part in np.split(corners, offsets[1:-1])]
    assert all(one.is_valid for one in kept)
    assert kept[0].equals(shapely.Polygon(L))
    assert kept[2].equals(shapely.Polygon(U))
    parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(BOW)))
    assert kept[1].area == pytest.approx(max(part.area for part in parts))
