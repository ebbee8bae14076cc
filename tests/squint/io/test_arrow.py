"""Columns of Parquet and CSV files: the same whatever the form, and refused where something is wrong."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.io import arrow
from squint.io.arrow import column_names, read_columns, texts, to_pandas
from tests.helpers.xenium_folder import write_table

NAMES = ["a-1", "0123", "é"]
COLUMNS = {"cell_id": NAMES, "x": [1.5, 2.0, -3.0], "kind": ["s", "t", "s"], "n": pa.array([1, None, 3])}


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_forms_of_one_table_give_the_same(tmp_path, name):
    write_table(tmp_path / name, COLUMNS)
    assert column_names(tmp_path / name) == list(COLUMNS)
    table = read_columns(tmp_path / name, text={"cell_id", "kind"})
    assert list(texts(table["cell_id"])) == NAMES
    frame = to_pandas(table)
    assert frame["x"].tolist() == [1.5, 2.0, -3.0]
    assert frame["kind"].tolist() == ["s", "t", "s"]
    assert isinstance(frame["kind"].dtype, pd.CategoricalDtype)
    assert frame["n"].isna().tolist() == [False, True, False]
    assert read_columns(tmp_path / name, ["x"]).column_names == ["x"]
    with pytest.raises(InputError, match=r"has no column y, z; it has cell_id, x"):
        read_columns(tmp_path / name, ["x", "y", "z"])


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.int64(), pa.uint64(), pa.string(), pa.large_string(), pa.binary()]
)
@given(numbers=st.lists(st.integers(0, 2**31 - 1), max_size=5))
def test_names_of_every_type_are_text(kind, numbers):
    is_number = pa.types.is_integer(kind)
    column = pa.chunked_array([pa.array(numbers if is_number else [str(n) for n in numbers]).cast(kind)])
    assert list(texts(column)) == [str(n) for n in numbers]
    if not is_number:
        assert list(texts(column.dictionary_encode())) == [str(n) for n in numbers]


def test_names_that_are_none_are_refused():
    with pytest.raises(InputError, match="1 names are missing"):
        texts(pa.chunked_array([["a", None]]))
    with pytest.raises(InputError, match="double"):
        texts(pa.chunked_array([[1.5]]))


def test_a_table_larger_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "memory_budget", lambda: 1_000)
    columns = {"cell_id": ["a"] * 1_000, "x": np.arange(1_000.0)}
    write_table(tmp_path / "t.parquet", columns)
    with pytest.raises(InputError, match=r"t\.parquet declares 1,000 rows"):
        read_columns(tmp_path / "t.parquet")
    write_table(tmp_path / "t.csv.gz", columns)
    with pytest.raises(InputError, match=r"t\.csv\.gz is refused: unpacked it is larger"):
        read_columns(tmp_path / "t.csv.gz")


@pytest.mark.parametrize(
    "text", ["cell_id,x\na,1\nb\n", "cell_id,cell_id\na,b\n", 'cell_id,x\n"a,1\n', "cell_id,x\n\xff,1\n"]
)
def test_a_broken_csv_file_is_refused(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"t\.csv"):
        read_columns(tmp_path / "t.csv", text={"cell_id"})


@given(st.data())
def test_a_parquet_file_with_a_byte_changed_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "t.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        assert read_columns(path, ["cell_id", "x"]).column_names == ["cell_id", "x"]
    except InputError as error:
        assert "t.parquet" in str(error)  # noqa: PT017 - some changes do not matter


def test_a_parquet_file_that_was_gzipped_is_refused(tmp_path):
    write_table(tmp_path / "t.parquet", COLUMNS)
    (tmp_path / "t.parquet").write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(InputError, match=r"t\.parquet"):
        read_columns(tmp_path / "t.parquet", ["cell_id"])
