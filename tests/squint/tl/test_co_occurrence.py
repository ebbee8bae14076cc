from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.cluster import hierarchy
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist

import squint
from squint import io, keys, tl
from squint.stats.correlate import correlate
from squint.stats.trees import cut, describe, grow
from squint.tl._co_occurrence import count_tokens, log_ratios, usage

N_LEVELS = 12


def cells(counts):
    """Make levels 60 um apart of one patient, of which level i holds ``counts[i, j]`` cells of token j."""
    n_levels, n_tokens = counts.shape
    level, token = (part.ravel() for part in np.indices(counts.shape))
    level, token = (np.repeat(part, counts.ravel()) for part in (level, token))
    adata = AnnData(csr_matrix(np.ones((len(token), 1), dtype=np.float32)))
    adata.obs[keys.TOKEN] = pd.Categorical(token.astype(str), [str(code) for code in range(n_tokens)])
    adata.obs[keys.SECTION] = pd.Categorical([f"L{i:02}" for i in level])
    adata.obs[keys.Z] = 60.0 * level
    adata.obs[keys.PATIENT] = "P"
    adata.obsm[keys.SPATIAL] = np.random.default_rng(0).random((len(token), 2)) * 1000
    assert adata.obs[keys.SECTION].nunique() == n_levels
    return adata


@pytest.fixture
def planted():
    """Plant tokens 0 to 3, which vary together, tokens 4 to 6, which do too, and nine that do not."""
    rng = np.random.default_rng(1)
    profile = np.exp(0.8 * rng.standard_normal((N_LEVELS, 16)))
    profile[:, 1:4], profile[:, 5:7] = profile[:, [0]], profile[:, [4]]
    return cells(rng.poisson(100 * profile))


def found(adata, **choices):
    """Run the tool and give what it wrote."""
    tl.co_occurrence(adata, **choices)
    return adata.uns[keys.CO_OCCURRENCE]


def test_tokens_that_vary_together_are_found_and_form_communities(planted):
    result = found(planted, n_permutations=20_000)
    tl.communities(planted)
    community = planted.uns[keys.CO_OCCURRENCE]["tokens"]["community"]
    together = [[str(code) for code in range(4)], [str(code) for code in range(4, 7)]]
    for tokens in together:
        r, q = (result[name].loc[tokens, tokens].to_numpy() for name in ("correlation", "q"))
        assert (r > 0.7).all()
        assert (q[np.triu_indices(len(tokens), 1)] < 0.05).all()
        assert community[tokens].nunique() == 1
    assert community["0"] != community["4"]
    sizes = planted.uns[keys.CO_OCCURRENCE]["communities"]
    assert sizes.loc[community["0"], "p"] < 0.05
    assert community[[str(code) for code in range(7, 16)]].isin(community[["0", "4"]]).sum() <= 1


