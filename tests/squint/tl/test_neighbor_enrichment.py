from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import squint
from squint import keys, pp, tl

SIDE = 20


def lattice(tokens, n_sections=1):
    """Make square sections, cells 10 apart, each joined to the cells beside, above and below it."""
    tokens = np.asarray(tokens)
    side = round(np.sqrt(len(tokens) / n_sections))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    adata = AnnData(np.ones((len(tokens), 1), dtype=np.float32))
    adata.obs[keys.TOKEN] = pd.Categorical(tokens.astype(str))
    adata.obs[keys.SECTION] = np.repeat([f"S{i}" for i in range(n_sections)], side**2)
    adata.obsm[keys.SPATIAL] = 10.0 * np.tile(grid, (n_sections, 1))
    one = (np.abs(grid[:, None] - grid[None]).sum(axis=-1) == 1).astype(np.float32)
    adata.obsp[keys.CONNECTIVITIES] = csr_matrix(np.kron(np.eye(n_sections, dtype=np.float32), one))
    return adata


def found(adata, **choices):
    """Run the tool and give what it wrote."""
    tl.neighbor_enrichment(adata, **choices)
    return adata.uns[keys.NEIGHBOR_ENRICHMENT]


def count(tokens, graph, one, other):
    """Count the edges between two tokens, one pair of cells at a time."""
    joined = [(i, j) for i, j in combinations(range(len(tokens)), 2) if graph[i, j]]
    return sum({tokens[i], tokens[j]} == {one, other} for i, j in joined)


def test_edges_are_counted_as_by_hand():
    rng = np.random.default_rng(0)
    adata = lattice(rng.integers(0, 3, 25))
    result = found(adata, n_permutations=1)
    graph, tokens = adata.obsp[keys.CONNECTIVITIES].toarray(), list(adata.obs[keys.TOKEN])
    for one in "012":
        for other in "012":
            assert result["observed"].loc[one, other] == count(tokens, graph, one, other)
    assert result["n_edges"] == 40


def test_expectation_and_z_agree_with_all_orders_of_the_cells():
    adata = lattice(["a", "a", "b", "c"])
    adata.obsp[keys.CONNECTIVITIES] = csr_matrix(
        np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]], dtype=np.float32)
    )
    graph, tokens = adata.obsp[keys.CONNECTIVITIES].toarray(), list(adata.obs[keys.TOKEN])
    result = found(adata, n_permutations=20_000)
    for one, other in (("a", "a"), ("a", "b"), ("b", "c"), ("a", "c")):
        drawn = np.array([count(order, graph, one, other) for order in permutations(tokens)])
        observed = count(tokens, graph, one, other)
        assert result["expected"].loc[one, other] == pytest.approx(drawn.mean(), abs=0.03)
        z = (observed - drawn.mean()) / drawn.std()
        assert result["z"].loc[one, other] == pytest.approx(z, abs=0.06)
        least = min((drawn >= observed).mean(), (drawn <= observed).mean())
        assert result["p"].loc[one, other] == pytest.approx(min(1, 2 * least), abs=0.03)
        ratio = np.log2((observed + 1) / (drawn.mean() + 1))
        assert result["log2_ratio"].loc[one, other] == pytest.approx(ratio, abs=0.02)


def test_the_expectation_is_that_of_cells_drawn_without_replacement_within_sections():
    rng = np.random.default_rng(0)
    tokens = np.concatenate([rng.choice(3, 100, p=[0.7, 0.2, 0.1]), rng.choice(3, 100, p=[0.1, 0.3, 0.6])])
    adata = lattice(tokens, n_sections=2)
    result = found(adata, n_permutations=3_000)
    expected = np.zeros((3, 3))
    for section in (tokens[:100], tokens[100:]):
        n = np.bincount(section, minlength=3)
        pairs = np.outer(n, n) * 2.0
        np.fill_diagonal(pairs, n * (n - 1))
        expected += 180 * pairs / (100 * 99)
    named = result["expected"].loc[list("012"), list("012")]
    np.testing.assert_allclose(named, expected, rtol=0.02, atol=0.5)


