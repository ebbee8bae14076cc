import hashlib
import json
import shutil
from collections import namedtuple
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

import squint
from squint import datasets, io, keys, tl
from squint.cli.main import main
from squint.config import ModelConfig, TrainConfig
from squint.errors import InputError
from squint.io import hdf5
from squint.io import mapped as in_files
from squint.io.content import Answers
from squint.io.sections import read_settled
from squint.model.bundle import Bundle
from squint.model.cohort import prepare
from squint.model.section_hash import section_sha256

pytestmark = pytest.mark.slow

N_CELLS, N_GENES = 8, 5
DTYPES = [np.float64, np.float32, np.int64, np.int32, np.uint16, np.uint8, np.bool_]


def read_in_parts(path, folder, block):
    """Read a file as `io.read` does with a scratch folder, few values at a time."""
    return read_settled(path, Answers(), scratch=in_files.Scratch(folder, block)).adata


def assert_equal(first, second):
    assert (first.X.data.dtype, first.X.shape) == (second.X.data.dtype, second.X.shape)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(first.X, part), getattr(second.X, part))
    pd.testing.assert_frame_equal(first.obs, second.obs)
    pd.testing.assert_frame_equal(first.var, second.var)
    np.testing.assert_array_equal(first.obsm[keys.SPATIAL], second.obsm[keys.SPATIAL])
    assert first.uns == second.uns


@st.composite
def matrices(draw):
    """Give a matrix as files may hold it: duplicates, zeros stored, columns unsorted, rows empty."""
    dtype = draw(st.sampled_from(DTYPES))
    index = draw(st.sampled_from([np.int32, np.int64]))
    rows = draw(
        st.lists(
            st.lists(st.tuples(st.integers(0, N_GENES - 1), st.integers(0, 9)), max_size=9),
            min_size=N_CELLS,
            max_size=N_CELLS,
        )
    )
    matrix = sparse.csr_matrix((N_CELLS, N_GENES), dtype=dtype)
    matrix.data = np.array([value for row in rows for _, value in row], dtype=dtype)
    matrix.indices = np.array([column for row in rows for column, _ in row], dtype=index)
    matrix.indptr = np.cumsum([0, *map(len, rows)]).astype(index)
    return matrix.toarray() if draw(st.booleans()) else matrix


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(counts=matrices(), block=st.integers(1, 12), in_layer=st.booleans(), repeated=st.booleans())
def test_what_is_read_in_parts_is_what_is_read_at_once(section, tmp_path, counts, block, in_layer, repeated):
    small = section[:N_CELLS, :N_GENES].copy()
    small.var_names = ["A", "B", "A", "C", "B"] if repeated else list("ABCDE")
    small.X = counts
    if in_layer:
        small.layers["counts"] = small.X
        small.X = np.full((N_CELLS, N_GENES), 0.5)
    small.write_h5ad(tmp_path / "x.h5ad")
    with TemporaryDirectory(dir=tmp_path) as folder:
        assert_equal(
            read_in_parts(tmp_path / "x.h5ad", tmp_path / folder, block), io.read(tmp_path / "x.h5ad")
        )


def test_counts_lie_in_the_folder_and_are_as_one_would_expect(section, saved, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    read = io.read(saved(), scratch=scratch)
    assert_equal(read, io.read(saved()))
    assert in_files.folder_of(read.X).parent == scratch
    assert sum(path.stat().st_size for path in scratch.rglob("*.raw")) == 8 * read.X.nnz
    assert read.X.has_canonical_format
    assert in_files.folder_of(read.copy().X) is None
    assert in_files.folder_of(section.X) is None


def refusals(path, tmp_path):
    """Give what reading at once says, and what reading in parts does, which leaves nothing behind."""
    said = []
    for scratch in (None, tmp_path / "scratch"):
        if scratch is not None:
            scratch.mkdir(exist_ok=True)
        with pytest.raises(InputError) as error:
            io.read(path, scratch=scratch)
        said.append(str(error.value))
    for block in (1, 7):
        folder = tmp_path / "parts"
        folder.mkdir(exist_ok=True)
        with pytest.raises(InputError) as error:
            read_in_parts(path, folder, block)
        said.append(str(error.value))
    assert not list((tmp_path / "scratch").iterdir())
    return said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 0.5])
