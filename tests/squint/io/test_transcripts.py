"""Transcripts of chosen genes are read exactly from each form of the files, and the rest is counted."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from squint.errors import InputError
from squint.io import transcripts
from squint.io.transcript_files import preferred

KNOWN = ["ACTB", "CD3E", "MS4A1"]
NAMES = [*KNOWN, "NegControlProbe_00001", "UnassignedCodeword_0001"]


def table(n: int = 5_000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "transcript_id": np.arange(n),
            "feature_name": rng.choice(NAMES, n),
            "x_location": rng.uniform(0, 900, n).astype(np.float32),
            "y_location": rng.uniform(0, 700, n).astype(np.float32),
            "qv": rng.uniform(5, 40, n).astype(np.float32),
        }
    )


def write(folder: Path, name: str, told: pd.DataFrame, *, as_bytes: bool = False) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        made = pa.Table.from_pandas(told, preserve_index=False)
        if as_bytes:
            column = made["feature_name"].cast(pa.binary())
            made = made.set_column(made.column_names.index("feature_name"), "feature_name", column)
        pq.write_table(made, path, row_group_size=700)
    else:
        text = told.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize(
    ("name", "as_bytes"),
    [
        ("transcripts.parquet", False),
        ("transcripts.parquet", True),
        ("transcripts.csv.gz", False),
        ("transcripts.csv", False),
    ],
)
def test_a_table_of_xenium(tmp_path: Path, name: str, *, as_bytes: bool) -> None:
    told = table()
    shares: list[float] = []
    found = transcripts.read(
        write(tmp_path, name, told, as_bytes=as_bytes), ["CD3E", "ACTB"], KNOWN, shares.append
    )
    assert list(found.genes) == ["CD3E", "ACTB"]
    for gene, spots in found.genes.items():
        own = told[told.feature_name == gene]
        good = own[own.qv >= 20]
        assert spots.n_low == len(own) - len(good) > 0
        np.testing.assert_allclose(spots.places, good[["x_location", "y_location"]], rtol=1e-6)
    assert found.n_other == int((~told.feature_name.isin(KNOWN)).sum())
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1


def test_a_table_of_merscope_has_no_quality(tmp_path: Path) -> None:
    told = table(300)
    told = told.rename(columns={"feature_name": "gene", "x_location": "global_x", "y_location": "global_y"})
    found = transcripts.read(write(tmp_path, "detected_transcripts.csv", told), ["MS4A1"], KNOWN, print)
    own = told[told.gene == "MS4A1"]
    np.testing.assert_allclose(found.genes["MS4A1"].places, own[["global_x", "global_y"]], rtol=1e-6)
    assert found.genes["MS4A1"].n_low == 0


def test_a_gene_without_transcripts_has_none(tmp_path: Path) -> None:
    told = table(50)
    found = transcripts.read(write(tmp_path, "transcripts.parquet", told), ["XIST"], ["XIST", "ACTB"], print)
    assert found.genes["XIST"].places.shape == (0, 2)
    assert found.n_other == int((told.feature_name != "ACTB").sum())


def test_a_file_that_names_no_gene_of_the_section_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "transcripts.parquet", table(50))
    with pytest.raises(InputError, match="'feature_name' names no gene of this section"):
        transcripts.read(path, ["XIST"], ["XIST"], print)


@pytest.mark.parametrize("name", ["transcripts.parquet", "transcripts.csv.gz"])
def test_a_file_that_breaks_off_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, table())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="damaged"):
        transcripts.read(path, ["CD3E"], KNOWN, print)


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "transcripts.parquet", table().drop(columns="y_location"))
    with pytest.raises(InputError, match="y_location"):
        transcripts.read(path, ["CD3E"], KNOWN, print)


def test_which_file_of_a_source_is_read() -> None:
    names = ["run/transcripts.csv.gz", "run/transcripts.parquet", "run/cells.parquet", "a/b/transcripts.csv"]
    assert preferred(names) == "run/transcripts.parquet"
    assert preferred(names[2:]) is None
    assert preferred(["R_detected_transcripts.csv"]) == "R_detected_transcripts.csv"


@pytest.mark.parametrize(
    "names",
    [
        ["A/transcripts.csv", "B/transcripts.csv"],
        ["A_detected_transcripts.csv", "B_detected_transcripts.csv"],
    ],
)
def test_of_several_sources_the_transcripts_of_the_chosen_one_are_read(names: list[str]) -> None:
    assert preferred(names) is None
    assert preferred(names, "B") == preferred(names, "x/B") == names[1]
    assert preferred(names, "C") is None
