import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

from squint.stats.partitions import agreement, coherence, mean_pair_ari
from squint.stats.prototypes import group_prototypes

# a ring of eight cells
RING = csr_matrix(np.roll(np.eye(8), 1, axis=0) + np.roll(np.eye(8), -1, axis=0))


def test_the_same_groups_by_other_names_agree_wholly():
    found = agreement(np.array(list("aabbcc")), np.array([2, 2, 0, 0, 1, 1]))
    assert found == pytest.approx((1, 1, 1))


def test_finer_groups_are_homogeneous_and_do_not_agree_wholly():
    found = agreement(np.array(list("aabb")), np.arange(4))
    assert found.homogeneity == pytest.approx(1)
    assert found.nmi == pytest.approx(2 * np.log(2) / (np.log(2) + np.log(4)))
    assert found.ari == pytest.approx(0)


def test_halves_of_a_ring_cohere_and_every_other_cell_does_not():
    # 6 of 8 edges lie within halves, 0.5 would by chance
    assert coherence(np.array([0, 0, 0, 0, 1, 1, 1, 1]), RING) == pytest.approx((6 / 8 - 0.5) / 0.5)
    assert coherence(np.tile([0, 1], 4), RING) == pytest.approx(-1)


def test_where_coherence_says_nothing_it_is_not_a_number():
    assert np.isnan(coherence(np.zeros(8, int), RING))
    assert np.isnan(coherence(np.arange(8), csr_matrix((8, 8))))


@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.permutations(range(4)))
def test_names_of_groups_do_not_matter(groups, names):
    groups, renamed = np.array(groups), np.array(names)[groups]
    assert coherence(groups, RING) == pytest.approx(coherence(renamed, RING), nan_ok=True)


def test_pairs_are_averaged():
    one, two, three = np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.array([0, 1, 0, 1])
    other = adjusted_rand_score(one, three)
    assert mean_pair_ari([one, two, three]) == pytest.approx((1 + 2 * other) / 3)
    assert np.isnan(mean_pair_ari([one]))


def test_prototypes_are_grouped_the_same_way_each_time_by_their_use():
    rng = np.random.default_rng(0)
    centres = np.repeat([[0, 0], [9, 0], [0, 9]], [10, 10, 10], axis=0)
    prototypes = centres + rng.normal(size=(30, 2))
    use = np.repeat([0.1, 0.6, 0.3], 10) / 10
    groups = group_prototypes(prototypes, use, 3)
    assert groups.tolist() == [2] * 10 + [0] * 10 + [1] * 10  # the most used first
    assert np.array_equal(groups, group_prototypes(prototypes, use, 3))