@pytest.mark.parametrize("storage", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("slot", ["X", "counts"])
def test_values_that_are_no_counts_are_refused_in_the_same_words(
    section, saved, tmp_path, value, storage, slot
):
    dense = section.X.toarray()
    dense[7, 3] = dense[7, 1] = dense[20, 0] = value
    dense[21, 0] = 0.25
    section.X = storage(dense)
    if slot == "counts":
        section.layers["counts"] = section.X
    said = refusals(saved(), tmp_path)
    assert len(set(said)) == 1
    assert "'cell7'" in said[0]


@pytest.mark.parametrize(
    ("dataset", "position", "value"),
    [
        ("X/indices", 4, 99),
        ("X/indices", 70, -1),
        ("X/indptr", 3, -5),
        ("X/indptr", 3, 10**6),
        ("X/indptr", 0, 1),
        ("X/indptr", 30, 10**6),
        ("X/data", 4, np.nan),
    ],
)
def test_damage_is_refused_in_the_same_words(section, saved, tmp_path, dataset, position, value):
    section.X[0, 0] = np.nan  # the damage is said, wherever it lies
    path = saved()
    with h5py.File(path, "r+") as file:
        file[dataset][position] = value
    assert len(set(refusals(path, tmp_path))) == 1


@pytest.mark.parametrize("shape", [(30, 7), (29, 6), (30, 5)])
def test_another_shape_is_refused_in_the_same_words(saved, tmp_path, shape):
    path = saved()
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = shape
    assert len(set(refusals(path, tmp_path))) == 1


@pytest.mark.parametrize("stored", [np.zeros((29, 6)), np.zeros(30), np.array([b"a"] * 30), None])
def test_another_table_is_refused_in_the_same_words(saved, tmp_path, stored):
    path = saved()
    with h5py.File(path, "r+") as file:
        del file["X"]
        if stored is not None:
            file["X"] = stored
            file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    assert len(set(refusals(path, tmp_path))) == 1


def test_a_table_in_place_of_the_counts_is_refused_in_the_same_words(saved, tmp_path):
    path = saved()
    with h5py.File(path, "r+") as file:
        del file["X"]
        file.copy("obs", "X")
    assert len(set(refusals(path, tmp_path))) == 1


def test_flipped_bytes_are_refused_or_read_alike(section, tmp_path):
    path = tmp_path / "file.h5ad"
    section.write_h5ad(path, compression="gzip")
    with h5py.File(path) as file:
        start = file["X/data"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start + 12] ^= 64
    path.write_bytes(content)
    assert set(refusals(path, tmp_path)) == {
        "file.h5ad: `X` is damaged. Copy the file again, or write it again."
    }


def test_counts_by_columns_are_asked_for_by_rows(section, saved, tmp_path):
    section.X = section.X.tocsc()
    with pytest.raises(InputError, match="Store it as CSR"):
        io.read(saved(), scratch=tmp_path)
    assert io.read(saved()).n_obs == 30
    with h5py.File(saved(), "r+") as file:
        file["layers"].create_dataset("counts", shape=(10**8, 10**6), dtype="f4", chunks=(100, 100))
    assert not io.is_large(tmp_path / "file.h5ad")


def test_a_folder_that_is_not_there_is_refused(saved, tmp_path):
    with pytest.raises(InputError, match="cannot be used: No such file"):
        io.read(saved(), scratch=tmp_path / "absent")


def test_a_disk_that_is_too_small_is_refused_and_left_as_it_was(saved, tmp_path, monkeypatch):
    path = saved()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 100))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(InputError, match=r"has 0\.0 GB free, but 0\.0 GB are needed"):
        io.read(path, scratch=scratch)
    assert not list(scratch.iterdir())


def test_a_write_that_fails_is_said_in_one_line(section, tmp_path):
    rows = in_files.Rows(tmp_path, section.X.nnz)
    rows._values.mkdir()
    with pytest.raises(InputError, match="could not be written: Is a directory"):
        rows.append(section.X)


