"""Expression in tokens: against scanpy and by hand, with sections that measure other genes."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from squint.columns import UNKNOWN
from squint.errors import InputError
from squint.stats.token_expression import add_sections, set_mean, sum_expression, token_expression

GENES = [f"G{number}" for number in range(12)]


def drawn(n_cells: int = 90, seed: int = 0) -> tuple[csr_matrix, "pd.Series[str]"]:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1, 2, size=(n_cells, len(GENES))))
    counts[0] = 0
    return csr_matrix(counts.astype(float)), pd.Series(rng.choice(["2", "10", "7", UNKNOWN], n_cells))


def test_means_and_shares_are_those_of_scanpy():
    counts, tokens = drawn()
    found = token_expression(counts, GENES, tokens)
    kept = ((tokens != UNKNOWN) & (np.asarray(counts.sum(axis=1)).ravel() > 0)).to_numpy()
    adata = ad.AnnData(counts[kept])
    sc.pp.normalize_total(adata)  # to the median of the cells
    sc.pp.log1p(adata)
    by_hand = pd.DataFrame(adata.X.toarray()).groupby(tokens[kept].to_numpy())
    assert found.tokens == ["2", "7", "10"]  # as numbers
    np.testing.assert_allclose(found.mean, by_hand.mean().loc[found.tokens], rtol=1e-5)
    np.testing.assert_allclose(found.share, by_hand.agg(lambda x: (x > 0).mean()).loc[found.tokens])
    assert (found.n_cells == by_hand.size().loc[found.tokens].to_numpy()[:, None]).all()


@given(st.integers(0, 10_000), st.floats(1, 500))
@settings(deadline=None, max_examples=30)
def test_a_mask_is_the_same_as_cells_that_are_not_there_and_order_does_not_matter(seed, depth):
    counts, tokens = drawn(seed=seed)
    rng = np.random.default_rng(seed)
    cells = rng.random(len(tokens)) < 0.6
    masked = token_expression(counts, GENES, tokens, cells=cells, depth=depth)
    order = rng.permutation(np.flatnonzero(cells))
    alone = token_expression(counts[order], GENES, tokens.iloc[order], depth=depth)
    assert masked.tokens == alone.tokens
    for name in ("mean", "share", "n_cells"):
        np.testing.assert_allclose(getattr(masked, name), getattr(alone, name), rtol=1e-5)


def test_parts_of_a_section_add_up_to_the_whole():
    counts, tokens = drawn()
    whole = token_expression(counts, GENES, tokens, depth=20)
    parts = [
        sum_expression(counts[rows], GENES, tokens[rows], depth=20) for rows in (slice(40), slice(40, 90))
    ]
    added = add_sections(parts)
    np.testing.assert_allclose(added.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(added.share, whole.share)


def test_a_gene_is_over_the_sections_that_measure_it():
    counts, tokens = drawn()
    other = pd.Series(["2"] * 3)
    more = sum_expression(csr_matrix(np.full((3, 2), 5.0)), ["G0", "NEW"], other, depth=10)
    found = add_sections([sum_expression(counts, GENES, tokens, depth=10), more])
    alone = token_expression(counts, GENES, tokens, depth=10)
    table = found.table(["NEW", "G1"]).set_index(["gene", "token"])
    assert table.loc[("NEW", "2"), "mean"] == pytest.approx(np.log1p(5), rel=1e-5)
    assert table.loc[("NEW", "2"), "n_cells"] == 3
    assert np.isnan(table.loc[("NEW", "7"), "mean"])
    assert table.loc[("G1", "2"), "mean"] == pytest.approx(alone.mean[0, 1])
    with pytest.raises(InputError, match="NOPE"):
        found.table(["NOPE"])


def test_a_set_is_the_mean_of_its_measured_genes_with_its_coverage():
    counts, tokens = drawn()
    found = token_expression(counts, GENES, tokens)
    made = set_mean(found, ["G3", "NOPE", "G1", "G3"])
    assert (made.measured, made.missing) == (["G3", "G1"], ["NOPE"])
    np.testing.assert_allclose(made.table["mean"], found.mean[:, [3, 1]].mean(axis=1))
    assert made.table["n_genes"].tolist() == [2, 2, 2]
    none = set_mean(found, ["NOPE"])
    assert none.table["mean"].isna().all()
    assert none.table["n_genes"].tolist() == [0, 0, 0]


def test_a_planted_gene_leads_in_its_token():
    rng = np.random.default_rng(1)
    tokens = pd.Series(np.repeat(["0", "1", "2"], 200))
    rates = np.full((600, len(GENES)), 1.0)
    rates[tokens == "1", 4] = 6
    found = token_expression(csr_matrix(rng.poisson(rates).astype(float)), GENES, tokens)
    assert found.tokens[int(found.mean[:, 4].argmax())] == "1"
    assert found.share[1, 4] > 0.98
