"""Outlines: membership, area, and the files of QuPath and Xenium Explorer."""

import subprocess
import sys
import time

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Drawn

from squint.errors import InputError
from squint.geometry import outlines, regions
from tests.helpers.outlines import (
    BOW,
    GRID,
    HOLE,
    POINTS,
    SQUARE,
    lattice,
    polygon,
    polygons,
)


@given(lattice)
def test_a_ring_holds_the_cells_that_a_region_of_r_json_holds(corners):
    region = regions.Polygon("s", tuple(map(tuple, corners.tolist())))
    np.testing.assert_array_equal(outlines.inside([(corners,)], GRID), region.mask(None, GRID, None))


@given(polygon)
def test_rings_are_filled_by_the_even_odd_rule(rings):
    # matplotlib counts the crossings of each path too, by another formula.
    odd = np.sum([Drawn(corners).contains_points(POINTS) for corners in rings], axis=0)
    edge = shapely.union_all([shapely.LinearRing(corners) for corners in rings])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    np.testing.assert_array_equal(outlines.inside([rings], POINTS)[clear], (odd % 2 == 1)[clear])


def test_borders_and_holes_are_as_drawn():
    found = outlines.inside([(SQUARE, HOLE)], GRID)
    x, y = GRID.T
    np.testing.assert_array_equal(found, ~((x > 3) & (x < 7) & (y > 3) & (y < 7)))
    assert outlines.area([(SQUARE, HOLE)]) == 84
    assert outlines.area([(SQUARE, HOLE[::-1])]) == 84
    assert outlines.area([(BOW,)]) == 50
    assert not outlines.inside([(SQUARE,)], np.empty((0, 2))).any()


@given(polygons, st.integers(0, 20), st.booleans())
def test_where_a_ring_starts_and_which_way_it_runs_do_not_matter(many, shift, turn):
    moved = [
        tuple(np.roll(corners, shift, axis=0)[:: -1 if turn else 1] for corners in rings) for rings in many
    ]
    edge = shapely.union_all([shapely.LinearRing(corners) for rings in many for corners in rings])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    first, second = outlines.inside(many, POINTS), outlines.inside(moved, POINTS)
    np.testing.assert_array_equal(first[clear], second[clear])


@given(polygons)
def test_a_union_is_counted_once(many):
    assert outlines.area([*many, *many]) == pytest.approx(outlines.area(many))
    assert outlines.area(many) <= sum(outlines.area([one]) for one in many) + 1e-6


@given(polygons, polygons)
def test_what_is_cut_out_is_gone_and_the_rest_stays(many, others):
    rest = outlines.subtract(many, others)
    edge = shapely.union_all([shapely.LinearRing(c) for shape in (*many, *others, *rest) for c in shape])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    expected = outlines.inside(many, POINTS) & ~outlines.inside(others, POINTS)
    np.testing.assert_array_equal(outlines.inside(rest, POINTS)[clear], expected[clear])
    assert outlines.subtract(many, many) == ()


