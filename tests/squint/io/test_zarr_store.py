"""Zarr folders that hold what they should not: refused before anything of them is unpacked."""

import base64
import gzip
import json
import os
import pickle
import resource
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from anndata import AnnData
from anndata.io import write_elem
from imagecodecs import blosc_encode, lz4_encode, zstd_encode
from scipy import sparse
from zarr.errors import ZarrUserWarning

from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.zarr_store import Store
from tests.helpers.spatialdata_store import Writer, table

VERSIONS = [2, 3]
SHARDED = "3, sharded"  # as anndata writes version 3 by and by


@pytest.fixture(params=[*VERSIONS, SHARDED])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write an AnnData folder of either version."""
    return write(tmp_path / "section.zarr", request.param)


def write(path: Path, version: int | str, x: Any = None) -> Path:
    adata = table(x=x)
    adata.obsm["spatial"] = np.random.default_rng(0).random((adata.n_obs, 2)) * 100
    adata.obs["kind"] = pd.Categorical(["one", "two"] * (adata.n_obs // 2))
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == 2 else 3)
    with anndata.settings.override(auto_shard_zarr_v3=version == SHARDED):
        write_elem(group, "/", adata)
    return path


def read(path: Path) -> AnnData:
    return read_settled(path, Answers(unit="um")).adata


def consolidate(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # version 3 does not specify it yet
        zarr.consolidate_metadata(path)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def description(path: Path, array: str) -> Path:
    return next(p for p in (path / array / ".zarray", path / array / "zarr.json") if p.exists())


def change(path: Path, **values: Any) -> None:
    about = json.loads(path.read_text())
    path.write_text(json.dumps(about | values))


def shape_of(path: Path, array: str, shape: list[int], chunks: list[int]) -> None:
    file = description(path, array)
    if file.name == ".zarray":
        change(file, shape=shape, chunks=chunks)
    else:
        grid = {"name": "regular", "configuration": {"chunk_shape": chunks}}
        codecs = json.loads(file.read_text())["codecs"]
        if codecs[0]["name"] == "sharding_indexed":
            codecs[0]["configuration"]["chunk_shape"] = chunks
        change(file, shape=shape, chunk_grid=grid, codecs=codecs)


def chunk(path: Path, array: str) -> Path:
    return next(p for p in (path / array / "0", path / array / "c" / "0") if p.is_file())


def test_folder_is_read(folder: Path) -> None:
    adata = read(folder)
    assert adata.shape == (12, 3)
    assert list(adata.obs["kind"].astype(str))[:2] == ["one", "two"]


@pytest.mark.parametrize("target", ["/etc/hostname", "..", "nowhere"])
def test_links_are_refused(folder: Path, target: str) -> None:
    (folder / "obs" / "linked").symlink_to(target)
    assert "linked' is a link" in refusal(folder)


def test_pipes_are_refused_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "X" / "pipe")
    assert "neither a file nor a folder" in refusal(folder)


@pytest.mark.parametrize("chunks", [[1], [10**12]])
def test_four_terabytes_are_refused_from_the_description(folder: Path, chunks: list[int]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shape_of(folder, "obs/area", [10**12], chunks)
    assert "declares 8,000.0 GB" in refusal(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_a_chunk_alone_counts(folder: Path) -> None:
    shape_of(folder, "obs/area", [12], [10**12])
    assert "declares 8,000.0 GB" in refusal(folder)


class Canary:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "filters", [[{"id": "pickle"}], [{"id": "json2"}], None, [{"id": "vlen-array", "dtype": "<i4"}]]
)
def test_objects_of_python_are_refused_and_run_nothing(tmp_path: Path, filters: Any) -> None:
    path = write(tmp_path / "section.zarr", 2)
    change(path / "obs" / "area" / ".zarray", dtype="|O", filters=filters, fill_value=None, compressor=None)
    (path / "obs" / "area" / "0").write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    assert "`obs/area` is refused: it holds objects of Python" in refusal(path)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("codec", ["pickle", "fixedscaleoffset", "made.up", "bz2"])
def test_codecs_that_are_not_on_the_list_are_refused(folder: Path, codec: str) -> None:
    file = description(folder, "obs/area")
    if file.name == ".zarray":
        change(file, compressor={"id": codec})
    else:
        change(file, codecs=[{"name": "bytes"}, {"name": codec, "configuration": {}}])
    assert f"`obs/area` is refused: it holds the codec '{codec}'" in refusal(folder)


@pytest.mark.parametrize("dtype", ["<c16", "<M8[ns]", [["a", "<i4"]], "|V8"])
def test_types_that_are_not_on_the_list_are_refused(tmp_path: Path, dtype: Any) -> None:
    path = write(tmp_path / "section.zarr", 2)
    change(path / "obs" / "area" / ".zarray", dtype=dtype)
    assert "`obs/area` is refused: it holds values of the type" in refusal(path)


def shard(path: Path, offset: int, packed: bytes, **about: Any) -> None:
    """Make a shard of the column of areas, with one chunk and an index that says where it is."""
    configuration = {
        "chunk_shape": [12],
        "codecs": [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 3}},
        ],
        "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "index_location": "end",
    } | about
    change(path / "obs/area/zarr.json", codecs=[{"name": "sharding_indexed", "configuration": configuration}])
    chunk(path, "obs/area").write_bytes(packed + struct.pack("<QQ", offset, len(packed)))


def test_chunks_of_shards_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "section.zarr", 3)
    sound = np.arange(12, dtype="<f8")
    shard(path, 0, zstd_encode(sound.tobytes()))
    np.testing.assert_array_equal(read(path).obs["area"], sound)
    shard(path, 0, zstd_encode(bytes(200_000_000)))
    assert "a chunk of it is longer than it declares" in refusal(path)
    shard(path, 10**6, zstd_encode(sound.tobytes()))
    assert "`obs/area` is damaged" in refusal(path)
    shard(path, 0, b"", codecs=[{"name": "bytes"}, {"name": "made.up"}])
    assert "the codec 'made.up'" in refusal(path)
    shard(path, 0, b"", index_codecs=[{"name": "bytes"}, {"name": "zstd"}])
    assert "an index of shards with the codecs" in refusal(path)
    shard(path, 0, b"", chunk_shape=[10**12])
    assert "its shards are no whole number of chunks" in refusal(path)


@pytest.mark.parametrize(
    ("compressor", "packed"),
    [
        ({"id": "gzip", "level": 9}, gzip.compress),
        ({"id": "zlib", "level": 9}, zlib.compress),
        ({"id": "zstd", "level": 3}, zstd_encode),
        ({"id": "lz4"}, lambda content: lz4_encode(content, header=True)),
        ({"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 0}, blosc_encode),
        (None, lambda content: content),
    ],
)
def test_chunk_that_unpacks_to_more_than_it_declares_is_refused(
    tmp_path: Path, compressor: Any, packed: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / "section.zarr", 2)
    change(path / "obs" / "area" / ".zarray", compressor=compressor, filters=None)
    sound = np.arange(12, dtype="<f8")
    chunk(path, "obs/area").write_bytes(packed(sound.tobytes()))
    np.testing.assert_array_equal(read(path).obs["area"], sound)
    chunk(path, "obs/area").write_bytes(packed(bytes(200_000_000)))
    assert "a chunk of it is longer than it declares" in refusal(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_text_that_declares_a_billion_values_is_refused(tmp_path: Path, version: int) -> None:
    path = write(tmp_path / "section.zarr", version)
    lie = struct.pack("<I", 10**9) + bytes(100)
    file = description(path, "obs/_index")
    if version == 2:
        change(file, compressor={"id": "gzip", "level": 1})
        chunk(path, "obs/_index").write_bytes(gzip.compress(lie))
    else:
        change(file, codecs=[{"name": "vlen-utf8"}])
        chunk(path, "obs/_index").write_bytes(lie)
    assert "another number of texts than it declares" in refusal(path)


def test_text_beyond_any_need_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "section.zarr", 2)
    change(path / "obs" / "_index" / ".zarray", compressor={"id": "gzip", "level": 1})
    long = struct.pack("<I", 12) + b"".join(struct.pack("<I", 10**7) + b"a" * 10**7 for _ in range(12))
    chunk(path, "obs/_index").write_bytes(gzip.compress(long))
    assert "longer than it declares" in refusal(path)


@pytest.mark.parametrize("cut", [0, 5, 17])
def test_chunk_that_is_cut_off_is_refused(folder: Path, cut: int) -> None:
    file = chunk(folder, "X/data")
    file.write_bytes(file.read_bytes()[:cut])
    assert "X" in refusal(folder)


def test_summary_that_disagrees_is_refused(folder: Path) -> None:
    consolidate(folder)
    assert read(folder).shape == (12, 3)
    change(description(folder, "obs/area"), fill_value=1.0)
    assert "consolidated metadata disagrees with `obs/area/" in refusal(folder)


def test_part_that_a_summary_lists_and_that_is_lost_is_named(folder: Path) -> None:
    consolidate(folder)
    for file in sorted((folder / "obs" / "kind").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (folder / "obs" / "kind").rmdir()
    assert "is incomplete: its summary lists `obs/kind" in refusal(folder)


@pytest.mark.parametrize("array", ["X/data", "X/indices", "X/indptr", "obs/_index"])
def test_lost_chunks_of_counts_and_names_are_no_zeros(folder: Path, array: str) -> None:
    chunk(folder, array).unlink()
    assert f"1 of 1 chunks of `{array}` are not there" in refusal(folder)


def test_chunks_that_are_filled_in_are_said(folder: Path) -> None:
    chunk(folder, "obs/area").unlink()
    settled = read_settled(folder, Answers(unit="um"))
    assert (settled.adata.obs["area"] == 0).all()
    assert any("obs/area" in item.file for item in settled.findings.assumed)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "[" * 100_000, '{"zarr_format": 7}', '{"zarr_format": 2, "shape": [1e999]}', "\0"],
)
def test_damaged_descriptions_are_named(folder: Path, content: str) -> None:
    description(folder, "obs/area").write_text(content)
    assert "obs/area" in refusal(folder)


def test_versions_are_not_mixed(tmp_path: Path) -> None:
    path, other = (write(tmp_path / name / "section.zarr", n) for name, n in (("a", 2), ("b", 3)))
    (path / "obs").rename(tmp_path / "old")
    (other / "obs").rename(path / "obs")
    assert "mixes two versions of zarr" in refusal(path)


def test_matrix_that_declares_a_trillion_rows_is_refused(folder: Path) -> None:
    zarr.open_group(folder, mode="r+")["X"].attrs["shape"] = [10**12, 3]
    assert "`X` is damaged: its shape and its `indptr` do not fit" in refusal(folder)


def test_only_what_is_opened_is_looked_at(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.zarr").table(table())
    (writer.path / "points").mkdir()
    (writer.path / "points" / ".zarray").write_text("broken")
    with Store(writer.path).open("tables/table") as group:
        assert "obs" in group


def test_dense_counts_of_every_type_are_the_same(tmp_path: Path) -> None:
    expected = read(write(tmp_path / "csr.zarr", 2))
    values = expected.X.toarray()
    for version in VERSIONS:
        for kind in ("u1", "i2", "i8", "f4", "f8", "csc"):
            x = sparse.csc_matrix(values) if kind == "csc" else values.astype(kind)
            found = read(write(tmp_path / f"{version}{kind}.zarr", version, x))
            assert (found.X != expected.X).nnz == 0
            assert found.X.dtype == np.float32


def test_files_are_base_for_nothing(folder: Path) -> None:
    (folder / "readme.txt").write_text(base64.b64encode(b"x").decode())
    assert read(folder).shape == (12, 3)
