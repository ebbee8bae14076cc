import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.nn.functional import normalize

from squint.config import ModelConfig
from squint.nn import losses
from squint.nn.codebook import Codebook
from squint.nn.conditioning import Condition, FiLM
from squint.nn.decoders import AdjacencyDecoder, AttributeDecoder, top_edges
from squint.nn.encoder import Encoder, Hop, MaskedLinear, Rows, Seen


def rows_of(dense):
    """Make sparse rows of a dense matrix (n, g)."""
    starts = torch.nn.functional.pad((dense != 0).sum(dim=1).cumsum(0)[:-1], (1, 0))
    return Rows(dense.nonzero()[:, 1], starts, dense[dense != 0])


def ring(n_cells):
    """Join each of n cells to the next and the last."""
    cell = torch.arange(n_cells)
    source = torch.stack([(cell + 1) % n_cells, (cell - 1) % n_cells], dim=1).flatten()
    return Hop(torch.stack([source, cell.repeat_interleave(2)]), n_cells)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_negative_binomial_agrees_with_scipy():
    counts = torch.tensor([[0.0, 3.0, 12.0], [1.0, 0.0, 7.0]], dtype=torch.float64)
    mean = torch.tensor([[0.5, 2.0, 9.0], [1.5, 0.1, 20.0]], dtype=torch.float64)
    log_dispersion = torch.tensor([0.3, 1.0, -0.5], dtype=torch.float64)
    theta = log_dispersion.exp().numpy()
    expected = -stats.nbinom.logpmf(counts.numpy(), theta, theta / (theta + mean.numpy())).mean(axis=1)
    assert np.allclose(losses.negative_binomial(counts, mean.log(), log_dispersion).numpy(), expected)


def test_the_derivatives_of_the_negative_binomial_are_those_of_differences():
    counts = torch.tensor([[0.0, 3.0, 12.0], [1.0, 0.0, 70.0]], dtype=torch.float64)
    log_mean = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    log_dispersion = torch.tensor([0.3, 4.0, -1.5], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.5, 2.0], dtype=torch.float64)

    def weighed(log_mean, log_dispersion):
        return weight * losses.negative_binomial(counts, log_mean, log_dispersion)

    assert torch.autograd.gradcheck(weighed, (log_mean, log_dispersion))


def test_edge_loss_of_a_decoder_that_says_nothing_is_log_two():
    assert losses.edges(torch.zeros(7), torch.zeros(3)).item() == pytest.approx(np.log(2))


def test_masked_rows_are_the_mask_token_whatever_the_cell_holds():
    layer = MaskedLinear(5, 4)
    layer.mask_token.data = torch.rand(5)
    counts = torch.rand(3, 5)
    masked = torch.tensor([False, True, False])
    noise = torch.zeros(1, 5)
    out = layer(rows_of(counts), noise, masked)
    assert torch.allclose(out[[0, 2]], counts[[0, 2]] @ layer.weight + layer.bias, atol=1e-6)
    assert torch.allclose(out[1], layer.mask_token @ layer.weight + layer.bias, atol=1e-6)
    counts[1] = 9.0
    assert torch.equal(out, layer(rows_of(counts), noise, masked))
    dense = Seen(counts[[0, 2]], torch.tensor([0, 2]), torch.tensor([1]))
    assert torch.allclose(out, layer(dense, noise), atol=1e-6)


def test_masked_rows_take_the_noise_in_turn():
    layer = MaskedLinear(5, 4)
    noise = torch.rand(2, 5)
    nothing = Seen(torch.zeros(1, 5), torch.tensor([2]), torch.tensor([0, 1, 3, 4, 5]))
    out = layer(nothing, noise)
    expected = noise[[0, 1, 0, 1, 0]] @ layer.weight + layer.bias
    assert torch.allclose(out[nothing.masked], expected, atol=1e-6)
    assert torch.allclose(out[2], layer.bias)


def test_film_starts_as_the_identity():
    features, condition = torch.rand(4, 6), torch.rand(4, 3)
    assert torch.equal(FiLM(3, 6)(features, condition), features)


