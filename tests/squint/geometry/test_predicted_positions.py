"""Positions predicted in a hole: as many, and as far apart, as the tissue around leads to expect."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from squint.errors import InputError
from squint.geometry.positions import fill_area
from squint.geometry.predicted_positions import predict_positions
from squint.geometry.regions import Polygon, Rectangle

HOLE = Rectangle("s", 350, 550, 400, 600)
SHAPES = [
    Rectangle("s", 100, 220, 90, 200),
    Polygon("s", ((100, 100), (220, 110), (160, 230))),
    Polygon("s", ((100, 100), (220, 100), (220, 220), (160, 130))),
]


def tissue(density: float, *, side: float = 1000, core: float = 4, seed: int = 0) -> np.ndarray:
    """Lay cells of one density at random, none nearer than ``core`` to another."""
    rng = np.random.default_rng(seed)
    kept = np.empty((0, 2))
    while len(kept) < density * side**2:
        tried = np.concatenate([kept, rng.uniform(0, side, (400, 2))])
        near = cKDTree(tried).query_pairs(core, output_type="ndarray")
        kept = tried[~np.isin(np.arange(len(tried)), near.max(axis=1))] if len(near) else tried
    return kept[: round(density * side**2)]


def inside(area: Rectangle | Polygon, points: np.ndarray) -> np.ndarray:
    return area.mask(pd.RangeIndex(len(points)), points, np.random.default_rng(0))


def test_homogeneous_tissue_is_filled_as_densely_within_the_error_of_counting():
    errors, covered = [], []
    for seed in range(6):
        cells = tissue(0.005, seed=seed)
        hole = inside(HOLE, cells)
        filled = predict_positions(cells[~hole], HOLE, seed=seed)
        errors.append(len(filled.points) / (0.005 * 200 * 200) - 1)
        covered.append(filled.low <= hole.sum() <= filled.high)
        assert filled.n_learned > 20
    # 200 cells expected: counting alone errs by less than 7 % (Poisson), and by less where cells keep away.
    assert abs(np.mean(errors)) < 0.04
    assert np.abs(errors).max() < 0.15
    assert sum(covered) >= 5


def test_a_dense_neighbourhood_is_told_where_the_section_is_sparse():
    sparse, dense = tissue(0.003), tissue(0.010, seed=1)
    cells = np.concatenate([sparse[sparse[:, 0] < 500], dense[dense[:, 0] >= 500]])
    for hole, density in (
        (Rectangle("s", 650, 800, 400, 550), 0.010),
        (Rectangle("s", 150, 300, 400, 550), 0.003),
    ):
        around = cells[~inside(hole, cells)]
        wanted = density * 150 * 150
        told = len(predict_positions(around, hole).points)
        even = len(fill_area(around, hole))
        assert told == pytest.approx(wanted, rel=0.15)
        assert abs(told - wanted) < abs(even - wanted)


@pytest.mark.parametrize("hole", [Rectangle("s", 300, 700, 990, 1090), Rectangle("s", 900, 1100, 300, 600)])
def test_what_lies_beyond_the_edge_of_the_tissue_does_not_thin_it_out(hole):
    cells = tissue(0.005)
    around = cells[~inside(hole, cells)]
    wanted = 0.005 * (hole.x1 - hole.x0) * (hole.y1 - hole.y0)
    assert predict_positions(around, hole).expected == pytest.approx(wanted, rel=0.15)


def test_distances_to_the_nearest_are_those_of_the_tissue_around():
    cells = tissue(0.005, core=6)
    around = cells[~inside(HOLE, cells)]
    filled = predict_positions(around, HOLE)
    own = cKDTree(np.concatenate([around, filled.points])).query(filled.points, 2)[0][:, 1]
    usual = cKDTree(cells).query(cells, 2)[0][:, 1]
    assert own.min() >= filled.least_gap
    assert np.median(own) == pytest.approx(np.median(usual), rel=0.15)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 99), st.sampled_from(SHAPES))
def test_all_positions_lie_inside_keep_their_distance_and_are_the_same_again(seed, shape):
    cells = tissue(0.01, side=300, core=3, seed=seed % 5)
    around = cells[~inside(shape, cells)]
    filled = predict_positions(around, shape, seed=seed)
    assert len(filled.points)
    assert inside(shape, filled.points).all()
    assert pdist(filled.points).min(initial=np.inf) >= filled.least_gap
    assert cKDTree(around).query(filled.points)[0].min() >= filled.least_gap
    again = predict_positions(around[::-1], shape, seed=seed)
    np.testing.assert_array_equal(filled.points, again.points)


def test_an_area_full_of_cells_gets_few_more():
    cells = tissue(0.005)
    assert len(predict_positions(cells, HOLE).points) < 0.15 * 0.005 * 200 * 200


def test_where_a_hole_fits_nowhere_else_the_ring_around_it_tells():
    cells = tissue(0.005, side=300)
    hole = Rectangle("s", 60, 240, 60, 240)
    around = cells[~inside(hole, cells)]
    filled = predict_positions(around, hole)
    assert filled.n_learned < 12
    assert np.isnan(filled.low)
    assert len(filled.points) == pytest.approx(0.005 * 180 * 180, rel=0.2)


def test_areas_that_cannot_be_filled_are_refused():
    cells = tissue(0.005, side=200)
    with pytest.raises(InputError, match="have a height"):
        predict_positions(np.zeros((9, 3)), HOLE)
    with pytest.raises(InputError, match="too few cells"):
        predict_positions(np.zeros((1, 2)), HOLE)
    with pytest.raises(InputError, match="Choose a smaller one"):
        predict_positions(cells, Rectangle("s", 0, 1e6, 0, 1e6))
    with pytest.raises(InputError, match="Too few cells lie around"):
        predict_positions(cells, Rectangle("s", -1, 201, -1, 201))
