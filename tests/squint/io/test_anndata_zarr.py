"""AnnData as a .zarr folder is read as the same .h5ad is."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from anndata import AnnData
from anndata.io import write_elem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from squint import keys, pp
from squint.errors import InputError
from squint.io import Answers, read, read_settled
from squint.io.anndata_zarr import READER
from squint.io.mapped import folder_of
from squint.io.sections import is_large, obs_columns
from tests.helpers.sabotage import mentions, outcome, spoilt


def write(adata: AnnData, path: Path, version: int) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == 2 else 3)
    with anndata.settings.override(auto_shard_zarr_v3=False):
        write_elem(group, "/", adata)
    return path


def assert_same(one: AnnData, other: AnnData) -> None:
    assert (one.X != other.X).nnz == 0
    assert one.X.dtype == other.X.dtype
    pd.testing.assert_frame_equal(one.obs, other.obs)
    pd.testing.assert_frame_equal(one.var, other.var)
    assert one.obsm.keys() == other.obsm.keys()
    assert one.obsp.keys() == other.obsp.keys()
    for key in one.obsm:
        np.testing.assert_array_equal(one.obsm[key], other.obsm[key])
    for key in one.obsp:
        assert (one.obsp[key] != other.obsp[key]).nnz == 0
    ours, theirs = ({**a.uns[keys.PROVENANCE], "source_sha256": ""} for a in (one, other))
    assert ours == theirs


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    version=st.sampled_from([2, 3]),
    storage=st.sampled_from(["csr", "csc", "dense"]),
    kind=st.sampled_from(["u1", "i4", "i8", "f4", "f8"]),
    layer=st.sampled_from(["", "counts"]),
    seed=st.integers(0, 100),
)
def test_folder_and_file_of_the_same_content_are_read_the_same(
    section: AnnData,
    tmp_path_factory: pytest.TempPathFactory,
    version: int,
    storage: str,
    kind: str,
    layer: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    adata = section.copy()
    values = rng.poisson(1.0, adata.shape).astype(kind)
    stored = values if storage == "dense" else getattr(sparse, f"{storage}_matrix")(values)
    adata.X = np.log1p(values.astype(np.float32)) if layer else stored
    if layer:
        adata.layers[layer] = stored
    adata.obs["cell_type"] = pd.Categorical(rng.choice(["a", "b"], adata.n_obs))
    adata.obs["score"] = rng.random(adata.n_obs)
    adata.obs["flag"] = rng.random(adata.n_obs) > 0.5
    adata.obsm["X_pca"] = rng.random((adata.n_obs, 3))
    adata.uns["unit"] = "micrometer"
    folder = tmp_path_factory.mktemp("same")
    adata.write_h5ad(folder / "section.h5ad")
    write(adata, folder / "section.zarr", version)
    assert_same(read(folder / "section.zarr"), read(folder / "section.h5ad"))


@pytest.mark.parametrize("version", [2, 3])
def test_squints_own_section_comes_back(section: AnnData, tmp_path: Path, version: int) -> None:
    section.obsm["spatial"] = np.random.default_rng(0).random((section.n_obs, 2)) * 100
    section.write_h5ad(tmp_path / "first.h5ad")
    adata = read(tmp_path / "first.h5ad")
    pp.spatial_neighbors(adata)
    write(adata, tmp_path / "again.zarr", version)
    again = read(tmp_path / "again.zarr")
    assert keys.DISTANCES in again.obsp
    assert_same(again, adata)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("storage", ["csr", "dense"])
def test_counts_are_read_in_parts(section: AnnData, tmp_path: Path, version: int, storage: str) -> None:
    if storage == "dense":
        section.X = section.X.toarray()
    path = write(section, tmp_path / "section.zarr", version)
    whole, parts = read(path), read(path, scratch=tmp_path)
    assert folder_of(parts.X) is not None
    assert_same(parts, whole)
    assert not is_large(path)


def test_columns_are_listed(section: AnnData, tmp_path: Path) -> None:
    assert obs_columns(write(section, tmp_path / "section.zarr", 2)) == ["patient", "section"]


@pytest.mark.parametrize("slot", ["obs", "var", "X"])
def test_what_is_missing_is_named(section: AnnData, tmp_path: Path, slot: str) -> None:
    path = write(section, tmp_path / "section.zarr", 3)
    (path / slot).rename(tmp_path / "away")
    assert READER.reads(path)
    with pytest.raises(InputError, match=f"`{slot}`"):
        read(path)


def test_fractions_are_refused_as_in_a_file(section: AnnData, tmp_path: Path) -> None:
    section.X = section.X * 0.5
    path = write(section, tmp_path / "section.zarr", 2)
    with pytest.raises(InputError, match="no whole numbers"):
        read(path)


def test_other_folders_are_not_of_this_kind(tmp_path: Path) -> None:
    (tmp_path / "obs").mkdir()
    (tmp_path / "var").mkdir()
    assert not READER.reads(tmp_path)
    assert not READER.reads(tmp_path / "missing")
    assert not READER.reads(Path("a\0b"))
    zarr.open_group(tmp_path / "picture.zarr", mode="w").create_array("0", shape=(4, 4), dtype="u1")
    assert not READER.reads(tmp_path / "picture.zarr")


@pytest.mark.slow
@pytest.mark.parametrize("version", [2, 3])
def test_each_file_spoilt_is_said_or_refused_in_one_line(
    section: AnnData, tmp_path: Path, version: int
) -> None:
    path = write(section, tmp_path / "section.zarr", version)
    sound = read_settled(path, Answers())
    for copy, file, way in spoilt(path, tmp_path / "copies"):
        found = outcome(copy)
        slot = "/".join(part for part in file.parent.parts if not part.isdigit() and part != "c")
        if isinstance(found, str):
            assert slot.split("/")[0] in found, f"{file} {way}"
        elif not mentions(found, slot):
            assert_same(found.adata, sound.adata)
