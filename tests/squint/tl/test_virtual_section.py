"""Sections between measured levels: told from the levels around, and judged on whole levels left out."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from squint import InputError, keys, tl
from squint.model.between import Level, find_between, hood_means, in_order, vote, weighed_means
from squint.model.between_blend import learn
from squint.tl._virtual_section import _choose

pytestmark = pytest.mark.slow

GENES = ["rising", "falling", "across", "flat"]
HEIGHTS = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)


def planted(seed: int = 0, n_cells: int = 300, heights: tuple[float, ...] = HEIGHTS) -> AnnData:
    """Make levels in which one gene rises with z, one falls, one changes across, and one does neither."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (n_cells * len(heights), 2))
    z = np.repeat(heights, n_cells)
    share = z / max(heights)
    mean = np.column_stack([5 + 45 * share, 50 - 45 * share, 5 + 0.4 * points[:, 0], np.full(len(z), 20.0)])
    obs = pd.DataFrame(
        {
            keys.SECTION: pd.Categorical([f"L{int(one):02}" for one in z]),
            keys.PATIENT: pd.Categorical(["P"] * len(z)),
            keys.Z: z,
        },
        index=[f"cell-{i}" for i in range(len(z))],
    )
    adata = AnnData(csr_matrix(rng.poisson(mean).astype(np.float32)), obs=obs, var=pd.DataFrame(index=GENES))
    adata.obsm[keys.SPATIAL] = points
    adata.uns[keys.PROVENANCE] = {"unit": "um", "simulated": True}
    return adata


@pytest.fixture(scope="module")
def stack() -> AnnData:
    adata = planted()
    tl.virtual_section_quality(adata)
    return adata


def small_levels(seed: int, n_cells: int = 30) -> list[Level]:
    rng = np.random.default_rng(seed)
    return in_order(
        [
            Level(
                str(z), z, rng.uniform(0, 10, (n_cells, 2)), csr_matrix(rng.poisson(3.0, (n_cells, 5)) + 0.0)
            )
            for z in (0.0, 4.0)
        ]
    )


# --- the nearest cells -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.0, 4.0]))
def test_at_a_measured_level_the_nearest_cell_is_the_cell_there(seed: int, z: float) -> None:
    levels = small_levels(seed)
    (level,) = (one for one in levels if one.z == z)
    (found,) = weighed_means(find_between(levels, z), level.points, (1,))
    np.testing.assert_array_equal(found, level.values.toarray())


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0, 1), st.sampled_from([1, 4, 16]))
def test_the_mean_is_linear_in_z(seed: int, share: float, size: int) -> None:
    levels = small_levels(seed)
    places = np.random.default_rng(seed).uniform(0, 10, (7, 2))
    ends = [weighed_means(find_between(levels, z), places, (size,))[0] for z in (0.0, 4.0)]
    (found,) = weighed_means(find_between(levels, 4 * share), places, (size,))
    np.testing.assert_allclose(found, (1 - share) * ends[0] + share * ends[1], atol=1e-9)


def test_means_of_several_sizes_are_those_by_hand() -> None:
    levels = small_levels(3)
    places = np.array([[2.0, 3.0], [8.0, 1.0]])
    found = weighed_means(find_between(levels, 1.0), places, (1, 5, 1000))
    for size, mean in zip((1, 5, 30), found, strict=True):
        for place, own in zip(places, mean, strict=True):
            by_hand = np.zeros(5)
            for level, weight in zip(levels, (0.75, 0.25), strict=True):
                order = np.argsort(np.linalg.norm(level.points - place, axis=1))[:size]
                by_hand += weight * level.values.toarray()[order].mean(axis=0)
            np.testing.assert_allclose(own, by_hand)


def test_votes_are_weighed_by_z_and_cells_without_a_token_have_none() -> None:
    levels = small_levels(0, n_cells=4)
    between = find_between(levels, 1.0)
    tokens = (np.array([2, 2, 2, -1]), np.array([7, 7, 7, 7]))
    said, share = vote(between, np.array([[5.0, 5.0]]), tokens, 4)
    assert said.tolist() == [2]
    assert share[0] == pytest.approx(0.75 * 3 / 4)
    nobody, share = vote(between, np.zeros((1, 2)), (np.full(4, -1), np.full(4, -1)), 4)
    assert nobody.tolist() == [-1]
    assert share.tolist() == [0]


def test_neighbourhood_means_are_those_of_a_dense_product() -> None:
    rng = np.random.default_rng(0)
    joined = np.triu(rng.random((6, 6)) < 0.4, 1)
    joined = joined | joined.T
    counts = rng.poisson(4, (6, 3)).astype(float)
    closed = joined + np.eye(6)
    expected = closed @ counts / closed.sum(axis=1, keepdims=True)
    graph = csr_matrix(np.where(joined, 7.5, 0))  # lengths, not ones
    np.testing.assert_allclose(hood_means(csr_matrix(counts), graph).toarray(), expected)


# --- what is learned -------------------------------------------------------------------------------------


