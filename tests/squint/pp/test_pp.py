import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.neighbors import kneighbors_graph

import squint
from squint import datasets, keys, pp
from squint.errors import InputError

points = arrays(
    np.float64, st.tuples(st.integers(1, 40), st.integers(2, 3)), elements=st.integers(0, 9).map(float)
)


def test_graph_agrees_with_scikit_learn():
    coordinates = np.random.default_rng(0).uniform(0, 100, (200, 2))
    mine = pp.knn_graph(coordinates, 8)
    theirs = kneighbors_graph(coordinates, 8, mode="distance")
    theirs = theirs.maximum(theirs.T)
    assert abs(mine - theirs).max() < 1e-9
    assert mine.nnz == theirs.nnz


@given(points, st.integers(1, 8))
@settings(max_examples=60)
def test_graph_is_symmetric_without_loops_and_finite_even_for_cells_at_one_point(coordinates, k):
    graph = pp.knn_graph(coordinates, k)
    dense = csr_matrix((np.ones(graph.nnz), graph.indices, graph.indptr), shape=graph.shape).toarray()
    assert (dense == dense.T).all()
    assert not dense.diagonal().any()
    assert (dense <= 1).all()
    assert np.isfinite(graph.data).all()
    assert (dense.sum(axis=1) >= min(k, len(coordinates) - 1)).all()


def test_cells_of_different_sections_are_never_neighbours():
    adata = datasets.toy(n_cells=200)
    pp.spatial_neighbors(adata)
    edges = coo_matrix(adata.obsp[keys.CONNECTIVITIES])
    section = adata.obs[keys.SECTION].to_numpy()
    assert (section[edges.row] == section[edges.col]).all()


def test_order_of_cells_does_not_change_the_graph():
    adata = datasets.toy(n_cells=120)
    order = np.random.default_rng(0).permutation(adata.n_obs)
    shuffled = adata[order].copy()
    pp.spatial_neighbors(adata)
    pp.spatial_neighbors(shuffled)
    expected = adata.obsp[keys.DISTANCES][order][:, order]
    assert abs(expected - shuffled.obsp[keys.DISTANCES]).max() < 1e-12


def test_third_coordinate_counts():
    coordinates = np.array([[0, 0, 0], [0, 0, 50], [10, 0, 0], [11, 0, 50]], dtype=float)
    assert pp.knn_graph(coordinates, 1)[0].indices.tolist() == [2]
    assert pp.knn_graph(coordinates[:, :2], 1)[0].indices.tolist() == [1]


def test_missing_coordinates_are_named():
    adata = anndata.AnnData(np.ones((3, 2), dtype=np.float32))
    with pytest.raises(InputError, match="spatial"):
        pp.spatial_neighbors(adata)


def test_all_shared_genes_are_kept_where_they_are_few():
    first, second = datasets.toy(n_cells=60), datasets.toy(seed=1, n_cells=60)
    second = second[:, second.var_names[::-1][:30]].copy()
    genes = pp.shared_genes([first, second])
    assert genes == [gene for gene in first.var_names if gene in set(second.var_names)]


def test_most_variable_genes_are_chosen_over_all_sections_and_never_from_hidden_cells():
    rng = np.random.default_rng(0)
    sections = []
    mean = np.linspace(1, 30, 40)
    for name in "ab":
        counts = rng.poisson(mean, (150, 40)).astype(np.float32)
        counts[:, 20] = rng.choice([0, 30], 150)  # variable in every section
        counts[:50, 10] = rng.choice([0, 60], 50)  # variable in the hidden cells only
        obs = pd.DataFrame({keys.SECTION: name}, index=[f"{name}{i}" for i in range(150)])
        sections.append(anndata.AnnData(csr_matrix(counts), obs=obs))
    hidden = [np.arange(150) < 50] * 2
    assert {"10", "20"} <= set(pp.shared_genes(sections, n_genes=3))
    chosen = pp.shared_genes(sections, n_genes=3, hidden=hidden)
    assert "20" in chosen
    assert "10" not in chosen
    for adata in sections:
        adata.X = csr_matrix(np.where(hidden[0][:, None], rng.poisson(50, (150, 40)), adata.X.toarray()))
    assert pp.shared_genes(sections, n_genes=3, hidden=hidden) == chosen


def test_sections_without_a_common_gene_are_refused():
    first, second = datasets.toy(n_cells=20), datasets.toy(n_cells=20)
    second.var_names = [f"other{i}" for i in range(second.n_vars)]
    with pytest.raises(squint.InputError, match="share no gene"):
        pp.shared_genes([first, second])
