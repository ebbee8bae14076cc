import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from squint import datasets
from squint.errors import InputError
from squint.stats import marker_scores

GENES = [f"G{number}" for number in range(30)]
SETS = {"first": GENES[:4], "second": GENES[4:9], "third": GENES[7:12]}


def test_scores_are_the_t_of_a_straight_line_through_each_profile():
    profiles = pd.DataFrame(np.random.default_rng(0).normal(size=(5, 30)), columns=GENES)
    scores = marker_scores.ulm(profiles, SETS)
    assert list(scores.columns) == list(SETS)
    for name, own in SETS.items():
        inside = np.isin(GENES, own).astype(float)
        for row in range(5):
            line = stats.linregress(inside, profiles.iloc[row])
            assert scores.loc[row, name] == pytest.approx(line.slope / line.stderr, rel=1e-4)


def test_the_order_of_genes_and_sets_does_not_matter():
    profiles = pd.DataFrame(np.random.default_rng(1).normal(size=(4, 30)), columns=GENES)
    turned = marker_scores.ulm(profiles[GENES[::-1]], dict(reversed(SETS.items())))
    np.testing.assert_allclose(turned[list(SETS)], marker_scores.ulm(profiles, SETS), rtol=1e-5)


def test_groups_with_more_of_a_set_are_proposed_its_name():
    rng = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 50)
    rates = np.full((3, 30), 1.0)
    for row, name in enumerate(SETS):
        rates[row, np.isin(GENES, SETS[name])] = 6.0
    counts = csr_matrix(rng.poisson(rates[groups]).astype(float))
    profiles = marker_scores.group_profiles(counts, groups, GENES)
    np.testing.assert_allclose(profiles.mean(axis=0), 0, atol=1e-9)
    proposed = marker_scores.propose(marker_scores.ulm(profiles, SETS))
    assert list(proposed["name"]) == list(SETS)
    by_cell = marker_scores.propose(marker_scores.cell_scores(counts, GENES, SETS))
    assert (by_cell["best"].to_numpy() == np.array(list(SETS))[groups]).mean() > 0.8


def test_how_many_cells_a_group_has_does_not_change_its_profile():
    rng = np.random.default_rng(3)
    counts = rng.poisson(2.0, (60, 30)).astype(float)
    groups = np.repeat([0, 1], [20, 40])
    twice = np.concatenate([np.arange(60), np.arange(20, 60), np.arange(20)])
    once = marker_scores.group_profiles(csr_matrix(counts), groups, GENES)
    more = marker_scores.group_profiles(csr_matrix(counts[twice]), groups[twice], GENES)
    np.testing.assert_allclose(once, more, atol=1e-5)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=1, max_size=8),
    st.floats(0, 5),
    st.floats(0, 3),
)
def test_a_name_is_the_best_set_where_score_and_margin_reach_the_bounds(rows, score, margin):
    scores = pd.DataFrame(rows, columns=list(SETS))
    proposed = marker_scores.propose(scores, min_score=score, min_margin=margin)
    for row, found in zip(rows, proposed.itertuples(), strict=True):
        first, second = sorted(row, reverse=True)[:2]
        assert (found.score, found.margin) == (first, first - second)
        strong = first >= score and first - second >= margin
        assert (found.name if strong else found.best) == found.best
        assert (found.name is not None) == strong
        assert 0 <= found.confidence <= 1


def test_sets_of_which_too_few_are_measured_name_nothing_and_are_counted():
    panel = [*GENES[:9], "other"]
    found = marker_scores.measured(SETS, panel, 3)
    assert found.genes == {"first": GENES[:4], "second": GENES[4:9]}
    assert found.n_measured == {"first": 4, "second": 5, "third": 2}
    assert found.n_markers == {"first": 4, "second": 5, "third": 5}
    with pytest.raises(InputError, match="1 of 3 sets"):
        marker_scores.measured(SETS, panel, 5)


@pytest.mark.parametrize("species", ["human", "mouse"])
def test_the_species_of_all_known_markers_is_told(species):
    genes = datasets.markers(species)["gene"].unique()
    assert marker_scores.find_species(genes) == species


@pytest.mark.parametrize(
    "genes",
    [[], ["1", "2"], ["CD3E", "Cd3e"], ["ENSG00000000003", "ENSMUSG00000000001"], ["gene1", "gene2", "CD3E"]],
)
def test_of_names_that_do_not_tell_no_species_is_said(genes):
    assert not marker_scores.find_species(genes)


def test_a_missing_decoupler_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "decoupler", None)
    with pytest.raises(InputError, match=r"decoupler.*pip install 'squint\[cell-types\]'"):
        marker_scores.ulm(pd.DataFrame(np.ones((1, 30)), columns=GENES), SETS)
