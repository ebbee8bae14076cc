"""Cells, bins and spots without counts: no token, no score, and no part in any number of the others."""

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

import squint
from squint import datasets, keys, pp, tl
from squint.baselines import catalogue
from squint.columns import token_names
from squint.config import ModelConfig, TrainConfig
from squint.formats import sequences
from squint.io import read, write
from squint.model.cohort import prepare
from squint.training.data import section_weights

OF_CELLS = (keys.DISTANCE, keys.ACTIVATION)
REFERENCE = "TOY-H"


@pytest.fixture(scope="module")
def bundle():
    *_, last = squint.train(
        datasets.toy(n_cells=400),
        model=ModelConfig(n_codes=8, n_hidden=32, n_latent=16),
        train=TrainConfig(n_epochs=20, learning_rate=1e-2, context_steps=0),
    )
    return last.bundle


def with_bins(adata, positions, section="TOY-H-1", patient=REFERENCE):
    """Append bins without counts at positions (k, 2)."""
    n_bins = len(positions)
    obs = pd.DataFrame(index=[f"bin {i} of {section}" for i in range(n_bins)])
    obs[keys.SECTION], obs[keys.PATIENT], obs[keys.CELL_TYPE] = section, patient, "background"
    bins = AnnData(csr_matrix((n_bins, adata.n_vars), dtype=np.float32), obs=obs)
    bins.var_names = adata.var_names
    bins.obsm[keys.SPATIAL] = np.asarray(positions, dtype=float)
    together = anndata.concat([adata, bins])
    for name in (keys.SECTION, keys.PATIENT, keys.CELL_TYPE):
        together.obs[name] = together.obs[name].astype(str).astype("category")
    together.uns = adata.uns.copy()
    return together


def clump(n_bins, spacing=3.0, away=5000.0):
    """Place bins on a lattice of their own, far outside the tissue."""
    side = int(np.ceil(np.sqrt(n_bins)))
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    return away + spacing * np.column_stack([x.ravel(), y.ravel()])[:n_bins]


def analysed(adata, bundle):
    """Do everything that tokens are for."""
    tl.tokenize(adata, bundle)
    tl.activate(adata, reference=REFERENCE)
    tl.token_profiles(adata)
    tl.neighbor_enrichment(adata, n_permutations=20)
    group, reference = (str(name) for name in adata.obs[keys.CELL_TYPE].value_counts().index[:2])
    tl.differential_expression(adata, keys.CELL_TYPE, group=group, reference=reference)
    return adata


@settings(max_examples=5, deadline=None)
@given(n_bins=st.integers(10, 60), spacing=st.floats(0.5, 200))
def test_bins_far_outside_the_tissue_change_nothing_of_the_cells(bundle, n_bins, spacing):
    adata = datasets.toy(seed=5, n_cells=400)  # not trained on: a section with more in it is another one
    alone = analysed(adata.copy(), bundle)
    with_them = analysed(with_bins(adata, clump(n_bins, spacing)), bundle)
    cells = with_them[: alone.n_obs]
    assert (cells.obs[keys.TOKEN].to_numpy() == alone.obs[keys.TOKEN].to_numpy()).all()
    np.testing.assert_array_equal(cells.obsm[keys.TOKENS], alone.obsm[keys.TOKENS])
    np.testing.assert_array_equal(cells.obsm[keys.LATENT], alone.obsm[keys.LATENT])
    for name in OF_CELLS:
        np.testing.assert_array_equal(cells.obs[name], alone.obs[name])
    for name in (keys.PROFILES, keys.DEGS):
        pd.testing.assert_frame_equal(with_them.uns[name], alone.uns[name])
    for name in ("observed", "expected", "z", "p", "q", "tokens"):
        tables = (one.uns[keys.NEIGHBOR_ENRICHMENT][name] for one in (with_them, alone))
        pd.testing.assert_frame_equal(*tables)
    for name in ("activation", "differential_expression", "share_beyond_p99", "section_condition"):
        assert with_them.uns[keys.PROVENANCE][name] == alone.uns[keys.PROVENANCE][name]
    facts = with_them.uns[keys.PROVENANCE]
    assert facts["n_without_token"] == facts["n_without_counts"] == n_bins