def test_a_million_cells_are_decided_while_the_mouse_is_still_warm():
    # 10 s instead of the 0.5 s that it takes here: a slow machine must not fail.
    code = (
        "import numpy as np, time; from squint.geometry.outlines import inside\n"
        "angle = np.linspace(0, 6.28, 300)\n"
        "ring = 5e3 + 4e3 * np.column_stack([np.cos(angle), np.sin(angle)])\n"
        "cells = np.random.default_rng(0).uniform(0, 1e4, (1_000_000, 2)); start = time.perf_counter()\n"
        "n = inside([(ring,)], cells).sum(); print(n, time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n, seconds = done.stdout.split()
    assert int(n) == pytest.approx(1e6 * np.pi * 0.16, rel=0.01)
    assert float(seconds) < 10


def test_outlines_are_read_without_anndata():
    code = "import sys, squint.formats.qupath, squint.formats.xenium_explorer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"anndata", "scanpy", "torch", "shapely", "scipy"} & set(done.stdout.split())


def star(n_corners):
    return np.random.default_rng(0).uniform(0, 1e4, (n_corners, 2))


def zigzag(n_corners):
    """Run up and down across the section, and back below it."""
    x, y = np.linspace(0, 1e4, n_corners - 1), np.where(np.arange(n_corners - 1) % 2, 0, 1e4)
    return np.vstack([np.column_stack([x, y]), [[5e3, -1e8]]])


def wave(n_corners):
    angle = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    reach = 4e3 + 100 * np.sin(50 * angle)
    return 5e3 + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("n_corners", [300, 1_000, 3_000, 10_000])
def test_outlines_that_cross_all_over_are_refused_at_once(n_corners):
    """1,000 corners took 13 s and 3,000 took 2.5 GB, before any number was shown."""
    start = time.process_time()
    for act in (outlines.area, lambda many: outlines.subtract(many, [(SQUARE,)])):
        with pytest.raises(InputError, match="crosses itself more than 3,000 times"):
            act([(star(n_corners),)])
    with pytest.raises(InputError, match="The area crosses itself more than"):
        outlines.check_outline([(star(n_corners),)], "The area")
    assert time.process_time() - start < 10


def test_rings_that_cross_each_other_all_over_are_refused():
    squares = [(SQUARE * 100 + np.array([i, 7 * i % 101]),) for i in range(100)]
    with pytest.raises(InputError, match="crosses itself more than"):
        outlines.check_outline(squares, "Tumour")
    outlines.check_outline(squares[:10], "Tumour")
    apart = [(SQUARE + np.array([10 * i, 10 * j]),) for i in range(60) for j in range(60)]  # share borders
    outlines.check_outline(apart, "Tumour")
    assert outlines.area(apart) == 360_000


def test_corners_are_bounded():
    with pytest.raises(InputError, match="100,001 corners, and at most 100,000"):
        outlines.check_outline([(wave(100_001),)], "The area")
    with pytest.raises(InputError, match="crosses itself and has 20,005 corners"):
        outlines.check_outline([(np.vstack([BOW - 2, wave(20_001)]),)], "The area")
    outlines.check_outline([(wave(50_000),)], "The area")
    assert outlines.area([(wave(50_000),)]) == pytest.approx(np.pi * (4e3**2 + 100**2 / 2), rel=1e-3)


def test_an_outline_that_runs_past_all_cells_too_often_is_refused_at_once():
    """20,000 corners over 230,000 cells took 90 s."""
    cells = np.random.default_rng(1).uniform(0, 1e4, (230_000, 2))
    start = time.process_time()
    with pytest.raises(InputError, match="runs up and down past too many cells"):
        outlines.inside([(zigzag(20_000),)], cells)
    with pytest.raises(InputError, match="runs up and down past too many cells"):
        outlines.inside([(zigzag(100),)] * 200, cells)  # one would do
    assert time.process_time() - start < 10
    assert outlines.inside([(wave(20_000),)], cells).mean() == pytest.approx(np.pi * 0.16, rel=0.02)


def test_thousands_of_small_outlines_over_many_cells_are_decided_soon():
    cells = np.random.default_rng(1).uniform(0, 1e4, (200_000, 2))
    many = [(SQUARE + corner,) for corner in star(5_000)]
    start = time.process_time()
    found = outlines.inside(many, cells)
    assert time.process_time() - start < 5  # 12 s, when each looked at all cells
    lows = np.array([rings[0][0] for rings in many])
    some = cells[:2_000, None]
    held = ((some >= lows) & (some <= lows + 10)).all(axis=-1).any(axis=-1)
    np.testing.assert_array_equal(found[:2_000], held)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([[0, 0], [1, 1]], "fewer than three corners"),
        ([[0, 0], [1, 1], [0, 0], [1, 1]], "fewer than three corners"),
        ([], "fewer than three corners"),
        ([[0, 0], [1, float("nan")], [2, 0]], "no finite number"),
        ([[0, 0], [1, float("inf")], [2, 0]], "no finite number"),
        ([[0, 0], [1, 10**400], [2, 0]], "out of all bounds"),
        ([[0, 0], [1, "1"], [2, 0]], "no finite number"),
        ([[0, 0], [1, True], [2, 0]], "no finite number"),
        ([[0, 0], [1], [2, 0]], "list of positions"),
        ([0, 0, 1, 1], "list of positions"),
        ("ring", "list of positions"),
        (None, "list of positions"),
        ({"0": [0, 0]}, "list of positions"),
    ],
)
def test_what_is_no_ring_is_refused(corners, message):
    with pytest.raises(InputError, match=message):
        outlines.as_ring(corners, "The area")


def test_a_ring_that_crosses_itself_is_taken_and_one_that_is_closed_is_opened():
    assert len(outlines.as_ring(BOW.tolist(), "The area")) == 4
    np.testing.assert_array_equal(outlines.as_ring([*SQUARE.tolist(), [0, 0]], "The area"), SQUARE)


def test_cells_are_found_at_and_near_positions():
    rows, n_far = outlines.at_points(np.array([[2.1, 3], [2, 3], [9.8, 10.2], [50, 50]]), GRID)
    np.testing.assert_array_equal(GRID[rows], [[2, 3], [10, 10]])
    assert n_far == 1


@given(st.lists(st.integers(0, 29)))
def test_cells_are_found_by_name_in_any_order(wanted):
    names = [f"cell{i}" for i in range(30)]
    found = outlines.find_cells([names[i] for i in wanted], names, "a.csv")
    assert found.tolist() == sorted(set(wanted))
    assert found.dtype == np.uint32


def test_unknown_cells_are_counted_and_the_first_are_named():
    names = ["a", "b"]
    wanted = ["a", *(f"x{i}" for i in range(1_200))]
    with pytest.raises(InputError, match=r"1,201 cells .* lacks 1,200: 'x0', 'x1', 'x2', 'x3', 'x4' \.\.\."):
        outlines.find_cells(wanted, names, "a.csv")
    assert outlines.find_cells(wanted, names, "a.csv", skip=True).tolist() == [0]
    with pytest.raises(InputError, match="Choose the section that the file was made of"):
        outlines.find_cells(["x"], names, "a.csv", skip=True)