def test_planted_attraction_and_avoidance_are_found():
    x, y = np.indices((SIDE, SIDE))
    board = np.where((x + y) % 2, "a", "b")  # a only beside b
    halves = np.where(x < SIDE // 2, board, "c")  # c far from most of them
    result = found(lattice(halves.ravel()))
    assert result["log2_ratio"].loc["a", "b"] > 1
    assert result["q"].loc["a", "b"] < 0.01
    assert result["z"].loc["a", "b"] > 5
    for token in "ab":
        assert result["log2_ratio"].loc[token, "c"] < -1
        assert result["q"].loc[token, "c"] < 0.01
    assert result["observed"].loc["a", "a"] == 0
    assert np.isnan(np.diag(result["q"])).all()


def test_nothing_is_found_where_tokens_are_shuffled():
    p, small = [], 0
    pairs = np.triu_indices(6, 1)
    for seed in range(20):
        tokens = np.random.default_rng(seed).integers(0, 6, SIDE**2)
        result = found(lattice(tokens), n_permutations=300, seed=seed)
        p.append(result["p"].to_numpy()[pairs])
        small += (result["q"].to_numpy()[pairs] < 0.05).any()
    assert np.mean(np.concatenate(p) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert small <= 3


def test_tokens_are_shuffled_within_sections_only():
    tokens = np.array(["a"] * 100 + ["b"] * 100)
    result = found(lattice(tokens, n_sections=2), n_permutations=50)
    assert result["expected"].loc["a", "b"] == 0
    assert result["z"].loc["a", "b"] == 0
    assert result["log2_ratio"].loc["a", "b"] == 0
    assert (result["p"] == 1).all(axis=None)
    assert result["n_sections"] == 2


def test_order_of_cells_does_not_matter():
    rng = np.random.default_rng(0)
    adata = lattice(rng.integers(0, 4, 200), n_sections=2)
    shuffled = adata[rng.permutation(200)].copy()
    one, other = found(adata), found(shuffled)
    pd.testing.assert_frame_equal(one["observed"], other["observed"])
    np.testing.assert_allclose(one["expected"], other["expected"], rtol=0.1, atol=0.5)


def test_shuffles_are_seeded_and_come_in_parts():
    adata = lattice(np.random.default_rng(0).integers(0, 4, 100))
    one, again, other = (found(adata, n_permutations=60, seed=seed)["p"] for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)
    graph = tl.token_graph(adata)
    parts = list(tl.shuffled_edges(graph, n_permutations=120, seed=3))
    assert [part.n_draws for part in parts] == [50, 50, 20]
    assert tl.enrichment(graph, parts)["n_permutations"] == 120


def test_p_is_never_zero():
    adata = lattice(np.repeat(["a", "b"], SIDE**2 // 2))
    result = found(adata, n_permutations=99)
    assert result["p"].loc["a", "b"] == result["smallest_p"] == 2 / 100


@given(st.lists(st.sampled_from("abc"), min_size=9, max_size=9))
def test_every_edge_is_counted_once(tokens):
    result = found(lattice(tokens), n_permutations=3)
    for name in ("observed", "expected"):
        table = result[name].to_numpy()
        assert table[np.triu_indices(len(table))].sum() == pytest.approx(12)
        np.testing.assert_array_equal(table, table.T)


def test_rare_tokens_and_cells_without_one_stay_in_the_graph_and_are_not_reported():
    rng = np.random.default_rng(0)
    adata = lattice(rng.choice(5, 100, p=[0.4, 0.3, 0.15, 0.1, 0.05]))
    whole, part = found(adata), found(adata, n_tokens=2)
    assert list(part["observed"].index) == ["0", "1"]
    pd.testing.assert_frame_equal(part["observed"], whole["observed"].iloc[:2, :2])
    np.testing.assert_allclose(part["expected"], whole["expected"].iloc[:2, :2], rtol=0.1)
    assert part["n_edges"] == whole["n_edges"]
    assert part["share_covered"] < whole["share_covered"] == 1
    adata.obs.loc[adata.obs[keys.TOKEN] == "4", keys.TOKEN] = None
    assert list(found(adata)["observed"].index) == list(whole["observed"].index[:4])


def test_weights_and_the_direction_of_edges_do_not_matter():
    adata = lattice(np.random.default_rng(0).integers(0, 3, 100))
    plain = found(adata)
    graph = adata.obsp[keys.CONNECTIVITIES].toarray()
    adata.obsp[keys.CONNECTIVITIES] = csr_matrix(np.triu(graph) * 0.3)
    pd.testing.assert_frame_equal(found(adata)["z"], plain["z"])


def test_a_graph_is_built_where_there_is_none():
    adata = lattice(np.random.default_rng(0).integers(0, 3, 100))
    del adata.obsp[keys.CONNECTIVITIES]
    result = found(adata)
    n_edges = adata.obsp[keys.CONNECTIVITIES].nnz // 2
    pp.spatial_neighbors(adata)
    assert result["n_edges"] == adata.obsp[keys.CONNECTIVITIES].nnz // 2 == n_edges


def test_one_token_has_no_pairs():
    result = found(lattice(["a"] * 9))
    assert result["observed"].loc["a", "a"] == 12
    assert np.isnan(result["q"].to_numpy()).all()


def test_what_cannot_be_counted_is_refused():
    adata = lattice(["a"] * 4)
    with pytest.raises(squint.InputError, match="1 permutation"):
        tl.neighbor_enrichment(adata, n_permutations=0)
    adata.obsp[keys.CONNECTIVITIES] = csr_matrix((4, 4), dtype=np.float32)
    with pytest.raises(squint.InputError, match="No two cells"):
        tl.neighbor_enrichment(adata)
    del adata.obs[keys.TOKEN]
    with pytest.raises(squint.InputError, match=r"squint\.tl\.tokenize"):
        tl.neighbor_enrichment(adata)


def test_copy_leaves_the_original_alone():
    adata = lattice(["a", "b"] * 8)
    changed = tl.neighbor_enrichment(adata, copy=True)
    assert keys.NEIGHBOR_ENRICHMENT in changed.uns
    assert keys.NEIGHBOR_ENRICHMENT not in adata.uns
