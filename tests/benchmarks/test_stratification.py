"""How well tokens find what was planted, on the shipped cohort and on others simulated and trained afresh."""

import itertools

import numpy as np
import pytest
from anndata import AnnData
from sklearn.metrics import adjusted_rand_score

import squint
from squint import TrainConfig, datasets, keys, tl
from tests.helpers.judge import join, regions_found, regions_found_by_kmeans, stratify
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
SAMPLES = ROOT / "data_samples"


def trained(sections: list[AnnData], seed: int) -> squint.Bundle:
    """Train with the settings of the shipped model."""
    *_, last = squint.train(sections, train=TrainConfig(seed=seed))
    return last.bundle


def tokenised(sections: list[AnnData], bundle: squint.Bundle) -> AnnData:
    """Tokenise sections and join them."""
    for section in sections:
        tl.tokenize(section, bundle)
    return join(sections)


def row(name: str, adata: AnnData, n_codes: int) -> str:
    """Give one line of the table."""
    enriched, frequent = (stratify(adata, enriched=enriched) for enriched in (True, False))
    kmeans = max(regions_found_by_kmeans(adata, n_codes).values())
    return (
        f"| {name} | {enriched.auc:.3f} | {enriched.core_high:.0%} | {enriched.low_risk_high:.2%} "
        f"| {enriched.covered:.0%} | {regions_found(adata):.3f} | {kmeans:.3f} "
        f"| {frequent.auc:.3f} | {frequent.core_high:.0%} | {frequent.low_risk_high:.1%} |"
    )


def test_stratification_of_three_cohorts_and_agreement_of_three_trainings():
    shipped = squint.Bundle.load(SAMPLES / "pretrained")
    n_codes = shipped.model_config.n_codes
    print(
        "\n| cohort | core AUC | core > 0.75 | low-risk > 0.75 | covered | NMI tokens | NMI k-means "
        "| frequent: AUC | core > 0.75 | low-risk > 0.75 |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    files = sorted(SAMPLES.glob("SIM-*.h5ad"))
    first = tokenised([squint.read(file) for file in files], shipped)
    print(row("seed 0, shipped", first, n_codes))
    for seed in (1, 2):
        sections = datasets.kidney(seed)
        print(row(f"seed {seed}, trained afresh", tokenised(sections, trained(sections, seed)), n_codes))
    tokens = [first.obs[keys.TOKEN].to_numpy()]
    for seed in (1, 2):
        sections = [squint.read(file) for file in files]
        again = tokenised(sections, trained(sections, seed))
        print(row(f"seed 0, training seed {seed}", again, n_codes))
        tokens.append(again.obs[keys.TOKEN].to_numpy())
    agreement = [adjusted_rand_score(one, other) for one, other in itertools.combinations(tokens, 2)]
    print(f"\nAgreement of tokens across three training seeds (ARI): {np.round(agreement, 3).tolist()}")
