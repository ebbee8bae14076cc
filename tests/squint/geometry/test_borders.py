"""Distances to borders: agreement with shapely and by hand, planted truth, and what does not matter."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from squint import pp
from squint.errors import InputError
from squint.geometry import borders

SEEDS = st.integers(0, 2**32 - 1)
SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])


def cells_of(seed: int, n: int = 300, side: float = 100) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, side, (n, 2))


def turned(coordinates: np.ndarray, angle: float, shift: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return coordinates @ np.array([[cos, sin], [-sin, cos]]) + shift


@given(SEEDS)
def test_the_distance_to_an_outline_is_shapelys(seed):
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 12))
    if len(np.unique(angle)) < 3:
        return
    ring = 50 + rng.uniform(15, 45, (12, 1)) * np.column_stack([np.cos(angle), np.sin(angle)])
    hole = np.array([[48.0, 48], [52, 48], [52, 52], [48, 52]])
    points = cells_of(seed)
    shape = shapely.Polygon(ring, [hole])
    if not shape.is_valid:
        return
    found = borders.distance_to_outline([(ring, hole)], points)
    expected = shapely.distance(shape.boundary, shapely.points(points))
    np.testing.assert_allclose(np.abs(found), expected, atol=1e-6)
    np.testing.assert_array_equal(found < 0, shapely.covers(shape, shapely.points(points)))


def test_borders_within_the_union_of_polygons_are_none():
    beside = SQUARE + np.array([10, 0])
    over = SQUARE + np.array([5, 0])
    points = np.array([[10.0, 5], [12, 5], [-3, 5]])
    np.testing.assert_allclose(
        borders.distance_to_outline([(SQUARE,), (beside,)], points), [-5, -5, 3], atol=1e-6
    )
    np.testing.assert_allclose(
        borders.distance_to_outline([(SQUARE,), (over,)], points), [-5, -3, 3], atol=1e-6
    )
    with pytest.raises(InputError, match="no outline"):
        borders.distance_to_outline([], points)


def test_between_cells_the_border_runs_halfway():
    for gap in (10.0, 40.0):
        x = np.array([0.0, 10, 10 + gap, 20 + gap, 30 + gap])
        found = borders.distance_to_others(x <= 10, np.column_stack([x, np.zeros(5)]))
        np.testing.assert_allclose(found, np.array([-10, 0, 0, 10, 20]) + gap / 2 * np.sign(x - 11))


@given(SEEDS, st.floats(0, 6), st.sampled_from([0.25, 0.5, 2.0, 8.0]))
def test_place_turn_order_and_unit_do_not_matter(seed, angle, factor):
    rng = np.random.default_rng(seed)
    coordinates = cells_of(seed)
    members = np.linalg.norm(coordinates - 50, axis=1) < 30
    once = borders.distance_to_others(members, coordinates)
    order = rng.permutation(len(members))
    moved = turned(coordinates, angle, rng.uniform(-1e3, 1e3, 2))
    np.testing.assert_allclose(
        borders.distance_to_others(members[order], moved[order]), once[order], atol=1e-6
    )
    np.testing.assert_allclose(borders.distance_to_others(members, factor * coordinates), factor * once)
    np.testing.assert_allclose(borders.distance_to_others(~members, coordinates), -once)
    ring = 50 + 30 * np.column_stack([np.cos(np.arange(0, 6.28, 0.1)), np.sin(np.arange(0, 6.28, 0.1))])
    drawn = borders.distance_to_outline([(ring,)], coordinates)
    np.testing.assert_allclose(
        borders.distance_to_outline([(factor * ring,)], factor * coordinates), factor * drawn, atol=1e-5
    )


def test_a_circle_of_cells_has_the_border_of_the_circle():
    coordinates = cells_of(4, 10_000, 1_000)  # 10 apart
    truth = np.linalg.norm(coordinates - 500, axis=1) - 300
    found = borders.distance_to_others(truth <= 0, coordinates)
    assert ((found < 0) == (truth <= 0)).all()
    error = found - truth
    assert np.abs(error).mean() < 2.5  # a quarter of the spacing
    assert np.quantile(np.abs(error), 0.99) < 10
    assert abs(error[truth > 0].mean()) < 2
    assert abs(error[truth <= 0].mean()) < 2


def test_without_two_sides_there_is_no_border():
    for members in (np.zeros(5, dtype=bool), np.ones(5, dtype=bool)):
        assert np.isnan(borders.distance_to_others(members, cells_of(0, 5))).all()


def test_stray_cells_and_small_holes_make_no_border():
    grid = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    graph = pp.knn_graph(grid, 8)
    core = (np.abs(grid - 15) <= 8).all(axis=1)
    hole = (np.abs(grid - 15) <= 1).all(axis=1)  # 9 cells
    stray = (grid == [2, 2]).all(axis=1)
    found = borders.without_small_patches((core & ~hole) | stray, graph, min_cells=20)
    np.testing.assert_array_equal(found.inside, core)
    assert (found.n_left_out, found.n_filled) == (1, 9)
    kept = borders.without_small_patches((core & ~hole) | stray, graph, min_cells=1)
    np.testing.assert_array_equal(kept.inside, (core & ~hole) | stray)
    none = borders.without_small_patches(stray, graph, min_cells=20)
    assert not none.inside.any()


@given(SEEDS, st.integers(1, 40))
def test_no_small_patch_of_the_inside_is_left(seed, min_cells):
    rng = np.random.default_rng(seed)
    coordinates = cells_of(seed)
    graph = pp.knn_graph(coordinates, 8)
    members = rng.random(len(coordinates)) < rng.random()
    found = borders.without_small_patches(members, graph, min_cells=min_cells)
    again = borders.without_small_patches(found.inside, graph, min_cells=min_cells)
    np.testing.assert_array_equal(again.inside, found.inside)
    assert int((found.inside ^ members).sum()) == found.n_left_out + found.n_filled


@given(SEEDS)
def test_the_majority_of_the_closed_neighbourhood_decides(seed):
    rng = np.random.default_rng(seed)
    graph = pp.knn_graph(cells_of(seed, 60), 4)
    members = rng.random(60) < 0.5
    found = borders.by_majority(members, graph)
    for i in range(60):
        closed = members[np.append(graph[i].indices, i)]
        assert found[i] == (members[i] if closed.mean() == 0.5 else closed.mean() > 0.5)
    np.testing.assert_array_equal(borders.by_majority(~members, graph), ~found)


def test_mixed_tissue_is_one_area():
    coordinates = cells_of(5, 10_000, 1_000)
    truth = np.linalg.norm(coordinates - 500, axis=1) - 300
    share = np.where(truth <= 0, 0.75, 0.05)
    members = np.random.default_rng(5).random(len(truth)) < share
    graph = pp.knn_graph(coordinates, 8)
    found = borders.without_small_patches(borders.by_majority(members, graph), graph)
    assert (found.inside == (truth <= 0)).mean() > 0.98
    cleaned = np.abs(borders.distance_to_others(found.inside, coordinates) - truth).mean()
    raw = np.abs(borders.distance_to_others(members, coordinates) - truth).mean()
    assert cleaned < 8  # cells are 10 apart
    assert raw > 100  # every stray cell has a border
