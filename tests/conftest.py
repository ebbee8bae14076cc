"""Fixtures that several test packages share."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import settings
from scipy import sparse

settings.register_profile("squint", deadline=None)  # a slow machine is not a failing property
settings.load_profile("squint")

ROOT = Path(__file__).parents[1]
REAL_DATA = Path(os.environ.get("SQUINT_TEST_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def real_section() -> Callable[[str], Path]:
    """Give the file of a real section by name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = REAL_DATA / f"{name}.h5ad"
        if not path.exists():
            pytest.skip(f"real section {name}.h5ad is not in SQUINT_TEST_DATA ({REAL_DATA})")
        return path

    return find


@pytest.fixture
def section() -> AnnData:
    """Give a small valid section as other tools write it: 30 cells 10 um apart, 2 sections, 6 genes."""
    rng = np.random.default_rng(0)
    n_cells = 30
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(5)), axis=-1).reshape(-1, 2)
    adata = AnnData(
        X=sparse.csr_matrix(rng.poisson(2.0, (n_cells, 6)).astype(np.float32)),
        obs=pd.DataFrame(
            {"section": ["left"] * 15 + ["right"] * 15, "patient": ["P1"] * 15 + ["P2"] * 15},
            index=[f"cell{i}" for i in range(n_cells)],
        ),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(6)]),
    )
    adata.obsm["spatial"] = grid * [20.0, 10.0]
    return adata
