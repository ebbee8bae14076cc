from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import squint
from squint import datasets, keys
from squint.config import ModelConfig, TrainConfig
from squint.model.cohort import batches, prepare
from squint.model.tokens import embed
from squint.stats.metrics import perplexity, row_pearson
from squint.training.edges import Edges
from squint.training.run import learning_rate, masked_fraction

MODEL = ModelConfig(n_codes=6, n_hidden=16, n_latent=8)
TRAIN = TrainConfig(n_epochs=3, batch_size=128, tile_size=32, context_steps=10)


def last_epoch(sections, **choices):
    *_, last = squint.train(sections, **{"model": MODEL, "train": TRAIN, **choices})
    return last


def weights(bundle):
    return {name: tensor.clone() for name, tensor in bundle.model.state_dict().items()}


@pytest.fixture(scope="module")
def trained():
    return last_epoch(
        datasets.toy(n_cells=400),
        train=replace(TRAIN, n_epochs=20, learning_rate=1e-2, adjacency_weight=1, seed=1),
    )


def test_training_lowers_the_loss_and_uses_its_codes():
    losses = [epoch.losses for epoch in squint.train(datasets.toy(n_cells=400), model=MODEL, train=TRAIN)]
    assert losses[-1]["attributes"] < losses[0]["attributes"]
    assert set(losses[0]) == {"attributes", "adjacency", "codebook", "mask", "total"}


def test_the_total_is_the_weighted_sum_of_equation_5():
    choices = replace(TRAIN, attribute_weight=0.5, adjacency_weight=2, codebook_weight=3, mask_weight=0.7)
    losses = last_epoch(datasets.toy(n_cells=200), train=choices).losses
    terms = 0.5 * losses["attributes"] + 2 * losses["adjacency"] + 3 * losses["codebook"]
    assert losses["total"] == pytest.approx(terms + 0.7 * losses["mask"], rel=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    # Large enough for every sum to be shared among threads, whose order must not show.
    section = datasets.toy(n_cells=1500)
    choices = {"model": ModelConfig(n_codes=20), "train": TrainConfig(n_epochs=2, context_steps=10)}
    first, again = (weights(last_epoch(section, **choices).bundle) for _ in range(2))
    choices["train"] = TrainConfig(n_epochs=2, context_steps=10, seed=1)
    other = weights(last_epoch(section, **choices).bundle)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["codebook.codes"], other["codebook.codes"])


def test_counts_of_hidden_cells_change_no_weight_and_no_gene():
    section = datasets.toy(n_cells=200)
    hidden = np.zeros(200, dtype=bool)
    hidden[20:60] = True
    before = last_epoch(section, hidden=[hidden]).bundle
    changed = section.copy()
    counts = changed.X.toarray()
    counts[hidden] = np.random.default_rng(0).poisson(20, counts[hidden].shape)
    changed.X = csr_matrix(counts)
    after = last_epoch(changed, hidden=[hidden]).bundle
    assert before.genes == after.genes
    assert before.scale.depth == after.scale.depth
    assert all(
        torch.equal(a, b) for a, b in zip(weights(before).values(), weights(after).values(), strict=True)
    )
    assert sorted(name for record in before.sections for name in record.hidden) == sorted(
        section.obs_names[hidden]
    )


def test_a_hidden_label_is_hidden_too():
    section = datasets.toy(n_cells=100)
    hidden = np.arange(100) < 10
    config = replace(MODEL, covariates=(keys.CELL_TYPE,))
    features = prepare(section, list(section.var_names), config, hidden=hidden).features
    one_hot = features[:, MODEL.n_distance_features :]
    assert not one_hot[hidden].any()
    assert (one_hot[~hidden].sum(axis=1) == 1).all()


def test_both_ends_of_the_masked_fraction_are_reached():
    epochs = list(squint.train(datasets.toy(n_cells=300), model=MODEL, train=TRAIN))
    assert masked_fraction(TRAIN, 0.0) == TRAIN.mask_start
    assert epochs[-1].masked == pytest.approx(TRAIN.mask_end)