def test_bins_without_counts_have_no_token_no_distance_no_latent_and_no_score(bundle):
    adata = analysed(with_bins(datasets.toy(n_cells=400), clump(20)), bundle)
    bins = adata[-20:]
    assert bins.obs[keys.TOKEN].isna().all()
    assert (bins.obsm[keys.TOKENS] == -1).all()
    assert np.isnan(bins.obsm[keys.LATENT]).all()
    assert bins.obs[list(OF_CELLS)].isna().all(axis=None)
    cells = adata[:-20]
    assert cells.obs[keys.TOKEN].notna().all()
    assert np.isfinite(cells.obsm[keys.LATENT]).all()
    assert cells.obs[list(OF_CELLS)].notna().all(axis=None)


def test_empty_bins_around_the_tissue_bring_no_code_and_count_nowhere(bundle):
    """Most bins of a slide lie outside its tissue: they must not become its commonest code."""
    adata = datasets.toy(n_cells=400)
    cells = adata[adata.obs[keys.SECTION] == "TOY-H-1"].copy()
    space = np.asarray(cells.obsm[keys.SPATIAL], dtype=float)
    low, high = space.min(axis=0), space.max(axis=0)
    sides = (np.linspace(low[axis] - 200, high[axis] + 200, 40) for axis in (0, 1))
    x, y = np.meshgrid(*sides)
    places = np.column_stack([x.ravel(), y.ravel()])
    outside = ((places < low) | (places > high)).any(axis=1)
    n_bins = int(outside.sum())
    assert n_bins > cells.n_obs
    slide = with_bins(cells, places[outside])
    tl.tokenize(slide, bundle)
    tl.activate(slide, reference=REFERENCE)
    told = slide.obs[keys.TOKEN].notna().to_numpy()
    assert told.sum() == cells.n_obs
    shares = slide.obs[keys.TOKEN].value_counts(normalize=True)
    facts = slide.uns[keys.PROVENANCE]["activation"]
    assert facts["codes"] == [str(code) for code in shares.index[:5] if shares[code] > 0]
    assert facts["share_covered"] == pytest.approx(shares[facts["codes"]].sum())
    score = slide.obs[keys.ACTIVATION].to_numpy()
    assert np.isnan(score[~told]).all()
    carries = slide.obs[keys.TOKEN].isin(facts["codes"]).to_numpy()
    graph = slide.obsp[keys.CONNECTIVITIES].tolil().rows
    for cell in np.flatnonzero(told):  # by hand
        around = [cell, *(other for other in graph[cell] if told[other])]
        assert score[cell] == pytest.approx(carries[around].mean())
    tl.token_profiles(slide)
    assert slide.uns[keys.PROFILES]["n_cells"].sum() == cells.n_obs
    assert "background" not in " ".join(slide.uns[keys.PROFILES]["top_types"])


def test_counts_of_genes_that_the_model_does_not_know_make_no_token(bundle):
    adata = datasets.toy(n_cells=100)
    counts = adata.X.toarray()
    counts[:7] = 0
    other = np.zeros((100, 1), dtype=np.float32)
    other[:4] = 3
    wider = AnnData(csr_matrix(np.hstack([counts, other])), obs=adata.obs, uns=adata.uns)
    wider.var_names = [*adata.var_names, "UNHEARD-OF"]
    wider.obsm[keys.SPATIAL] = adata.obsm[keys.SPATIAL]
    tl.tokenize(wider, bundle)
    assert wider.obs[keys.TOKEN].isna().sum() == wider.obs[keys.TOKEN].iloc[:7].isna().sum() == 7
    facts = wider.uns[keys.PROVENANCE]
    assert (facts["n_without_token"], facts["n_without_counts"]) == (7, 3)


def test_a_section_without_any_count_of_the_model_is_refused_and_left_as_it_was(bundle):
    adata = datasets.toy(n_cells=100)
    adata.X = csr_matrix(adata.X.shape, dtype=np.float32)
    with pytest.raises(squint.InputError, match="Nothing to tokenise") as said:
        tl.tokenize(adata, bundle)
    assert "\n" not in str(said.value)
    assert keys.TOKEN not in adata.obs


