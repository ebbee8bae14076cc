"""Domains: planted layers are found again, tokens are left alone, and what cannot be is refused."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_rand_score

import squint
from squint import datasets, keys, pp, tl
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.model.bundle import DOMAINS, Bundle
from squint.model.card import CONFIG, WEIGHTS
from squint.model.domains import STEPS, contexts

MODEL = ModelConfig(n_codes=12, n_hidden=32, n_latent=16)
TRAIN = TrainConfig(n_epochs=30, learning_rate=5e-3, context_steps=0)
N_LAYERS = 4


def layered(seed=0, n_cells=2400):
    """Simulate layers that hold the same kinds of cells, in other shares."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1000, (n_cells, 2))
    layer = np.digitize(points[:, 1] + 30 * np.sin(points[:, 0] / 100), [200, 500, 800])
    shares = np.array(
        [[0.5, 0.3, 0.1, 0.1], [0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.5, 0.3], [0.3, 0.1, 0.1, 0.5]]
    )
    kind = np.array([rng.choice(4, p=shares[number]) for number in layer])
    genes = np.full((4, 24), 1.0)
    for number in range(4):
        genes[number, 6 * number : 6 * number + 6] = 6
    counts = rng.poisson(genes[kind] * rng.gamma(5, 0.2, (n_cells, 1)))
    counts[:3] = 0  # cells of which nothing is known
    obs = pd.DataFrame({keys.SECTION: pd.Categorical(["one"] * n_cells)}, [f"c{i}" for i in range(n_cells)])
    adata = AnnData(
        csr_matrix(counts.astype(np.float32)), obs, pd.DataFrame(index=[f"g{i}" for i in range(24)])
    )
    adata.obsm[keys.SPATIAL] = points
    adata.uns[keys.PROVENANCE] = {"unit": "um"}
    return adata, layer


@pytest.fixture(scope="module")
def trained():
    *_, last = squint.train(layered()[0], model=MODEL, train=TRAIN, device="cpu")
    return last.bundle


@pytest.fixture
def saved(trained, tmp_path):
    trained.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_planted_layers_are_found_and_better_than_by_tokens(trained):
    adata, layer = layered()
    tl.tokenize(adata, trained, domains=N_LAYERS)
    domain = adata.obs[keys.DOMAIN]
    told = domain.notna().to_numpy()
    by_domain = adjusted_rand_score(layer[told], domain[told])
    assert by_domain > 0.8
    assert by_domain > adjusted_rand_score(layer[told], adata.obs[keys.TOKEN][told]) + 0.3


def test_layers_of_a_section_that_training_did_not_see_are_found(trained):
    adata, layer = layered(seed=1)
    tl.tokenize(adata, trained, domains=N_LAYERS)
    told = adata.obs[keys.DOMAIN].notna().to_numpy()
    assert adjusted_rand_score(layer[told], adata.obs[keys.DOMAIN][told]) > 0.75


def test_slots_are_those_of_the_contract(trained):
    adata, _ = layered()
    tl.tokenize(adata, trained, domains=3)
    assert list(adata.obs[keys.DOMAIN].cat.categories) == ["1", "2", "3"]
    prototypes = adata.obsm[keys.RESIDUAL_TOKENS]
    assert prototypes.dtype == np.int32
    assert prototypes.shape == (adata.n_obs, 1)
    assert adata.obs[keys.DOMAIN][:3].isna().all()
    assert (prototypes[:3] == -1).all()
    assert (prototypes[3:] >= 0).all()
    assert adata.uns[keys.PROVENANCE]["n_domains"] == 3
    groups = trained.domains.cut(3)
    assert (adata.obs[keys.DOMAIN].cat.codes.to_numpy()[3:] == groups[prototypes[3:, 0]]).all()


def test_nothing_is_written_that_was_not_asked_for(trained):
    adata, _ = layered()
    tl.tokenize(adata, trained)
    assert keys.DOMAIN not in adata.obs
    assert keys.RESIDUAL_TOKENS not in adata.obsm


def test_the_first_vocabulary_is_the_same_with_and_without(trained):
    *_, last = squint.train(
        layered()[0],
        model=MODEL,
        train=TrainConfig(n_epochs=30, learning_rate=5e-3, context_steps=0, domain_prototypes=0),
        device="cpu",
    )
    assert last.bundle.domains is None
    with_domains, without = trained.model.state_dict(), last.bundle.model.state_dict()
    assert all((with_domains[name] == weights).all() for name, weights in without.items())


@pytest.mark.parametrize("n_domains", [-1, 0, 1, 10_000])
def test_a_number_that_cannot_be_is_refused_before_anything_is_written(trained, n_domains):
    adata, _ = layered()
    with pytest.raises(InputError, match="can tell 2 to 119 domains apart"):
        tl.tokenize(adata, trained, domains=n_domains)
    assert keys.TOKEN not in adata.obs


