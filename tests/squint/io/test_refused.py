"""What no reader reads is refused in one line, with the way to what one does."""

import pytest

from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.registry import sources_in
from tests.helpers.cosmx_folder import Run, write_run
from tests.helpers.sabotage import outcome

COUNTS = "cell,A,B,C,D,E,F\n" + "\n".join(f"c{i},0,1,2,0,4,{i}" for i in range(12))
POSITIONS = "cell,x,y\n" + "\n".join(f"c{i},{i}.5,{i % 3}" for i in range(12))


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("object.rds", "writeH5AD"),
        ("object.RData", "writeH5AD"),
        ("object.h5seurat", "SeuratDisk::Convert"),
        ("spots.gem.gz", "Bin the spots"),
        ("spots.gef", "Bin the spots"),
        ("cells.loom", "anndata.read_loom"),
        ("run.tar.gz", "Unpack it"),
        ("run.7z", "Unpack it"),
        ("run.rar", "Unpack it"),
        ("my_transcripts.parquet", "tables of counts and of cells"),
        ("baysor_transcripts.csv.gz", "tables of counts and of cells"),
        ("filtered_feature_bc_matrix.h5", "counts without positions"),
        ("matrix.mtx.gz", "counts without positions"),
        ("tissue.ome.tif", "is a picture"),
    ],
)
def test_each_kind_is_refused_with_the_way(tmp_path, name, words, inside):
    (tmp_path / name).write_bytes(b"something")
    found = outcome(tmp_path if inside else tmp_path / name)
    assert isinstance(found, str)
    assert name in found
    assert words in found


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("text", "words"),
    [(COUNTS, "counts without positions"), (POSITIONS, "positions without counts"), ("", "empty or damaged")],
)
def test_a_lone_table_is_refused_with_what_it_lacks(tmp_path, text, words, inside):
    (tmp_path / "lone.csv").write_text(text)
    found = outcome(tmp_path if inside else tmp_path / "lone.csv")
    assert isinstance(found, str)
    assert "lone.csv" in found
    assert words in found


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("cell,label\na,tumour\n")
    assert "no table of counts, nor one of positions" in str(outcome(tmp_path / "labels.csv"))
    assert "nothing in this folder is a section" in str(outcome(tmp_path))


def test_one_file_of_several_is_answered_with_its_folder(tmp_path):
    folder = write_run(Run(), tmp_path / "run")
    assert "Give the folder that it lies in, 'run'" in str(outcome(folder / "S1_metadata_file.csv"))
    (tmp_path / "counts.csv").write_text(COUNTS)
    (tmp_path / "where.csv").write_text(POSITIONS)
    assert f"Give the folder that it lies in, {tmp_path.name!r}" in str(outcome(tmp_path / "where.csv"))


def test_what_is_refused_never_hides_what_can_be_read(saved):
    path = saved()
    for name in ("object.rds", "run.tar", "my_transcripts.csv", "tissue.ome.tif", "lone.csv"):
        (path.parent / name).write_text(COUNTS)
    assert [source.path for source in sources_in(path.parent)] == [path]


def test_a_section_that_is_not_there_is_refused_though_only_one_is(section, tmp_path):
    (tmp_path / "both").mkdir()
    section.write_h5ad(tmp_path / "both/one.h5ad")
    assert str(outcome(tmp_path / "both", Answers(section="two"))).startswith("both: It holds no 'two'")
    for path, name in ((tmp_path / "both", "one"), (tmp_path / "both/one.h5ad", "two")):
        assert read_settled(path, Answers(section=name)).adata.n_obs == section.n_obs


def test_anndata_in_a_file_called_h5_is_read(section, tmp_path):
    section.write_h5ad(tmp_path / "section.h5")
    assert read_settled(tmp_path / "section.h5", Answers()).adata.n_obs == section.n_obs


def test_a_missing_file_is_missing_whatever_its_name(tmp_path):
    assert "was not found" in str(outcome(tmp_path / "object.rds"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("stereoseq_gem_bin1", "Bin the spots"), ("seurat_rds_toy", "zellkonverter::writeH5AD")],
)
def test_bundles_that_hold_no_cells_are_refused(bundle, name, words):
    with pytest.raises(InputError, match=words):
        read_settled(bundle(name), Answers())