def test_independent_tokens_exceed_the_null_as_often_as_it_says():
    p, beyond = [], []
    pairs = np.triu_indices(10, 1)
    for seed in range(30):
        profiles = np.random.default_rng(seed).random((N_LEVELS, 10))
        result = correlate(profiles, n_permutations=400, seed=seed)
        p.append(result.p[pairs])
        beyond.append(np.abs(result.correlation[pairs]) > result.null_quantile)
    assert np.mean(np.concatenate(p) <= 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(np.concatenate(p) <= 0.5) == pytest.approx(0.5, abs=0.04)
    assert np.mean(beyond) == pytest.approx(0.05, abs=0.015)


def test_usage_and_correlation_by_hand(planted):
    result = found(planted)
    counts = pd.crosstab(planted.obs[keys.SECTION], planted.obs[keys.TOKEN])
    tokens = list(result["usage"].columns)
    shares = counts.div(counts.sum(axis=1), axis=0)[tokens]
    np.testing.assert_allclose(result["usage"], shares)
    np.testing.assert_allclose(result["correlation"], np.corrcoef(shares.to_numpy().T), atol=1e-12)
    assert result["groups"]["n_cells"].tolist() == counts.sum(axis=1).tolist()
    assert result["tokens"]["n_cells"].tolist() == sorted(counts.sum(), reverse=True)
    assert result["n_groups"] == N_LEVELS
    assert result["share_covered"] == 1


def test_the_tree_is_that_of_scipy_on_one_minus_r(planted):
    result = found(planted)
    tree = hierarchy.linkage(pdist(result["usage"].to_numpy().T, "correlation"), "average")
    np.testing.assert_allclose(np.sort(result["linkage"][:, 2]), np.sort(tree[:, 2]), atol=1e-9)
    assert sorted(result["order"]) == list(range(16))
    distance = 1 - result["correlation"].to_numpy()
    along = result["order"]
    steps = distance[along[:-1], along[1:]].sum()
    plain = hierarchy.leaves_list(tree)
    assert steps <= distance[plain[:-1], plain[1:]].sum() + 1e-9


def test_order_of_cells_does_not_matter(planted):
    shuffled = planted[np.random.default_rng(0).permutation(planted.n_obs)].copy()
    one, other = found(planted), found(shuffled)
    for name in ("correlation", "p", "q", "usage", "groups", "tokens"):
        pd.testing.assert_frame_equal(one[name], other[name])
    np.testing.assert_array_equal(one["linkage"], other["linkage"])


def test_permutations_are_seeded(planted):
    one, again, other = (found(planted, seed=seed)["p"] for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


@given(hnp.arrays(np.float64, (5, 4), elements=st.floats(0, 1, width=16)))
def test_p_lies_between_its_least_and_one_and_is_symmetric(profiles):
    result = correlate(profiles, n_permutations=50)
    pairs = np.triu_indices(4, 1)
    assert ((result.p[pairs] >= result.facts()["smallest_p"]) & (result.p[pairs] <= 1)).all()
    assert (result.q[pairs] >= result.p[pairs] - 1e-12).all()
    for table in (result.correlation, result.p, result.q):
        np.testing.assert_array_equal(table, table.T)
    assert (np.abs(result.correlation) <= 1).all()
    assert np.isnan(np.diag(result.p)).all()


def test_few_groups_are_enumerated():
    profiles = np.random.default_rng(0).random((4, 3))
    result = correlate(profiles, n_permutations=24)
    assert result.exact
    assert result.n_draws == 24
    for i, j in ((0, 1), (0, 2), (1, 2)):
        r = abs(np.corrcoef(profiles[:, i], profiles[:, j])[0, 1])
        drawn = [
            abs(np.corrcoef(profiles[list(order), i], profiles[:, j])[0, 1])
            for order in permutations(range(4))
        ]
        assert result.p[i, j] == pytest.approx(np.mean(np.array(drawn) >= r - 1e-9))
    fewer = correlate(profiles, n_permutations=23)
    assert not fewer.exact
    assert fewer.facts()["smallest_p"] == 1 / 24


def test_all_orders_and_drawn_ones_agree():
    profiles = np.random.default_rng(0).random((6, 8))
    exact, drawn = correlate(profiles, n_permutations=720), correlate(profiles, n_permutations=719)
    assert (exact.exact, drawn.exact) == (True, False)
    np.testing.assert_allclose(exact.p, drawn.p, atol=0.08)
    assert exact.null_quantile == pytest.approx(drawn.null_quantile, abs=0.02)


def test_many_draws_are_taken_in_parts(planted, monkeypatch):
    whole = found(planted, n_permutations=100)["p"]
    monkeypatch.setattr("squint.stats.correlate.VALUES_AT_ONCE", 16 * 16 * 7)
    pd.testing.assert_frame_equal(found(planted, n_permutations=100)["p"], whole)


def test_the_null_quantile_is_that_of_all_shuffled_pairs():
    profiles = np.random.default_rng(0).random((4, 3))
    standard = (profiles - profiles.mean(axis=0)) / (profiles.std(axis=0) * 2)
    drawn = np.concatenate(
        [
            np.abs(standard[list(order)].T @ standard)[np.triu_indices(3, 1)]
            for order in permutations(range(4))
        ]
    )
    null = correlate(profiles, n_permutations=24).null_quantile
    assert null == pytest.approx(np.quantile(drawn, 0.95, method="inverted_cdf"), abs=1.1e-4)


def test_a_token_used_alike_in_all_groups_correlates_with_none():
    adata = cells(np.array([[10, 2, 8], [10, 4, 6], [10, 7, 3], [10, 1, 9]]))
    result = found(adata)
    others = result["p"].index.drop("0")
    assert (result["correlation"].loc["0", others] == 0).all()
    assert (result["p"].loc["0", others] == 1).all()
    assert result["correlation"].loc["0", "0"] == 1
    assert np.isfinite(result["linkage"]).all()


@pytest.mark.parametrize(
    ("counts", "choices", "said"),
    [
        (np.ones((2, 3), int), {}, "2 groups .* a correlation over 2 is always"),
        (np.ones((1, 3), int), {}, "1 group "),
        (np.ones((4, 1), int), {}, "no pair"),
        (np.ones((4, 2), int), {"by": "slide"}, "no 'slide'"),
        (np.ones((4, 2), int), {"n_tokens": 1}, "at least 2 tokens"),
        (np.ones((4, 2), int), {"n_permutations": 0}, "1 permutation"),
    ],
)
def test_what_cannot_be_correlated_is_refused(counts, choices, said):
    with pytest.raises(squint.InputError, match=said):
        tl.co_occurrence(cells(counts), **choices)


def test_missing_tokens_say_what_to_run(planted):
    del planted.obs[keys.TOKEN]
    with pytest.raises(squint.InputError, match=r"squint\.tl\.tokenize"):
        tl.co_occurrence(planted)


def test_only_the_most_frequent_tokens_are_shown_and_the_lower_number_first_among_equals():
    counts = pd.crosstab(np.repeat(["a", "b"], 8), ["9", "10", "2", "2", "9", "10", "7", "2"] * 2)
    tokens = pd.Series(np.repeat(counts.columns, counts.sum()))
    groups = pd.Series(np.tile(["a", "b"], len(tokens) // 2))
    assert list(count_tokens(tokens, groups).columns) == ["2", "9", "10", "7"]


def test_tokens_left_out_still_count_in_the_shares(planted):
    whole, part = found(planted), found(planted, n_tokens=5)
    first = whole["usage"].columns[:5]
    pd.testing.assert_frame_equal(part["usage"], whole["usage"][first])
    assert part["share_covered"] == pytest.approx(whole["tokens"]["share"].iloc[:5].sum())


def test_cells_without_a_token_or_a_group_are_left_out(planted):
    known = found(planted)
    planted.obs.loc[planted.obs_names[::7], keys.TOKEN] = None
    kept = planted[planted.obs[keys.TOKEN].notna()].copy()
    pd.testing.assert_frame_equal(found(planted)["usage"], found(kept)["usage"])
    assert known["groups"]["n_cells"].sum() > found(planted)["groups"]["n_cells"].sum()


def test_levels_come_by_height_and_say_how_alike_neighbours_are():
    rise = np.column_stack([np.arange(10, 20), np.arange(20, 10, -1), np.full(10, 7)])
    adata = cells(rise)
    adata.obs[keys.Z] = 1000 - adata.obs[keys.Z]
    result = found(adata)
    assert list(result["groups"].index) == [f"L{i:02}" for i in reversed(range(10))]
    assert result["groups"][keys.Z].is_monotonic_increasing
    assert result["autocorrelation"] > 0.5
    assert "resemble" in result["note"]


def test_sections_of_two_patients_are_no_levels(planted):
    planted.obs[keys.PATIENT] = np.where(planted.obs[keys.Z] < 300, "P", "Q")
    result = found(planted)
    assert keys.Z not in result["groups"]
    assert "autocorrelation" not in result


def test_log_ratios_undo_what_one_common_token_does_to_all_others():
    rng = np.random.default_rng(0)
    abundance = np.exp(0.3 * rng.standard_normal((200, 30)))
    abundance[:, 0] *= 30 * np.exp(rng.standard_normal(200))
    counts = pd.DataFrame(rng.poisson(1e4 * abundance / abundance.sum(axis=1, keepdims=True)))
    others = np.triu_indices(29, 1)
    of_shares, of_ratios = (
        np.corrcoef(profiles.to_numpy()[:, 1:].T)[others].mean()
        for profiles in (usage(counts), log_ratios(counts))
    )
    assert of_shares > 0.4
    assert abs(of_ratios) < 0.1
    np.testing.assert_allclose(log_ratios(counts).sum(axis=1), 0, atol=1e-9)


def test_log_ratios_are_correlated_on_request(planted):
    plain, ratios = found(planted), found(planted, clr=True)
    pd.testing.assert_frame_equal(plain["usage"], ratios["usage"])
    counts = pd.crosstab(planted.obs[keys.SECTION], planted.obs[keys.TOKEN])[plain["usage"].columns]
    expected = np.corrcoef(log_ratios(counts).to_numpy().T)
    np.testing.assert_allclose(ratios["correlation"], expected, atol=1e-12)


def test_what_is_written_is_read_again(planted, tmp_path):
    planted.var_names = ["GENE"]
    planted.uns[keys.PROVENANCE] = {}
    tl.co_occurrence(planted)
    tl.communities(planted)
    tl.neighbor_enrichment(planted, n_permutations=10)
    io.write(planted, tmp_path / "x.h5ad")
    read = io.read(tmp_path / "x.h5ad")
    for key in (keys.CO_OCCURRENCE, keys.NEIGHBOR_ENRICHMENT):
        written, again = planted.uns[key], read.uns[key]
        assert set(again) == set(written)
        for name, value in written.items():
            if isinstance(value, pd.DataFrame):
                pd.testing.assert_frame_equal(again[name], value)
            else:
                np.testing.assert_array_equal(again[name], value)
    assert read.obs[keys.COMMUNITY].tolist() == planted.obs[keys.COMMUNITY].tolist()
    facts = read.uns[keys.PROVENANCE]
    assert facts["co_occurrence"]["n_groups"] == N_LEVELS
    assert facts["neighbor_enrichment"]["n_permutations"] == 10


def test_copy_leaves_the_original_alone(planted):
    changed = tl.co_occurrence(planted, copy=True)
    assert keys.CO_OCCURRENCE not in planted.uns
    cut_copy = tl.communities(changed, copy=True)
    assert "community" not in changed.uns[keys.CO_OCCURRENCE]["tokens"]
    assert keys.COMMUNITY not in changed.obs
    assert "community" in cut_copy.uns[keys.CO_OCCURRENCE]["tokens"]


# --- communities -----------------------------------------------------------------------------------------

TREE = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [5, 6, 0.7, 4], [4, 7, 1.2, 5]])  # (0 1) (2 3), then 4


def test_communities_by_hand():
    n_cells = np.array([5, 5, 20, 1, 50])
    assert cut(TREE, n_cells, height=0.5) == ["2", "2", "1", "1", "3"]  # one token alone comes last
    assert cut(TREE, n_cells, n_communities=3) == ["2", "2", "1", "1", "3"]
    assert cut(TREE, n_cells, height=0.7) == ["1", "1", "1", "1", "2"]
    assert cut(TREE, n_cells, height=0.0) == ["3", "4", "2", "5", "1"]
    assert cut(TREE, n_cells, n_communities=1) == ["1"] * 5


@given(st.integers(2, 12), st.integers(0, 1000), st.data())
def test_communities_are_as_many_as_asked_for_and_fewer_ones_merge_whole_ones(n_tokens, seed, data):
    rng = np.random.default_rng(seed)
    tree = hierarchy.linkage(rng.random((n_tokens, 3)), "average")
    n_cells = rng.integers(1, 100, n_tokens)
    n_communities = data.draw(st.integers(1, n_tokens))
    labels = pd.Series(cut(tree, n_cells, n_communities=n_communities))
    assert set(labels) == {str(number + 1) for number in range(n_communities)}
    if n_communities > 1:
        coarser = pd.Series(cut(tree, n_cells, n_communities=n_communities - 1))
        assert (coarser.groupby(labels).nunique() == 1).all()
    several = labels.value_counts() > 1
    size = pd.Series(n_cells).groupby(labels).sum()
    for group in (several[several].index, several[~several].index):
        assert size[sorted(group, key=int)].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({}, "either"),
        ({"n_communities": 2, "height": 0.5}, "either"),
        ({"n_communities": 6}, "1 to 5 communities, not 6"),
        ({"n_communities": 0}, "not 0"),
    ],
)
def test_impossible_cuts_are_refused(choices, said):
    with pytest.raises(squint.InputError, match=said):
        cut(TREE, np.ones(5), **choices)