def test_a_section_without_counts_beside_others_has_no_token_and_they_have(bundle):
    adata = with_bins(datasets.toy(n_cells=400), clump(30), section="EMPTY", patient="NOBODY")
    tl.tokenize(adata, bundle)
    of_section = adata.obs[keys.TOKEN].notna().groupby(adata.obs[keys.SECTION].astype(str)).sum()
    assert of_section.to_dict() == {"EMPTY": 0, "TOY-H-1": 200, "TOY-L-1": 200}
    assert adata.uns[keys.PROVENANCE]["share_beyond_p99"]["EMPTY"] == 0
    with pytest.raises(squint.InputError, match="No cell is of patient 'NOBODY'"):
        tl.activate(adata, reference="NOBODY")


def test_tokens_that_are_missing_survive_a_file(bundle, tmp_path):
    adata = with_bins(datasets.toy(n_cells=100), clump(12))
    tl.tokenize(adata, bundle)
    write(adata, tmp_path / "tokens.h5ad")
    again = anndata.read_h5ad(tmp_path / "tokens.h5ad")
    assert again.obs[keys.TOKEN].isna().sum() == 12
    np.testing.assert_array_equal(again.obsm[keys.LATENT], adata.obsm[keys.LATENT])
    assert read(tmp_path / "tokens.h5ad").n_obs == adata.n_obs


def test_what_is_rebuilt_leaves_them_out(bundle):
    adata = with_bins(datasets.toy(n_cells=100), clump(12))
    tl.reconstruct(adata, bundle)
    means = adata.obsm[keys.RECONSTRUCTED].to_numpy()
    assert np.isnan(means[-12:]).all()
    assert np.isfinite(means[:-12]).all()
    assert adata.obsp[keys.RECONSTRUCTED_GRAPH][-12:].nnz == 0


# --- training --------------------------------------------------------------------------------------------


def test_training_asks_nothing_of_them_and_does_not_mask_them(bundle):
    adata = with_bins(datasets.toy(n_cells=200), clump(150))
    pp.spatial_neighbors(adata)
    cohort = prepare(adata, bundle.genes, bundle.model_config)
    assert cohort.empty.sum() == 150
    tiles = cohort.cut(64, block_fraction=0.5, rng=np.random.default_rng(0), among=cohort.told)
    assert sorted(np.concatenate(tiles.cells)) == list(range(200))
    assert (tiles.mask_rank[200:] == 1).all()
    weight = section_weights(cohort)
    assert weight[cohort.told].mean() == pytest.approx(1)
    assert weight[cohort.told & (cohort.section == 0)].sum() == pytest.approx(100)


def test_a_model_trained_beside_empty_bins_counts_cells_alone():
    adata = with_bins(datasets.toy(n_cells=200), clump(300))
    *_, last = squint.train(
        adata,
        model=ModelConfig(n_codes=8, n_hidden=16, n_latent=8),
        train=TrainConfig(n_epochs=4, context_steps=5),
    )
    assert last.bundle.metrics["n_cells"] == 200
    hidden = np.arange(adata.n_obs) % 9 == 0
    tl.inpaint(adata, last.bundle, hidden=hidden)
    assert np.isfinite(adata.obsm[keys.IMPUTED_CELL].to_numpy()[hidden]).all()
    assert np.isfinite(list(last.losses.values())).all()
    assert 0 < last.bundle.distance_p99 < 1


def test_nothing_but_empty_bins_cannot_be_trained_on():
    adata = datasets.toy(n_cells=60)
    adata.X = csr_matrix(adata.X.shape, dtype=np.float32)
    with pytest.raises(squint.InputError, match="No cell is left to train on"):
        next(squint.train(adata))


# --- what compares cells ---------------------------------------------------------------------------------


def test_pseudobulk_does_not_count_them_as_cells():
    adata = datasets.toy(n_cells=800, n_sections=4)
    adata.obs[keys.PATIENT] = adata.obs[keys.SECTION]
    group, reference = (str(name) for name in adata.obs[keys.CELL_TYPE].value_counts().index[:2])
    least = int(adata.obs.groupby([keys.PATIENT, keys.CELL_TYPE], observed=True).size().min())
    alone = tl.pseudobulk(adata, keys.CELL_TYPE, group=group, reference=reference, min_cells=5, copy=True)
    assert least < 1000
    slide = with_bins(adata, clump(100), patient="TOY-H-1")
    slide.obs[keys.CELL_TYPE] = slide.obs[keys.CELL_TYPE].astype(str).replace("background", group)
    tl.pseudobulk(slide, keys.CELL_TYPE, group=group, reference=reference, min_cells=5)
    pd.testing.assert_frame_equal(slide.uns[keys.PSEUDOBULK], alone.uns[keys.PSEUDOBULK])


