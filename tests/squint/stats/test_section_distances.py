"""Distances of sections: beside scipy, within chance for one tissue, beyond it for two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon, pdist, squareform

from squint.stats.section_distances import (
    Compared,
    Tissue,
    compare,
    cut_blocks,
    js_distance,
    nearness,
    overview,
    scale_to_plane,
    stress,
)

N_KINDS = 6


def patchy(
    rng: np.random.Generator, n_cells: int, shares: NDArray[np.float64], patch: float = 0.12
) -> Tissue:
    """Simulate tissue whose cells of one kind lie in patches: neighbours are far from independent."""
    positions = rng.random((n_cells, 2))
    place = (positions / patch).astype(int)
    of_patch = rng.choice(len(shares), size=(int(1 / patch) + 1,) * 2, p=shares)
    own = rng.random(n_cells) < 0.2
    kinds = np.where(own, rng.choice(len(shares), n_cells, p=shares), of_patch[place[:, 0], place[:, 1]])
    return Tissue(positions, kinds)


def test_the_distance_is_that_of_scipy_in_bits() -> None:
    rng = np.random.default_rng(0)
    usage = rng.dirichlet(np.full(9, 0.3), 5)
    for one in usage:
        expected = [jensenshannon(one, other, base=2) for other in usage]
        np.testing.assert_allclose(js_distance(one, usage), expected, atol=1e-7)
    assert js_distance(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1


def test_distances_of_sections_are_those_of_their_shares() -> None:
    rng = np.random.default_rng(1)
    sections = [patchy(rng, n, rng.dirichlet(np.ones(N_KINDS))) for n in (300, 900, 2_000)]
    found = compare(sections, N_KINDS, n_draws=19)
    shares = [np.bincount(one.kinds, minlength=N_KINDS) / len(one.kinds) for one in sections]
    expected = [[jensenshannon(a, b, base=2) for b in shares] for a in shares]
    np.testing.assert_allclose(found.distance, expected, atol=1e-7)
    assert found.n_blocks.tolist() == [8, 8, 8]


@pytest.mark.parametrize("n_blocks", [1, 2, 8, 16])
def test_blocks_hold_as_many_cells_as_each_other_and_are_compact(n_blocks: int) -> None:
    positions = np.random.default_rng(2).random((1_003, 2)) * [400, 100]
    blocks = cut_blocks(positions, n_blocks)
    sizes = np.bincount(blocks)
    assert len(sizes) == n_blocks
    assert np.ptp(sizes) <= 1
    areas = [np.prod(np.ptp(positions[blocks == block], axis=0)) for block in range(n_blocks)]
    assert sum(areas) < 400 * 100


def test_one_tissue_cut_into_sections_stays_within_chance_though_cells_are_not_independent() -> None:
    """Of pairs of one tissue, some have a p of at most 0.1; dealing single cells would give nearly all."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(N_KINDS))
    p, by_cells = [], []
    for _ in range(60):
        pair = [patchy(rng, 1_500, shares, 0.06) for _ in range(2)]
        found = compare(pair, N_KINDS, n_draws=99)
        p.append(found.p[0, 1])
        kinds = np.concatenate([one.kinds for one in pair])
        dealt = []
        for _ in range(19):
            rng.shuffle(kinds)
            halves = [np.bincount(part, minlength=N_KINDS) / 1_500 for part in np.split(kinds, 2)]
            dealt.append(js_distance(*halves))
        by_cells.append(found.distance[0, 1] > max(dealt))
    assert np.mean(np.array(p) <= 0.1) <= 0.25
    assert np.mean(by_cells) > 0.5  # where 0.05 is right


def test_two_tissues_lie_beyond_chance() -> None:
    rng = np.random.default_rng(4)
    shares = np.array([[0.5, 0.3, 0.2, 0, 0, 0], [0, 0, 0.2, 0.3, 0.5, 0]])
    sections = [patchy(rng, 1_500, shares[i % 2]) for i in range(4)]
    found = compare(sections, N_KINDS, n_draws=199)
    assert found.p[0, 1] == pytest.approx(1 / 200)
    assert found.distance[0, 1] > found.high[0, 1] > found.expected[0, 1]
    assert found.distance[0, 2] < found.distance[0, 1]
    assert found.q[0, 2] > 0.05


