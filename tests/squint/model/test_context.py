"""In-painting: properties of what the context learns, gives and draws."""

from dataclasses import replace

import anndata
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig, epochs_for
from squint.model import context, surroundings
from squint.model.cohort import prepare
from squint.nn.context import DonorNet, energy_score
from squint.training import context as context_training

pytestmark = pytest.mark.slow

CONFIG = ModelConfig()


@pytest.fixture(scope="module")
def section():
    """Simulate one section of 900 cells, with a stripe of stroma and a tumour."""
    return datasets.toy(n_cells=900, n_sections=1)


@pytest.fixture(scope="module")
def hidden(section):
    """Hide a disc of 60 cells (n,)."""
    xy = section.obsm[keys.SPATIAL][:, :2]
    distance = np.linalg.norm(xy - np.median(xy, axis=0), axis=1)
    return distance <= np.sort(distance)[59]


def cohort_of(adata, hidden):
    return prepare(adata, list(adata.var_names), CONFIG, hidden=hidden)


@pytest.fixture(scope="module")
def learned(section, hidden):
    return context_training.learn_context(cohort_of(section, hidden), n_steps=60, seed=0)


@pytest.fixture(scope="module")
def bundle(section, hidden):
    choices = TrainConfig(n_epochs=1, context_steps=5)
    *_, last = squint.train(section, model=ModelConfig(n_codes=4), train=choices, hidden=[hidden])
    return last.bundle


def same(one, other):
    return all(torch.equal(one.state_dict()[name], tensor) for name, tensor in other.state_dict().items())


# --- no leak, no order -----------------------------------------------------------------------------------


def test_no_count_of_a_hidden_cell_changes_a_weight_or_a_draw(section, hidden, learned):
    changed = section.copy()
    counts = changed.X.toarray()
    counts[hidden] = 7
    changed.X = csr_matrix(counts)
    cohort = cohort_of(changed, hidden)
    assert same(context_training.learn_context(cohort, n_steps=60, seed=0), learned)
    before = next(context.draw(learned, cohort_of(section, hidden), 1, 0))
    after = next(context.draw(learned, cohort, 1, 0))
    assert np.array_equal(before.cell, after.cell)
    assert np.array_equal(before.neighbourhood, after.neighbourhood)


def test_the_order_of_cells_changes_neither_weights_nor_predictions(section, hidden, learned):
    order = np.random.default_rng(1).permutation(section.n_obs)
    turned = cohort_of(section[order].copy(), hidden[order])
    assert same(context_training.learn_context(turned, n_steps=60, seed=0), learned)
    place = np.argsort(order[hidden[order]])  # of the hidden cells, back into the order they had
    for give in (context.expect, lambda learned, cohort: next(context.draw(learned, cohort, 1, 3))):
        before, after = give(learned, cohort_of(section, hidden)), give(learned, turned)
        assert np.allclose(after.cell[place], before.cell, atol=1e-5)
        assert np.allclose(after.neighbourhood[place], before.neighbourhood, atol=1e-5)


