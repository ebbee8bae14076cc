"""How alike tissue is over distance: none where there is none, and as much as was planted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from squint.stats.autocorrelation import Alike, alike, widening
from squint.stats.section_distances import cut_blocks


def tissue(rng: np.random.Generator, patch: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Simulate cells of which all in a square patch are of one of four kinds; none alike if it is 0."""
    positions = rng.random((1_500, 2)) * [300, 200]
    if not patch:
        return positions, rng.integers(0, 4, 1_500)
    place = (positions / (patch * np.sqrt(300 * 200)) + rng.random(2)).astype(int)
    return positions, rng.integers(0, 4, (place.max() + 1, place.max() + 1))[place[:, 0], place[:, 1]]


def factor(positions: NDArray[np.float64], kinds: NDArray[np.int64]) -> float:
    one = alike(positions, kinds, cut_blocks(positions, 8), 4)
    return widening(one, one, 8, 8)


def test_cells_that_are_not_alike_widen_nothing() -> None:
    rng = np.random.default_rng(0)
    assert np.median([factor(*tissue(rng, 0)) for _ in range(15)]) == pytest.approx(1, abs=0.05)


def test_the_larger_the_structures_the_wider() -> None:
    rng = np.random.default_rng(1)
    small, middle, large = (
        np.median([factor(*tissue(rng, by)) for _ in range(9)]) for by in (0.04, 0.2, 0.6)
    )
    assert 1 <= small < 1.15
    assert small < middle < large
    assert large > 1.5


def test_the_widening_is_that_of_means_of_alike_blocks_by_hand() -> None:
    """Blocks of covariance c, none between sections: simulated, and dealt anew in all ways by the formula."""
    c, n = 0.4, 8
    rng = np.random.default_rng(2)
    shared = rng.normal(0, np.sqrt(c), (20_000, 2, 1))
    blocks = shared + rng.normal(0, np.sqrt(1 - c), (20_000, 2, n))
    apart = blocks.mean(axis=2)
    true = np.mean((apart[:, 0] - apart[:, 1]) ** 2)
    dealt = np.mean(blocks.reshape(-1, 2 * n).var(axis=1, ddof=1)) * (2 / n)
    one = Alike(1.0, c, 0.3)
    assert widening(one, one, n, n) == pytest.approx(np.sqrt(true / dealt), rel=0.02)
    assert widening(Alike(1.0, 0.0, 0.1), Alike(2.0, 0.0, 0.1), 8, 8) == 1
    assert widening(Alike(0.0, 0.0, 0.1), Alike(0.0, 0.0, 0.1), 4, 8) == 1


def test_order_and_unit_do_not_matter() -> None:
    positions, kinds = tissue(np.random.default_rng(3), 0.2)
    blocks = cut_blocks(positions, 8)
    order = np.random.default_rng(4).permutation(len(kinds))
    found = alike(positions, kinds, blocks, 4)
    assert alike(positions[order], kinds[order], blocks[order], 4) == pytest.approx(found)
    assert alike(1e-3 * positions, kinds, blocks, 4) == pytest.approx(found)


def test_a_section_of_one_kind_or_in_one_place_breaks_nothing() -> None:
    positions, kinds = tissue(np.random.default_rng(5), 0.2)
    blocks = cut_blocks(positions, 8)
    for where, what in ((positions, np.zeros_like(kinds)), (np.zeros_like(positions), kinds)):
        found = alike(where, what, blocks, 4)
        assert np.isfinite(found).all()
        assert widening(found, found, 8, 8) >= 1
