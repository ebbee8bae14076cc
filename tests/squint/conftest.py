"""Fixtures of the library's tests."""

import pytest

from squint import datasets, keys


@pytest.fixture
def saved(section, tmp_path):
    """Write a section as other tools would, and give its path."""

    def save(name="file.h5ad"):
        section.write_h5ad(tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture(scope="module")
def stack():
    """Simulate four levels of 100 cells, 60 um apart."""
    adata = datasets.toy(n_cells=400, n_sections=4)
    adata.obs[keys.Z] = adata.obs[keys.SECTION].astype(str).factorize()[0] * 60.0
    return adata
