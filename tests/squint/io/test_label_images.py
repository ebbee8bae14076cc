"""Cells that are outlined by a picture of labels lie at the centres of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.helpers.spatialdata_reading import VERSIONS, positions, read
from tests.helpers.spatialdata_store import N_CELLS, Writer, places, table


def labels(factor: int = 1) -> Any:
    """Draw cell i as a square of number i + 1 around its place."""
    image = np.zeros((40 * factor, 50 * factor), np.int32)
    for i, (x, y) in enumerate((places() * factor).astype(int)):
        image[y - 2 * factor : y + 2 * factor, x - 2 * factor : x + 2 * factor] = i + 1
    return image


@pytest.mark.parametrize("version", VERSIONS)
def test_centres_of_labels_are_positions(tmp_path: Path, version: int) -> None:
    writer = Writer(tmp_path / "s.zarr", version).table(table(instances=range(1, N_CELLS + 1)))
    full = labels(2)
    writer.raster("labels/cells", [full, full[::2, ::2]])
    settled = read(writer.path)
    assert_allclose(positions(settled), places() * 2)
    assert [item.file for item in settled.findings.assumed if item.what == "positions"] == ["labels/cells"]


@given(st.integers(0, 10**6))
def test_centres_of_labels_are_means_of_their_pixels(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 15, (23, 17), dtype=np.uint16)
    numbers = rng.permutation(np.arange(1, 15))[:N_CELLS]
    adata = table(instances=numbers)
    writer = Writer(tmp_path_factory.mktemp("labels") / "s.zarr").table(adata).raster("labels/cells", [image])
    settled = read(writer.path)
    expected = [np.argwhere(image == n).mean(axis=0)[::-1] + 0.5 for n in numbers if (image == n).any()]
    assert_allclose(positions(settled), expected)


def test_cells_lost_in_a_coarse_image_are_found_in_a_finer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("squint.io.label_images.ENOUGH_PIXELS", 600)
    full = labels()
    full[full == 5] = 0
    full[11, 11] = 5
    writer = Writer(tmp_path / "s.zarr").table(table(instances=range(1, N_CELLS + 1)))
    writer.raster("labels/cells", [full, full[::2, ::2]])
    assert_allclose(positions(read(writer.path))[4], [11.5, 11.5])
