"""Positions without cells: where they are put, and what they leave alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from squint import datasets, io, keys
from squint.errors import InputError
from squint.geometry import positions
from squint.geometry.positions import LEAST_GAP, append_points, fill_area, lattice_spacing
from squint.geometry.regions import Points, Polygon, Rectangle


@pytest.fixture(scope="module")
def adata():
    return datasets.toy(n_cells=120)


def lattice(spacing, n=24):
    y, x = np.mgrid[:n, :n].astype(float)
    return np.stack([(x + (y % 2) / 2) * spacing, y * spacing * np.sqrt(3) / 2], axis=-1).reshape(-1, 2)


def test_points_follow_the_cells_and_leave_them_as_they_are(adata):
    first, second = adata.obs[keys.SECTION].astype(str).unique()
    joined = append_points(
        adata,
        [
            Points(second, ((1.5, 2.5), (3.5, 4.5))),
            Rectangle(first, 0, 1, 0, 1),
            Points(first, ((5.0, 6.0),)),
        ],
    )
    assert list(joined.obs_names[120:]) == ["point-1", "point-2", "point-3"]
    assert list(joined.obs_names[:120]) == list(adata.obs_names)
    assert (joined[:120].X != adata.X).nnz == 0
    assert joined[120:].X.nnz == 0
    np.testing.assert_array_equal(joined.obsm[keys.SPATIAL][:120], adata.obsm[keys.SPATIAL])
    np.testing.assert_array_equal(joined.obsm[keys.SPATIAL][120:], [[1.5, 2.5], [3.5, 4.5], [5, 6]])
    assert list(joined.obs[keys.SIMULATED_POSITION]) == [False] * 120 + [True] * 3
    assert list(joined.obs[keys.SECTION][120:]) == [second, second, first]
    patient = adata.obs[keys.PATIENT].astype(str).groupby(adata.obs[keys.SECTION].astype(str)).first()
    assert list(joined.obs[keys.PATIENT][120:]) == [patient[second], patient[second], patient[first]]
    assert joined.obs[keys.CELL_TYPE][120:].isna().all()
    assert joined.obs[keys.SECTION].dtype == adata.obs[keys.SECTION].dtype


def test_what_is_appended_can_be_written_and_read(adata, tmp_path):
    name = adata.obs[keys.SECTION].iloc[0]
    marked = adata.copy()
    marked.obs["marked"] = True
    io.write(append_points(marked, [Points(name, ((1.0, 2.0),))]), tmp_path / "joined.h5ad")
    joined = io.read(tmp_path / "joined.h5ad")
    assert joined.n_obs == 121
    assert joined.obs["marked"].sum() == 120


def test_names_that_cells_have_are_passed_over(adata):
    named = adata.copy()
    named.obs_names = ["point-2", *adata.obs_names[1:]]
    joined = append_points(named, [Points(named.obs[keys.SECTION].iloc[0], ((0.0, 0.0), (1.0, 1.0)))])
    assert list(joined.obs_names[-2:]) == ["point-1", "point-3"]


def test_without_points_nothing_but_the_mark_is_added(adata):
    joined = append_points(adata, [Rectangle("any", 0, 1, 0, 1)])
    assert joined.n_obs == adata.n_obs
    assert not joined.obs[keys.SIMULATED_POSITION].any()


def test_a_point_takes_the_height_of_the_nearest_cell(adata):
    solid = adata.copy()
    flat = solid.obsm[keys.SPATIAL][:, :2]
    solid.obsm[keys.SPATIAL] = np.column_stack([flat, np.arange(len(flat))])
    name = solid.obs[keys.SECTION].iloc[0]
    joined = append_points(solid, [Points(name, (tuple(flat[0]), (1.0, 2.0, 30.0)))])
    assert joined.obsm[keys.SPATIAL][-2:].tolist() == [[*flat[0], 0], [1, 2, 30]]


def test_points_that_do_not_fit_are_refused(adata):
    with pytest.raises(InputError, match="do not hold"):
        append_points(adata, [Points("nowhere", ((0.0, 0.0),))])
    with pytest.raises(InputError, match="have a height"):
        append_points(adata, [Points(adata.obs[keys.SECTION].iloc[0], ((0.0, 0.0, 1.0),))])


@given(spacing=st.floats(0.1, 1000))
def test_the_spacing_of_a_lattice_is_found(spacing):
    # A disc around a site holds a little more or less than its area says.
    assert lattice_spacing(lattice(spacing)) == pytest.approx(spacing, rel=0.25)


def test_as_many_positions_are_put_as_cells_were_there():
    rng = np.random.default_rng(0)
    cells = lattice(10.0, 40) + rng.normal(0, 1.5, (1600, 2))
    area = Rectangle("s", 100, 250, 100, 250)
    inside = area.mask(None, cells, rng)
    filled = fill_area(cells[~inside], area)
    assert len(filled) == pytest.approx(inside.sum(), rel=0.3)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(["rectangle", "polygon"]))
def test_positions_keep_their_distance_and_stay_inside(seed, shape):
    cells = np.random.default_rng(seed).uniform(0, 100, (300, 2))
    corners = ((20.0, 20.0), (80.0, 30.0), (50.0, 90.0))
    area = Polygon("s", corners) if shape == "polygon" else Rectangle("s", 20, 80, 30, 70)
    cells = cells[~area.mask(None, cells, None)]
    filled = fill_area(cells, area, seed=seed)
    assert len(filled) > 10
    assert area.mask(None, filled, None).all()
    gap = LEAST_GAP * lattice_spacing(cells) * (1 - 1e-9)
    assert pdist(filled).min() >= gap
    assert cKDTree(cells).query(filled)[0].min() >= gap
    np.testing.assert_array_equal(filled, fill_area(cells[::-1], area, seed=seed))


def test_an_area_full_of_cells_stays_as_it_is():
    cells = lattice(10.0)
    assert len(fill_area(cells, Rectangle("s", 50, 150, 50, 150))) < 0.05 * 100


def test_areas_that_cannot_be_filled_are_refused(monkeypatch):
    area = Rectangle("s", 0, 1, 0, 1)
    with pytest.raises(InputError, match="two dimensions"):
        fill_area(np.zeros((5, 3)), area)
    with pytest.raises(InputError, match="too few"):
        fill_area(np.zeros((1, 2)), area)
    with pytest.raises(InputError, match="on one another"):
        fill_area(np.zeros((9, 2)), area)
    monkeypatch.setattr(positions, "MOST_POINTS", 10)
    with pytest.raises(InputError, match="more than 10"):
        fill_area(lattice(1.0), Rectangle("s", 0, 50, 0, 50))