def test_a_planted_gradient_in_z_is_told_at_a_depth_that_was_not_measured(stack: AnnData) -> None:
    places = np.random.default_rng(1).uniform(20, 80, (100, 2))
    for z in (12.5, 25.0, 37.0):
        out = tl.virtual_section(stack, z, places)
        mean = dict(zip(GENES, np.asarray(out.obsm[keys.IMPUTED]).mean(axis=0), strict=True))
        assert mean["rising"] == pytest.approx(5 + 45 * z / 50, abs=1.5)
        assert mean["falling"] == pytest.approx(50 - 45 * z / 50, abs=1.5)
        assert mean["flat"] == pytest.approx(20, abs=1)
    across: NDArray[np.float32] = np.asarray(out.obsm[keys.IMPUTED])[:, 2]
    assert np.corrcoef(across, places[:, 0])[0, 1] > 0.97


def test_the_counts_of_a_level_left_out_enter_nothing() -> None:
    adata = planted(n_cells=120)
    hidden = (adata.obs[keys.Z] == 20.0).to_numpy()
    changed = adata.copy()
    counts = changed.X.toarray()
    counts[hidden] = np.random.default_rng(5).poisson(200, counts[hidden].shape)
    changed.X = csr_matrix(counts)
    predictions = []
    for given_ in (adata, changed):
        levels = tl.level_by_level(given_).without(2)
        blend = learn(levels.neighbourhood)
        assert blend is not None
        predictions.append(blend.predict(levels.neighbourhood, 20.0, np.array([[50.0, 50.0], [3.0, 90.0]])))
    np.testing.assert_array_equal(*predictions)


def test_the_order_of_cells_and_levels_does_not_matter(stack: AnnData) -> None:
    places = np.array([[50.0, 50.0], [10.0, 80.0], [77.0, 12.0]])
    order = np.random.default_rng(0).permutation(stack.n_obs)
    there = tl.virtual_section(stack, 23.0, places)
    turned = tl.virtual_section(stack[order].copy(), 23.0, places[::-1])
    for slot in (keys.IMPUTED, keys.IMPUTED_CELL):
        np.testing.assert_allclose(there.obsm[slot], np.asarray(turned.obsm[slot])[::-1], rtol=1e-5)


def test_each_position_is_predicted_by_itself(stack: AnnData) -> None:
    places = np.random.default_rng(2).uniform(0, 100, (50, 2))
    together = tl.virtual_section(stack, 33.0, places).obsm[keys.IMPUTED]
    alone = tl.virtual_section(stack, 33.0, places[7:8]).obsm[keys.IMPUTED]
    np.testing.assert_allclose(np.asarray(together)[7:8], alone, rtol=1e-6)


def test_a_draw_holds_what_real_cells_of_the_two_levels_hold_in_their_shares(stack: AnnData) -> None:
    places = np.random.default_rng(3).uniform(0, 100, (2000, 2))
    out = tl.virtual_section(stack, 22.5, places, draw=True, seed=1)
    drawn: NDArray[np.float32] = np.asarray(out.obsm[keys.IMPUTED_CELL])
    real = {z: set(map(tuple, stack[(stack.obs[keys.Z] == z).to_numpy()].X.toarray())) for z in (20.0, 30.0)}
    of_lower = np.array([tuple(row) in real[20.0] for row in drawn])
    of_upper = np.array([tuple(row) in real[30.0] for row in drawn])
    assert (of_lower | of_upper).all()
    assert of_lower.mean() == pytest.approx(0.75, abs=0.06)
    same = tl.virtual_section(stack, 22.5, places, draw=True, seed=1).obsm[keys.IMPUTED_CELL]
    np.testing.assert_array_equal(drawn, same)


def test_too_few_levels_to_learn_from_give_the_plain_mean_and_say_so() -> None:
    adata = planted(n_cells=60, heights=(0.0, 50.0))
    places = np.array([[50.0, 50.0]])
    out = tl.virtual_section(adata, 25.0, places)
    how = out.uns[keys.PROVENANCE]["virtual_section"]["how"]["neighbourhood"]
    assert how["method"] == "nearest"
    assert "not measured" in how["quality"]
    levels = tl.level_by_level(adata).neighbourhood
    (by_hand,) = weighed_means(find_between(levels, 25.0), places, (how["k"],))
    np.testing.assert_allclose(out.obsm[keys.IMPUTED], by_hand, rtol=1e-6)


# --- how good it is --------------------------------------------------------------------------------------


def test_levels_are_left_out_one_at_a_time_and_scored(stack: AnnData) -> None:
    quality = stack.uns[keys.BETWEEN_QUALITY]
    assert sorted(quality["z_um"].unique()) == [10, 20, 30, 40]
    assert set(quality["method"]) == {"learned", "nearest"}
    assert set(quality.loc[quality["method"] == "nearest", "k"]) == {2**i for i in range(10)}
    assert (quality["below_um"] == 10).all()
    at = quality[(quality["z_um"] == 20) & (quality["target"] == "cell") & (quality["k"] == 4)].iloc[0]
    whole = tl.level_by_level(stack).cell
    level, others = whole[2], [*whole[:2], *whole[3:]]
    (predicted,) = weighed_means(find_between(others, 20.0), level.points, (4,))
    truth = level.values.toarray()
    by_gene = [np.corrcoef(truth[:, g], predicted[:, g])[0, 1] for g in range(4)]
    assert at["pg"] == pytest.approx(np.mean(by_gene))


