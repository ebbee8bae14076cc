"""SpatialData stores as other people wrote them, where they are at hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from squint import keys
from squint.io.findings import AskedError
from tests.helpers.spatialdata_reading import VERSIONS, positions, read, refusal


def store_of(bundle: Path, name: str = "") -> Path:
    return next(
        path for path in sorted(bundle.iterdir()) if path.name.startswith(name) and path.suffix == ".zarr"
    )


def test_real_stores_of_version_2(bundle: Callable[[str], Path]) -> None:
    folder = bundle("spatialdata_rakaia")
    settled = read(store_of(folder, "subset_xenium"), unit="um")
    assert settled.adata.shape == (100, 382)
    assert settled.adata.X.sum() == 18_390
    assert settled.adata.obs_names[0] == "aaaahdpa-1"
    assert len(settled.boundaries.cells) == 100
    assert_allclose(positions(settled)[0], [839.64849854, 708.60943604])
    settled = read(store_of(folder, "subset_visium.zarr"))
    assert settled.adata.shape == (122, 100)
    assert settled.adata.obs[keys.SECTION].value_counts().to_dict() == {"ST8059048": 100, "ST8059050": 22}
    assert settled.adata.X.sum() == 5_277
    shapes = settled.adata.obs["spot_id"].to_numpy()
    assert shapes[0] == 0  # and its spot lies at obsm["spatial"], in pixels of the large picture
    assert_allclose(positions(settled)[0], np.array([12791, 10834]) * 0.1153336)
    with pytest.raises(AskedError) as error:
        read(store_of(folder, "subset_visium_hd"))
    assert error.value.question.choices == ("square_002um", "square_008um", "square_016um")
    for table_name, total in (("square_002um", 3), ("square_008um", 15), ("square_016um", 28)):
        settled = read(store_of(folder, "subset_visium_hd"), table=table_name)
        assert settled.adata.n_obs == 100
        assert settled.adata.X.sum() == total
        assert settled.adata.uns[keys.PROVENANCE]["unit"] == "um"
        assert len(settled.boundaries.cells) == 100
    # the names of its 480 genes were lost, though its summary lists them
    assert "tables/table/var" in refusal(store_of(folder, "subset_other"))


def test_real_store_with_a_broken_element_of_points(bundle: Callable[[str], Path]) -> None:
    settled = read(bundle("spatialdata_zarr2_merfish_visp"))
    assert settled.adata.shape == (2_389, 258)  # of 268 features 10 are blanks
    assert settled.adata.X.sum() + settled.adata.obs["control_counts"].sum() == 2_204_699
    assert settled.adata.obs[keys.SECTION].unique().tolist() == ["merfish"]
    assert_allclose(positions(settled).min(axis=0), [1161.11337076, 4556.1330543])
    assert_allclose(positions(settled).max(axis=0), [3196.91337076, 6837.1830543])
    assert settled.boundaries is None  # anatomical regions are no cells


def test_both_versions_of_one_store_are_read_the_same(bundle: Callable[[str], Path]) -> None:
    old, new = (read(bundle(f"spatialdata_blobs_zarr{version}")) for version in VERSIONS)
    for settled in (old, new):
        assert settled.adata.shape == (10, 3)
        assert settled.adata.uns[keys.PROVENANCE]["values"] == "intensities"
        assert "Values are no whole numbers: read as intensities, for viewing only." in settled.findings.notes
    assert (old.adata.X != new.adata.X).nnz == 0
    assert_array_equal(positions(old), positions(new))


def test_real_store_of_points_alone_is_refused(bundle: Callable[[str], Path]) -> None:
    assert "no table of counts" in refusal(bundle("spatialdata_points_only_vitessce"))