def test_a_saved_bundle_gives_the_same_domains(trained, saved):
    first, second = layered()[0], layered()[0]
    tl.tokenize(first, trained, domains=5)
    tl.tokenize(second, Bundle.load(saved), domains=5)
    assert np.array_equal(first.obsm[keys.RESIDUAL_TOKENS], second.obsm[keys.RESIDUAL_TOKENS])
    assert first.obs[keys.DOMAIN].equals(second.obs[keys.DOMAIN])


def test_a_bundle_of_before_has_tokens_and_says_that_it_has_no_domains(saved, capsys, tmp_path):
    weights = load_file(saved / WEIGHTS)
    save_file({k: v for k, v in weights.items() if not k.startswith(DOMAINS)}, saved / WEIGHTS)
    config = json.loads((saved / CONFIG).read_text())
    del config["domain_prototypes"], config["domain_factors"], config["train"]["domain_prototypes"]
    (saved / CONFIG).write_text(json.dumps(config))
    bundle, (adata, _) = Bundle.load(saved), layered()
    tl.tokenize(adata, bundle)
    assert keys.TOKEN in adata.obs
    with pytest.raises(InputError, match="knows no domains"):
        tl.tokenize(adata, bundle, domains=4)
    source = tmp_path / "section.h5ad"
    layered()[0].write_h5ad(source)
    out = tmp_path / "out.h5ad"
    wanted = ["tokenize", str(source), "--model", str(saved), "--domains", "4", "--out", str(out)]
    assert main(wanted) == 2
    assert "knows no domains" in capsys.readouterr().err
    assert not out.exists()


def test_weights_of_domains_that_are_missing_are_named(saved):
    weights = load_file(saved / WEIGHTS)
    del weights[f"{DOMAINS}prototypes"]
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(InputError, match=r"domains\.prototypes are missing"):
        Bundle.load(saved)


def test_the_command_writes_domains(saved, capsys, tmp_path):
    source, out, facts = (tmp_path / name for name in ("section.h5ad", "out.h5ad", "facts.json"))
    layered()[0].write_h5ad(source)
    wanted = ["tokenize", str(source), "--model", str(saved), "--domains", "4", "--out", str(out)]
    assert main([*wanted, "--json", str(facts)]) == 0
    assert "4 of 4 domains" in capsys.readouterr().out
    assert json.loads(facts.read_text())["files"][0]["n_domains"] == 4


def test_too_few_cells_have_no_domains():
    *_, last = squint.train(
        datasets.toy(n_cells=30),
        model=ModelConfig(n_codes=3, n_hidden=8, n_latent=8),
        train=TrainConfig(n_epochs=2, context_steps=0),
        device="cpu",
    )
    assert last.bundle.domains is None


def test_sections_do_not_change_each_others_domains(trained):
    one, other = layered()[0], layered(seed=1)[0]
    other.obs[keys.SECTION] = pd.Categorical(["two"] * other.n_obs)
    other.obs_names = [f"other-{name}" for name in other.obs_names]
    together = anndata.concat([one, other])
    together.uns[keys.PROVENANCE] = {"unit": "um"}
    tl.tokenize(together, trained, domains=4)
    tl.tokenize(one, trained, domains=4)
    first = together.obs[keys.DOMAIN].cat.codes[: one.n_obs]
    assert (first.to_numpy() == one.obs[keys.DOMAIN].cat.codes.to_numpy()).mean() > 0.999


def test_contexts_are_means_and_leave_out_cells_that_tell_nothing():
    rng = np.random.default_rng(0)
    graph = csr_matrix((pp.knn_graph(rng.uniform(0, 1, (200, 2)), 6) > 0).astype(np.float32))
    told = rng.random(200) < 0.9
    values = rng.normal(size=(200, 3)).astype(np.float32)
    flat = contexts(np.ones((200, 3), np.float32), graph, told)
    assert flat.shape == (200, 3 * len(STEPS))
    assert np.allclose(flat, 1, atol=1e-5)
    found = contexts(values, graph, told)
    values[~told] = np.nan
    assert np.array_equal(found, contexts(values, graph, told))
    step = (graph + csr_matrix(np.eye(200, dtype=np.float32))).toarray()
    step /= step.sum(axis=1, keepdims=True)
    walk = np.linalg.matrix_power(step.astype(np.float64), STEPS[1])
    wanted = (walk[:, told] @ values[told]) / walk[:, told].sum(axis=1, keepdims=True)
    assert np.allclose(found[:, 3:6], wanted, atol=1e-4)
