from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import squint
from squint import datasets, keys, pp, tl
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError


@pytest.fixture(scope="module")
def bundle():
    *_, last = squint.train(
        datasets.toy(n_cells=400),
        model=ModelConfig(n_codes=8, n_hidden=32, n_latent=16),
        train=TrainConfig(n_epochs=20, learning_rate=1e-2, context_steps=0),
    )
    return last.bundle


@pytest.fixture
def tokenised(bundle):
    section = datasets.toy(n_cells=400)
    tl.tokenize(section, bundle)
    return section


def test_every_slot_of_the_contract_is_written(tokenised, bundle):
    assert isinstance(tokenised.obs[keys.TOKEN].dtype, pd.CategoricalDtype)
    assert list(tokenised.obs[keys.TOKEN].cat.categories) == [str(code) for code in range(8)]
    assert tokenised.obsm[keys.TOKENS].dtype == np.int32
    assert tokenised.obs[keys.DISTANCE].dtype == np.float32
    assert tokenised.obs[keys.DISTANCE].between(0, 2).all()
    assert tokenised.obsm[keys.LATENT].dtype == np.float32
    assert tokenised.obsm[keys.LATENT].shape == (400, 16)
    facts = tokenised.uns[keys.PROVENANCE]
    assert facts["model_sha256"] == bundle.sha256
    assert facts["gene_overlap"] == 1
    assert set(facts["section_condition"].values()) == {"trained"}


def test_the_distance_is_that_to_the_nearest_code(tokenised, bundle):
    latent = tokenised.obsm[keys.LATENT]
    cosine = latent @ bundle.model.codebook.codes.numpy().T / np.linalg.norm(latent, axis=1, keepdims=True)
    assert np.array_equal(cosine.argmax(axis=1), tokenised.obsm[keys.TOKENS][:, 0])
    assert np.allclose(1 - cosine.max(axis=1), tokenised.obs[keys.DISTANCE], atol=1e-5)


def test_order_of_cells_and_of_genes_does_not_matter(tokenised, bundle):
    section = datasets.toy(n_cells=400)
    rng = np.random.default_rng(0)
    shuffled = section[rng.permutation(400), rng.permutation(section.n_vars)].copy()
    tl.tokenize(shuffled, bundle)
    shuffled = shuffled[section.obs_names]
    assert np.allclose(shuffled.obsm[keys.LATENT], tokenised.obsm[keys.LATENT], atol=1e-4)

    assert (shuffled.obs[keys.TOKEN].to_numpy() == tokenised.obs[keys.TOKEN].to_numpy()).mean() > 0.99


def test_sections_do_not_change_each_others_tokens(tokenised, bundle):
    section = datasets.toy(n_cells=400)
    alone = section[section.obs[keys.SECTION] == "TOY-H-1"].copy()
    tl.tokenize(alone, bundle)
    together = tokenised[alone.obs_names].obs[keys.TOKEN]
    assert (alone.obs[keys.TOKEN].to_numpy() == together.to_numpy()).all()


def test_a_section_of_a_known_name_but_other_cells_is_unseen(bundle):
    section = datasets.toy(seed=5, n_cells=400)
    tl.tokenize(section, bundle)
    assert set(section.uns[keys.PROVENANCE]["section_condition"].values()) == {"unseen"}


def test_copy_leaves_the_original_alone(bundle):
    section = datasets.toy(n_cells=100)
    changed = tl.tokenize(section, bundle, copy=True)
    assert keys.TOKEN in changed.obs
    assert keys.TOKEN not in section.obs
    assert keys.CONNECTIVITIES not in section.obsp


@pytest.mark.parametrize(("n_kept", "outcome"), [(30, "fine"), (20, "warned"), (9, "refused")])
def test_a_narrow_panel_is_mapped_by_name_warned_of_or_refused(bundle, n_kept, outcome):
    section = datasets.toy(n_cells=100)
    section = section[:, section.var_names[::-1][:n_kept]].copy()
    if outcome == "refused":
        with pytest.raises(squint.InputError, match=f"{n_kept} of the model's 40 genes"):
            tl.tokenize(section, bundle)
        assert keys.TOKEN not in section.obs
        return
    tl.tokenize(section, bundle)
    facts = section.uns[keys.PROVENANCE]
    assert facts["n_genes_shared"] == n_kept
    assert bool([line for line in facts["warnings"] if "uncertain" in line]) == (outcome == "warned")


def test_by_a_model_whose_training_was_cut_short_nobody_knows_how_new_cells_are(bundle, tmp_path):
    cut, section = replace(bundle, distance_p99=float("nan")), datasets.toy(n_cells=400)
    tl.tokenize(section, cut)
    squint.write(section, tmp_path / "tokens.h5ad")
    for facts in (section.uns[keys.PROVENANCE], read_h5ad(tmp_path / "tokens.h5ad").uns[keys.PROVENANCE]):
        assert set(facts["share_beyond_p99"]) == set(section.obs[keys.SECTION])
        assert np.isnan(list(facts["share_beyond_p99"].values())).all()
        assert any("is not known: its training ended before" in warning for warning in facts["warnings"])


