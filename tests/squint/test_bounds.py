"""Positions are bounded wherever they enter: the indexes of neighbours end the process beyond 1e154."""

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st

from squint import keys, pp
from squint.bounds import FARTHEST, check_reach
from squint.errors import InputError
from squint.io import checks
from squint.model.surroundings import locate

FAR = [1e300, -1e300, 1e155, 1e9 * (1 + 1e-15), 10**18]


@given(st.lists(st.floats(-FARTHEST, FARTHEST), min_size=2, max_size=2), st.sampled_from([2, 3]))
def test_what_lies_within_bounds_is_taken(place, dimensions):
    check_reach(np.array([[*place, 0.0][:dimensions]]), "Here")


@pytest.mark.parametrize("value", FAR)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_lies_beyond_is_refused_by_the_name_of_the_first_cell(value, axis):
    coordinates = np.zeros((4, 3), dtype=np.asarray(value).dtype)
    coordinates[2:, axis] = value
    with pytest.raises(InputError, match=r"^Here is beyond 1,000,000,000 for 2 cells, the first 'c2'\."):
        check_reach(coordinates, "Here", ["c0", "c1", "c2", "c3"])


def test_the_smallest_whole_number_is_beyond_too():
    with pytest.raises(InputError, match="beyond"):
        check_reach(np.array([[np.iinfo(np.int64).min, 0]]), "Here")


@pytest.mark.parametrize("value", [*FAR, np.nan, np.inf])
def test_no_index_of_neighbours_is_made_of_it(value):
    rng = np.random.default_rng(0)
    coordinates = rng.uniform(0, 100, (300, 2))
    coordinates[7, 1] = value
    adata = AnnData(np.ones((300, 1), np.float32), obsm={keys.SPATIAL: coordinates})
    with pytest.raises(InputError, match=f"the first {adata.obs_names[7]!r}"):
        pp.spatial_neighbors(adata)
    for use in (
        lambda: pp.knn_graph(coordinates, 8),
        lambda: checks.spacings(coordinates, np.zeros(300, np.int64)),
        lambda: locate(coordinates, np.zeros(300, np.int64)),
    ):
        with pytest.raises(InputError, match="the first number 7"):
            use()
