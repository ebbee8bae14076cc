"""Measures of a prediction, against cases by hand, other implementations and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance, pearsonr

from squint.stats import metrics
from squint.stats.metrics import BLOCK, MMD3_WIDTHS, Judge, mean_distance, mmd, shares

values = st.floats(0, 100, allow_subnormal=False)


def samples(n_rows):
    return arrays(np.float64, st.tuples(n_rows, st.just(3)), elements=values)


one_to_six = st.integers(1, 6)


def test_mmd_by_hand():
    one, other = np.array([[0.0, 0.0]]), np.array([[1.0, 2.0]])  # 3 apart in L1
    kernel = np.exp(-9 / (2 * np.array([2, 1, 0.5, 0.01, 0.005]) ** 2))
    assert mmd(one, other) == pytest.approx(np.mean(2 - 2 * kernel))
    assert mmd(one, other, MMD3_WIDTHS) == pytest.approx(np.mean(2 - 2 * kernel[:3]))
    both = np.vstack([one, other])  # two of its four pairs are 0 apart
    expected = np.mean((2 + 2 * kernel) / 4 + 1 - 2 * (1 + kernel) / 2)
    assert mmd(both, one) == pytest.approx(expected)


def test_mean_distance_by_hand():
    assert mean_distance(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])) == 5
    pair = np.array([[0.0, 0.0], [3.0, 4.0]])  # each at 0 from itself
    assert mean_distance(pair, pair) == mean_distance(pair, pair[:1]) == 2.5


def test_energy_distance_agrees_with_scipy_in_one_dimension():
    one, other = np.random.default_rng(0).uniform(size=(2, 40))
    of_one, of_other = (np.column_stack([share, 1 - share]) for share in (one, other))  # on one line
    expected = np.sqrt(2) * energy_distance(one, other) ** 2
    assert Judge(of_one).score(of_other).energy == pytest.approx(expected)


@pytest.mark.parametrize("n_rows", [3, BLOCK - 1, BLOCK + 1, 2 * BLOCK + 7])
def test_blocks_give_what_all_distances_at_once_give(n_rows):
    rng = np.random.default_rng(0)
    one, other = rng.random((n_rows, 2)), rng.random((5, 2))
    for pair in ((one, one), (one, other), (other, one)):
        kernel = np.exp(-(cdist(*pair, "cityblock") ** 2) / (2 * 0.5**2)).mean()
        assert metrics.kernel_means(*pair, [0.5])[0] == pytest.approx(kernel)
        assert metrics.mean_distance(*pair) == pytest.approx(cdist(*pair).mean())


@given(samples(one_to_six))
def test_equal_samples_do_not_differ(sample):
    assert mmd(sample, sample.copy()) == pytest.approx(0, abs=1e-12)
    assert Judge(sample).score(sample.copy()).energy == pytest.approx(0, abs=1e-10)


def energy(one, other):
    return Judge(one).score(other).energy


@given(samples(one_to_six), samples(one_to_six))
def test_differences_are_symmetric_and_never_negative(one, other):
    n_rows = min(len(one), len(other))  # a prediction has as many cells as the truth
    for measure, pair in ((mmd, (one, other)), (energy, (one[:n_rows], other[:n_rows]))):
        found = measure(*pair)
        assert found >= 0
        assert found == pytest.approx(measure(*pair[::-1]), abs=1e-10)


@given(samples(one_to_six), samples(one_to_six), st.randoms(use_true_random=False))
def test_the_order_of_cells_and_of_genes_does_not_matter(one, other, chance):
    rows = chance.sample(range(len(one)), len(one))
    columns = chance.sample(range(3), 3)
    shuffled = one[rows][:, columns], other[:, columns]
    assert mmd(*shuffled) == pytest.approx(mmd(one, other), abs=1e-10)
    n_rows = min(len(one), len(other))
    rows = chance.sample(range(n_rows), n_rows)
    shuffled = one[rows][:, columns], other[:n_rows, columns]
    assert energy(*shuffled) == pytest.approx(energy(one[:n_rows], other[:n_rows]), abs=1e-10)


@given(samples(one_to_six), st.floats(0.5, 20))
def test_shares_sum_to_one_and_do_not_know_depth(sample, factor):
    found = shares(sample)
    total = found.sum(axis=1)
    assert np.allclose(total[sample.sum(axis=1) > 0], 1)
    assert not total[sample.sum(axis=1) == 0].any()
    assert np.allclose(found, shares(sample * factor))


def test_scores_agree_with_a_plain_computation():
    rng = np.random.default_rng(0)
    truth, said = rng.gamma(1, size=(40, 6)), rng.gamma(2, size=(40, 6))
    truth[:, 5] = 3  # nothing to predict
    said[:, 0] = 1  # nothing said
    found = Judge(truth).score(said)
    assert found.pc == pytest.approx(np.mean([pearsonr(*pair)[0] for pair in zip(truth, said, strict=True)]))
    genes = [pearsonr(truth[:, gene], said[:, gene])[0] for gene in range(1, 5)]
    assert found.pg == pytest.approx(sum(genes) / 5)
    pair = shares(truth), shares(said)
    assert found.mmd == pytest.approx(mmd(*pair))
    assert found.mmd3 == pytest.approx(mmd(*pair, MMD3_WIDTHS))
    within = cdist(pair[0], pair[0]).mean() + cdist(pair[1], pair[1]).mean()
    assert found.energy == pytest.approx(2 * cdist(*pair).mean() - within)


def test_the_truth_scores_best():
    truth = np.random.default_rng(0).gamma(1, size=(30, 5))
    found = Judge(truth).score(truth)
    assert found[:2] == pytest.approx((1, 1))
    assert found[2:] == pytest.approx((0, 0, 0), abs=1e-12)


def test_distributions_are_compared_on_the_cells_of_the_protocol(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_CELLS", 20)
    rng = np.random.default_rng(0)
    truth, said = rng.gamma(1, size=(50, 4)), rng.gamma(2, size=(50, 4))
    rows = np.random.default_rng(0).permutation(50)[:20]
    found = Judge(truth).score(said)
    assert found.mmd == pytest.approx(mmd(shares(truth[rows]), shares(said[rows])))
    assert found.pc == pytest.approx(metrics.row_pearson(truth, said).mean())


@settings(max_examples=20)
@given(samples(st.integers(2, 6)))
def test_a_constant_prediction_correlates_with_no_gene(truth):
    found = Judge(truth).score(np.ones_like(truth))
    assert found.pg == 0 or (np.isnan(found.pg) and (np.ptp(truth, axis=0) == 0).all())
