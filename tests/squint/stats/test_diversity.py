"""Effective numbers of kinds: by hand, beside scipy, and beside cells that are really drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy

from squint.stats.diversity import Diversity, half_widths, hill, interval, rarefied

COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(lambda counts: sum(counts) > 0)


def test_by_hand() -> None:
    assert hill(np.array([5, 5, 5, 5])) == pytest.approx((4, 4, 4))
    assert hill(np.array([9, 0])) == (1, 1, 1)
    assert hill(np.array([0, 0])) == (0, 0, 0)
    assert hill(np.array([3, 1])).simpson == pytest.approx(1 / (9 / 16 + 1 / 16))


@given(COUNTS)
def test_shannon_is_that_of_scipy_and_orders_fall(counts: list[int]) -> None:
    found = hill(np.array(counts))
    assert found.shannon == pytest.approx(np.exp(entropy(counts)))
    assert found.richness >= found.shannon - 1e-9 >= found.simpson - 2e-9


@given(COUNTS, st.integers(0, 2**32 - 1))
def test_the_order_of_kinds_and_empty_ones_do_not_matter(counts: list[int], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation([*counts, 0, 0])
    assert hill(shuffled) == pytest.approx(hill(np.array(counts)))
    n = max(1, sum(counts) // 2)
    assert rarefied(shuffled, n) == pytest.approx(rarefied(np.array(counts), n))


@given(COUNTS)
def test_all_cells_give_the_whole_and_one_cell_gives_one_kind(counts: list[int]) -> None:
    whole = np.array(counts)
    assert rarefied(whole, whole.sum()) == pytest.approx(hill(whole))
    assert rarefied(whole, 1) == pytest.approx((1, 1, 1))
    assert np.isnan(rarefied(whole, int(whole.sum()) + 1)).all()


def test_what_is_expected_is_the_mean_over_draws() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(400, rng.dirichlet(np.full(25, 0.5)))
    kinds = np.repeat(np.arange(25), counts)
    draws = [hill(np.bincount(rng.choice(kinds, 80, replace=False))) for _ in range(4_000)]
    found = rarefied(counts, 80)
    assert found.richness == pytest.approx(np.mean([draw.richness for draw in draws]), rel=0.01)
    # Chao's numbers are of the expected entropy and of the expected concentration.
    assert found.shannon == pytest.approx(np.exp(np.mean([np.log(d.shannon) for d in draws])), rel=0.01)
    assert found.simpson == pytest.approx(1 / np.mean([1 / d.simpson for d in draws]), rel=0.01)


def test_sizes_do_not_decide() -> None:
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.full(200, 0.3))
    small, large = rng.multinomial(500, shares), rng.multinomial(50_000, shares)
    assert hill(large).richness > 1.3 * hill(small).richness
    assert rarefied(large, 500).richness == pytest.approx(hill(small).richness, rel=0.1)


def test_the_interval_is_the_jackknife_by_hand() -> None:
    blocks = np.array([[8, 2, 0], [5, 5, 0], [2, 4, 4], [9, 1, 0]])
    found = half_widths(blocks, 25)
    without = [rarefied(blocks.sum(axis=0) - block, 25).shannon for block in blocks]
    error = np.sqrt(3 / 4 * np.sum((np.array(without) - np.mean(without)) ** 2))
    assert found.shannon == pytest.approx(3.182446 * error, rel=1e-6)  # Student's t, 3 degrees of freedom
    assert np.isnan(half_widths(blocks[:2], 10)).all()
    assert half_widths(np.array([[5, 5]] * 4), 30) == pytest.approx((0, 0, 0))


def test_an_interval_ends_where_numbers_do_and_is_not_known_with_few_blocks() -> None:
    low, high = interval(Diversity(3, 2.5, 2), Diversity(1, 2, np.nan), 4)
    assert low[:2] == (2, 1)
    assert high[:2] == (4, 4)
    assert np.isnan([low.simpson, high.simpson]).all()


def test_intervals_hold_the_truth_where_blocks_are_independent() -> None:
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.ones(10))
    truth = hill((share * 10_000_000).astype(int)).shannon
    held = []
    for _ in range(300):
        blocks = rng.multinomial(200, rng.dirichlet(share * 40, 8))  # each block a mixture of its own
        value, width = hill(blocks.sum(axis=0)).shannon, half_widths(blocks, 1_600).shannon
        held.append(abs(value - truth) <= width)
    assert 0.85 <= np.mean(held) <= 0.99
