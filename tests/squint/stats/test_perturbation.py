"""The arithmetic of a perturbation, by hand and by what must hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from scipy.sparse.csgraph import shortest_path

from squint.stats import perturbation as stats


def test_reach_is_that_of_a_walk_along_the_graph():
    drawn = random_array((60, 60), density=0.025, rng=np.random.default_rng(1), dtype=np.float32)
    near = csr_matrix(drawn + drawn.T)
    n_steps = shortest_path(near, directed=False, unweighted=True)[[3, 40]].min(axis=0)
    changed = np.zeros(60, dtype=bool)
    changed[[3, 40]] = True
    for n_hops in (1, 2, 3):
        np.testing.assert_array_equal(stats.within_reach(near, changed, n_hops), n_steps <= n_hops)
    assert 5 < (n_steps <= 2).sum() < (n_steps <= 3).sum() < 60


def test_transitions_by_hand():
    before, after = np.array([1, 1, 1, 5, 5, 7]), np.array([1, 5, 7, 5, 5, 1])
    counts = stats.transitions(before, after, np.array([1, 5, 7]))
    assert counts.to_numpy().tolist() == [[1, 1, 1], [0, 2, 0], [1, 0, 0]]
    shares = stats.row_shares(counts)
    assert shares.loc[1, [5, 7]].tolist() == [0.5, 0.5]
    assert shares.loc[5].isna().all()  # who stayed is left out, and nobody went
    assert shares.loc[7, 1] == 1
    assert np.isnan(np.diag(shares)).all()


def test_a_response_by_hand_leaves_out_tokens_without_a_score():
    own = np.array([1.0, 3, 2, 2, 2, 9, np.nan, 4, 6, 5, 5, 5])
    tokens = np.array([0, 0, 0, 0, 0, 1, 0, 2, 2, 2, 2, 2])
    table = stats.token_scores(own, tokens, 4)
    assert table["n_cells"].tolist() == [5, 1, 5, 0]
    assert table["mean"].tolist()[0] == 2
    assert table["mean"].tolist()[2] == 5
    assert table["mean"].isna().tolist() == [False, True, False, True]
    found = stats.response(np.array([0, 0, 0, 2]), np.array([2, 0, 1, -1]), table["mean"].to_numpy())
    assert found == (1.5, 2, 2)


@given(st.integers(2, 120), st.integers(0, 10_000))
def test_a_sham_holds_the_same_values_outside_the_programme(n_genes, seed):
    rng = np.random.default_rng(seed)
    shift, level = rng.normal(size=n_genes) ** 3, rng.random(n_genes)
    held = rng.random(n_genes) < 0.2
    held[0] = False
    shift[held] = 0
    sham = stats.sham_shift(shift, level, held, rng)
    assert not sham[held].any()
    assert np.allclose(np.sort(sham[~held]), np.sort(shift[~held]))


def test_the_genes_that_make_a_shift_up_take_no_large_one():
    shift = np.full(100, 0.01)
    shift[:5] = 3.0
    for seed in range(50):
        sham = stats.sham_shift(
            shift, np.linspace(0, 1, 100), np.zeros(100, bool), np.random.default_rng(seed)
        )
        assert (sham[:5] == 0.01).all()
        assert (np.flatnonzero(sham == 3.0) < 30).all()  # and those that do are of like level


def test_p_counts_the_observed_among_the_shams():
    shams = np.array([0.0, 0.1, 0.2, np.nan])
    assert stats.p_value(0.3, shams) == 1 / 4
    assert stats.p_value(0.2, shams) == 2 / 4
    assert stats.p_value(-1.0, shams) == 1
    assert np.isnan(stats.p_value(np.nan, shams))


def test_p_of_a_shift_that_is_one_of_the_shams_is_uniform():
    rng = np.random.default_rng(0)
    found = [stats.p_value(draws[0], draws[1:]) for draws in rng.normal(size=(2000, 40))]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_the_error_of_scores_is_that_of_scores_drawn_again():
    rng = np.random.default_rng(0)
    sd, n_cells = np.array([0.5, 1.0, 2.0, 1.0]), np.array([10, 40, 20, 3])
    table = pd.DataFrame({"score": [1.0, 2, 3, np.nan], "sd": sd, "n_cells": n_cells})
    before, after = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    after[0], before[1], after[2] = 3, -1, -1  # no score before or after: left out
    drawn = []
    for _ in range(4_000):
        scores = np.append(rng.normal(0, sd[:3] / np.sqrt(n_cells[:3])), np.nan)
        drawn.append(stats.response(before, after, scores).mean)
    assert stats.score_error(before, after, table) == pytest.approx(np.std(drawn), rel=0.05)
    assert stats.score_error(before, before, table) == 0
    assert np.isnan(stats.score_error(before[:0], after[:0], table))