def table(learned: list[float], nearest: list[float]) -> pd.DataFrame:
    rows = []
    for i, (one, other) in enumerate(zip(learned, nearest, strict=True)):
        shared = {"level": f"L{i}", "target": "neighbourhood"}
        rows.append({**shared, "method": "learned", "k": 0, "pg": one, "pc": 0.5})
        rows.append({**shared, "method": "nearest", "k": 8, "pg": other, "pc": 0.5})
        rows.append({**shared, "method": "nearest", "k": 1, "pg": other - 0.1, "pc": 0.4})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("learned", "nearest", "words", "method"),
    [
        ([0.35, 0.36, 0.37], [0.30, 0.31, 0.32], "above", "learned"),
        ([0.305, 0.315, 0.325], [0.30, 0.31, 0.32], "level", "nearest"),
        ([0.50, 0.10, 0.40], [0.30, 0.31, 0.32], "level", "nearest"),
        ([0.20, 0.21, 0.22], [0.30, 0.31, 0.32], "below", "nearest"),
        ([0.40], [0.30], "level", "nearest"),
    ],
)
def test_level_with_the_nearest_cells_is_said_to_be_level(
    learned: list[float], nearest: list[float], words: str, method: str
) -> None:
    quality = table(learned, nearest)
    said = tl.virtual_section_verdict(quality)
    assert said.words.startswith(words)
    assert said.k == 8
    assert said.n_levels == len(learned)
    assert _choose(quality, "neighbourhood")["method"] == method


def test_tokens_are_voted_on_and_their_agreement_is_measured() -> None:
    adata = planted(n_cells=150)
    left = np.asarray(adata.obsm[keys.SPATIAL])[:, 0] < 50
    adata.obsm[keys.TOKENS] = np.where(left, 3, 8)[:, None].astype(np.int32)
    tl.virtual_section_quality(adata)
    agreement = adata.uns[keys.BETWEEN_QUALITY].query("target == 'token'").groupby("k")["agreement"].mean()
    assert agreement.max() > 0.9
    out = tl.virtual_section(adata, 15.0, np.array([[10.0, 50.0], [90.0, 50.0]]))
    assert list(out.obs[keys.PREDICTED_TOKEN]) == ["3", "8"]
    assert (out.obs[keys.PREDICTED_TOKEN_SHARE] > 0.9).all()


# --- what is said and refused ----------------------------------------------------------------------------


def test_what_is_given_says_that_nothing_was_measured(stack: AnnData) -> None:
    out = tl.virtual_section(stack, 25.0, np.array([[50.0, 50.0], [10.0, 20.0]]))
    assert out.X is None
    assert out.obs[keys.SIMULATED_POSITION].all()
    assert (out.obs[keys.Z] == 25).all()
    assert list(out.obs[keys.PATIENT]) == ["P", "P"]
    facts = out.uns[keys.PROVENANCE]["virtual_section"]
    assert facts["predicted"] is True
    assert facts["below"] == {"level": "L20", "z_um": 20.0, "weight": 0.5}
    assert facts["above"] == {"level": "L30", "z_um": 30.0, "weight": 0.5}
    assert out.uns[keys.PROVENANCE]["simulated"] is True


@pytest.mark.parametrize("z", [-1.0, 50.1, np.nan, np.inf])
def test_a_depth_beyond_the_levels_is_refused(stack: AnnData, z: float) -> None:
    with pytest.raises(InputError, match="outside of the measured levels"):
        tl.virtual_section(stack, z, np.zeros((1, 2)))


def test_what_is_no_stack_is_refused(stack: AnnData) -> None:
    with pytest.raises(InputError, match="Positions must be"):
        tl.virtual_section(stack, 25.0, np.zeros((2, 3)))
    with pytest.raises(InputError, match="one level only"):
        tl.virtual_section(planted(n_cells=20, heights=(5.0,)), 5.0, np.zeros((1, 2)))
    with pytest.raises(InputError, match="does not measure"):
        tl.virtual_section(stack, 25.0, np.zeros((1, 2)), genes=["nobody"])
    flat = stack.copy()
    del flat.obs[keys.Z]
    with pytest.raises(InputError, match="how high each level lies"):
        tl.virtual_section(flat, 25.0, np.zeros((1, 2)))
    same = stack.copy()
    same.obs[keys.Z] = same.obs[keys.Z].replace(10.0, 0.0)
    with pytest.raises(InputError, match="at one height"):
        tl.virtual_section(same, 25.0, np.zeros((1, 2)))
