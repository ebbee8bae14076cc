"""Fixtures that several test packages share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from anndata import AnnData
from hypothesis import settings
from numpy.typing import NDArray

from squint import io
from squint.geometry import regions
from tests.helpers.paths import BUNDLES, REAL_DATA, REGIONS
from tests.helpers.sections import small_section

settings.register_profile("squint", deadline=None)  # a slow machine is not a failing property
settings.load_profile("squint")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long modules; the order within a module stays."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: a gzip header holds the time, and workers must collect the same names."""
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def real_section() -> Callable[[str], Path]:
    """Give the file of a real section by name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = REAL_DATA / f"{name}.h5ad"
        if not path.exists():
            pytest.skip(f"real section {name}.h5ad is not in SQUINT_TEST_DATA ({REAL_DATA})")
        return path

    return find


@pytest.fixture(scope="session")
def bundle() -> Callable[[str], Path]:
    """Give an instrument's folder by name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = BUNDLES / name
        if not path.exists():
            pytest.skip(f"{name} is not in {BUNDLES}, beside SQUINT_TEST_DATA")
        return path

    return find


@pytest.fixture(scope="session")
def real_regions(real_section: Callable[[str], Path]) -> Callable[[str], tuple[AnnData, NDArray[np.bool_]]]:
    """Read a real section and the cells hidden in it (n,); the test is skipped where either is absent."""

    def read(name: str) -> tuple[AnnData, NDArray[np.bool_]]:
        path = real_section(name)
        if not REGIONS.exists():
            pytest.skip(f"{REGIONS} is absent")
        adata = io.read(path)
        return adata, regions.hidden_cells(adata, regions.load(REGIONS / f"{name}.json"))

    return read


@pytest.fixture
def section() -> AnnData:
    """Give a small valid section as other tools write it."""
    return small_section()