def test_another_seed_gives_other_weights_and_other_draws(section, hidden, learned):
    cohort = cohort_of(section, hidden)
    assert not same(context_training.learn_context(cohort, n_steps=60, seed=1), learned)
    one, other = (next(context.draw(learned, cohort, 1, seed)).cell for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_what_lies_in_another_section_says_nothing(section, hidden, learned):
    alone = context.expect(learned, cohort_of(section, hidden)).cell
    other = datasets.toy(seed=3, n_cells=200, n_sections=1)
    other.obs[keys.SECTION] = "zzz"  # comes last, so that the hidden cells stay in front

    both = anndata.concat([section, other], index_unique="-")
    seen = cohort_of(both, np.concatenate([hidden, np.zeros(other.n_obs, dtype=bool)]))
    assert np.allclose(context.expect(learned, seen).cell, alone, atol=1e-5)


# --- what it gives ---------------------------------------------------------------------------------------


def test_every_draw_is_a_cell_that_was_observed_nearby(section, hidden, learned):
    cohort = cohort_of(section, hidden)
    (one,) = context.draw(learned, cohort, 1, 0)
    real = {row.tobytes() for row in section.X[~hidden].toarray().astype(np.float32)}
    assert all(row.tobytes() in real for row in one.cell)


def test_counts_of_observed_neighbours_are_kept(section, hidden, learned):
    cohort = cohort_of(section, hidden)
    given = context.expect(learned, cohort)
    filled = section.X.toarray().astype(float)
    filled[hidden] = given.cell
    closed = cohort.graph.toarray() + np.eye(section.n_obs)
    by_hand = (closed @ filled)[hidden] / closed[hidden].sum(axis=1, keepdims=True)
    assert np.allclose(given.neighbourhood, by_hand, rtol=1e-4, atol=1e-5)


def test_it_finds_planted_tissue_better_than_the_mean_of_its_section(section, hidden, learned):
    truth = section.X[hidden].toarray()
    given = context.expect(learned, cohort_of(section, hidden)).cell
    mean = section.X[~hidden].toarray().mean(axis=0)
    assert ((given - truth) ** 2).mean() < ((mean - truth) ** 2).mean()


def test_genes_that_a_section_lacks_are_not_predicted(section, hidden, bundle):
    narrow = section[:, section.var_names[:30]].copy()
    tl.inpaint(narrow, bundle, hidden=hidden)
    table = narrow.obsm[keys.IMPUTED].loc[narrow.obs_names[hidden]]
    assert table.iloc[:, :30].notna().all(axis=None)
    assert table.iloc[:, 30:].isna().all(axis=None)


def test_several_draws_give_their_mean_and_spread(section, hidden, bundle):
    cohort = cohort_of(section, hidden)
    each = [one.neighbourhood for one in context.draw(bundle.context, cohort, 5, 2)]
    done = tl.inpaint(section, bundle, hidden=hidden, n_draws=5, seed=2, copy=True)
    rows = done.obs_names[hidden]
    assert np.allclose(done.obsm[keys.IMPUTED].loc[rows], np.mean(each, axis=0), atol=1e-4)
    assert np.allclose(done.obsm[keys.IMPUTED_SD].loc[rows], np.std(each, axis=0, ddof=1), atol=1e-4)


def test_a_model_without_a_context_says_so(section, hidden):
    choices = TrainConfig(n_epochs=1, context_steps=0)
    *_, last = squint.train(section, model=ModelConfig(n_codes=4), train=choices, hidden=[hidden])
    with pytest.raises(squint.InputError, match="cannot in-paint"):
        tl.inpaint(section, last.bundle)


def test_bundles_keep_it(bundle, tmp_path):
    bundle.save(tmp_path / "model")
    assert same(squint.Bundle.load(tmp_path / "model").context, bundle.context)


@pytest.mark.parametrize("n_cells", [1, 2, 29, 31, 60])
def test_small_sections_are_met(n_cells):
    adata = datasets.toy(n_cells=200, n_sections=1)[:n_cells].copy()
    learned = context_training.learn_context(cohort_of(adata, None), n_steps=2, seed=0)
    assert (learned is None) == (n_cells < context_training.LEAST_CELLS)
    if learned is not None:
        first = np.arange(n_cells) == 0
        assert np.isfinite(context.expect(learned, cohort_of(adata, first)).cell).all()
        assert len(next(context.draw(learned, cohort_of(adata, first), 1, 0)).cell) == 1


# --- its parts -------------------------------------------------------------------------------------------


def test_surroundings_by_hand():
    x = np.arange(12.0)
    places = surroundings.locate(np.column_stack([x, 0 * x]), np.zeros(12, dtype=np.int64))
    values = np.arange(12, dtype=np.float32)[:, None]
    observed = np.isin(x, [5, 6, 7], invert=True)
    found = surroundings.look_around(places, values, np.array([6]), observed)
    assert found.donors[0, :4].tolist() in ([4, 8, 3, 9], [8, 4, 9, 3], [4, 8, 9, 3], [8, 4, 3, 9])
    assert found.means[0, 1, 0] == pytest.approx((4 + 8 + 3 + 9) / 4)
    assert found.means[0, -1, 0] == pytest.approx(values[observed].mean())
    assert np.isinf(found.distance[0, 9:]).all()
    assert found.distance[0, 0] * places.spacing[0] == pytest.approx(2)


def test_crowding_of_what_is_wanted_is_that_of_all(monkeypatch):
    monkeypatch.setattr(surroundings, "N_USUAL", 90)
    rng = np.random.default_rng(0)
    xy, section = rng.uniform(0, 100, (2000, 2)), np.repeat([0, 1], [1500, 500])
    observed, cells = rng.random(2000) < 0.8, np.array([3, 900])
    observed[cells] = False
    wanted = surroundings.within_sight(xy, section, cells, observed)
    assert wanted.sum() == len(cells) + np.count_nonzero(wanted & observed) < 1500
    of_some, of_all = surroundings.locate(xy, section, wanted), surroundings.locate(xy, section)
    assert np.array_equal(of_some.crowding[wanted], of_all.crowding[wanted])
    assert not of_some.crowding[1500:].all(axis=1).all()
    values = of_all.crowding
    some = surroundings.look_around(of_some, of_some.crowding, cells, observed)
    for one, other in zip(some, surroundings.look_around(of_all, values, cells, observed), strict=True):
        assert np.array_equal(one, other)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0.05, 0.5))
