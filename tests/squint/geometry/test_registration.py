"""Levels that were turned and shifted are put back; levels that were not stay."""

from itertools import pairwise

import anndata
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

import squint
from squint import datasets, keys, tl
from squint.geometry.registration import Rigid, lay, measure
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

LEVELS = [f"SIM-H-stack-{number:02d}" for number in (3, 4, 5, 6)]  # the middle of the stack
MOVED = {LEVELS[0]: (90, 300, 0), LEVELS[1]: (170, -200, 250), LEVELS[3]: (-35, 100, -300)}


def rms(offsets):
    return float(np.sqrt((offsets**2).sum(axis=1).mean()))


def moved(adata, name, rotation, shift_x, shift_y):
    """Turn and shift one level."""
    adata = adata.copy()
    cells = (adata.obs[keys.SECTION] == name).to_numpy()
    points = adata.obsm[keys.SPATIAL][cells]
    move = Rigid(rotation, np.array([shift_x, shift_y]), points.mean(axis=0))
    adata.obsm[keys.SPATIAL][cells] = move.apply(points)
    return adata


@pytest.fixture(scope="module")
def stack():
    adata = squint.read(ROOT / "data_samples" / "stack.h5ad")
    return adata[adata.obs[keys.SECTION].isin(LEVELS)].copy()


@pytest.fixture(scope="module")
def aligned(stack):
    shuffled = stack
    for name, move in MOVED.items():
        shuffled = moved(shuffled, name, *move)
    return tl.align_levels(shuffled, apply=True, copy=True)


def test_levels_turned_by_any_angle_are_put_back(stack, aligned):
    truth, found = stack.obsm[keys.SPATIAL], aligned.obsm[keys.ALIGNED]
    for name in LEVELS:
        cells = (stack.obs[keys.SECTION] == name).to_numpy()
        assert rms(found[cells] - truth[cells]) < 15  # um; structures differ over 60 um of height
    assert aligned.uns[keys.ALIGNMENT]["reliable"].all()
    assert (aligned.uns[keys.ALIGNMENT]["agreement_after"] > 0.65).all()
    assert (aligned.uns[keys.ALIGNMENT]["agreement_before"] < 0.1).all()
    assert (aligned.uns[keys.ALIGNMENT]["overlap_after"] > 0.9).all()


def test_the_angle_between_levels_is_found(aligned):
    turned = [MOVED.get(name, (0,))[0] for name in LEVELS]
    for (below, above), rotation in zip(
        pairwise(turned), aligned.uns[keys.ALIGNMENT]["rotation"], strict=True
    ):
        assert abs((rotation - below + above + 180) % 360 - 180) < 2


def test_the_table_says_what_moves_the_cells(aligned):
    row = aligned.uns[keys.ALIGNMENT].iloc[0]
    cells = (aligned.obs[keys.SECTION] == row["upper"]).to_numpy()
    points = aligned.obsm[keys.SPATIAL][cells]
    move = Rigid(row["rotation"], row[["shift_x", "shift_y"]].to_numpy(float), points.mean(axis=0))
    assert np.allclose(move.pivot, row[["pivot_x", "pivot_y"]].to_numpy(float))
    assert rms(move.apply(points) - points) == pytest.approx(row["displacement"])


def test_the_coordinates_and_the_middle_level_stay(stack, aligned):
    middle = (stack.obs[keys.SECTION] == LEVELS[2]).to_numpy()
    assert np.array_equal(aligned.obsm[keys.ALIGNED][middle], aligned.obsm[keys.SPATIAL][middle])
    elsewhere = (stack.obs[keys.SECTION] == LEVELS[0]).to_numpy()
    assert rms(aligned.obsm[keys.SPATIAL][elsewhere] - stack.obsm[keys.SPATIAL][elsewhere]) > 200


def test_levels_that_are_aligned_stay(stack):
    done = tl.align_levels(stack, apply=True, copy=True)
    table = done.uns[keys.ALIGNMENT]
    assert set(table["outcome"]) == {"aligned within error"}
    assert not table["reliable"].any()
    assert (table[["rotation", "shift_x", "shift_y", "displacement"]] == 0).all(axis=None)
    assert (table["gain"] < 3 * table["gain_se"]).all()
    assert np.array_equal(done.obsm[keys.ALIGNED], stack.obsm[keys.SPATIAL])


def test_the_order_of_cells_does_not_matter(stack):
    some = moved(stack[stack.obs[keys.SECTION].isin(LEVELS[:2])], LEVELS[1], -35, 100, -300)
    turned = some[np.random.default_rng(0).permutation(some.n_obs)].copy()
    first, second = (tl.align_levels(adata, copy=True).uns[keys.ALIGNMENT] for adata in (some, turned))
    assert list(first["upper"]) == list(second["upper"])
    numbers = first.select_dtypes("number").columns
    assert np.allclose(first[numbers], second[numbers], atol=0.05)


