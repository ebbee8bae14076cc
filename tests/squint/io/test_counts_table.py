"""A table of counts beside one of positions: which is which, whose axis is the cells', whose position."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import io, keys
from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.counts_table import READER
from squint.io.counts_table_files import look, pairs_in
from squint.io.findings import AskedError
from squint.io.registry import sources_in
from tests.helpers.sabotage import mentions, outcome, spoilt
from tests.helpers.tenx_files import write_folder, write_h5

GENES = [f"GENE{i}" for i in range(6)]
N = 20


def numbers(n=N, seed=0):
    rng = np.random.default_rng(seed)
    counts = pd.DataFrame(rng.poisson(2.0, (n, len(GENES))), [f"{i:04d}" for i in range(n)], GENES)
    positions = pd.DataFrame({"x": 10.0 * np.arange(n), "y": rng.uniform(0, 5, n)}, counts.index)
    return counts, positions.assign(cluster=[i % 3 for i in range(n)], label="tumour")


def put(folder, **tables):
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index_label="cell")
    return folder


def dense(adata):
    return np.asarray(adata.X.todense())


def check(settled, counts, positions):
    adata = settled.adata
    assert adata.obs_names.tolist() == counts.index.tolist()
    assert adata.var_names.tolist() == counts.columns.tolist()
    np.testing.assert_array_equal(dense(adata), counts)
    np.testing.assert_array_equal(adata.obsm["spatial"], positions.loc[counts.index, ["x", "y"]])


# --- which axis, whose position ------------------------------------------------------------------------


def test_names_of_cells_come_before_numbers_of_rows(tmp_path):
    counts, positions = numbers()
    counts.index = positions.index = [str(1000 + 7 * i) for i in range(N)]
    put(tmp_path, where=positions)
    counts.reset_index(names="cell_id").to_csv(tmp_path / "counts.csv")
    check(read_settled(tmp_path, Answers()), counts, positions)


@pytest.mark.parametrize("turned", [False, True])
def test_names_tell_the_axis_of_cells_and_whose_position_is_whose(tmp_path, turned):
    counts, positions = numbers()
    shuffled = positions.sample(frac=1, random_state=1)
    settled = read_settled(put(tmp_path, counts=counts.T if turned else counts, where=shuffled), Answers())
    check(settled, counts, positions)
    assert settled.adata.obs["cluster"].tolist() == positions["cluster"].tolist()
    assert "cell" not in settled.adata.obs
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "unknown"


@given(seed=st.integers(0, 10_000), n=st.integers(9, 30), turned=st.booleans(), sep=st.sampled_from(",\t;"))
def test_what_is_written_is_read(tmp_path_factory, seed, n, turned, sep):
    folder = tmp_path_factory.mktemp("tables")
    counts, positions = numbers(n, seed)
    (counts.T if turned else counts).to_csv(folder / "a.txt.gz", sep="\t" if sep == ";" else sep)
    positions.to_csv(folder / "b.tsv", sep=sep)
    check(read_settled(folder, Answers()), counts, positions)


def test_positions_without_counts_are_left_out_and_counts_without_positions_refused(tmp_path):
    counts, positions = numbers()
    settled = read_settled(put(tmp_path, counts=counts.iloc[:15], where=positions), Answers())
    check(settled, counts.iloc[:15], positions)
    (left,) = settled.findings.left_out
    assert (left.n, left.file) == (5, "where.csv")
    put(tmp_path, counts=counts, where=positions.iloc[3:])
    with pytest.raises(InputError, match=r"3 of the 20 cells of counts\.csv have no position in where\.csv"):
        read_settled(tmp_path, Answers())


def test_cells_that_are_named_twice_are_refused(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, where=positions.rename(index={"0003": "0004"}))
    with pytest.raises(InputError, match=r"where\.csv names 1 cells that it named before"):
        read_settled(tmp_path, Answers())


def test_where_names_fit_both_axes_the_orientation_is_asked(tmp_path):
    _, positions = numbers(9)
    square = pd.DataFrame(np.arange(81).reshape(9, 9), positions.index, positions.index)
    put(tmp_path, counts=square, where=positions)
    with pytest.raises(AskedError, match=r"counts\.csv: Which axis") as caught:
        read_settled(tmp_path, Answers())
    assert caught.value.question.choices == ("cells-by-genes", "genes-by-cells")
    for orientation, expected in (("cells-by-genes", square), ("genes-by-cells", square.T)):
        adata = read_settled(tmp_path, Answers(orientation=orientation)).adata
        np.testing.assert_array_equal(dense(adata), expected)


@pytest.mark.parametrize("turned", [False, True])
def test_without_names_in_common_rows_are_matched_when_the_user_says_so(tmp_path, turned):
    counts, positions = numbers()
    put(tmp_path, counts=counts.T if turned else counts)
    positions[["x", "y"]].to_csv(tmp_path / "coordinates.csv", header=False, index=False)
    with pytest.raises(AskedError, match="Are they in the same order") as caught:
        read_settled(tmp_path, Answers())
    assert (caught.value.question.option, caught.value.question.choices) == ("match", ("rows",))
    settled = read_settled(tmp_path, Answers(match="rows"))
    check(settled, counts, positions)
    assert any(item.n == N for item in settled.findings.assumed)


def test_without_names_in_common_and_as_many_rows_as_columns_the_orientation_is_asked(tmp_path):
    n = 12
    square = pd.DataFrame(
        np.arange(n * n).reshape(n, n), [f"r{i}" for i in range(n)], [f"c{i}" for i in range(n)]
    )
    put(tmp_path, counts=square, where=numbers(n)[1])
    with pytest.raises(AskedError) as caught:
        read_settled(tmp_path, Answers(match="rows"))
    assert caught.value.question.option == "orientation"
    adata = read_settled(tmp_path, Answers(match="rows", orientation="genes-by-cells")).adata
    np.testing.assert_array_equal(dense(adata), square.T)


def test_tables_that_do_not_belong_together_are_refused_with_their_numbers(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts.add_prefix("a", axis=0), where=positions.iloc[:11])
    with pytest.raises(InputError, match=r"20 rows and 6 columns of values, and where\.csv 11 positions"):
        read_settled(tmp_path, Answers(match="rows"))


def test_values_that_are_no_counts_are_refused(tmp_path):
    counts, positions = numbers()
    later = counts.astype(float)
    later.iloc[7, 2] = 0.5
    for values in (np.log1p(counts + 1), later):
        put(tmp_path, counts=values, where=positions)
        with pytest.raises(InputError, match=r"counts\.csv holds values that are no counts"):
            read_settled(tmp_path, Answers())


def test_results_of_an_analysis_are_no_second_source(saved):
    path = saved()
    counts, positions = numbers()
    put(path.parent / "results", pca=counts - 0.5, umap=positions)
    assert [source.path for source in sources_in(path.parent)] == [path]


# --- columns -------------------------------------------------------------------------------------------


def test_the_user_names_columns_that_are_not_known(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, where=positions.rename(columns={"x": "axis_a", "y": "axis_b"}))
    with pytest.raises(InputError, match=r"where\.csv: No column is known to be x or y"):
        read_settled(tmp_path, Answers())
    check(read_settled(tmp_path, Answers(columns={"x": "axis_a", "y": "axis_b"})), counts, positions)
    assert io.obs_columns(tmp_path) == ["axis_a", "axis_b", "cell", "cluster", "label"]


def test_columns_that_end_with_a_unit_state_it(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, where=positions.rename(columns={"x": "x_um", "y": "y_um"}))
    assert io.validate(tmp_path).unit == "um"


def test_a_third_coordinate_and_the_line_of_types_of_the_single_cell_portal(tmp_path):
    counts, positions = numbers()
    put(tmp_path, expression=counts.T)
    rows = [f"{cell},{row.x},{row.y},{i},tumour" for i, (cell, row) in enumerate(positions.iterrows())]
    lines = ["NAME,X,Y,Z,kind", "TYPE,numeric,numeric,numeric,group", *rows]
    (tmp_path / "cells.csv").write_text("\n".join(lines))
    adata = read_settled(tmp_path, Answers()).adata
    np.testing.assert_array_equal(adata.obsm["spatial"][:, 2], np.arange(N))
    assert adata.obs_names.tolist() == counts.index.tolist()


def test_of_x_and_large_x_the_small_one_counts(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, where=positions.assign(X=range(N), Y=range(N)))
    check(read_settled(tmp_path, Answers(columns={"x": ""})), counts, positions)


@pytest.mark.parametrize("where", ["both", "counts"])
def test_headers_as_r_writes_them_name_no_first_column(tmp_path, where):
    counts, positions = numbers()
    counts.to_csv(tmp_path / "counts.tsv", sep="\t", index_label=False)
    positions.to_csv(tmp_path / "where.tsv", sep="\t", index_label=False if where == "both" else "cell")
    check(read_settled(tmp_path, Answers()), counts, positions)


def test_positions_of_visium_without_a_header_are_read(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts)
    rows = [f"{cell},1,{i},7,{row.y},{row.x}" for i, (cell, row) in enumerate(positions.iterrows())]
    (tmp_path / "tissue_positions_list.csv").write_text("\n".join(rows))
    check(read_settled(tmp_path, Answers()), counts, positions)


def test_transcripts_are_no_positions(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, my_transcripts=positions)
    assert not READER.reads(tmp_path)
    check(read_settled(put(tmp_path, where=positions), Answers()), counts, positions)


def test_positions_without_a_header_may_have_names_first(tmp_path):
    counts, positions = (table.set_axis([f"b{i}" for i in range(N)]) for table in numbers())
    put(tmp_path, counts=counts)
    positions[["x", "y"]].to_csv(tmp_path / "where.csv", header=False)
    check(read_settled(tmp_path, Answers()), counts, positions)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cell;A;B;C;D;E\nc0;1;2;3;4;5\n", "separates columns by ';'"),
        ("cell,A,A,C,D,E\nc0,1,2,3,4,5\n", "two columns called 'A'"),
        ("cell,A,B,C,D,E\n", "empty or damaged"),
        ('cell,A,B,C,D,E\nc0,1,2,3,4,"5\n', "is no count"),
        ('cell,A,B,C,D,E\nc0,1,2,"3,4,5\n', "counts.csv holds neither"),
        ("cell,A,B,C,D,E\nc0,1,2,3,4,5\nc1,1,2\n", "line 3: 3 columns"),
    ],
)
def test_odd_tables_of_counts_are_refused_by_name(tmp_path, text, words):
    put(tmp_path, where=numbers()[1])
    (tmp_path / "counts.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_settled(tmp_path, Answers())
    assert "counts.csv" in str(caught.value)
    assert words in str(caught.value)


def test_cells_without_a_position_are_refused(tmp_path):
    counts, positions = numbers()
    put(tmp_path, counts=counts, where=positions.assign(y=positions["y"].where(positions.index != "0003")))
    with pytest.raises(InputError, match=r"where\.csv: 1 rows have no position"):
        read_settled(tmp_path, Answers())


def test_text_among_positions_is_refused(tmp_path):
    counts, positions = numbers()
    odd = positions.astype({"y": object})
    odd.iloc[4, 1] = "middle"
    put(tmp_path, counts=counts, where=odd)
    with pytest.raises(InputError, match=r"where\.csv: column 'y' holds text"):
        read_settled(tmp_path, Answers())


# --- several in one folder -----------------------------------------------------------------------------


def test_several_pairs_are_sections_and_other_tables_are_neither(tmp_path):
    tables: dict[str, pd.DataFrame] = {}
    for i in (1, 2, 3):
        counts, positions = numbers(seed=i)
        tables |= {f"slice{i}": counts, f"slice{i}_coor": positions}
    put(tmp_path, **tables)
    (tmp_path / "slice1_weights.csv").write_text("\n".join(["0.05"] * N))
    adata = read_settled(tmp_path, Answers()).adata
    assert adata.obs["section_id"].value_counts().to_dict() == {"slice1": N, "slice2": N, "slice3": N}
    one = read_settled(tmp_path, Answers(section="slice2"))
    check(one, tables["slice2"], tables["slice2_coor"])


def test_two_tables_of_counts_for_the_same_cells_are_asked_about(tmp_path):
    counts, positions = numbers()
    put(tmp_path, raw=counts, corrected=counts // 2, where=positions)
    with pytest.raises(AskedError, match=r"2 tables of counts and one of positions, where\.csv") as caught:
        read_settled(tmp_path, Answers())
    assert caught.value.question.choices == ("corrected", "raw")
    check(read_settled(tmp_path, Answers(section="raw")), counts, positions)


def test_names_that_do_not_tell_pairs_apart_are_refused(tmp_path):
    counts, positions = numbers()
    put(tmp_path, a=counts, b=counts, c=positions, d=positions)
    assert pairs_in(look(tmp_path)) == []
    with pytest.raises(InputError, match=r"Which counts \(a\.csv, b\.csv\) belong to which positions"):
        read_settled(tmp_path, Answers())


# --- matrices of 10x -----------------------------------------------------------------------------------


@pytest.mark.parametrize("as_h5", [True, False])
def test_a_matrix_of_10x_beside_positions_is_read(tmp_path, as_h5):
    counts, positions = numbers()
    put(tmp_path, where=positions)
    names = (counts.to_numpy(), counts.index.tolist(), GENES)
    if as_h5:
        write_h5(tmp_path / "counts.h5", *names, types=["Gene Expression"] * len(GENES))
    else:
        write_folder(tmp_path / "matrix", *names)
    check(read_settled(tmp_path, Answers()), counts, positions)


# --- what is not of this kind, and what is spoilt ------------------------------------------------------


def test_other_folders_are_not_claimed(tmp_path):
    counts, positions = numbers()
    for name, tables in {"one": {"counts": counts}, "two": {"where": positions}, "none": {}}.items():
        assert not READER.reads(put(tmp_path / name, **tables))
    (tmp_path / "none" / "labels.csv").write_text("cell,label\na,b\n")
    (tmp_path / "none" / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert not READER.reads(tmp_path / "none")
    assert not READER.reads(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_each_file_spoilt_is_named_by_the_report_or_the_refusal(tmp_path, ending):
    counts, positions = numbers(60)
    folder = put(tmp_path / "run", counts=counts, where=positions)
    if ending.endswith(".gz"):
        for path in list(folder.iterdir()):
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    for copy, file, way in spoilt(folder, tmp_path / "spoilt"):
        found = outcome(copy)
        if way == "gzipped":
            check(found, counts, positions)
        elif isinstance(found, str):
            assert ".csv" in found, (file, way)
            assert file.name in found or way == "removed", (file, way)
        else:
            assert mentions(found, file.name), (file, way)


# --- the field's own -----------------------------------------------------------------------------------


def test_slide_seq_is_read(bundle):
    report = io.validate(bundle("slideseq_spacexr"))
    assert (report.n_cells, report.n_genes, report.unit) == (100, 378, "unknown")


def test_serial_sections_are_read_one_by_one_when_matched_by_row(bundle):
    folder = bundle("st_breast_3serial_paste")
    with pytest.raises(AskedError) as caught:
        read_settled(folder, Answers())
    assert caught.value.question.option == "match"
    with pytest.raises(AskedError) as caught:
        read_settled(folder, Answers(match="rows"))
    assert caught.value.question.choices == ("slice1", "slice2", "slice3")
    sizes = [read_settled(folder, Answers(match="rows", section=f"slice{i}")).adata.n_obs for i in (1, 2, 3)]
    assert sizes == [254, 251, 264]
    adata = read_settled(folder, Answers(match="rows", section="slice3")).adata
    stated = np.array([name.split("x") for name in adata.obs_names], float)
    np.testing.assert_allclose(adata.obsm["spatial"], stated, atol=0.01)


def test_a_mock_of_starmap_is_read(bundle):
    report = io.validate(bundle("SpatialExperimentIO_tiny") / "STARmapPLUS_small")
    assert (report.n_cells, report.n_genes, report.n_dimensions) == (9, 8, 3)
