"""What the nearest observed cells say of hidden ones."""

import json

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.neighbors import NearestNeighbors

from squint import keys, pp
from squint.baselines import nearest as baselines
from squint.baselines.nearest import graph_mean, knn_profiles, nearest_observed
from squint.stats.metrics import column_pearson, row_pearson
from tests.helpers.paths import REGIONS


@pytest.fixture
def hidden(stack):
    return np.random.default_rng(0).random(stack.n_obs) < 0.3


def test_nearest_cells_agree_with_another_search(stack, hidden):
    section, points = pp.section_codes(stack), stack.obsm[keys.SPATIAL]
    found = nearest_observed(points, section, hidden, 200)
    for code in range(4):
        observed = np.flatnonzero((section == code) & ~hidden)
        search = NearestNeighbors(n_neighbors=len(observed)).fit(points[observed])
        _, expected = search.kneighbors(points[hidden & (section == code)])
        mine = found[section[hidden] == code]
        assert np.array_equal(mine[:, : len(observed)], observed[expected])
        assert (mine[:, len(observed) :] == baselines.NOBODY).all()


def test_profiles_are_means_of_the_nearest_cells(stack, hidden):
    found = nearest_observed(stack.obsm[keys.SPATIAL], pp.section_codes(stack), hidden)
    counts = stack.X.toarray()
    tried = dict(knn_profiles(stack.X, found))
    assert list(tried) == [1, 2, 4, 8, 16, 32, 64]  # no level has 128 observed cells
    for k, profiles in tried.items():
        means = [counts[cells[cells >= 0][:k]].mean(axis=0) for cells in found]
        assert np.allclose(profiles, means)


def test_the_mean_over_the_graph_agrees_with_a_loop(stack, hidden):
    pp.spatial_neighbors(stack)
    graph = stack.obsp[keys.DISTANCES]  # any values will do
    profiles = np.random.default_rng(1).random((hidden.sum(), stack.n_vars))
    filled = stack.X.toarray()
    filled[hidden] = profiles
    joined = (graph.toarray() > 0) | np.eye(stack.n_obs, dtype=bool)
    expected = [filled[joined[cell]].mean(axis=0) for cell in np.flatnonzero(hidden)]
    assert np.allclose(graph_mean(stack.X, graph, hidden, profiles), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["starmap_mpfc_3sections", "merfish_mouse_poa", "xenium_breast_roi_17k"])
def test_they_agree_with_what_others_measured(real_regions, name):
    adata, hidden = real_regions(name)
    pp.spatial_neighbors(adata)
    graph, truth = adata.obsp[keys.CONNECTIVITIES], adata.X[hidden].toarray()
    target = graph_mean(adata.X, graph, hidden, truth)
    measured = json.loads((REGIONS / f"baselines_{name}.json").read_text())
    nearest = nearest_observed(adata.obsm[keys.SPATIAL], pp.section_codes(adata), hidden)
    checked = 0
    for k, profiles in knn_profiles(adata.X, nearest):
        row = measured.get(f"knn{k}_cell_then_graph")
        if row is not None:
            values = graph_mean(adata.X, graph, hidden, profiles)
            assert row_pearson(target, values).mean() == pytest.approx(row["PC"], abs=1e-3)
            assert np.nanmean(column_pearson(target, values)) == pytest.approx(row["PG"], abs=1e-3)
            checked += 1
    assert checked >= 5


def test_correlation_of_genes_agrees_with_scipy():
    rng = np.random.default_rng(0)
    truth, said = rng.random((30, 4)), rng.random((30, 4))
    expected = [pearsonr(a, b).statistic for a, b in zip(truth.T, said.T, strict=True)]
    assert np.allclose(column_pearson(truth, said), expected)
    truth[:, 0], said[:, 1] = 3.3, 0.1
    found = column_pearson(truth, said)
    assert np.isnan(found[0])
    assert found[1] == 0
    assert np.isnan(column_pearson(truth[:0], said[:0])).all()