def test_pairs_measured_one_at_a_time_give_the_same_table(stack):
    some = stack[stack.obs[keys.SECTION].isin(LEVELS[:2])].copy()
    pairs = list(measure(tl.stack_levels(some)))
    assert [(pair.lower, pair.upper, pair.dz) for pair in pairs] == [(*LEVELS[:2], 60)]
    done = tl.align_levels(some, pairs=pairs, copy=True)
    assert done.uns[keys.ALIGNMENT].equals(tl.align_levels(some, copy=True).uns[keys.ALIGNMENT])
    assert keys.ALIGNED not in done.obsm


def test_other_tissue_is_not_laid_onto_a_level(stack):
    other = squint.read(ROOT / "data_samples" / "SIM-L-1.h5ad")
    corner = other[np.all(other.obsm[keys.SPATIAL] < 560, axis=1)].copy()
    corner.obs[keys.Z] = 1000.0
    both = anndata.concat([stack[stack.obs[keys.SECTION] == LEVELS[3]], corner])
    assert list(tl.align_levels(both, copy=True).uns[keys.ALIGNMENT]["outcome"]) == ["cannot tell"]


def test_few_cells_are_left_where_they_are():
    adata = datasets.toy(n_cells=60)
    adata.obs[keys.Z] = (adata.obs[keys.SECTION] == adata.obs[keys.SECTION].iloc[-1]) * 60.0
    tl.align_levels(adata, apply=True)
    assert list(adata.uns[keys.ALIGNMENT]["outcome"]) == ["cannot tell"]
    assert np.array_equal(adata.obsm[keys.ALIGNED], adata.obsm[keys.SPATIAL])


def test_a_real_stack_is_put_back(real_section):
    adata = squint.read(real_section("seqfish_mouse_embryo2_z2_z5_subsampled"))
    upper = adata.obs[keys.SECTION].iloc[int(np.argmax(adata.obs[keys.Z]))]
    cells = (adata.obs[keys.SECTION] == upper).to_numpy()
    turned = moved(adata, upper, 120, 3, -2)  # the section is 4 by 7 units
    tl.align_levels(turned, apply=True)
    (row,) = turned.uns[keys.ALIGNMENT].itertuples()
    assert row.outcome == "moved"
    assert abs((row.rotation + 120 + 180) % 360 - 180) < 0.5
    move = Rigid(row.rotation, np.array([row.shift_x, row.shift_y]), np.array([row.pivot_x, row.pivot_y]))
    assert rms(move.apply(turned.obsm[keys.SPATIAL][cells]) - adata.obsm[keys.SPATIAL][cells]) < 0.05


@given(
    rotation=st.floats(-360, 360),
    shift=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    pivot=st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
)
def test_a_movement_keeps_distances_and_can_be_undone(rotation, shift, pivot):
    move = Rigid(rotation, np.array(shift), np.array(pivot))
    points = np.random.default_rng(0).uniform(-500, 500, (6, 2))
    there = move.apply(points)
    assert np.allclose(move.undo(there), points, atol=1e-6)
    assert np.allclose(pdist(there), pdist(points))
    origin, right, down = move.apply(np.array([[0.0, 0], [1, 0], [0, 1]]))
    assert np.linalg.det([right - origin, down - origin]) == pytest.approx(1)  # and does not mirror


@given(n_levels=st.integers(2, 6), seed=st.integers(0, 99))
def test_movements_add_up_to_the_middle_level(n_levels, seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 500, (8, 2))
    own = [Rigid(rng.uniform(0, 360), rng.uniform(-300, 300, 2), np.zeros(2)) for _ in range(n_levels)]
    levels = [move.apply(truth) for move in own]  # the same cells in each level, each laid down its own way
    onto = [
        Rigid(
            lower.rotation - upper.rotation,
            (lower.apply(upper.undo(np.zeros((1, 2)))))[0],
            np.zeros(2),
        )
        for lower, upper in pairwise(own)
    ]
    laid = lay(levels, onto)
    assert all(np.allclose(points, levels[n_levels // 2]) for points in laid)


@pytest.mark.parametrize(("change", "message"), [("no height", "no 'z_um'"), ("one level", "one level only")])
def test_what_is_no_stack_is_refused(change, message):
    adata = datasets.toy(n_cells=60)
    adata.obs[keys.Z] = 0.0
    if change == "no height":
        adata.obs.loc[adata.obs_names[3], keys.Z] = np.nan
    else:
        adata.obs[keys.SECTION] = "A"
    with pytest.raises(squint.InputError, match=message):
        tl.align_levels(adata)
