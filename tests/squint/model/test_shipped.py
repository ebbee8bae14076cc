"""What ships with squint: the simulated cohort and the model trained on it."""

import json

import numpy as np
import pytest

import squint
from squint import keys, tl
from tests.helpers.judge import join, regions_found, regions_found_by_kmeans, stratify
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

SAMPLES = ROOT / "data_samples"


@pytest.fixture(scope="module")
def bundle():
    return squint.Bundle.load(SAMPLES / "pretrained")


@pytest.fixture(scope="module")
def cohort(bundle):
    sections = [squint.read(path) for path in sorted(SAMPLES.glob("SIM-*.h5ad"))]
    for section in sections:
        tl.tokenize(section, bundle)
    return join(sections)


def test_the_enriched_codes_find_the_planted_core_and_spare_the_low_risk_patient(cohort):
    found = stratify(cohort, enriched=True)
    assert found.auc >= 0.95
    assert found.core_high >= 0.60
    assert found.low_risk_high <= 0.02


def test_tokens_find_the_planted_regions_better_than_kmeans(cohort, bundle):
    n_codes = bundle.model_config.n_codes
    assert regions_found(cohort) > max(regions_found_by_kmeans(cohort, n_codes, n_init=1).values())


def test_the_shipped_model_knows_the_shipped_sections(cohort, bundle):
    names = [record.name for record in bundle.sections]
    assert sorted(names) == sorted(cohort.obs[keys.SECTION].astype(str).unique())
    section = squint.read(SAMPLES / "SIM-H-1.h5ad")
    tl.tokenize(section, bundle)
    facts = section.uns[keys.PROVENANCE]
    assert facts["section_condition"] == {"SIM-H-1": "trained"}
    assert not facts["warnings"]


def test_the_stack_is_an_unseen_section_without_a_warning(bundle):
    stack = squint.read(SAMPLES / "stack.h5ad")
    tl.tokenize(stack, bundle)
    facts = stack.uns[keys.PROVENANCE]
    assert set(facts["section_condition"].values()) == {"unseen"}
    assert len(facts["section_condition"]) == 13
    assert not facts["warnings"]


def test_strange_tissue_is_told(bundle):
    section = squint.read(SAMPLES / "SIM-H-1.h5ad")
    section.X = section.X[:, np.random.default_rng(0).permutation(section.n_vars)]
    tl.tokenize(section, bundle)
    assert any("new to the model" in line for line in section.uns[keys.PROVENANCE]["warnings"])


def test_the_model_of_the_stack_was_trained_without_a_tenth_of_each_level():
    stack = squint.read(SAMPLES / "stack.h5ad")
    model = squint.Bundle.load(SAMPLES / "stack_model")
    tl.inpaint(stack, model)
    hidden = stack.obs[keys.HIDDEN].groupby(stack.obs[keys.SECTION], observed=True).mean()
    assert len(hidden) == 13
    assert hidden.between(0.098, 0.102).all()
    facts = stack.uns[keys.PROVENANCE]["inpainting"]
    assert set(facts["protocol"].values()) == {"trained without these cells"}
    assert not facts["warnings"]
    tl.imputation_quality(stack)
    cell = tl.level_badges(stack.uns[keys.QUALITY], target="cell")
    assert (cell["verdict"] == "above kNN").sum() >= 7
    assert not (cell["verdict"] == "below kNN").any()


def test_shipped_files_are_called_simulated_and_are_small():
    files = sorted(SAMPLES.glob("*.h5ad"))
    assert len(files) == 6
    assert sum(file.stat().st_size for file in files) < 25e6
    for model in ("pretrained", "stack_model"):
        assert sum(file.stat().st_size for file in (SAMPLES / model).iterdir()) < 10e6
    assert all(squint.read(file).uns[keys.PROVENANCE]["simulated"] for file in files)
    assert json.loads((SAMPLES / "pretrained" / "card.json").read_text())["simulated"] is True