def test_cells_have_the_community_of_their_token(planted):
    result = found(planted, n_tokens=10)
    tl.communities(planted, n_communities=4)
    community = planted.uns[keys.CO_OCCURRENCE]["tokens"]["community"]
    assert list(planted.obs[keys.COMMUNITY].cat.categories) == ["1", "2", "3", "4"]
    shown = planted.obs[keys.TOKEN].isin(result["correlation"].index)
    assert planted.obs[keys.COMMUNITY].isna().equals(~shown)
    of_token = planted.obs.loc[shown, keys.TOKEN].astype(str).map(community)
    assert planted.obs.loc[shown, keys.COMMUNITY].astype(str).equals(of_token)


def test_by_default_the_tree_is_cut_where_chance_starts(planted):
    result = found(planted)
    by_default = tl.communities(planted, copy=True).uns[keys.CO_OCCURRENCE]["tokens"]
    tl.communities(planted, height=1 - result["null_quantile"])
    pd.testing.assert_frame_equal(planted.uns[keys.CO_OCCURRENCE]["tokens"], by_default)


def test_communities_are_described(planted):
    result = found(planted, n_tokens=12)
    tl.communities(planted, n_communities=5)
    table = result["communities"]
    named = result["tokens"]["community"]
    assert list(table.index) == ["1", "2", "3", "4", "5"]
    assert table["n_tokens"].to_dict() == named.value_counts().to_dict()
    assert table["n_cells"].sum() == result["tokens"]["n_cells"].sum()
    assert table["p"].between(1 / 201, 1).all()
    assert (table.loc[table["n_tokens"] == 1, "p"] == 1).all()
    assert table["p"].groupby(table["n_tokens"]).nunique().max() == 1
    assert table.set_index("n_tokens")["p"].sort_index().is_monotonic_decreasing


def test_independent_tokens_rarely_form_a_community_larger_than_by_chance():
    larger = 0
    for seed in range(60):
        profiles = pd.DataFrame(np.random.default_rng(seed).random((N_LEVELS, 12)))
        profiles.columns = profiles.columns.astype(str)
        null = correlate(profiles.to_numpy(), n_permutations=100).null_quantile
        tree, n_cells = grow(profiles.corr().to_numpy()), pd.Series(1, profiles.columns)
        named = pd.Series(cut(tree, n_cells.to_numpy(), height=1 - null), profiles.columns)
        larger += describe(named, n_cells, tree, profiles, n_draws=100, seed=seed)["p"].min() <= 0.05
    assert larger <= 6  # 3 expected; 7 or more have a probability of 3 %


def test_communities_need_a_tree(planted):
    with pytest.raises(squint.InputError, match=r"squint\.tl\.co_occurrence"):
        tl.communities(planted)