def test_an_unseen_section_is_given_the_mean_of_the_others():
    condition = Condition(n_features=2, n_sections=3, n_section_features=4)
    out = condition(torch.zeros(1, 2), torch.tensor([0]))
    assert torch.allclose(out[0, 2:], condition.sections.weight.mean(dim=0))


@pytest.mark.parametrize("backbone", ["sage", "gin", "gat"])
@pytest.mark.parametrize(("n_mlp_layers", "n_hops"), [(0, 1), (1, 2), (2, 1), (2, 4)])
def test_every_backbone_and_depth_gives_finite_latents_and_gradients(backbone, n_mlp_layers, n_hops):
    config = ModelConfig(
        backbone=backbone, n_mlp_layers=n_mlp_layers, n_hops=n_hops, n_hidden=8, n_latent=6, dropout=0
    )
    encoder = Encoder(config, n_genes=5, n_condition=3)
    out = encoder(rows_of(torch.rand(9, 5)), torch.zeros(1, 5), [ring(9)] * n_hops, torch.rand(9, 3))
    out.square().sum().backward()
    assert out.shape == (9, 6)
    assert torch.isfinite(out).all()
    assert encoder.first.weight.grad.abs().sum() > 0


def test_latents_depend_on_neighbours_one_hop_away_and_no_farther():
    config = ModelConfig(n_hidden=8, n_latent=6, dropout=0)
    encoder = Encoder(config, n_genes=5, n_condition=3)
    counts, condition = torch.rand(9, 5), torch.rand(9, 3)
    noise = torch.zeros(1, 5)
    before = encoder(rows_of(counts), noise, [ring(9)], condition)
    counts[0] += 1
    moved = (encoder(rows_of(counts), noise, [ring(9)], condition) - before).abs().sum(dim=1) > 1e-6
    assert moved.nonzero().squeeze(1).tolist() == [0, 1, 8]


@given(st.integers(2, 40), st.integers(1, 3), st.integers(1, 60))
@settings(max_examples=30)
def test_search_finds_the_code_of_largest_cosine(n_codes, n_heads, n_cells):
    codebook = Codebook(n_codes, 4 * n_heads, n_heads, decay=0.8).eval()
    latents = torch.randn(n_cells, 4 * n_heads)
    quantised = codebook(latents)
    units = normalize(latents.view(n_cells, n_heads, 4), dim=2)
    cosine = torch.einsum("nhd,kd->nhk", units, codebook.codes)
    assert torch.equal(quantised.tokens, cosine.argmax(dim=2))
    assert torch.allclose(quantised.cosine, cosine.amax(dim=2).mean(dim=1), atol=1e-5)


def test_gradient_passes_straight_through_to_the_latents():
    codebook = Codebook(5, 4, 1, decay=0.8).eval()
    latents = normalize(torch.randn(6, 4), dim=1).requires_grad_()
    weight = torch.randn(6, 4)
    (codebook(latents).codes * weight).sum().backward()
    # Through the scaling to length 1 only the part of the gradient across the latent remains.
    across = weight - (weight * latents.detach()).sum(dim=1, keepdim=True) * latents.detach()
    assert torch.allclose(latents.grad, across, atol=1e-5)


def test_commitment_is_the_squared_distance_of_unit_vectors():
    codebook = Codebook(5, 4, 1, decay=0.8).eval()
    latents = torch.randn(6, 4)
    quantised = codebook(latents)
    gap = normalize(latents, dim=1) - codebook.codes[quantised.tokens[:, 0]]
    assert quantised.commitment.item() == pytest.approx(gap.square().sum(dim=1).mean().item(), abs=1e-5)


def test_kmeans_starts_a_code_in_every_planted_direction():
    directions = torch.eye(6)
    latents = directions.repeat_interleave(50, dim=0) * 3 + 0.1 * torch.randn(300, 6)
    codebook = Codebook(6, 6, 1, decay=0.8)
    codebook.initialise(latents, seed=0)
    assert (codebook.codes @ directions.T).amax(dim=0).min() > 0.99