def test_intensities_are_refused(bundle):
    section = datasets.toy(n_cells=50)
    section.uns[keys.PROVENANCE]["values"] = "intensities"
    with pytest.raises(squint.InputError, match="intensities"):
        tl.tokenize(section, bundle)


def test_cells_at_one_point_have_tokens(bundle):
    section = datasets.toy(n_cells=100)
    section.obsm[keys.SPATIAL] = np.zeros((100, 2))
    tl.tokenize(section, bundle)
    assert section.obs[keys.TOKEN].notna().all()
    assert np.isfinite(section.obsm[keys.LATENT]).all()


@pytest.mark.parametrize("n_cells", [1, 2, 3, 9])
@pytest.mark.parametrize("where", ["line", "pairs", "point"])
def test_few_cells_wherever_they_lie_have_tokens(bundle, n_cells, where):
    """Fewer than neighbours are looked for, on a line, two at each place, or all at one."""
    section = datasets.toy(n_cells=40)[:n_cells].copy()
    along = {"line": np.arange(n_cells), "pairs": np.arange(n_cells) // 2, "point": np.zeros(n_cells)}[where]
    section.obsm[keys.SPATIAL] = np.stack([10.0 * along, np.zeros(n_cells)], axis=1)
    tl.tokenize(section, bundle)
    assert section.obs[keys.TOKEN].notna().all()
    assert np.isfinite(section.obsm[keys.LATENT]).all()


def test_genes_of_another_species_are_not_taken_for_those_of_the_model(bundle):
    """Mice write Ca9 where humans write CA9: another gene, whose counts the model did not learn from."""
    section = datasets.toy(n_cells=60)
    section.var_names = [name.capitalize() for name in section.var_names]
    assert not set(section.var_names) & set(bundle.genes)
    with pytest.raises(InputError, match="gene"):
        tl.tokenize(section, bundle)
    assert keys.TOKEN not in section.obs


# --- activation ------------------------------------------------------------------------------------------


def planted(tokens, patients):
    """Make cells in a row, ten apart, that carry the given tokens."""
    n_cells = len(tokens)
    adata = AnnData(np.ones((n_cells, 1), dtype=np.float32))
    adata.obs[keys.TOKEN] = pd.Categorical([str(token) for token in tokens])
    adata.obs[keys.PATIENT] = pd.Categorical(patients)
    adata.obs[keys.SECTION] = adata.obs[keys.PATIENT]
    adata.obsm[keys.SPATIAL] = np.column_stack([10.0 * np.arange(n_cells), np.zeros(n_cells)])
    return adata


def test_activation_by_hand():
    adata = planted([1, 1, 2, 2, 3, 1], ["A"] * 6)
    pp.spatial_neighbors(adata, n_neighbors=1)
    tl.activate(adata, reference="A", n_codes=1)
    graph = adata.obsp[keys.CONNECTIVITIES].toarray().astype(bool)
    carries = np.array([1, 1, 0, 0, 0, 1])
    expected = [np.mean(carries[np.append(np.flatnonzero(row), cell)]) for cell, row in enumerate(graph)]
    assert np.allclose(adata.obs[keys.ACTIVATION], expected)
    assert adata.obs[keys.ACTIVATION].dtype == np.float32


def test_most_frequent_and_most_enriched_codes_by_hand():
    tokens = pd.Series(["1"] * 50 + ["2"] * 30 + ["3"] * 20 + ["1"] * 90 + ["3"] * 10)
    patients = pd.Series(["A"] * 100 + ["B"] * 100)
    frequent = tl.rank_codes(tokens, patients, reference="A", n_codes=2)
    assert frequent.tokens == ["1", "2"]
    assert frequent.mode == "most frequent"
    assert frequent.share_covered == pytest.approx(0.8)
    enriched = tl.rank_codes(tokens, patients, reference="A", against="B", n_codes=5)
    assert enriched.tokens == ["2", "3"]  # code 1 is not enriched, so it is no part of the five
    assert enriched.share_covered == pytest.approx(0.5)


def test_a_rare_code_does_not_lead_by_its_rarity():
    tokens = pd.Series(["rare"] + ["core"] * 400 + ["common"] * 599 + ["common"] * 1000)
    patients = pd.Series(["A"] * 1000 + ["B"] * 1000)
    assert tl.rank_codes(tokens, patients, reference="A", against="B").tokens == ["core", "rare"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 6))
