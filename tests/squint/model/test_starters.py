"""The starter models that ship with squint: small, told whose data they are, and proposed where they fit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData
from scipy.sparse import csr_matrix

import squint
from squint import keys
from squint.library import place
from squint.model.about import read_about
from squint.model.bundle import Bundle
from squint.model.card import CARD, CONFIG, WEIGHTS, read_card
from squint.model.novelty import measure
from squint.model.ranking import Fit, best, compare
from tests.helpers.paths import ROOT

SAMPLES = ROOT / "data_samples"
STARTERS = {"breast": (313, 34_451), "pancreas": (377, 140_702)}


@pytest.mark.parametrize("organ", STARTERS)
def test_a_starter_is_small_and_holds_weights_and_card_alone(organ: str) -> None:
    folder = SAMPLES / f"{organ}_model"
    assert folder in place.shipped_models()
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, CONFIG, CARD}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
    assert (folder / CARD).stat().st_size < 5_000  # there is no room for names of cells
    assert not list(SAMPLES.glob("*enium*"))


@pytest.mark.parametrize(("organ", "size"), STARTERS.items())
def test_a_starter_says_what_it_is(organ: str, size: tuple[int, int]) -> None:
    card = read_card(SAMPLES / f"{organ}_model")
    assert card.about == read_about(SAMPLES / "starters" / f"{organ}.json")
    assert card.about is not None
    assert card.about.label == "starter"
    assert (card.organs, card.simulated, card.in_paints) == ([organ], False, True)
    (record,) = card.sections
    assert (len(card.genes), record.n_cells, record.hidden) == (*size, [])
    assert card.categories == {}  # no label of a cell entered
    assert json.loads((SAMPLES / f"{organ}_model" / CARD).read_text())["intended_use"].startswith(
        "For research"
    )


def made_of(bundle: Bundle, n_cells: int = 400) -> AnnData:
    """Make a section of four kinds of tissue that a model knows, one in each quarter."""
    model, rng = bundle.model.eval(), np.random.default_rng(0)
    codes = model.codebook.codes[torch.arange(4) * 10].flatten(1)
    with torch.no_grad():
        condition = model.condition(
            torch.zeros(4, bundle.model_config.n_distance_features), torch.zeros(4).long()
        )
        shares = model.attributes(codes, condition, torch.zeros(4).long()).exp().numpy()
    xy = rng.uniform(0, 400, (n_cells, 2))
    kind = (xy[:, 0] > 200) * 2 + (xy[:, 1] > 200)
    counts = csr_matrix(rng.poisson(4 * bundle.scale.depth * shares[kind]).astype(np.float32))
    adata = AnnData(counts, obs=pd.DataFrame(index=[f"cell-{i}" for i in range(n_cells)]))
    adata.var_names = bundle.genes
    adata.obsm[keys.SPATIAL] = xy
    return adata


def fits_of(adata: AnnData) -> dict[str, Fit]:
    """Say how each model that ships with squint fits a section, as an upload and ``--model auto`` do."""
    fits = {}
    for folder in place.shipped_models():
        fit = compare(read_card(folder), set(adata.var_names))
        fits[folder.name] = measure(fit, adata, Bundle.load(folder)) if fit.is_usable else fit
    return fits


@pytest.mark.parametrize("organ", STARTERS)
def test_a_section_of_such_tissue_is_proposed_the_starter(organ: str, tmp_path: Path) -> None:
    made_of(Bundle.load(SAMPLES / f"{organ}_model")).write_h5ad(tmp_path / "new.h5ad")
    fits = fits_of(squint.read(tmp_path / "new.h5ad"))
    assert best(fits) == f"{organ}_model"
    assert fits[f"{organ}_model"].is_good
    assert not fits["pretrained"].is_good


def test_another_section_of_breast_cancer_is_proposed_the_breast_starter(real_section) -> None:
    adata = squint.read(real_section("xenium_breast_serial_rep1_rep2_crop"))
    adata = adata[(adata.obs[keys.SECTION] == "Xenium_Breast_rep2").to_numpy()].copy()
    fits = fits_of(adata)
    assert best(fits) == "breast_model"
    fit = fits["breast_model"]
    assert (fit.n_shared, fit.n_genes, fit.is_good, fit.is_trained_on) == (290, 313, True, False)
    assert fit.novelty < 0.05