def same(one: Compared, other: Compared, order: NDArray[np.int64]) -> None:
    for name in ("distance", "expected", "high", "p", "q"):
        np.testing.assert_allclose(
            getattr(one, name)[np.ix_(order, order)], getattr(other, name), atol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(one.halves[order], other.halves)


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_cells_and_of_sections_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sections = [patchy(rng, n, rng.dirichlet(np.ones(N_KINDS))) for n in (120, 200, 400)]
    order = rng.permutation(3)
    shuffled = []
    for number in order:
        rows = rng.permutation(len(sections[number].kinds))
        shuffled.append(Tissue(sections[number].positions[rows], sections[number].kinds[rows]))
    same(compare(sections, N_KINDS, n_draws=29), compare(shuffled, N_KINDS, n_draws=29), order)


def test_few_blocks_are_dealt_in_all_ways_and_too_few_in_none() -> None:
    rng = np.random.default_rng(5)
    small = [patchy(rng, 85, np.full(N_KINDS, 1 / N_KINDS)) for _ in range(2)]
    found = compare(small, N_KINDS, n_draws=999)
    assert found.n_blocks.tolist() == [4, 4]
    assert (found.p[0, 1] * 70) == pytest.approx(round(found.p[0, 1] * 70))
    tiny = [Tissue(one.positions[:30], one.kinds[:30]) for one in small]
    found = compare(tiny, N_KINDS)
    assert np.isnan(found.p).all()
    assert np.isnan(found.halves).all()
    assert found.distance[0, 1] > 0


def test_points_of_a_plane_are_found_again_without_stress() -> None:
    rng = np.random.default_rng(6)
    points = rng.normal(size=(7, 2)) * [3, 1]
    distance = squareform(pdist(points))
    found = overview(distance)
    np.testing.assert_allclose(squareform(pdist(found.points)), distance, atol=1e-9)
    assert found.stress == pytest.approx(0, abs=1e-9)
    assert sorted(found.order) == list(range(7))
    corners = squareform(pdist(np.eye(5)))  # of a simplex, which no plane holds
    assert 0.2 < stress(corners, scale_to_plane(corners)) < 0.6


def test_two_sections_lie_on_a_line() -> None:
    found = overview(np.array([[0, 0.5], [0.5, 0]]))
    np.testing.assert_allclose(np.abs(found.points[:, 0]), 0.25)
    assert found.stress == pytest.approx(0, abs=1e-9)


def near_and_far(patients: str, gap: float, seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    noise = squareform(rng.random(len(patients) * (len(patients) - 1) // 2) * 0.1 + 0.2)
    codes = np.array(list(patients))
    return noise + gap * (codes[:, None] != codes)


def test_sections_of_one_patient_that_lie_near_are_found() -> None:
    found = nearness(near_and_far("aaabbb", 0.3), list("aaabbb"))
    assert found.exact
    assert found.n_draws == 20
    assert found.p == pytest.approx(found.smallest_p) == pytest.approx(2 / 20)
    assert found.between - found.within > 0.25
    drawn = nearness(near_and_far("aaabbbccc", 0.3), list("aaabbbccc"), n_draws=999)
    assert not drawn.exact
    assert drawn.p <= 0.01
    assert drawn.smallest_p == 1 / 1_000


def test_without_a_patient_of_two_sections_or_a_second_patient_nothing_can_be_said() -> None:
    for patients in ("abc", "aaa"):
        assert np.isnan(nearness(near_and_far(patients, 0.1), list(patients)).p)


def test_patients_that_do_not_matter_are_within_chance_whatever_the_order() -> None:
    p = [nearness(near_and_far("aaabbbcc", 0, seed), list("aaabbbcc")).p for seed in range(60)]
    assert 0.02 <= np.mean(np.array(p) <= 0.2) <= 0.4
    distance, patients = near_and_far("aabbcd", 0.05), np.array(list("aabbcd"))
    order = np.random.default_rng(0).permutation(6)
    shuffled = nearness(distance[np.ix_(order, order)], list(patients[order]))
    assert shuffled == pytest.approx(nearness(distance, list(patients)))