def test_holes_hide_observed_cells_only_and_never_all(seed, share):
    rng = np.random.default_rng(seed)
    places = surroundings.locate(rng.uniform(0, 100, (300, 2)), np.repeat([0, 1], [250, 50]))
    observed = rng.random(300) < 0.8
    holes = surroundings.make_holes(places, observed, share, rng)
    assert not (holes & ~observed).any()
    for code in (0, 1):
        there = observed & (places.section == code)
        assert holes[there].mean() >= share
        assert not holes[there].all()


def test_crowding_does_not_change_with_unit_or_orientation():
    rng = np.random.default_rng(0)
    xy, section = rng.uniform(0, 100, (200, 2)), np.zeros(200, dtype=np.int64)
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one, other = surroundings.locate(xy, section), surroundings.locate(1000 * xy @ turn, section)
    assert np.allclose(one.crowding, other.crowding, atol=0.05)


def test_the_energy_score_by_hand_and_at_its_least():
    donors = torch.tensor([[[0.0], [1.0]]])
    score = energy_score(torch.tensor([[0.5, 0.5]]), donors, torch.tensor([[0.0]]))
    assert score.item() == pytest.approx(0.5 - 0.25)
    # Truth is 0 or 1 with probability 0.3 and 0.7: no other weights score lower on average.
    scores = [
        0.3 * energy_score(torch.tensor([[1 - w, w]]), donors, torch.tensor([[0.0]]))
        + 0.7 * energy_score(torch.tensor([[1 - w, w]]), donors, torch.tensor([[1.0]]))
        for w in torch.linspace(0, 1, 11)
    ]
    assert int(torch.stack(scores).argmin()) == 7


def test_missing_donors_have_no_weight():
    torch.manual_seed(0)
    weights = DonorNet(3)(torch.randn(4, 5, 3), torch.tensor([[True, True, False, False, False]] * 4))
    assert torch.allclose(weights[:, 2:], torch.zeros(4, 3))
    assert torch.allclose(weights.sum(dim=1), torch.ones(4))


@pytest.mark.parametrize(("n_cells", "n_epochs"), [(100, 30), (33_000, 30), (140_000, 7), (10**7, 4)])
def test_large_sections_are_gone_through_less_often(n_cells, n_epochs):
    assert epochs_for(n_cells) == n_epochs


def test_the_choice_of_steps_is_checked():
    with pytest.raises(squint.InputError, match="context_steps"):
        replace(TrainConfig(), context_steps=-1)
