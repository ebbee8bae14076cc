"""Genes that differ between cells: as scanpy and scipy find them, and as planted."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import scipy.stats
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import squint
from squint import datasets, keys, tl
from squint.columns import labels
from squint.errors import InputError
from squint.library import gene_sets
from squint.stats import arms, expression, ranksum

KIDNEY = tuple(gene_sets.AGGRESSIVE_KIDNEY)


def two_groups(n_cells: int = 200, n_genes: int = 30, seed: int = 0) -> AnnData:
    """Cells of groups a, b and c; the first five genes are higher in a."""
    rng = np.random.default_rng(seed)
    group = rng.choice(list("abc"), n_cells)
    mean = (0.2 + rng.gamma(0.5, 1.0, n_genes)) * np.where(
        (group == "a")[:, None] & (np.arange(n_genes) < 5), 3, 1
    )
    counts = rng.poisson(mean * rng.gamma(5, 0.2, (n_cells, 1)))
    counts[:, -1] = 0
    return AnnData(
        sparse.csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame({"group": group}, index=[f"cell{i}" for i in range(n_cells)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(n_genes)]),
    )


def compare(adata: AnnData, **how: object) -> pd.DataFrame:
    """Compare a with b; genes in the order of the data."""
    found = tl.differential_expression(adata, "group", **{"group": "a", "reference": "b", **how}, copy=True)
    return found.uns[keys.DEGS].loc[adata.var_names]


def table_of(counts: np.ndarray, in_group: np.ndarray, test: str = "wilcoxon") -> pd.DataFrame:
    genes = pd.Index([f"G{i}" for i in range(counts.shape[1])])
    parts = ranksum.compare(sparse.csr_matrix(counts), arms.Arms(in_group, ~in_group), genes, test=test)
    return ranksum.combine(parts).loc[genes]


def scaled(counts: np.ndarray) -> np.ndarray:
    depth = counts.sum(axis=1, keepdims=True)
    median = np.median(depth[depth > 0]) if depth.any() else 1
    return np.divide(counts * median, depth, out=np.zeros(counts.shape), where=depth > 0)


@st.composite
def small_counts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n_group, n_reference = draw(st.integers(3, 9)), draw(st.integers(3, 9))
    highest = draw(st.sampled_from([0, 1, 3, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    counts = rng.integers(0, highest + 1, (n_group + n_reference, 4)) * rng.integers(0, 2, 4)
    return counts, rng.permutation(np.arange(n_group + n_reference) < n_group)


@given(small_counts())
def test_ranks_agree_with_scipy(case: tuple[np.ndarray, np.ndarray]) -> None:
    counts, in_group = case
    found = table_of(counts, in_group)
    for gene, column in zip(found.itertuples(), scaled(counts).T, strict=True):
        if np.ptp(column) == 0:
            assert (gene.auc, gene.score, gene.p, gene.q) == (0.5, 0, 1, 1)
            continue
        group, reference = column[in_group], column[~in_group]
        u, p = scipy.stats.mannwhitneyu(group, reference, method="asymptotic", use_continuity=False)
        assert gene.p == pytest.approx(p, rel=1e-6)
        assert gene.auc == pytest.approx(u / len(group) / len(reference), abs=1e-12)
        assert np.sign(gene.score) == np.sign(round(gene.auc - 0.5, 12))


@given(small_counts())
def test_welch_agrees_with_scipy(case: tuple[np.ndarray, np.ndarray]) -> None:
    counts, in_group = case
    found = table_of(counts, in_group, "t-test")
    for gene, column in zip(found.itertuples(), np.log1p(scaled(counts)).T, strict=True):
        group, reference = column[in_group], column[~in_group]
        if np.ptp(group) < 1e-9 and np.ptp(reference) < 1e-9:
            assert (gene.score, gene.p) == (0, 1)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy: one of the two may be constant
            t, p = scipy.stats.ttest_ind(group, reference, equal_var=False)
        assert gene.score == pytest.approx(t, rel=1e-6, abs=1e-9)
        assert gene.p == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_results_agree_with_scanpy(test: str) -> None:
    adata = two_groups()
    found = compare(adata, test=test)
    compared = adata[adata.obs["group"].isin(["a", "b"])].copy()
    compared.X = np.log1p(scaled(compared.X.toarray().astype(float)))
    compared.obs["group"] = compared.obs["group"].astype("category")
    how = {"tie_correct": True} if test == "wilcoxon" else {}
    with np.errstate(invalid="ignore"):  # scanpy divides 0 by 0 for a gene without a count
        sc.tl.rank_genes_groups(compared, "group", groups=["a"], reference="b", method=test, pts=True, **how)
    theirs = sc.get.rank_genes_groups_df(compared, "a").set_index("names").loc[adata.var_names]
    np.testing.assert_allclose(found["score"], theirs["scores"], rtol=1e-6)
    np.testing.assert_allclose(found["p"], theirs["pvals"], rtol=1e-6)
    np.testing.assert_allclose(found["q"], theirs["pvals_adj"], rtol=1e-6)
    np.testing.assert_allclose(found["share_group"], theirs["pct_nz_group"])
    shares = compared.uns["rank_genes_groups"]["pts"]["b"]
    np.testing.assert_allclose(found["share_reference"], shares.loc[adata.var_names])


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_swapping_the_groups_flips_every_sign(test: str) -> None:
    adata = two_groups()
    there, back = compare(adata, test=test), compare(adata, test=test, group="b", reference="a")
    for column in ("log2_fold_change", "score"):
        np.testing.assert_allclose(there[column], -back[column], atol=1e-12)
    np.testing.assert_allclose(there["auc"], 1 - back["auc"])
    np.testing.assert_allclose(there[["p", "q"]], back[["p", "q"]])
    for column in ("n", "mean", "share"):
        np.testing.assert_allclose(there[f"{column}_group"], back[f"{column}_reference"])


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_order_of_cells_and_genes_and_cells_of_neither_group_do_not_matter(test: str) -> None:
    adata = two_groups()
    expected = compare(adata, test=test)
    rng = np.random.default_rng(1)
    shuffled = adata[rng.permutation(adata.n_obs), rng.permutation(adata.n_vars)].copy()
    pd.testing.assert_frame_equal(compare(shuffled, test=test).loc[adata.var_names], expected)
    without = adata[adata.obs["group"] != "c"].copy()
    pd.testing.assert_frame_equal(compare(without, test=test), expected)


def test_genes_come_in_chunks_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    adata = two_groups()
    whole = compare(adata)
    monkeypatch.setattr(ranksum, "GENES_AT_ONCE", 7)
    chosen = arms.choose_arms(labels(adata, "group"), "a", "b")
    parts = list(ranksum.compare(adata.X, chosen, adata.var_names))
    assert [len(part) for part in parts] == [7, 7, 7, 7, 2]
    assert [name for part in parts for name in part.index] == list(adata.var_names)
    pd.testing.assert_frame_equal(ranksum.combine(parts).loc[adata.var_names], whole)


@given(st.integers(0, 2**32 - 1))
def test_how_deep_a_cell_was_counted_changes_no_rank(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(1.0, (30, 5))
    counts[:, 0] += 1
    in_group = rng.permutation(np.arange(30) < 12)
    deeper = counts * rng.integers(1, 5, (30, 1))
    columns = ["auc", "score", "p"]
    before, after = table_of(counts, in_group), table_of(deeper, in_group)
    np.testing.assert_allclose(after[columns], before[columns], rtol=1e-9)


def test_how_counts_are_stored_changes_nothing() -> None:
    counts = np.random.default_rng(0).poisson(1.0, (20, 4))
    in_group = np.arange(20) < 9
    expected = table_of(counts, in_group)
    row, column = np.indices(counts.shape).reshape(2, -1)
    halves = np.append(
        counts.ravel() // 2, counts.ravel() - counts.ravel() // 2
    )  # zeros, and each value twice
    twice = sparse.coo_matrix((halves, (np.tile(row, 2), np.tile(column, 2))), counts.shape)
    indptr = 8 * np.arange(21)
    order = np.argsort(twice.row, kind="stable")
    stored = sparse.csr_matrix((twice.data[order], twice.col[order], indptr), counts.shape)
    assert not stored.has_canonical_format
    parts = ranksum.compare(stored, arms.Arms(in_group, ~in_group), expected.index)
    pd.testing.assert_frame_equal(ranksum.combine(parts).loc[expected.index], expected)


def test_fold_change_and_shares_are_of_scaled_counts() -> None:
    counts = np.array([[4, 0, 0], [8, 0, 8], [2, 2, 0], [1, 3, 0], [0, 4, 0], [4, 4, 0]])
    found = table_of(counts, np.arange(6) < 3)  # the median depth is 4
    assert found["mean_group"].tolist() == pytest.approx([(4 + 2 + 2) / 3, 2 / 3, 2 / 3])
    assert found["mean_reference"].tolist() == pytest.approx([1, 3, 0])
    assert found["share_group"].tolist() == pytest.approx([1, 1 / 3, 1 / 3])
    assert found.loc["G2", "log2_fold_change"] == pytest.approx(np.log2((2 / 3 + 0.05) / 0.05))
    assert found[["n_group", "n_reference"]].drop_duplicates().to_numpy().tolist() == [[3, 3]]


def test_genes_and_cells_without_counts_are_no_trouble() -> None:
    counts = np.zeros((8, 3), dtype=int)
    in_group = np.arange(8) < 4
    for test in ("wilcoxon", "t-test"):
        found = table_of(counts, in_group, test)
        assert (
            found[["auc", "score", "p", "q", "log2_fold_change"]].to_numpy().tolist()
            == [[0.5, 0, 1, 1, 0]] * 3
        )


def test_the_table_is_sorted_by_effect_and_says_how_it_was_made() -> None:
    adata = two_groups()
    tl.differential_expression(adata, "group", group=["a"], reference=["b", "c"], pseudo_count=0.1)
    table = adata.uns[keys.DEGS]
    assert table["auc"].is_monotonic_decreasing
    assert set(table.index[:5]) == {f"G{i}" for i in range(5)}
    assert set(table.index) == set(adata.var_names)
    facts = adata.uns[keys.PROVENANCE]["differential_expression"]
    assert table.attrs == facts
    assert (facts["group"], facts["reference"], facts["pseudo_count"]) == (["a"], ["b", "c"], 0.1)
    assert table["n_reference"].iloc[0] == adata.obs["group"].isin(["b", "c"]).sum()


def test_results_are_kept_in_a_file(tmp_path) -> None:
    adata = datasets.toy()
    tl.differential_expression(adata, datasets.REGION, group="tumour core", reference="tumour")
    squint.write(adata, tmp_path / "found.h5ad")
    again = squint.read(tmp_path / "found.h5ad")
    pd.testing.assert_frame_equal(again.uns[keys.DEGS], adata.uns[keys.DEGS], check_names=False)
    facts = again.uns[keys.PROVENANCE]["differential_expression"]
    assert facts == adata.uns[keys.PROVENANCE]["differential_expression"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"groupby": "nothing"}, "has no 'nothing'"),
        ({"group": "z"}, "No cell is labelled 'z' in 'group'; there are a, b, c"),
        ({"group": ["a", "b"]}, "'b' cannot be in both"),
        ({"group": "few"}, "The group has 2 cells; a comparison needs at least 3"),
        ({"reference": []}, "The reference has 0 cells"),
        ({"test": "anova"}, "There is no test 'anova'. Choose one of wilcoxon, t-test"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_plain_words(how: dict, said: str) -> None:
    adata = two_groups()
    if how.get("group") == "few":
        adata.obs.iloc[:2, 0] = "few"
    with pytest.raises(InputError, match=said):
        tl.differential_expression(adata, **{"groupby": "group", "group": "a", "reference": "b", **how})


@pytest.mark.parametrize("tool", [tl.differential_expression, tl.pseudobulk])
def test_intensities_are_refused(tool) -> None:
    adata = two_groups()
    adata.uns[keys.PROVENANCE] = {"values": "intensities"}
    with pytest.raises(InputError, match="intensities, not counts"):
        tool(adata, "group", group="a", reference="b")


def test_negative_values_are_refused() -> None:
    adata = two_groups()
    adata.X.data[0] = -1
    with pytest.raises(InputError, match="negative"):
        compare(adata)


@pytest.fixture(scope="module")
def tumour() -> AnnData:
    adata = datasets.toy(n_cells=1_200)
    return adata[adata.obs[datasets.TRUE_TYPE] == "tumour"].copy()


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_genes_planted_in_the_tumour_core_are_found(tumour: AnnData, test: str) -> None:
    tl.differential_expression(tumour, datasets.REGION, group="tumour core", reference="tumour", test=test)
    table = tumour.uns[keys.DEGS]
    assert {"CA9", *KIDNEY} <= set(table.index[:6])
    assert (table.loc[["CA9", *KIDNEY], "q"] < 1e-6).all()
    assert (table.loc[["CA9", *KIDNEY], "log2_fold_change"] > 1).all()


@pytest.mark.parametrize("test", ["wilcoxon", "t-test"])
def test_nothing_is_found_where_labels_are_shuffled(tumour: AnnData, test: str) -> None:
    rng = np.random.default_rng(0)
    n_shuffles_with_finds = 0
    for _ in range(20):
        shuffled = tumour.copy()
        shuffled.obs[datasets.REGION] = rng.permutation(tumour.obs[datasets.REGION].astype(str))
        tl.differential_expression(
            shuffled, datasets.REGION, group="tumour core", reference="tumour", test=test
        )
        n_shuffles_with_finds += bool((shuffled.uns[keys.DEGS]["q"] < 0.05).any())
    assert n_shuffles_with_finds <= 3  # 1 in 20 is expected


def test_known_markers_of_lung_tumour_and_stroma_lead(real_section) -> None:
    adata = squint.read(real_section("cosmx_nsclc_lung5_rep3_4fov"))
    tl.differential_expression(adata, "region", group="Tumour", reference="Stroma")
    genes = adata.uns[keys.DEGS].index
    assert {"KRT19", "KRT8", "KRT17", "KRT18", "KRT7", "EPCAM"} <= set(genes[:20])
    assert {"COL1A1", "VIM", "CD74", "HLA-DRA"} <= set(genes[-20:])


def test_known_markers_of_breast_tumour_and_stroma_lead(real_section) -> None:
    adata = squint.read(real_section("xenium_breast_roi_17k"))
    tumour_types = ["DCIS_1", "DCIS_2", "Invasive_Tumor"]
    tl.differential_expression(adata, keys.CELL_TYPE, group=tumour_types, reference="Stromal")
    genes = adata.uns[keys.DEGS].index
    assert {"EPCAM", "KRT7", "KRT8", "ERBB2", "CDH1", "FOXA1"} <= set(genes[:20])
    assert {"LUM", "POSTN", "MMP2", "CXCL12", "PDGFRA"} <= set(genes[-20:])


# --- a few genes by group ------------------------------------------------------------------------------


def test_expression_by_group_is_what_one_would_count_by_hand() -> None:
    adata = two_groups()
    groups = adata.obs["group"].astype(object).where(adata.obs["group"] != "c", None).to_numpy()
    found = expression.expression_by_group(adata.X, adata.var_names, groups, ["G7", "G0"])
    kept = groups != None  # noqa: E711 - elementwise
    by_hand = scaled(adata.X.toarray()[kept].astype(float))
    assert found[["gene", "group"]].to_numpy().tolist() == [
        ["G7", "a"], ["G7", "b"], ["G0", "a"], ["G0", "b"]
    ]  # fmt: skip
    for row in found.itertuples():
        values = by_hand[groups[kept] == row.group, int(row.gene[1:])]
        assert row.n_cells == len(values)
        assert row.mean == pytest.approx(values.mean())
        assert row.share == pytest.approx((values > 0).mean())


def test_a_comparison_and_its_dot_plot_say_the_same() -> None:
    adata = two_groups()
    table = compare(adata)
    compared = adata[adata.obs["group"] != "c"]
    groups = compared.obs["group"].to_numpy()
    by_group = expression.expression_by_group(
        sparse.csr_matrix(compared.X), adata.var_names, groups, list(adata.var_names)
    )
    mean = by_group.pivot(index="gene", columns="group", values="mean").loc[adata.var_names]
    np.testing.assert_allclose(mean["a"], table["mean_group"])
    np.testing.assert_allclose(mean["b"], table["mean_reference"])


def test_a_gene_that_is_not_measured_is_named() -> None:
    adata = two_groups()
    with pytest.raises(InputError, match="does not measure G99"):
        expression.scaled_counts(adata.X, adata.var_names, ["G0", "G99"])


def test_means_by_group_leave_out_cells_that_do_not_measure_the_gene() -> None:
    groups = pd.Series(pd.Categorical(["b", "a", "b", None], categories=["b", "a", "never"]))
    scaled = pd.DataFrame({"G1": [2.0, 4.0, np.nan, 9.0], "G2": [np.nan, 0.0, np.nan, 9.0]})
    found = expression.by_group(scaled, groups)
    assert found["group"].tolist() == ["b", "a"] * 2
    assert found["n_cells"].tolist() == [2, 1] * 2
    np.testing.assert_array_equal(found["mean"], [2, 4, np.nan, 0])
    np.testing.assert_array_equal(found["share"], [1, 1, np.nan, 0])