def test_declared_counts_of_any_size_are_checked_against_the_disk_alone(saved, tmp_path):
    path = saved()
    with h5py.File(path, "r+") as file:
        for name, dtype in (("data", "f4"), ("indices", "i4")):
            del file[f"X/{name}"]
            file["X"].create_dataset(
                name, shape=(10**14,), dtype=dtype, chunks=(1000,), compression="gzip", maxshape=(None,)
            )
    assert io.is_large(path)
    with pytest.raises(InputError, match="declares 800,000"):
        io.read(path)
    with pytest.raises(InputError, match=r"GB free, but [\d,.]+ GB are needed"):
        io.read(path, scratch=tmp_path)
    with h5py.File(path, "r+") as file:
        assert "X/data" in hdf5.check(file, "file", max_bytes=10**6, streamed=True)
        file.create_dataset("raw/X/data", shape=(10**14,), dtype="f4", chunks=(10**6,))
        with pytest.raises(InputError, match=r"declares 0\.0 GB"):  # one chunk is unpacked as a whole
            hdf5.check(file, "file", max_bytes=10**6, streamed=True)


@pytest.fixture(scope="module")
def bundle():
    toy = datasets.toy(n_cells=300)
    genes = toy[:, toy.var_names[::-1][: toy.n_vars // 2]].copy()
    models = {}
    for name, section in (("all", toy), ("some", genes)):
        *_, last = squint.train(
            section,
            model=ModelConfig(n_codes=8, n_hidden=16, n_latent=12),
            train=TrainConfig(n_epochs=1, context_steps=0),
        )
        models[name] = last.bundle
    return models


@pytest.mark.parametrize("panel", ["all", "some"])
def test_tokens_are_equal_bit_for_bit(bundle, tmp_path, panel):
    io.write(datasets.toy(n_cells=300), tmp_path / "toy.h5ad")
    sections = [io.read(tmp_path / "toy.h5ad"), read_in_parts(tmp_path / "toy.h5ad", tmp_path, 100)]
    for section in sections:
        tl.tokenize(section, bundle[panel])
    at_once, in_parts = sections
    for slot in (keys.LATENT, keys.TOKENS):
        assert at_once.obsm[slot].tobytes() == in_parts.obsm[slot].tobytes()
    pd.testing.assert_frame_equal(at_once.obs, in_parts.obs)
    said = [section.uns[keys.PROVENANCE]["section_condition"] for section in sections]
    assert said[0] == said[1] == dict.fromkeys(said[0], "trained")
    assert isinstance(in_parts.obsm[keys.LATENT].base, np.memmap)
    io.write(in_parts, tmp_path / "out.h5ad")
    again = io.read(tmp_path / "out.h5ad")
    assert np.asarray(again.obsm[keys.LATENT]).tobytes() == np.asarray(at_once.obsm[keys.LATENT]).tobytes()
    assert (again.X != at_once.X).nnz == 0


@given(counts=matrices(), n_values=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_rows_change_in_blocks_as_they_do_at_once(tmp_path, counts, n_values):
    counts = sparse.csr_matrix(counts, dtype=np.float32)
    counts.sum_duplicates()
    with TemporaryDirectory(dir=tmp_path) as folder:
        rows = in_files.Rows(tmp_path / folder, counts.nnz)
        rows.append(counts)
        mapped = rows.finish()
        weight = np.arange(N_CELLS, dtype=np.float32)

        def weigh(rows, at):
            return sparse.csr_matrix(sparse.diags(weight[at], dtype=np.float32) @ rows[:, ::-1])

        expected, found = (in_files.change_rows(x, weigh, n_values=n_values) for x in (counts, mapped))
        assert (expected != found).nnz == 0
        assert found.has_sorted_indices


def test_hidden_cells_are_emptied_on_disk_too(bundle, tmp_path):
    io.write(datasets.toy(n_cells=300), tmp_path / "toy.h5ad")
    hidden = np.arange(300) % 3 == 0
    of = bundle["some"]
    at_once, in_parts = (
        prepare(section, of.genes, of.model_config, scale=of.scale, hidden=hidden).counts
        for section in (io.read(tmp_path / "toy.h5ad"), io.read(tmp_path / "toy.h5ad", scratch=tmp_path))
    )
    assert (at_once != in_parts).nnz == 0
    assert in_files.folder_of(in_parts) is not None


def test_the_hash_of_a_section_of_several_blocks_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    n_cells, n_genes = 40_000, 70
    section = AnnData(
        sparse.csr_matrix(rng.integers(0, 5, (n_cells, n_genes)).astype(np.float32)),
        var=pd.DataFrame(index=[f"G{number}" for number in rng.permutation(n_genes)]),
        obsm={keys.SPATIAL: rng.integers(0, 150, (n_cells, 2)).astype(np.float64)},  # some at one point
    )
    assert section.X.nnz > in_files.BLOCK
    cells = np.flatnonzero(rng.random(n_cells) < 0.95)
    genes = list(section.var_names[rng.permutation(n_genes)[:68]])
    assert section_sha256(section, cells, genes) == section_sha256(section[cells, genes])

    names = np.sort(genes)
    counts = section[cells, list(names)].X.toarray().astype(np.int64)
    position = section.obsm[keys.SPATIAL][cells]
    order = np.lexsort((counts.sum(axis=1), position[:, 0], position[:, 1]))
    counts = sparse.csr_matrix(counts[order])
    digest = hashlib.sha256("\n".join(names).encode())
    for part in (counts.indptr, counts.indices, counts.data, position[order].view(np.int64)):
        digest.update(np.asarray(part, np.int64).tobytes())
    assert section_sha256(section, cells, genes) == digest.hexdigest()


@pytest.fixture
def command(bundle, tmp_path):
    """Give a folder with a section, a model, and an empty folder for scratch files."""
    io.write(datasets.toy(n_cells=300), tmp_path / "toy.h5ad")
    bundle["all"].save(tmp_path / "bundle")
    (tmp_path / "scratch").mkdir()

    def tokenize(*arguments, path="toy.h5ad"):
        words = ["tokenize", str(tmp_path / path), "--model", str(tmp_path / "bundle")]
        return main([*words, *map(str, arguments)])

    return tokenize


def test_the_command_says_that_it_reads_in_parts_and_leaves_nothing(command, tmp_path, capsys):
    scratch = tmp_path / "scratch"
    facts = tmp_path / "facts.json"
    assert command("--out", tmp_path / "a.h5ad") == 0
    assert "read in parts" not in capsys.readouterr().err
    assert command("--out", tmp_path / "b.h5ad", "--scratch", scratch, "--json", facts) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "read in parts" in line]
    assert len(lines) == 1
    assert str(scratch) in lines[0]
    assert not list(scratch.iterdir())
    assert json.loads(facts.read_text())["files"][0]["n_cells"] == 300
    first, second = (io.read(tmp_path / name) for name in ("a.h5ad", "b.h5ad"))
    assert np.asarray(first.obsm[keys.LATENT]).tobytes() == np.asarray(second.obsm[keys.LATENT]).tobytes()


def test_the_command_leaves_nothing_where_it_fails_either(command, section, tmp_path, capsys):
    scratch = tmp_path / "scratch"
    section.write_h5ad(tmp_path / "other.h5ad")  # none of the model's genes
    assert command("--out", tmp_path / "b.h5ad", "--scratch", scratch, path="other.h5ad") == 2
    assert "genes" in capsys.readouterr().err
    assert command("--out", tmp_path / "b.h5ad", "--scratch", tmp_path / "absent") == 2
    assert "cannot be used" in capsys.readouterr().err
    assert not list(scratch.iterdir())


def test_large_counts_are_read_in_parts_without_being_asked(command, tmp_path, capsys):
    toy = datasets.toy(n_cells=300)
    toy.layers["counts"] = toy.X
    toy.write_h5ad(tmp_path / "large.h5ad")
    with h5py.File(tmp_path / "large.h5ad", "r+") as file:
        # More than the disk or the memory has, and no byte of it written.
        del file["layers/counts"]
        file["layers"].create_dataset(
            "counts", shape=(10**8, 10**6), dtype="f4", chunks=(100, 100), compression="gzip"
        )
    out = tmp_path / "out"
    assert command("--out", out, path="large.h5ad") == 0
    assert f"in {out}" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["large.h5ad"]
    assert (
        Bundle.load(tmp_path / "bundle").sha256 == io.read(out / "large.h5ad").uns["squint"]["model_sha256"]
    )