@given(st.floats(0, 1), st.floats(0, 0.9))
def test_learning_rate_stays_within_bounds(progress, warmup):
    choices = TrainConfig(warmup_fraction=warmup)
    assert 0 < learning_rate(choices, progress) <= choices.learning_rate
    assert learning_rate(choices, warmup) == choices.learning_rate


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_perplexity_lies_between_one_and_the_codes_in_use(use):
    use = np.array(use)
    if use.sum():
        assert 1 - 1e-9 <= perplexity(use) <= (use > 0).sum() + 1e-9
        assert perplexity(np.where(use > 0, 7, 0)) == pytest.approx((use > 0).sum())
    else:
        assert perplexity(use) == 0


def test_every_visible_cell_is_in_one_tile_and_tiles_are_contiguous():
    section = datasets.toy(n_cells=500)
    hidden = np.random.default_rng(0).random(500) < 0.1
    cohort = prepare(section, list(section.var_names), MODEL, hidden=hidden)
    rng = np.random.default_rng(0)
    tiles = cohort.cut(40, block_fraction=0.5, rng=rng, among=~hidden)
    assert sorted(np.concatenate(tiles.cells)) == np.flatnonzero(~hidden).tolist()
    assert max(map(len, tiles.cells)) <= 40
    assert all(len(set(cohort.section[tile])) == 1 for tile in tiles.cells)
    side = np.ptp(cohort.coordinates, axis=0).max()
    assert np.median([np.ptp(cohort.coordinates[tile], axis=0).max() for tile in tiles.cells]) < 0.7 * side
    drawn = list(batches(tiles, 100, rng))
    cells = [cell for batch in drawn for tile in batch for cell in tile]
    assert sorted(cells) == np.flatnonzero(~hidden).tolist()
    sizes = [sum(map(len, batch)) for batch in drawn]
    assert len(sizes) == round((~hidden).sum() / 100)
    assert max(sizes) - min(sizes) <= 1


@given(st.floats(0, 1))
def test_each_tile_has_just_the_masked_share(fraction):
    section = datasets.toy(n_cells=120)
    cohort = prepare(section, list(section.var_names), MODEL)
    tiles = cohort.cut(20, block_fraction=1, rng=np.random.default_rng(0))
    for tile in tiles.cells:
        masked = tiles.mask_rank[tile] < fraction
        assert abs(masked.sum() - fraction * len(tile)) <= 1
        if 1 < masked.sum() < len(tile):  # a block: the masked cells lie nearer to its centre than the rest
            centre = cohort.coordinates[tile[tiles.mask_rank[tile] == 0][0]]
            distance = np.linalg.norm(cohort.coordinates[tile] - centre, axis=1)
            assert distance[masked].max() <= distance[~masked].min()


def test_sums_over_the_neighbourhood_agree_with_a_loop():
    section = datasets.toy(n_cells=60)
    cohort = prepare(section, list(section.var_names), MODEL)
    cells = np.array([3, 50, 7])
    counts, graph = section.X.toarray(), cohort.graph.toarray()
    expected = [counts[cell] + sum(counts[other] for other in np.flatnonzero(graph[cell])) for cell in cells]
    assert np.array_equal(cohort.neighbourhood_sums(cells), expected)


def test_distance_features_do_not_depend_on_the_unit_and_are_not_zero():
    section = datasets.toy(n_cells=200)
    far = section.copy()
    far.obsm[keys.SPATIAL] = far.obsm[keys.SPATIAL] * 1e4 + 1e6
    genes = list(section.var_names)
    near_features, far_features = (prepare(adata, genes, MODEL).features for adata in (section, far))
    assert np.allclose(near_features, far_features, atol=1e-4)
    assert (near_features.max(axis=1) > 0.05).all()


@pytest.mark.parametrize("covariates", [(keys.CELL_TYPE,), ("position",), (keys.CELL_TYPE, "position")])
def test_named_covariates_condition_the_model(covariates, tmp_path):
    section = datasets.toy(n_cells=150)
    bundle = last_epoch(section, model=replace(MODEL, covariates=covariates)).bundle
    bundle.save(tmp_path)
    squint.tl.tokenize(section, squint.Bundle.load(tmp_path))
    assert section.obs[keys.TOKEN].notna().all()