def test_in_painting_is_not_judged_by_cells_that_turn_out_empty():
    rng = np.random.default_rng(0)
    adata = datasets.toy(n_cells=400)
    del adata.obs[keys.Z]
    hidden = np.arange(400) % 4 == 0

    def judged(adata, hidden):
        pp.spatial_neighbors(adata)
        adata.obs[keys.HIDDEN] = hidden
        guess = np.full((adata.n_obs, adata.n_vars), np.nan, dtype=np.float32)
        guess[hidden] = 5.0  # a bad guess for a bin
        guess[:400][hidden[:400]] = guesses
        for key in (keys.IMPUTED, keys.IMPUTED_CELL):
            adata.obsm[key] = pd.DataFrame(guess, adata.obs_names, adata.var_names)
        tl.imputation_quality(adata)
        return adata.uns[keys.QUALITY]

    guesses = rng.poisson(2, (int(hidden.sum()), adata.n_vars)).astype(np.float32)
    slide = with_bins(adata, np.vstack([clump(40), clump(10, away=-5000)]))
    of_slide = judged(slide, np.append(hidden, np.arange(50) < 40))
    of_cells = judged(adata, hidden)
    few = of_cells["method"] == "model"
    pd.testing.assert_frame_equal(of_slide[few], of_cells[few])
    assert of_slide["n_cells"].equals(of_cells["n_cells"])


def test_a_baseline_is_judged_by_hidden_cells_with_counts_alone():
    adata = datasets.toy(n_cells=200, n_sections=1)
    slide = with_bins(adata, clump(30))
    genes = list(adata.var_names)
    hidden = np.arange(200) % 5 == 0
    (of_cells,) = catalogue.hidden_in(adata, genes, hidden)
    (of_slide,) = catalogue.hidden_in(slide, genes, np.append(hidden, np.arange(30) % 2 == 0))
    assert of_slide.told.tolist() == [True] * 40 + [False] * 15
    np.testing.assert_allclose(catalogue.judge_of(of_slide).truth, catalogue.judge_of(of_cells).truth)
    (of_bins,) = catalogue.hidden_in(slide, genes, np.append(~np.ones(200, bool), np.arange(30) < 9))
    with pytest.raises(squint.InputError, match="No hidden cell of section 'TOY-H-1' has a count"):
        catalogue.judge_of(of_bins)


# --- names -----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-1, 6), max_size=20))
def test_tokens_are_named_and_missing_ones_are_missing(tokens):
    array = np.array(tokens, dtype=np.int32)
    expected = [None if token < 0 else str(token) for token in tokens]
    for n_codes in (None, 7):
        named = token_names(array, n_codes)
        assert [None if pd.isna(name) else name for name in named] == expected
    assert list(token_names(array, 7).categories) == list("0123456")
    assert list(token_names(array).categories) == sorted({str(token) for token in tokens if token >= 0})


def test_sequences_hold_the_tokens_of_cells_and_say_how_many_have_none(bundle):
    adata = with_bins(datasets.toy(n_cells=100), clump(12))
    adata = with_bins(adata, clump(5), section="EMPTY", patient="NOBODY")
    tl.tokenize(adata, bundle)
    table = sequences.token_sequences(adata).set_index("section_id")
    assert table["n_cells"].to_dict() == {"EMPTY": 0, "TOY-H-1": 50, "TOY-L-1": 50}
    assert table["n_without_token"].to_dict() == {"EMPTY": 5, "TOY-H-1": 12, "TOY-L-1": 0}
    assert table.loc["EMPTY", "tokens"] == []
    for _, row in table.iterrows():
        assert len(row["tokens"]) == len(row["x"]) == len(row["cells"]) == row["n_cells"]
        assert adata.obs.loc[row["cells"], keys.TOKEN].astype(int).tolist() == row["tokens"]