def test_scores_lie_in_the_unit_interval_and_grow_with_the_number_of_codes(tokens, n_codes):
    adata = planted(tokens, ["A"] * len(tokens))
    tl.activate(adata, reference="A", n_codes=n_codes)
    score = adata.obs[keys.ACTIVATION].to_numpy()
    assert ((score >= 0) & (score <= 1)).all()
    tl.activate(adata, reference="A", n_codes=n_codes + 1)
    assert (adata.obs[keys.ACTIVATION].to_numpy() >= score).all()


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"reference": "Z"}, "No cell is of patient 'Z'; there are A, B"),
        ({"reference": "A", "against": "Z"}, "No cell is of patient 'Z'"),
        ({"reference": "A", "against": "A"}, "cannot be compared with itself"),
    ],
)
def test_patients_that_cannot_be_compared_are_said(choices, said):
    adata = planted([1, 2, 3, 4], ["A", "A", "B", "B"])
    with pytest.raises(squint.InputError, match=said):
        tl.activate(adata, **choices)


def test_missing_tokens_or_patients_say_what_to_run():
    adata = planted([1, 2], ["A", "A"])
    del adata.obs[keys.PATIENT]
    with pytest.raises(squint.InputError, match="which patient"):
        tl.activate(adata, reference="A")
    del adata.obs[keys.TOKEN]
    for tool in (lambda: tl.activate(adata, reference="A"), lambda: tl.token_profiles(adata)):
        with pytest.raises(squint.InputError, match=r"squint\.tl\.tokenize"):
            tool()


# --- profiles --------------------------------------------------------------------------------------------


def test_profiles_name_planted_genes_types_and_sections():
    adata = planted(["10"] * 30 + ["2"] * 10, ["A"] * 35 + ["B"] * 5)
    counts = np.ones((40, 3), dtype=np.float32)
    counts[:30, 1] = 20
    counts[30:, 2] = 20
    adata = AnnData(csr_matrix(counts), obs=adata.obs, obsm={keys.SPATIAL: adata.obsm[keys.SPATIAL]})
    adata.var_names = ["flat", "tens", "twos"]
    adata.obs[keys.CELL_TYPE] = ["epithelium"] * 30 + ["fibroblast"] * 9 + ["T cell"]
    tl.token_profiles(adata, n_genes=1)
    profiles = adata.uns[keys.PROFILES]
    assert list(profiles.index) == ["2", "10"]
    assert profiles["top_genes"].tolist() == ["twos", "tens"]
    assert profiles["n_cells"].tolist() == [10, 30]
    assert profiles["share"].tolist() == [0.25, 0.75]
    assert profiles["top_types"].tolist() == ["fibroblast 90%, T cell 10%", "epithelium 100%"]
    assert profiles["sections"].tolist() == ["A, B", "A"]


def test_cells_without_a_type_are_called_unknown(tokenised):
    tokenised.obs[keys.CELL_TYPE] = None
    tl.token_profiles(tokenised)
    assert (tokenised.uns[keys.PROFILES]["top_types"] == "unknown 100%").all()


def test_profiles_do_without_cell_types(tokenised):
    del tokenised.obs[keys.CELL_TYPE]
    tl.token_profiles(tokenised)
    profiles = tokenised.uns[keys.PROFILES]
    assert (profiles["top_types"] == "").all()
    assert profiles["n_cells"].sum() == tokenised.n_obs


# --- reconstruction --------------------------------------------------------------------------------------


def test_rebuilt_expression_keeps_the_depth_of_each_neighbourhood_and_resembles_it(bundle):
    section = datasets.toy(n_cells=400)
    tl.reconstruct(section, bundle)
    rebuilt: pd.DataFrame = section.obsm[keys.RECONSTRUCTED]
    graph: csr_matrix = section.obsp[keys.CONNECTIVITIES]
    closed = graph.toarray() + np.eye(400)
    observed = (closed / closed.sum(axis=1, keepdims=True)) @ section[:, bundle.genes].X.toarray()
    assert list(rebuilt.columns) == bundle.genes
    assert np.allclose(rebuilt.sum(axis=1), observed.sum(axis=1), rtol=1e-3)
    own = [np.corrcoef(one, other)[0, 1] for one, other in zip(rebuilt.to_numpy(), observed, strict=True)]
    mean = [np.corrcoef(observed.mean(axis=0), other)[0, 1] for other in observed]
    assert np.mean(own) > np.mean(mean)


def test_rebuilt_graph_is_symmetric_within_sections_and_finds_more_edges_than_chance(bundle):
    section = datasets.toy(n_cells=400)
    tl.reconstruct(section, bundle)
    rebuilt: csr_matrix = section.obsp[keys.RECONSTRUCTED_GRAPH]
    assert abs(rebuilt - rebuilt.T).nnz == 0
    assert not rebuilt.diagonal().any()
    edges = rebuilt.tocoo()
    name = section.obs[keys.SECTION].to_numpy()
    assert (name[edges.row] == name[edges.col]).all()
    true: csr_matrix = section.obsp[keys.CONNECTIVITIES]
    precision = rebuilt.multiply(true).nnz / rebuilt.nnz
    assert precision > 1.3 * true.nnz / (2 * 200 * 199)