def test_a_covariate_that_is_no_category_is_refused():
    with pytest.raises(squint.InputError, match="z_um"):
        last_epoch(datasets.toy(n_cells=60), model=replace(MODEL, covariates=("z_um",)))


def test_tokens_do_not_depend_on_the_tile(trained):
    section = datasets.toy(n_cells=400)
    bundle = trained.bundle
    cohort = prepare(section, bundle.genes, bundle.model_config, scale=bundle.scale)
    found = []
    for tile_size in (40, 400):
        token = np.full(400, -1)
        for part in embed(bundle.model, cohort, cohort.own_conditions(), tile_size=tile_size):
            token[part.cells] = part.tokens[:, 0]
        found.append(token)
    assert np.array_equal(*found)
    assert (found[0] >= 0).all()


def test_a_dead_decoder_scores_as_chance_and_the_trained_one_better(trained):
    section = datasets.toy(n_cells=400)
    bundle = trained.bundle
    cohort = prepare(section, bundle.genes, bundle.model_config, scale=bundle.scale)
    edges = Edges.of(cohort, 0.2, np.random.default_rng(0))
    assert edges.judge(bundle.model, np.random.default_rng(0)) > 0.6
    dead = {name: tensor.clone() for name, tensor in bundle.model.adjacency.state_dict().items()}
    try:
        for parameter in bundle.model.adjacency.edge.parameters():
            parameter.data.zero_()
        assert edges.judge(bundle.model, np.random.default_rng(0)) == pytest.approx(0.5, abs=0.01)
    finally:
        bundle.model.adjacency.load_state_dict(dead)


def test_correlation_of_rows_agrees_with_numpy():
    rng = np.random.default_rng(0)
    one, other = rng.random((5, 9)), rng.random((5, 9))
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(one, other, strict=True)]
    assert np.allclose(row_pearson(one, other), expected)
    assert row_pearson(np.ones((1, 9)), other[:1]).tolist() == [0]


def test_the_card_reports_the_decoder_beside_the_mean_profile(trained):
    metrics = trained.bundle.metrics
    assert metrics["neighbourhood_pearson"] > metrics["neighbourhood_pearson_of_the_mean_profile"]


def test_intensities_and_sections_of_one_name_are_refused():
    section = datasets.toy(n_cells=60)
    with pytest.raises(squint.InputError, match="Rename"):
        last_epoch([section, section.copy()])
    section.uns[keys.PROVENANCE]["values"] = "intensities"
    with pytest.raises(squint.InputError, match="intensities"):
        last_epoch(section)


def test_hiding_every_cell_is_refused():
    section = datasets.toy(n_cells=60)
    with pytest.raises(squint.InputError, match="No cell is left"):
        last_epoch(section, hidden=[np.ones(60, dtype=bool)])


@pytest.mark.parametrize("n_cells", [1, 2, 5])
def test_a_handful_of_cells_can_be_trained_on_and_tokenised(n_cells):
    section = datasets.toy(n_cells=60)[:n_cells].copy()
    bundle = last_epoch(section).bundle
    squint.tl.tokenize(section, bundle)
    assert section.obs[keys.TOKEN].notna().all()
    assert np.isfinite(section.obsm[keys.LATENT]).all()


@pytest.mark.parametrize(
    "choices",
    [
        {"backbone": "transformer"},
        {"n_hops": 5},
        {"n_codes": 1},
        {"n_latent": 10, "n_heads": 3},
        {"decay": 1.0},
        {"n_genes": 0},
    ],
)
def test_impossible_choices_are_refused_by_name(choices):
    with pytest.raises(squint.InputError, match=next(iter(choices))):
        ModelConfig(**choices)


def test_several_heads_share_one_codebook():
    section = datasets.toy(n_cells=200)
    bundle = last_epoch(section, model=replace(MODEL, n_heads=2)).bundle
    squint.tl.tokenize(section, bundle)
    assert np.shape(section.obsm[keys.TOKENS]) == (200, 2)
    assert (section.obs[keys.TOKEN].astype(int) == section.obsm[keys.TOKENS][:, 0]).all()
