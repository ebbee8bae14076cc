"""Groups of patients: beside scipy, by hand, planted effects, and a plain word where they are too few."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from squint.stats.patients import LEAST_PATIENTS, LEAST_RANKED, compare, correct, correlate

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=6)


@given(VALUES, VALUES)
def test_p_and_effects_are_those_of_scipy(one: list[float], other: list[float]) -> None:
    found = compare(np.array(one), np.array(other))
    expected = stats.permutation_test(
        (one, other),
        lambda x, y, axis: np.abs(np.mean(x, axis=axis) - np.mean(y, axis=axis)),
        n_resamples=np.inf,
        alternative="greater",
        vectorized=True,
    )
    assert found.exact
    assert found.p == pytest.approx(expected.pvalue)
    assert found.difference == pytest.approx(np.mean(one) - np.mean(other))
    u = stats.mannwhitneyu(one, other).statistic
    assert found.cliffs_delta == pytest.approx(2 * u / (len(one) * len(other)) - 1)
    if np.var(one) + np.var(other) > 0:
        with warnings.catch_warnings():  # scipy doubts a group in which all are alike
            warnings.simplefilter("ignore", RuntimeWarning)
            interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    else:
        assert np.isnan(found.low)


def test_hedges_by_hand() -> None:
    found = compare(np.array([1.0, 2, 3]), np.array([4.0, 5, 6]))
    assert found.hedges_g == pytest.approx(-3 * (1 - 3 / 15))
    assert found.cliffs_delta == -1
    assert found.p == found.smallest_p == pytest.approx(2 / 20)


@given(VALUES, VALUES, st.integers(0, 2**32 - 1))
def test_the_order_of_patients_does_not_matter_and_groups_turned_round_turn_the_effect(
    one: list[float], other: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    found, turned = (
        compare(np.array(one), np.array(other)),
        compare(rng.permutation(other), rng.permutation(one)),
    )
    assert turned.p == pytest.approx(found.p)
    assert turned.difference == pytest.approx(-found.difference)
    assert turned.cliffs_delta == pytest.approx(-found.cliffs_delta)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (2, 5), (0, 4)])
def test_too_few_patients_are_said_and_not_compared(n: int, m: int) -> None:
    found = compare(np.arange(n) * 1.0, np.arange(m) * 1.0)
    assert found.problem == (
        f"too few patients to compare: n = {n} and {m}, and {LEAST_PATIENTS} are needed in each group"
    )
    assert found.n == (n, m)
    assert np.isnan([found.difference, found.low, found.p, found.hedges_g]).all()


def test_patients_without_a_value_do_not_count() -> None:
    assert compare(np.array([1, 2, np.nan]), np.array([3.0, 4, 5])).n == (2, 3)


def test_many_patients_are_drawn_and_a_planted_difference_is_found() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(1.5, 1, 12), rng.normal(0, 1, 12)
    found = compare(one, other)
    assert not found.exact
    assert found.p < 0.01
    assert found.low < 1.5 < found.high
    assert compare(one, other) == found  # draws are fixed


def test_no_difference_gives_small_p_as_often_as_it_should() -> None:
    rng = np.random.default_rng(1)
    p = [compare(rng.normal(size=4), rng.normal(size=4)).p for _ in range(300)]
    assert 0.02 <= np.mean(np.array(p) <= 0.0858) <= 0.14  # 6 of 70 ways


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=5, max_size=7))
def test_rho_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, dtype=float).T
    found = correlate(one, other)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert "one value" in found.problem
        return
    assert found.rho == pytest.approx(stats.spearmanr(one, other).statistic)
    expected = (
        stats.permutation_test(
            (one,),
            lambda x: abs(stats.spearmanr(x, other).statistic),
            permutation_type="pairings",
            alternative="greater",
            n_resamples=np.inf,
            vectorized=False,
        ).pvalue
        if len(pairs) == 5
        else None
    )
    if expected is not None:
        assert found.p == pytest.approx(expected)
    if not np.isnan(found.low):
        assert found.low <= found.rho <= found.high


def test_too_few_for_ranks_are_said() -> None:
    found = correlate(np.arange(4.0), np.arange(4.0))
    assert found.problem == f"too few patients to compare: n = 4, and {LEAST_RANKED} are needed"


def test_q_are_those_of_scipy_and_what_was_not_tested_does_not_count() -> None:
    p = [0.01, float("nan"), 0.04, 0.5]
    q = correct(p)
    assert np.isnan(q[1])
    np.testing.assert_allclose(np.array(q)[[0, 2, 3]], stats.false_discovery_control([0.01, 0.04, 0.5]))
    assert np.isnan(correct([float("nan")])).all()
