"""What tools write into the data that they are given is what their docstrings say, and nothing else."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import squint
from squint import datasets, keys, tl
from squint.config import ModelConfig, TrainConfig
from squint.geometry.regions import Fraction
from tests.helpers.api import TOOLS

SLOTS = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp", "layers")
ARMS: dict[str, Any] = {"groupby": keys.CELL_TYPE, "group": "tumour", "reference": "macrophage"}
# On which sections of `Analysis` each tool is tried, and with which choices, so that it writes all it can
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "squint.pp.spatial_neighbors": ("raw", {}),
    "squint.tl.activate": ("without_graph", {"reference": "TOY-H"}),
    "squint.tl.align_levels": ("raw", {"apply": True}),
    "squint.tl.border_profile": (
        "raw",
        {
            "groupby": keys.CELL_TYPE,
            "group": "tumour",
            "measures": tl.Measures(genes=["CA9"]),
            "min_patch": 5,
        },
    ),
    "squint.tl.cell_types": (
        "raw",
        {"by": tl.Markers(groupby=keys.CELL_TYPE, tissue="kidney", min_measured=2), "name": "NAME"},
    ),
    "squint.tl.co_occurrence": ("tokenised", {}),
    "squint.tl.communities": ("correlated", {}),
    "squint.tl.compare_vocabularies": ("tokenised", {"other_key": keys.CELL_TYPE, "n_shuffles": 2}),
    "squint.tl.differential_expression": ("raw", ARMS),
    "squint.tl.imputation_quality": ("painted", {}),
    "squint.tl.inpaint": ("raw", {"n_draws": 2}),
    "squint.tl.neighbor_enrichment": ("without_graph", {"n_permutations": 9}),
    "squint.tl.perturb": (
        "raw",
        {
            "what": tl.Perturbation(np.arange(400) < 40, tl.ScaleGenes({"CA9": 3.0}), ["LDHA", "MMP14"]),
            "n_shams": 3,
        },
    ),
    "squint.tl.pseudobulk": ("raw", {**ARMS, "min_cells": 2}),
    "squint.tl.reconstruct": ("raw", {}),
    "squint.tl.section_distances": ("tokenised", {"n_draws": 9}),
    "squint.tl.token_expression": ("tokenised", {}),
    "squint.tl.score_gene_set": ("raw", {"genes": ["LDHA", "MMP14", "PFKFB3"]}),
    "squint.tl.token_profiles": ("tokenised", {}),
    "squint.tl.tokenize": ("raw", {"domains": 2}),
    "squint.tl.virtual_section_quality": ("raw", {"genes": ["CA9", "LDHA"]}),
}


class Analysis:
    """Four levels of two patients, as they come and after some tools."""

    @cached_property
    def raw(self) -> AnnData:
        """Counts and positions."""
        adata = datasets.toy(n_cells=400, n_sections=4)
        adata.obs[keys.Z] = adata.obs[keys.SECTION].astype(str).factorize()[0] * 60.0
        return adata

    @cached_property
    def bundle(self) -> squint.Bundle:
        """A model of them, trained without a fifth of the cells."""
        model = ModelConfig(n_codes=6, n_hidden=16, n_latent=8)
        choices = TrainConfig(n_epochs=1, batch_size=128, cells_held_out=0.2, context_steps=5)
        *_, last = squint.train(self.raw, model=model, train=choices)
        return last.bundle

    @cached_property
    def tokenised(self) -> AnnData:
        """With tokens."""
        adata = self.raw.copy()
        tl.tokenize(adata, self.bundle)
        return adata

    @cached_property
    def without_graph(self) -> AnnData:
        """With tokens alone."""
        adata = self.tokenised.copy()
        del adata.obsp, adata.uns["spatial_neighbors"]
        return adata

    @cached_property
    def painted(self) -> AnnData:
        """With the cells predicted that the model did not see."""
        adata = self.raw.copy()
        tl.inpaint(adata, self.bundle)
        return adata

    @cached_property
    def correlated(self) -> AnnData:
        """With tokens, and how their usage varies together."""
        adata = self.tokenised.copy()
        tl.co_occurrence(adata)
        return adata


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return Analysis()


def paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give the path to a value and, in ``uns``, to all that dicts hold and to the columns of tables."""
    yield path
    if path[0] == "uns" and isinstance(value, dict | pd.DataFrame):
        for name in value:
            yield from paths(value[name], (*path, str(name)))


def written(adata: AnnData) -> set[tuple[str, ...]]:
    inside = [(slot, name, value) for slot in SLOTS for name, value in getattr(adata, slot).items()]
    return {path for slot, name, value in inside for path in paths(value, (slot, str(name)))}


def outside(some: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Give those of ``some`` paths that lie in none of the others."""
    return sorted(path for path in some if not any(path[: len(other)] == other for other in others))


@pytest.mark.parametrize("tool", TOOLS, ids=str)
def test_a_tool_writes_what_it_says_and_nothing_else(tool, analysis):
    stage, choices = CALLS[str(tool)]
    model = [analysis.bundle] if "bundle" in tool.signature.parameters else []
    adata = getattr(analysis, stage).copy()
    before, counts = written(adata), adata.X.toarray()
    changed = tool.function(adata, *model, **choices, copy=True)
    assert written(adata) == before
    assert tool.function(adata, *model, **choices) is None
    assert written(adata) == written(changed)
    new = written(adata) - before
    assert outside(new, tool.slots) == []  # is documented
    assert [slot for slot in tool.slots if not any(path[: len(slot)] == slot for path in new)] == []
    np.testing.assert_array_equal(adata.X.toarray(), counts)


def test_regions_are_in_painted_into_data_of_their_own(analysis):
    adata = analysis.raw.copy()
    before = written(adata)
    painted = tl.inpaint_regions(
        adata, analysis.bundle, [Fraction(str(adata.obs[keys.SECTION].iloc[0]), 0.1)]
    )
    assert painted.n_obs == 10
    assert written(adata) == before
