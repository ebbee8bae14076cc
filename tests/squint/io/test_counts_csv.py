"""Text tables of counts: what is written is read, and what is no table is refused by file and line."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from squint.errors import InputError
from squint.io import counts_csv
from squint.io.counts_csv import columns_of, read_counts_csv
from squint.io.mapped import Scratch, folder_of

IDS = [
    "103327291694389284070574461648020091166",
    "112824700230101249",
    "26985800002100002",
    "007",
    "1e5",
    "NA",
    "a b",
]


def write(path: Path, rows: list[list[object]], delimiter: str = ",", end: str = "\n") -> Path:
    path.write_text("".join(delimiter.join(map(str, row)) + end for row in rows), newline="")
    return path


@given(
    counts=arrays(np.int32, array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 1 << 24)),
    delimiter=st.sampled_from([",", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
    block=st.integers(1, 200),
)
def test_counts_and_ids_are_those_written(tmp_path_factory, counts, delimiter, end, packed, block):
    n_cells, n_genes = counts.shape
    ids = [f"{IDS[i % len(IDS)]}" for i in range(n_cells)]
    genes = [f"GENE{i}" for i in range(n_genes)]
    rows = [["cell", *genes], *([name, *row] for name, row in zip(ids, counts, strict=True))]
    path = write(tmp_path_factory.mktemp("table") / "counts.csv", rows, delimiter, end)
    if packed:  # whatever the name says
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts_csv, "BLOCK", (block, block))
        table = read_counts_csv(path, ["cell"])
    assert (table.counts.toarray() == counts).all()
    assert table.counts.dtype == np.float32
    assert table.counts.has_sorted_indices
    assert table.ids["cell"].tolist() == ids
    assert table.features == genes == columns_of(path)[1:]


def test_a_gz_that_is_plain_text_is_read(tmp_path):
    path = write(tmp_path / "counts.csv.gz", [["cell", "A"], ["c1", 3]])
    assert read_counts_csv(path, ["cell"]).counts.toarray().tolist() == [[3]]


@pytest.mark.parametrize("header", [["", "A", "B"], ['""', '"A"', '"B"'], ["A", "B"]])
def test_an_unnamed_first_column_holds_ids(header, tmp_path):
    path = write(tmp_path / "counts.tsv", [header, ['"c1"', 0, 2], ['"c2"', 1, 0]], "\t")
    table = read_counts_csv(path, [""])
    assert table.ids[""].tolist() == ["c1", "c2"]
    assert table.features == ["A", "B"]
    assert table.counts.toarray().tolist() == [[0, 2], [1, 0]]


def test_several_columns_of_ids_may_stand_anywhere(tmp_path):
    path = write(tmp_path / "counts.csv", [["fov", "A", "cell_ID", "B"], ["01", 5, "1", 0], ["2", 0, "1", 7]])
    table = read_counts_csv(path, ["fov", "cell_ID"])
    assert table.ids.to_numpy().tolist() == [["01", "1"], ["2", "1"]]
    assert table.counts.toarray().tolist() == [[5, 0], [0, 7]]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "cell_ID", "fov", "Barcode"])
def test_what_is_called_like_names_of_cells_is_no_feature(tmp_path, name):
    path = write(tmp_path / "counts.csv", [["EntityID", name, "A"], ["c1", 7, 2], ["c2", 8, 3]])
    table = read_counts_csv(path, ["EntityID"])
    assert table.features == ["A"]
    assert table.counts.toarray().tolist() == [[2], [3]]
    assert table.ids[name].tolist() == ["7", "8"]


def test_fractions_and_whole_numbers_written_as_fractions_are_kept(tmp_path):
    path = write(tmp_path / "counts.csv", [["cell", "A", "B"], ["c1", "0.0", "3.0"], ["c2", 1, 0.25]])
    assert read_counts_csv(path, ["cell"]).counts.toarray().tolist() == [[0, 3], [1, 0.25]]


def test_counts_lie_in_scratch_files_where_there_is_a_folder(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.5, (50, 8))
    rows = [["cell", *"ABCDEFGH"], *([i, *row] for i, row in enumerate(counts))]
    path = write(tmp_path / "counts.csv", rows)
    (folder := tmp_path / "scratch").mkdir()
    table = read_counts_csv(path, ["cell"], Scratch(folder))
    assert folder_of(table.counts) == folder
    assert (table.counts.toarray() == counts).all()


def test_blank_lines_are_no_cells(tmp_path):
    (path := tmp_path / "counts.csv").write_text("cell,A\n\nc1,1\n\nc2,2\n\n\n")
    assert read_counts_csv(path, ["cell"]).counts.toarray().tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "counts.csv: the file is empty"),
        ("cell,A\n", "a header and no cells"),
        ("cell\nc1\n", "no columns of counts"),
        ("name,A\nc1,1\n", "no column 'cell'"),
        ("cell,A,B,A\nc1,1,2,3\n", "two columns called 'A'"),
        ("cell,A,B\nc1,1,2\n\nc2,1\n", "line 4: 2 columns, and 3 in the header"),
        ("cell,A,B\nc1,1,2\nc2,1,2,3\n", "line 3: 4 columns, and 3 in the header"),
        ("cell,A,B\nc1,1,2\nc2,x,2\n", "line 3: 'x' in column 'A' is no count"),
        ("cell,A,B\nc1,1,2\n\nc2,1,\n", "line 4: nothing in column 'B' is no count"),
        ("cell,A,B\nc1,NA,2\n", "line 2: 'NA' in column 'A'"),
        ("cell,A,B\nc1,0.5,2\nc2,1,nan\n", "line 3: 'nan' in column 'B'"),
        ("cell,A,B\nc1,1,1e300\n", "line 2: 'inf' in column 'B'"),
        ("cell,A,B\nc\u00e4,1,2\n", "line 2: its text is not UTF-8"),
        ("c\u00e4ll,A,B\nc1,1,2\n", "is no text table"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(text, words, tmp_path):
    (path := tmp_path / "counts.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"counts\.csv") as refused:
        read_counts_csv(path, ["cell"])
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_line_is_that_of_the_file_in_later_blocks_too(tmp_path, monkeypatch):
    rows = [["cell", "A"], *([f"c{i}", 1] for i in range(100)), ["c100", "x"], ["c101", "y"]]
    monkeypatch.setattr(counts_csv, "BLOCK", (32, 32))
    with pytest.raises(InputError, match=r"line 102: 'x'"):
        read_counts_csv(write(tmp_path / "counts.csv", rows), ["cell"])


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_was_cut_is_refused(packed, tmp_path):
    rng = np.random.default_rng(0)
    rows = [["cell", *(f"G{i}" for i in range(40))], *([i, *rng.poisson(1, 40)] for i in range(300))]
    whole = write(tmp_path / "whole.csv", rows).read_bytes()
    whole = gzip.compress(whole) if packed else whole
    for share in (0.3, 0.5, 0.9):
        (path := tmp_path / "counts.csv").write_bytes(whole[: int(len(whole) * share) | 1])
        with pytest.raises(InputError, match=r"counts\.csv.*incomplete or damaged"):
            read_counts_csv(path, ["cell"])


def test_lines_that_do_not_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(counts_csv, "MAX_LINE", 1 << 10)
    monkeypatch.setattr(counts_csv, "BLOCK", (64, 64))
    for text in (bytes(5_000), b"cell,A\nc1,1\n" + b"1" * 5_000):
        (path := tmp_path / "counts.csv").write_bytes(text)
        with pytest.raises(InputError, match="more than 1,024 bytes"):
            read_counts_csv(path, ["cell"])


def test_what_memory_does_not_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(counts_csv, "memory_budget", lambda: 100)
    path = write(tmp_path / "counts.csv", [["cell", "A"], *([i, 1] for i in range(100))])
    with pytest.raises(InputError, match="more counts than fit into memory"):
        read_counts_csv(path, ["cell"])


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(InputError, match="was not found"):
        columns_of(tmp_path / "counts.csv")
    with pytest.raises(InputError, match="damaged"):
        columns_of(tmp_path)
