"""Two vocabularies of the same cells: planted truth, chance, and what cannot be said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from squint.errors import InputError
from squint.stats.vocabularies import agreement, contingency, match, matched_order

SECTIONS = np.repeat(["s1", "s2", "s3"], 200)


def tokens_of(seed: int = 0, n_tokens: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(n_tokens, size=len(SECTIONS)).astype(str)


@given(st.permutations(list(range(8))))
@settings(deadline=None, max_examples=20)
def test_the_same_vocabulary_under_other_numbers_is_found_again(numbers):
    tokens = tokens_of()
    others = np.array([str(100 + numbers[int(token)]) for token in tokens])
    found = match(contingency(tokens, others, SECTIONS), n_resamples=50)
    assert found["match"].tolist() == [str(100 + numbers[int(token)]) for token in found.index]
    assert (found["partner"] == found["match"]).all()
    for name in ("share", "share_of_match", "jaccard", "share_low", "share_high", "kept"):
        assert (found[name] == 1).all()
    assert found["mutual"].all()
    scores = agreement(tokens, others, SECTIONS, n_shuffles=3)
    np.testing.assert_allclose(scores["value"], 1)
    rows, columns = matched_order(contingency(tokens, others, SECTIONS).table)
    assert [str(100 + numbers[int(row)]) for row in rows] == columns


def test_tokens_that_the_other_model_merged_share_a_match():
    tokens = tokens_of()
    others = np.where(np.isin(tokens, ["0", "1"]), "50", tokens)
    counted = contingency(tokens, others, SECTIONS)
    found = match(counted, n_resamples=20)
    assert found.loc[["0", "1"], "match"].tolist() == ["50", "50"]
    assert (found["share"] == 1).all()  # each lies within its match
    assert found.loc["0", "jaccard"] == pytest.approx((tokens == "0").mean() / (others == "50").mean())
    assert found.loc[["0", "1"], "mutual"].sum() == 1
    assert sorted(found.loc[["0", "1"], "partner"] == "50") == [False, True]
    split = match(counted.turned, n_resamples=20)
    assert split.loc["50", "share"] == pytest.approx(
        max((tokens == "0").sum(), (tokens == "1").sum()) / (others == "50").sum()
    )
    assert split.loc["50", "share_low"] < split.loc["50", "share"] < split.loc["50", "share_high"]


def test_random_tokens_are_at_chance():
    scores = agreement(tokens_of(1), tokens_of(2), SECTIONS)
    within = (scores["value"] >= scores["chance_low"] - 0.01) & (
        scores["value"] <= scores["chance_high"] + 0.01
    )
    assert within.all()
    assert abs(scores.loc["AMI", "chance"]) < 0.02
    assert scores.loc["NMI", "chance"] > 0  # which knows of no chance


def test_what_sections_alone_give_is_chance():
    rng = np.random.default_rng(3)
    own = {"s1": 0, "s2": 3, "s3": 6}
    tokens, others = (
        np.array([str(own[section] + rng.integers(3)) for section in SECTIONS]) for _ in range(2)
    )
    scores = agreement(tokens, others, SECTIONS)
    assert scores.loc["AMI", "value"] > 0.4
    assert scores.loc["AMI", "value"] == pytest.approx(scores.loc["AMI", "chance"], abs=0.03)


def test_ami_of_shuffles_is_that_of_scikit_learn():
    tokens, others = tokens_of(4), tokens_of(5, n_tokens=3)
    found = agreement(tokens, others, SECTIONS, n_shuffles=6).loc["AMI"]
    rng = np.random.default_rng(0)
    other = pd.factorize(others)[0]
    parts = [np.arange(start, start + 200) for start in (0, 200, 400)]
    direct = [
        adjusted_mutual_info_score(tokens, other[np.concatenate([rng.permutation(part) for part in parts])])
        for _ in range(6)
    ]
    assert found["chance"] == pytest.approx(np.mean(direct), abs=1e-9)


def test_of_one_section_no_interval_can_be_had():
    tokens = tokens_of()
    found = match(contingency(tokens, tokens, np.full(len(tokens), "s")))
    assert found[["share_low", "share_high", "kept"]].isna().all(axis=None)
    assert (found["n_sections"] == 1).all()
    tokens[:3], sections = "99", SECTIONS  # a token that the first section alone has
    found = match(contingency(tokens, tokens, sections))
    assert np.isnan(found.loc["99", "share_low"])
    assert found.loc["0", "share_low"] == 1


def test_a_match_that_sections_disagree_on_is_less_sure():
    tokens = np.full(300, "a")
    sections = np.repeat(["s1", "s2", "s3"], 100)
    others = np.concatenate(
        [np.repeat(["x", "y"], [90, 10]), np.repeat(["x", "y"], [80, 20]), np.repeat("y", 100)]
    )
    row = match(contingency(tokens, others, sections)).loc["a"]
    assert (row["match"], row["n_both"]) == ("x", 170)
    assert row["share"] == pytest.approx(170 / 300)
    assert row["share_low"] == 0  # by chance all draws are the third section
    assert 0.5 < row["kept"] < 0.9


def test_unequal_numbers_of_tokens_are_all_ordered():
    table = contingency(tokens_of(), tokens_of(9, n_tokens=3), SECTIONS).table
    for one in (table, table.T):
        rows, columns = matched_order(one)
        assert sorted(rows) == sorted(one.index)
        assert sorted(columns) == sorted(one.columns)


def test_no_cell_is_refused():
    with pytest.raises(InputError, match="both models"):
        contingency([], [], [])
