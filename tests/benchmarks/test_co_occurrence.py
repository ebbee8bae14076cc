"""Communities of tokens over the levels of the simulated stack, and the cost of both tools."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from anndata import AnnData

import squint
from squint import datasets, keys, pp, tl
from squint.columns import labels
from squint.stats.correlate import correlate
from tests.helpers.judge import join
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.benchmark
SAMPLES = ROOT / "data_samples"


@pytest.fixture(scope="module")
def bundle() -> squint.Bundle:
    """Load the shipped model."""
    return squint.Bundle.load(SAMPLES / "pretrained")


@pytest.fixture
def stack(bundle: squint.Bundle) -> AnnData:
    """Give the stack of 13 levels, tokenised."""
    adata = squint.read(SAMPLES / "stack.h5ad")
    tl.tokenize(adata, bundle)
    return adata


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def test_cost_of_both_tools(stack: AnnData, bundle: squint.Bundle):
    sections = [squint.read(file) for file in sorted(SAMPLES.glob("SIM-*.h5ad"))]
    for section in sections:
        tl.tokenize(section, bundle)
    cohort = join(sections)
    pp.spatial_neighbors(stack)
    print(
        "\n| tool, 1,000 draws | sample | cells | groups or edges | tokens | s |\n|---|---|---|---|---|---|"
    )
    for name, adata in (("5 sections", cohort), ("stack", stack)):
        spent = seconds(lambda adata=adata: tl.co_occurrence(adata))
        result = adata.uns[keys.CO_OCCURRENCE]
        facts = f"{name} | {adata.n_obs:,} | {result['n_groups']} | {result['n_tokens']}"
        print(f"| co_occurrence | {facts} | {spent:.2f} |")
        spent = seconds(lambda adata=adata: tl.neighbor_enrichment(adata))
        result = adata.uns[keys.NEIGHBOR_ENRICHMENT]
        facts = f"{name} | {adata.n_obs:,} | {result['n_edges']:,} | {result['n_tokens']}"
        print(f"| neighbor_enrichment | {facts} | {spent:.2f} |")
    profiles = np.random.default_rng(0).random((100, 100))
    spent = seconds(lambda: correlate(profiles))
    print(f"| co_occurrence, the null alone | random | | 100 | 100 | {spent:.2f} |")


def test_communities_of_the_stack(stack: AnnData):
    tl.co_occurrence(stack, n_permutations=100_000)
    tl.communities(stack)
    result = stack.uns[keys.CO_OCCURRENCE]
    pairs = np.triu_indices(result["n_tokens"], 1)
    r, p, q = (result[name].to_numpy()[pairs] for name in ("correlation", "p", "q"))
    null = result["null_quantile"]
    beyond, alone = (np.abs(r) > null).mean(), -1 / result["n_groups"]
    print(
        f"\n{result['n_tokens']} tokens over {result['n_groups']} levels. |r| exceeds {null:.2f}, as 5 % of "
        f"shuffled pairs do, for {beyond:.1%} of {len(r):,} pairs; p <= 0.05 for {(p <= 0.05).mean():.1%}, "
        f"q <= 0.05 for {(q <= 0.05).sum()} pairs. Usage correlates with that of the next level at "
        f"{result['autocorrelation']:.2f} (independent levels: {alone:.2f}).\n"
    )
    print("| community | tokens | p of its size | cells | commonest planted regions | most used at, um |")
    print("|---|---|---|---|---|---|")
    regions, community = labels(stack, datasets.REGION), stack.obs[keys.COMMUNITY]
    table, heights = result["communities"], result["groups"][keys.Z]
    for name, found in table[table["n_tokens"] > 1].iterrows():
        tokens = result["tokens"].index[result["tokens"]["community"] == name]
        share = regions[(community == name).to_numpy()].value_counts(normalize=True).head(2)
        told = ", ".join(f"{region} {part:.0%}" for region, part in share.items())
        peak = heights[result["usage"][tokens].sum(axis=1).idxmax()]
        print(f"| {name} | {len(tokens)} | {found['p']:.3f} | {found['n_cells']:,.0f} | {told} | {peak:g} |")
