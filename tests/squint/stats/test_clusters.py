import numpy as np
import pytest
import scanpy
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

from squint import datasets
from squint.errors import InputError
from squint.stats import clusters
from squint.stats.clusters import by_size, find_clusters
from squint.stats.expression import log_counts


@pytest.fixture(scope="module")
def tissue():
    """Give 600 simulated cells of six planted types."""
    adata = datasets.toy(n_cells=600)
    return csr_matrix(adata.X), adata.obs[datasets.TRUE_TYPE].astype(str).to_numpy()


def test_log_counts_are_those_of_scanpy(tissue):
    counts, _ = tissue
    adata = AnnData(counts.astype(np.float32))
    scanpy.pp.normalize_total(adata, target_sum=100)
    scanpy.pp.log1p(adata)
    np.testing.assert_allclose(log_counts(counts, 100).toarray(), adata.X.toarray(), rtol=1e-5)


def test_planted_types_are_found(tissue):
    counts, types = tissue
    found = find_clusters(counts, resolution=0.5)
    assert adjusted_rand_score(types, found.codes) > 0.8
    assert (np.diff(np.bincount(found.codes)) <= 0).all()  # the largest first


def test_the_seed_alone_decides(tissue):
    counts, _ = tissue
    one, two, other = (find_clusters(counts, seed=seed) for seed in (3, 3, 4))
    assert (one.codes == two.codes).all()
    assert (one.confidence == two.confidence).all()
    assert adjusted_rand_score(one.codes, other.codes) > 0.5  # of the same tissue


def test_the_order_of_genes_does_not_matter_to_what_is_found(tissue):
    counts, types = tissue
    turned = find_clusters(csr_matrix(counts[:, ::-1]), resolution=0.5)
    assert adjusted_rand_score(types, turned.codes) > 0.8


def test_the_higher_the_resolution_the_more_clusters(tissue):
    counts, _ = tissue
    numbers = [find_clusters(counts, resolution=level).codes.max() for level in (0.05, 1, 5)]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]


def test_ties_within_are_a_share_and_surer_for_planted_types_than_for_noise(tissue):
    counts, _ = tissue
    planted = find_clusters(counts, resolution=0.5).confidence
    noise = np.random.default_rng(0).poisson(1.0, (600, 40))
    drawn = find_clusters(csr_matrix(noise), resolution=2).confidence
    assert ((planted >= 0) & (planted <= 1)).all()
    assert planted.mean() > drawn.mean() + 0.1


def test_cells_without_counts_are_in_no_cluster(tissue):
    counts, _ = tissue
    holed = counts.toarray()
    holed[::7] = 0
    found = find_clusters(csr_matrix(holed))
    assert (found.codes[::7] == -1).all()
    assert np.isnan(found.confidence[::7]).all()
    alone = find_clusters(csr_matrix(holed[holed.sum(axis=1) > 0]))
    assert (found.codes[found.codes >= 0] == alone.codes).all()


def test_too_few_cells_and_genes_are_refused():
    with pytest.raises(InputError, match="at least 20"):
        find_clusters(csr_matrix(np.ones((19, 30))))
    with pytest.raises(InputError, match="too few"):
        find_clusters(csr_matrix(np.ones((30, 2))))


@pytest.mark.slow  # the search is compiled first, which takes most of a minute
def test_many_cells_are_searched_and_get_nearly_the_same(tissue, monkeypatch):
    counts, types = tissue
    monkeypatch.setattr(clusters, "EXACT", 100)
    searched = find_clusters(counts, resolution=0.5)
    assert adjusted_rand_score(types, searched.codes) > 0.8


def test_wide_panels_are_narrowed_to_the_genes_that_vary(tissue, monkeypatch):
    counts, types = tissue
    monkeypatch.setattr(clusters, "WIDE", 20)
    assert adjusted_rand_score(types, find_clusters(counts, resolution=0.5).codes) > 0.6


def test_a_package_that_is_missing_is_named(tissue, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "igraph", None)
    with pytest.raises(InputError, match=r"igraph.*pip install 'squint\[cell-types\]'"):
        find_clusters(tissue[0])


@settings(max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_numbers_by_size_are_the_same_clusters_the_largest_first(codes):
    numbered = by_size(np.array(codes))
    assert len(set(zip(codes, numbered, strict=True))) == len(set(codes)) == len(set(numbered))
    assert (np.diff(np.bincount(numbered)) <= 0).all()
    assert set(numbered) == set(range(len(set(codes))))
