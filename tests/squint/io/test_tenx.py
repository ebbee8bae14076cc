"""Matrices of 10x Genomics: every layout gives the same counts, and what contradicts itself is refused."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from zarr.registry import get_numcodec

from squint.errors import InputError
from squint.io import packed
from squint.io.findings import Findings
from squint.io.tenx import Matrix, read_first, read_matrix, sources
from tests.helpers.sabotage import WAYS
from tests.helpers.tenx_files import write_folder, write_h5, write_zarr

NAMES = ["ACTB", "CD3E", "MS4A1", "NegControlProbe_00001"]
TYPES = ["Gene Expression"] * 3 + ["Negative Control Probe"]
BARCODES = ["aaaajkmo-1", "aaabckmo-1", "jcccmpde-1", "pppppppp-12", "aaaaaaaa-1"]
COUNTS = np.array([[1, 0, 3, 0], [0, 0, 0, 0], [7, 2, 0, 1], [0, 0, 0, 5], [1, 1, 1, 1]])


def write(layout: str, folder: Path) -> Path:
    if layout == "h5":
        write_h5(folder / "m.h5", COUNTS, BARCODES, NAMES, types=TYPES)
        return folder / "m.h5"
    if layout == "h5 as R writes it":
        floats = dict.fromkeys(("data", "indices", "indptr", "shape"), "f8")
        write_h5(folder / "m.h5", COUNTS, BARCODES, NAMES, types=TYPES, **floats)
        return folder / "m.h5"
    if layout.startswith("zarr"):
        path = folder / ("m.zarr.zip" if "zipped" in layout else "m.zarr")
        blosc: Any = {"id": "blosc", "cname": "lz4"}
        packing = get_numcodec(blosc) if "Xenium" in layout else "auto"
        version = 3 if "3" in layout else 2
        write_zarr(path, COUNTS, BARCODES, NAMES, types=TYPES, version=version, compressors=packing)
        return path
    write_folder(folder / "m", COUNTS, BARCODES, NAMES, types=TYPES, packed=layout == "folder, gzipped")
    return folder / "m"


FILES = ("h5", "h5 as R writes it", "folder", "folder, gzipped")
LAYOUTS = (*FILES, "zarr", "zarr, zipped", "zarr 3", "zarr 3, zipped", "zarr, as Xenium packs it")


def check(matrix: Matrix) -> None:
    assert matrix.counts.format == "csr"
    assert matrix.counts.dtype == np.float32
    assert np.array_equal(matrix.counts.toarray(), COUNTS)
    assert list(matrix.barcodes) == BARCODES
    assert list(matrix.var.index) == NAMES
    assert list(matrix.var["feature_types"]) == TYPES
    assert matrix.var["gene_ids"].iloc[1] == "ENSG00000000001"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(layout, tmp_path):
    check(read_matrix(write(layout, tmp_path)))


@given(
    st.integers(0, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=n, max_size=n)
    )
)
def test_any_counts_come_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    counts = np.array(rows, int).reshape(-1, 3)
    cells = [f"c{i}" for i in range(len(counts))]
    write_h5(folder / "m.h5", counts, cells, NAMES[:3], types=TYPES[:3])
    assert np.array_equal(read_matrix(folder / "m.h5").counts.toarray(), counts)
    if len(counts):
        write_folder(folder / "m", counts, cells, NAMES[:3])
        old = read_matrix(folder / "m")
        assert np.array_equal(old.counts.toarray(), counts)
        assert "feature_types" not in old.var


def test_proteins_may_have_fractions_and_genes_may_not(tmp_path):
    counts = COUNTS + np.array([0, 0, 0, 0.5])
    kinds = ["Gene Expression"] * 3 + ["Protein Expression"]
    write_h5(tmp_path / "m.h5", counts, BARCODES, NAMES, types=kinds, data="f8")
    assert read_matrix(tmp_path / "m.h5").counts[0, 3] == 0.5
    write_h5(tmp_path / "m.h5", counts[:, ::-1], BARCODES, NAMES, types=kinds, data="f8")
    with pytest.raises(InputError, match=r"m\.h5 holds values that are no counts \(5 negative or no whole"):
        read_matrix(tmp_path / "m.h5")


def spoil(path: Path, key: str, at: int, value: float) -> None:
    with h5py.File(path, "r+") as file:
        file[f"matrix/{key}"][at] = value


@pytest.mark.parametrize(
    ("key", "at", "value", "words"),
    [
        ("indices", 2, 4, "`indices` has 4 at position 2, beyond the limit 3"),
        ("indices", 2, -1, "`indices` has -1 at position 2"),
        ("indices", 0, 2**40, "beyond the limit 3"),
        ("indptr", 2, 9, "`indptr` falls at position 3"),
        ("indptr", 5, 99, "`indptr` ends at 99"),
        ("shape", 1, 6, "states 6 cells, and has 5 barcodes"),
        ("shape", 0, 3, "states 3 features, and has 4 names"),
        ("data", 0, -2, "no counts (1 negative"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(tmp_path, key, at, value, words):
    path = write("h5", tmp_path)
    spoil(path, key, at, value)
    with pytest.raises(InputError) as refused:
        read_matrix(path)
    assert words in str(refused.value)
    assert "m.h5" in str(refused.value)


@pytest.mark.parametrize("part", ["matrix/barcodes", "matrix/features/name", "matrix/data", "matrix"])
def test_a_file_that_lacks_a_part_is_refused(tmp_path, part):
    path = write("h5", tmp_path)
    with h5py.File(path, "r+") as file:
        del file[part]
        if part.endswith("name"):
            del file["matrix/features/id"]
    with pytest.raises(InputError, match=r"m\.h5"):
        read_matrix(path)


def test_lists_of_another_matrix_are_refused_with_both_numbers(tmp_path):
    folder = write("folder", tmp_path)
    (folder / "barcodes.tsv").write_text("\n".join(BARCODES[:3]))
    with pytest.raises(
        InputError, match=r"4 rows and 5 columns, but features.tsv names 4 .* barcodes.tsv 3 "
    ):
        read_matrix(folder)


@pytest.mark.parametrize(
    "header",
    [
        "%%MatrixMarket matrix array real general",
        "%%MatrixMarket matrix coordinate complex general",
        "5 4 9",
        "",
    ],
)
def test_another_kind_of_matrix_market_is_refused(tmp_path, header):
    folder = write("folder", tmp_path)
    lines = (folder / "matrix.mtx").read_text().splitlines()
    (folder / "matrix.mtx").write_text("\n".join([header, *lines[1:]]))
    with pytest.raises(InputError, match=r"matrix\.mtx"):
        read_matrix(folder)


@pytest.mark.parametrize("kind", ["integer", "real"])
@pytest.mark.parametrize("spoilt", ["1 1 2\0\0 3", "1 1 2;", "1 1 0x2", "1 1 1.5"])
def test_letters_that_are_none_of_numbers_are_refused_before_they_are_read(tmp_path, kind, spoilt):
    """A NUL ends the process that scipy reads in, and a fraction is cut to a whole number."""
    folder = write("folder", tmp_path)
    _, *text = (folder / "matrix.mtx").read_text().splitlines()
    at = next(i for i, line in enumerate(text) if not line.startswith("%"))  # of the sizes
    header = f"%%MatrixMarket matrix coordinate {kind} general"
    content = [header, *text[: at + 1], spoilt, *text[at + 2 :]]
    (folder / "matrix.mtx").write_text("\n".join([*content, ""]))
    with pytest.raises(InputError, match=r"matrix\.mtx"):
        read_matrix(folder)


def test_a_size_that_memory_does_not_hold_is_refused_from_the_header(tmp_path):
    folder = write("folder", tmp_path)
    lines = (folder / "matrix.mtx").read_text().splitlines()
    (folder / "matrix.mtx").write_text("\n".join([*lines[:2], "4 5 999999999999999", *lines[3:]]))
    with pytest.raises(InputError, match=r"matrix\.mtx declares 999,999,999,999,999 values"):
        read_matrix(folder)


def test_a_file_that_unfolds_without_end_is_refused(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10**7)))
    with (
        packed.opened(tmp_path / "bomb.gz", most=10**6) as stream,
        pytest.raises(InputError, match="larger than"),
    ):
        stream.read()


@pytest.mark.parametrize("layout", [*FILES, "zarr, zipped"])
@pytest.mark.parametrize("way", WAYS)
def test_each_file_spoilt_is_read_all_the_same_or_refused_by_name(tmp_path, layout, way):
    path = write(layout, tmp_path)
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        kept = file.read_bytes()
        WAYS[way](file)
        if way == "gzipped" and path.is_dir():
            check(read_matrix(path))
        else:
            with pytest.raises(InputError) as refused:
                read_matrix(path)
            assert file.name in str(refused.value)
            assert "\n" not in str(refused.value)
        file.write_bytes(kept)


def files_of(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize("layout", ["zarr", "zarr 3", "zarr, as Xenium packs it"])
@pytest.mark.parametrize("way", ["removed", "emptied", "cut"])
def test_each_file_of_a_store_spoilt_is_refused_or_does_not_matter(tmp_path, layout, way):
    path = write(layout, tmp_path)
    n_refused = 0
    for name in files_of(path):
        kept = (path / name).read_bytes()
        WAYS[way](path / name)
        try:
            matrix = read_matrix(path)
        except InputError as error:
            n_refused += "m.zarr" in str(error) and "\n" not in str(error)
        else:
            check(matrix)  # descriptions that say nothing
            n_refused += name.count("/") < 2 or name.endswith(".zattrs")
        (path / name).write_bytes(kept)
    assert n_refused == len(files_of(path))


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "|O", "filters": [{"id": "pickle"}]},
        {"compressor": {"id": "pickle"}},
        {"filters": [{"id": "delta"}]},
        {"shape": [10**13]},
        {"chunks": [10**13]},
    ],
)
def test_a_store_with_harmful_descriptions_is_refused(tmp_path, change):
    path = write("zarr", tmp_path)
    about = path / "cell_features/data/.zarray"
    about.write_text(json.dumps(json.loads(about.read_text()) | change))
    with pytest.raises(InputError, match=r"m\.zarr is refused: .*data .*(larger|more) than"):
        read_matrix(path)


def test_a_store_with_a_link_or_an_entry_outside_is_refused(tmp_path):
    path = write("zarr", tmp_path)
    (path / "cell_features/data/0").unlink()
    (path / "cell_features/data/0").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"m\.zarr is refused: '0' is a link"):
        read_matrix(path)
    zipped = write("zarr, zipped", tmp_path)
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr("../out", "x")
    with pytest.raises(InputError, match=r"m\.zarr\.zip is refused: an entry .* harmful name"):
        read_matrix(zipped)


def test_rows_of_a_store_that_sum_others_are_no_features(tmp_path):
    sums = np.column_stack([COUNTS, COUNTS[:, :3].sum(axis=1)])
    kinds = [*TYPES, "aggregate_gene"]
    write_zarr(tmp_path / "m.zarr", sums, BARCODES, [*NAMES, "all genes"], types=kinds)
    check(read_matrix(tmp_path / "m.zarr"))


def test_of_two_forms_the_sound_one_is_read_and_the_other_named(tmp_path):
    write_folder(tmp_path / "x", COUNTS, BARCODES, NAMES, types=TYPES)
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    findings = Findings()
    found = sources(tmp_path, "x")
    matrix, path = read_first(found, findings)
    check(matrix)
    assert path == tmp_path / "x"
    assert [item.file for item in findings.left_out] == ["x.h5"]
    with pytest.raises(InputError, match=r"x\.h5"):
        read_first(found[:1], findings)


def test_a_link_is_refused(tmp_path):
    path = write("h5", tmp_path)
    (tmp_path / "other.h5").symlink_to(path)
    with pytest.raises(InputError, match="is a link"):
        read_matrix(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("name", "shape", "total"),
    [
        ("xenium_bonemarrow_cell_feature_matrix_h5/cell_feature_matrix.h5", (84_518, 541), 862_575),
        ("xenium_1.x_mousebrain_sfe/cell_feature_matrix.h5", (526, 30), 45_729),
        ("visium_seurat/filtered_feature_bc_matrix.h5", (2_695, 100), 132_231),
        ("visium_v1_spatialexperiment_2sections/section1/outs/raw_feature_bc_matrix", (50, 50), 682),
    ],
)
def test_the_vendor_s_own_files(bundle, name, shape, total):
    matrix = read_matrix(bundle(name))
    assert matrix.counts.shape == shape
    assert matrix.counts.sum() == total


def test_what_is_no_hdf5_is_called_so(tmp_path):
    (tmp_path / "m.h5").write_bytes(b"barcode,gene")
    with pytest.raises(InputError, match=r"m\.h5 is not an HDF5 file"):
        read_matrix(tmp_path / "m.h5")
