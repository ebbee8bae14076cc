"""The baselines of in-painting, beside a plain loop over cells."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from squint import datasets, keys
from squint.baselines import catalogue
from squint.baselines.coordinate_mlp import coordinate_mlp
from squint.errors import InputError
from squint.stats.metrics import Judge


@pytest.fixture(scope="module")
def adata():
    """Give two sections, 120 cells each, mixed in the file."""
    adata = datasets.toy(n_cells=240)
    return adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()


@pytest.fixture
def few_steps(monkeypatch):
    """Train the network of position for a moment only."""
    monkeypatch.setattr("squint.baselines.coordinate_mlp.N_STEPS", 20)


def hide(adata):
    """Hide a disc in the middle of each section, about 30 cells."""
    hidden = np.zeros(adata.n_obs, dtype=bool)
    for name in adata.obs[keys.SECTION].unique():
        cells = np.flatnonzero(adata.obs[keys.SECTION] == name)
        points = adata.obsm[keys.SPATIAL][cells]
        away = np.linalg.norm(points - points.mean(axis=0), axis=1)
        hidden[cells[np.argsort(away)[:30]]] = True
    return hidden


def by_hand(adata, name, hidden, seed=0):
    """Predict the hidden cells of one section by every baseline, a cell at a time."""
    rows = np.flatnonzero((adata.obs[keys.SECTION] == name).to_numpy())
    counts, points = adata.X.toarray()[rows], adata.obsm[keys.SPATIAL][rows]
    types, hidden = adata.obs[keys.CELL_TYPE].astype(str).to_numpy()[rows], hidden[rows]
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    nearest = np.argsort(away + np.diag(np.full(len(rows), -1.0)), axis=1)
    joined = np.eye(len(rows), dtype=bool)
    for cell in range(len(rows)):
        joined[cell, nearest[cell, :9]] = True
    joined |= joined.T
    seen = np.flatnonzero(~hidden)
    gone = np.flatnonzero(hidden)
    means = {cell: counts[joined[cell] & ~hidden].mean(axis=0) for cell in seen}
    around = {cell: [other for other in nearest[cell] if not hidden[other]] for cell in gone}
    said = {"truth": {cell: counts[joined[cell]].mean(axis=0) for cell in gone}}
    for k in [k for k in (1, 4, 8, 16, 32, 64, 128) if k <= len(seen)]:
        said[f"knn{k}_nbr"] = {cell: np.mean([means[o] for o in around[cell][:k]], axis=0) for cell in gone}
        filled = counts.astype(float)
        for hole in gone:
            filled[hole] = counts[around[hole][:k]].mean(axis=0)
        said[f"knn{k}_cell_then_graph"] = {cell: filled[joined[cell]].mean(axis=0) for cell in gone}
    near = {cell: around[cell][:32] for cell in gone}
    said["idw32_nbr"] = {
        cell: np.average([means[o] for o in near[cell]], axis=0, weights=1 / (away[cell, near[cell]] + 1e-8))
        for cell in gone
    }
    said["section_mean"] = dict.fromkeys(gone, np.mean(list(means.values()), axis=0))
    said["cell_type_mean"] = {
        cell: np.mean([means[o] for o in seen if types[o] == types[cell]], axis=0) for cell in gone
    }
    for k in (16, 64, 256):
        drawn = np.random.default_rng(seed).integers(0, min(k, len(seen)), len(gone))
        said[f"draw{k}_nbr"] = {c: means[around[c][i]] for c, i in zip(gone, drawn, strict=True)}
    drawn = np.random.default_rng(seed).integers(0, len(seen), len(gone))
    said["random_observed_nbr"] = {c: means[seen[i]] for c, i in zip(gone, drawn, strict=True)}
    return {name: np.array([values[cell] for cell in gone]) for name, values in said.items()}


@pytest.mark.usefixtures("few_steps")
def test_every_baseline_agrees_with_a_loop_over_cells(adata):
    hidden = hide(adata)
    sections = list(catalogue.hidden_in(adata, list(adata.var_names), hidden))
    assert [s.name for s in sections] == list(adata.obs[keys.SECTION].astype(str).unique())
    for section in sections:
        expected = by_hand(adata, section.name, hidden, seed=5)
        found = (
            dict(catalogue.averages(section)) | dict(catalogue.draws(section, 5)) | {"truth": section.truth()}
        )
        name, mlp = catalogue.of_position(section, 5)
        assert name == "coordinate_mlp"
        assert mlp.shape == (30, adata.n_vars)
        assert np.isfinite(mlp).all()
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.usefixtures("few_steps")
def test_no_baseline_looks_at_hidden_counts(adata):
    hidden = hide(adata)
    other = adata.copy()
    counts = other.X.toarray()
    counts[hidden] = np.random.default_rng(1).poisson(30, counts[hidden].shape)
    other.X = csr_matrix(counts)
    pairs = [catalogue.hidden_in(data, list(adata.var_names), hidden) for data in (adata, other)]
    for one, two in zip(*pairs, strict=True):
        assert not np.allclose(one.truth(), two.truth())
        for baselines in (
            catalogue.averages,
            lambda s: catalogue.draws(s, 0),
            lambda s: [catalogue.of_position(s, 0)],
        ):
            for (name, before), (_, after) in zip(baselines(one), baselines(two), strict=True):
                np.testing.assert_array_equal(before, after, err_msg=name)


def test_without_labels_there_is_no_mean_of_a_cell_type(adata):
    bare = adata.copy()
    del bare.obs[keys.CELL_TYPE]
    for data in (bare, adata):
        section = next(catalogue.hidden_in(data, list(data.var_names), hide(data)))
        assert ("cell_type_mean" in dict(catalogue.averages(section))) == (data is adata)


def test_a_type_seen_nowhere_is_given_the_mean_of_the_section(adata):
    hidden = hide(adata)
    alone = adata.copy()
    alone.obs[keys.CELL_TYPE] = np.where(hidden, "only here", "elsewhere")
    section = next(catalogue.hidden_in(alone, list(alone.var_names), hidden))
    found = dict(catalogue.averages(section))
    np.testing.assert_allclose(found["cell_type_mean"], found["section_mean"])


def test_the_network_of_position_learns_a_gradient_and_is_the_same_for_the_same_seed(monkeypatch):
    rng = np.random.default_rng(0)
    points = rng.random((400, 2)) * 1000
    values = np.stack([points[:, 0] / 100, 5 - points[:, 1] / 250], axis=1)
    hidden = np.linalg.norm(points - 500, axis=1) < 150
    given = points[~hidden], csr_matrix(values[~hidden]), points[hidden]
    monkeypatch.setattr("squint.baselines.coordinate_mlp.N_STEPS", 200)
    said = coordinate_mlp(*given, seed=1)
    assert np.abs(said - values[hidden]).max() < 0.5
    np.testing.assert_array_equal(said, coordinate_mlp(*given, seed=1))
    assert (said != coordinate_mlp(*given, seed=2)).any()


def test_halves_of_the_truth_are_alike():
    truth = np.random.default_rng(0).gamma(2, size=(201, 6))
    found = catalogue.truth_halves(truth)
    assert found == catalogue.truth_halves(truth)
    assert len(set(found)) == 10
    other = Judge(truth).score(truth[::-1] ** 3)
    for split in found:
        assert split.energy < other.energy
        assert split.mmd3 < other.mmd3
        assert abs(split.pg) < 0.2


def test_a_section_without_an_observed_cell_is_refused(adata):
    hidden = (adata.obs[keys.SECTION] == adata.obs[keys.SECTION].iloc[0]).to_numpy()
    with pytest.raises(InputError, match="leave some"):
        list(catalogue.hidden_in(adata, list(adata.var_names), hidden))