def test_moving_average_pulls_a_code_to_its_cells():
    codebook = Codebook(2, 2, 1, decay=0.8).train()
    codebook.initialise(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), seed=0)
    target = torch.tensor([[2.0, 0.6]])
    before = codebook.eval()(target).cosine.item()
    codebook.train()
    for _ in range(30):
        codebook(target)
    assert codebook.eval()(target).cosine.item() > max(before, 0.999)


def test_moving_averages_are_those_of_all_steps_for_codes_that_are_seldom_chosen():
    codebook = Codebook(20, 4, 1, decay=0.8).train()
    sums = codebook.sums.clone().double()
    for _ in range(60):
        latents = torch.randn(3, 4)
        tokens = codebook(latents).tokens[:, 0]
        fresh = torch.zeros(20, 4, dtype=torch.float64)
        sums = 0.8 * sums + 0.2 * fresh.index_add(0, tokens, normalize(latents, dim=1).double())
        assert torch.allclose(codebook.codes.double(), normalize(sums, dim=1), atol=1e-5)
    assert codebook.uses.sum() == 180


def test_a_code_that_is_long_not_chosen_stays_where_it_is():
    codebook = Codebook(2, 2, 1, decay=0.8).train()
    codebook.initialise(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), seed=0)
    before = codebook.codes.clone()
    for _ in range(1000):
        codebook(torch.tensor([[1.0, 0.0]]))
    assert torch.equal(codebook.codes, before)


def test_only_codes_without_use_are_revived():
    codebook = Codebook(8, 4, 1, decay=0.8).train()
    latents = torch.randn(3, 4)
    used = codebook(latents).tokens.unique()
    kept = codebook.codes[used].clone()
    n_revived = codebook.revive(torch.randn(20, 4), torch.Generator().manual_seed(0))
    assert n_revived == 8 - len(used)
    assert torch.equal(codebook.codes[used], kept)
    assert torch.allclose(codebook.codes.norm(dim=1), torch.ones(8))


def test_a_thousand_codes_can_start_from_few_cells():
    codebook = Codebook(1200, 4, 1, decay=0.8)
    codebook.initialise(torch.randn(30, 4), seed=0)
    assert torch.isfinite(codebook.codes).all()


def test_decoded_shares_sum_to_one_and_sections_have_their_own_factors():
    decoder = AttributeDecoder(ModelConfig(n_latent=6, n_hidden=8, dropout=0), 10, 3, n_sections=2)
    decoder.section_factors.data[1, 4] = 2.0
    codes, condition = torch.randn(1, 6).expand(3, 6), torch.zeros(3, 3)
    shares = decoder(codes, condition, torch.tensor([0, 1, 2])).exp()
    assert torch.allclose(shares.sum(dim=1), torch.ones(3), atol=1e-6)
    odds = shares[:, 4] / shares[:, 0]
    assert torch.allclose(odds / odds[1], torch.tensor([1.0, 0.0, 2.0]).exp(), rtol=1e-4)


def test_top_edges_are_the_most_probable_ones_made_symmetric():
    vectors = torch.randn(30, 4)
    edges = top_edges(vectors, 3, rows=7)
    scores = (vectors @ vectors.T).fill_diagonal_(-torch.inf)
    expected = torch.zeros(30, 30, dtype=torch.bool).scatter_(1, scores.topk(3, dim=1).indices, value=True)
    expected |= expected.T.clone()
    rebuilt = torch.zeros_like(expected)
    rebuilt[edges[0], edges[1]] = True
    assert torch.equal(rebuilt, expected)
    assert not rebuilt.diagonal().any()


def test_adjacency_does_not_depend_on_the_direction_of_an_edge():
    decoder = AdjacencyDecoder(ModelConfig(n_latent=6, n_hidden=8, dropout=0), 3)
    vectors = decoder(torch.randn(5, 6), torch.randn(5, 3))
    pairs = torch.tensor([[0, 1, 4], [2, 3, 0]])
    assert torch.equal(decoder.logits(vectors, pairs), decoder.logits(vectors, pairs.flip(0)))
    expected = (vectors[0] * vectors[2]).sum() / 6**0.5
    assert decoder.logits(vectors, pairs)[0].item() == pytest.approx(expected.item(), abs=1e-6)
