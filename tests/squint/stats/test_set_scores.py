"""Scores of gene sets: agreement with scanpy and by hand, planted truth, and what does not matter."""

import re

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from squint import datasets, keys, tl
from squint.errors import InputError
from squint.stats import set_scores
from squint.stats.expression import log_counts

SEEDS = st.integers(0, 2**32 - 1)


def counts_of(seed: int, n_cells: int = 60, n_genes: int = 40) -> csr_matrix:
    rng = np.random.default_rng(seed)
    return csr_matrix(rng.poisson(rng.gamma(1, 2, n_genes), (n_cells, n_genes)).astype(np.float32))


def some(seed: int, n_genes: int, n: int = 5) -> np.ndarray:
    chosen = np.zeros(n_genes, dtype=bool)
    chosen[np.random.default_rng(seed).choice(n_genes, n, replace=False)] = True
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_it_is_scanpys_score_against_the_whole_bin(seed):
    counts, in_set = counts_of(seed), some(seed, 40)
    names = pd.Index([f"g{i}" for i in range(40)])
    scored = set_scores.score(counts, in_set)
    adata = AnnData(log_counts(counts, scored.depth), var=pd.DataFrame(index=names))
    # 1.5 bins make scanpy put all genes into one, as we do with a panel of fewer than 100
    sc.tl.score_genes(adata, names[in_set], ctrl_size=40, n_bins=1.5)
    np.testing.assert_allclose(scored.values, adata.obs["score"], atol=1e-5)
    assert scored.n_bins == 1
    assert scored.n_reference == 35


def test_each_gene_is_compared_with_those_of_its_own_abundance():
    rng = np.random.default_rng(3)
    rates = np.repeat([0.5, 20.0], 60)
    counts = csr_matrix(rng.poisson(rates, (400, 120)).astype(np.float32))
    in_set = np.zeros(120, dtype=bool)
    in_set[[0, 1, 2, 60]] = True  # three rare ones, and an abundant one
    scored = set_scores.score(counts, in_set)
    logged = log_counts(counts, scored.depth).toarray()
    rare, abundant = ~in_set & (rates < 1), ~in_set & (rates > 1)
    by_hand = (
        logged[:, in_set].mean(axis=1)
        - (3 * logged[:, rare].mean(axis=1) + logged[:, abundant].mean(axis=1)) / 4
    )
    assert scored.n_bins == 2
    np.testing.assert_allclose(scored.values, by_hand, atol=1e-5)
    assert abs(scored.values.mean()) < 0.05  # as much as others of like abundance


@given(SEEDS)
def test_the_order_of_cells_and_genes_does_not_matter(seed):
    counts, in_set = counts_of(seed, n_genes=110), some(seed, 110)
    rng = np.random.default_rng(seed)
    cells, genes = rng.permutation(60), rng.permutation(110)
    once = set_scores.score(counts, in_set).values
    again = set_scores.score(csr_matrix(counts[cells][:, genes]), in_set[genes]).values
    np.testing.assert_allclose(again, once[cells], atol=1e-5)


@given(SEEDS, st.integers(2, 5))
def test_depth_does_not_matter(seed, factor):
    counts, in_set = counts_of(seed), some(seed, 40)
    deeper = csr_matrix(counts.multiply(np.where(np.arange(60) % 2, factor, 1)[:, None]))
    once, again = set_scores.score(counts, in_set), set_scores.score(deeper, in_set)
    scale = again.depth / once.depth
    same = set_scores.score(csr_matrix(counts * scale), in_set)
    np.testing.assert_allclose(again.values, same.values, atol=1e-4)


def test_cells_without_counts_have_no_score_and_count_in_no_mean():
    counts = counts_of(1).tolil()
    counts[3] = 0
    scored = set_scores.score(csr_matrix(counts), some(1, 40)).values
    assert np.flatnonzero(np.isnan(scored)).tolist() == [3]
    graph = csr_matrix((np.ones(4), ([0, 3, 3, 4], [3, 0, 4, 3])), shape=(60, 60))
    mean = set_scores.smoothed(scored, graph)
    np.testing.assert_array_equal(mean, scored)  # each has no neighbour but the empty one


@given(SEEDS)
def test_smoothing_is_the_mean_of_cell_and_neighbours(seed):
    rng = np.random.default_rng(seed)
    dense = np.triu(rng.random((20, 20)) < 0.2, 1)
    dense |= dense.T
    values = np.where(rng.random(20) < 0.2, np.nan, rng.normal(size=20))
    weights = rng.random((20, 20))
    mean = set_scores.smoothed(values, csr_matrix(dense * weights))
    for i, own in enumerate(values):
        closed = values[np.append(np.flatnonzero(dense[i]), i)]
        expected = np.nan if np.isnan(own) else np.nanmean(closed)
        assert mean[i] == pytest.approx(expected, nan_ok=True)


def test_a_set_is_compared_with_others():
    for in_set in (np.zeros(40, dtype=bool), np.ones(40, dtype=bool)):
        with pytest.raises(InputError, match="some not"):
            set_scores.score(counts_of(0), in_set)


@pytest.mark.parametrize(
    ("genes", "panels", "says"),
    [
        (["a", "b"], {"S": "abcd"}, "has 2 genes.*gene itself"),
        (["a", "b", "c"], {"S": "abx"}, r"2 of the set's 3 genes.*S measures 2"),
        (["a", "b", "c"], {"S": "abcd", "T": "abz"}, "S measures 3; T measures 2"),
        (["a", "b", "c"], {"S": "abc"}, "holds every gene"),
    ],
)
def test_what_cannot_be_scored_is_refused(genes, panels, says):
    found = set_scores.coverage(genes, {title: list(panel) for title, panel in panels.items()})
    assert re.search(says, found.problem)


def test_only_genes_that_all_sections_measure_are_scored():
    found = set_scores.coverage(list("aabcde"), {"S": list("abcdxy"), "T": list("bcdexy")})
    assert found.shared == ("b", "c", "d")
    assert found.missing == {"S": ("e",), "T": ("a",)}
    assert not found.problem
    assert not found.is_low
    many = set_scores.coverage([*"abc", *map(str, range(20))], {"S": list("abcx")})
    assert many.is_low


def test_the_planted_core_scores_high():
    adata = datasets.toy(n_cells=2000, n_sections=4)
    tl.score_gene_set(adata, ["LDHA", "MMP14", "PFKFB3", "NOTTHERE"])
    by = adata.obs.groupby("region", observed=True)
    for column in (keys.SET_SCORE, keys.SET_SCORE + keys.SMOOTHED_SUFFIX):
        mean = by[column].mean()
        assert mean.idxmax() == "tumour core"
        assert mean["tumour core"] - mean.drop("tumour core").max() > 0.5
    own, smooth = (by[name].std()["tumour core"] for name in (keys.SET_SCORE, "squint_set_score_smoothed"))
    assert smooth < own
    facts = adata.uns[keys.PROVENANCE]["set_scores"][keys.SET_SCORE]
    assert facts["missing"] == ["NOTTHERE"]


def test_sets_of_a_few_genes_and_intensities_are_refused():
    adata = datasets.toy(n_cells=100)
    with pytest.raises(InputError, match="2 of the set's 3 genes"):
        tl.score_gene_set(adata, ["LDHA", "MMP14", "x"])
    adata.uns[keys.PROVENANCE] = {"values": "intensities"}
    with pytest.raises(InputError, match="intensities"):
        tl.score_gene_set(adata, ["LDHA", "MMP14", "PFKFB3"])
