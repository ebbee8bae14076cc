"""Spots, bins and segmented cells of Space Ranger."""

import csv

import numpy as np
import pytest

from squint import io, keys
from squint.errors import InputError
from squint.io import Answers, read_settled, visium
from squint.io.content import Asked
from squint.io.findings import AskedError
from tests.helpers.sabotage import mentions, outcome, spoilt
from tests.helpers.visium_folder import spots, write_cells, write_visium


@pytest.fixture
def counts():
    return np.random.default_rng(0).poisson(2.0, (40, 5)).astype(float)


@pytest.mark.parametrize(
    "positions", ["tissue_positions.csv", "tissue_positions_list.csv", "tissue_positions.parquet"]
)
@pytest.mark.parametrize("as_h5", [True, False])
def test_counts_positions_and_ids_are_exact_in_every_layout(tmp_path, counts, positions, as_h5):
    table = spots()
    write_visium(tmp_path / "outs", counts, table, positions=positions, as_h5=as_h5)
    read = io.read(tmp_path / "outs")
    np.testing.assert_array_equal(read.X.toarray(), counts)
    assert list(read.obs_names) == list(table["barcode"][:40])
    pixels = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()[:40]
    np.testing.assert_allclose(read.obsm[keys.SPATIAL], pixels)
    assert list(read.obs["in_tissue"]) == list(table["in_tissue"][:40])
    assert list(read.obs[keys.SECTION].unique()) == [tmp_path.name]


FORMS = {
    "quoted": lambda table, path: table.to_csv(path, index=False, quoting=csv.QUOTE_ALL),
    "quoted, without header": lambda table, path: table.to_csv(
        path, index=False, header=False, quoting=csv.QUOTE_ALL
    ),
    "with R's numbers of rows": lambda table, path: table.to_csv(path),
    "in capitals": lambda table, path: table.rename(columns=str.upper).to_csv(path, index=False),
    "byte-order mark": lambda table, path: table.to_csv(path, index=False, encoding="utf-8-sig"),
    "pandas' index": lambda table, path: table.set_index("barcode").to_parquet(
        path.with_suffix(".parquet").with_name("TISSUE_POSITIONS.parquet")
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_positions_are_found_by_their_columns_however_they_were_written(tmp_path, counts, form):
    table = spots()
    outs = write_visium(tmp_path / "outs", counts, table)
    (outs / "spatial/tissue_positions.csv").unlink()
    FORMS[form](table, outs / "spatial/tissue_positions.csv")
    read = io.read(outs)
    pixels = table[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()[:40]
    np.testing.assert_allclose(read.obsm[keys.SPATIAL], pixels)


def test_columns_that_positions_lack_are_named(tmp_path, counts):
    outs = write_visium(tmp_path / "outs", counts, spots())
    spots().to_csv(outs / "spatial/tissue_positions.csv", index=False, sep=";")
    with pytest.raises(InputError, match=r"tissue_positions.csv has no column barcode.*with commas"):
        io.read(outs)


def test_positions_without_counts_are_counted_and_the_pitch_is_told(tmp_path, counts):
    report = io.validate(write_visium(tmp_path / "s", counts, spots()))
    assert [(item.what, item.n) for item in report.left_out] == [("positions", 8)]
    assert (report.unit, report.assay) == ("unknown", "Visium")
    assert "one pixel then has 0.7299 um" in report.asked[0].words
    said = io.validate(tmp_path / "s", answers=Answers(unit="0.7299"))
    assert said.sections[0].median_spacing == pytest.approx(100, abs=0.1)


def test_the_picture_lies_under_its_spots(tmp_path, counts):
    (picture,) = visium.read(write_visium(tmp_path / "s", counts, spots()), Asked()).pictures
    assert picture.path.name == "tissue_lowres_image.png"
    # the upper left corner of the picture is that of the slide scan: half a pixel before the first centre
    corner = np.array(picture.to_section) @ [-0.5, -0.5, 1]
    np.testing.assert_allclose(corner, [-0.5, -0.5])
    np.testing.assert_allclose(np.array(picture.to_section) @ [59.5, 39.5, 1], [1199.5, 799.5])


def test_which_bins_is_asked_and_their_scale_is_stated(tmp_path, counts):
    scales = {"microns_per_pixel": 0.5, "bin_size_um": 8.0}
    for size, factor in (("008um", 1), ("016um", 2)):
        table = spots()
        table["barcode"] = [
            f"s_{size}_{r:05d}_{c:05d}-1" for r, c in zip(table.array_row, table.array_col, strict=True)
        ]
        folder = tmp_path / "hd" / "binned_outputs" / f"square_{size}"
        write_visium(folder, counts * factor, table, positions="tissue_positions.parquet", scales=scales)
    with pytest.raises(AskedError, match=r"Which size of bins\? Say it with --bin \(008um, 016um\)"):
        io.read(tmp_path / "hd")
    with pytest.raises(AskedError, match="There is no '2um'"):
        io.read(tmp_path / "hd", answers=Answers(bin="2um"))
    read = io.read(tmp_path / "hd", answers=Answers(bin="016um"))
    assert read.X.sum() == 2 * counts.sum()
    assert read.uns["squint"]["unit"] == "um"
    pixels = spots()[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()[:40]
    np.testing.assert_allclose(read.obsm[keys.SPATIAL], pixels * 0.5)


def test_cells_that_space_ranger_outlined_lie_at_the_centre_of_their_outlines(tmp_path):
    counts = np.arange(12).reshape(4, 3)
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])
    rings = [square + np.array([20 * i, 5 * i]) for i in range(4)]
    settled = read_settled(write_cells(tmp_path / "hd", counts, rings, um=0.5), Answers())
    np.testing.assert_array_equal(settled.adata.X.toarray(), counts)
    centres = np.array([ring.mean(axis=0) for ring in rings])
    np.testing.assert_allclose(settled.adata.obsm[keys.SPATIAL], centres * 0.5)
    assert list(settled.adata.obs_names) == [f"cellid_{i:09d}-1" for i in range(1, 5)]
    assert settled.boundaries is not None
    corners = settled.boundaries.corners + np.array(settled.boundaries.origin)
    np.testing.assert_allclose(corners.reshape(4, 4, 2)[2], rings[2] * 0.5, atol=1e-4)


def test_barcodes_of_another_run_are_refused_and_a_few_without_position_left_out(tmp_path, counts):
    write_visium(tmp_path / "other", counts, spots(), barcodes=[f"TTTT{i}-1" for i in range(40)])
    with pytest.raises(
        InputError, match=r"40 barcodes, of which 40 are not among the 48 of tissue_positions"
    ):
        io.read(tmp_path / "other")
    names = list(spots()["barcode"][:40])
    write_visium(tmp_path / "one", counts, spots().drop(index=3), barcodes=names)
    settled = read_settled(tmp_path / "one", Answers())
    assert settled.adata.n_obs == 39
    np.testing.assert_array_equal(settled.adata.X.toarray(), np.delete(counts, 3, axis=0))
    assert mentions(settled, "filtered_feature_bc_matrix.h5")


def test_a_folder_without_counts_or_positions_is_refused_by_name(tmp_path, counts):
    (write_visium(tmp_path / "a", counts, spots()) / "filtered_feature_bc_matrix.h5").unlink()
    with pytest.raises(InputError, match=r"filtered_feature_bc_matrix.h5 .* is missing"):
        io.read(tmp_path / "a")
    (write_visium(tmp_path / "b", counts, spots()) / "spatial" / "tissue_positions.csv").unlink()
    with pytest.raises(InputError, match=r"tissue_positions.parquet is missing"):
        io.read(tmp_path / "b")


def test_of_several_runs_one_that_is_damaged_is_named_and_another_can_be_chosen(tmp_path, counts):
    for name in ("good", "bad"):
        write_visium(tmp_path / "runs" / name, counts, spots())
    (tmp_path / "runs" / "bad" / "filtered_feature_bc_matrix.h5").write_bytes(b"")
    with pytest.raises(AskedError, match=r"bad cannot be read: filtered_feature.* --section \(good\)"):
        io.read(tmp_path / "runs")
    assert io.read(tmp_path / "runs", answers=Answers(section="good")).n_obs == 40


def test_each_file_spoilt_is_named_or_does_no_harm(tmp_path, counts):
    folder = write_visium(tmp_path / "source" / "s", counts, spots())
    spots().to_csv(folder / "spatial" / "tissue_positions_list.csv", index=False, header=False)
    (tmp_path / "copies").mkdir()
    for copy, file, way in spoilt(folder, tmp_path / "copies"):
        result = outcome(copy)
        if isinstance(result, str):
            assert file.name in result, (file, way, result)
            continue
        np.testing.assert_array_equal(result.adata.X.toarray(), counts, err_msg=f"{file} {way}")
        required = file.name.startswith(("tissue_positions.csv", "scale"))
        assert way in {"removed", "gzipped"} or not required or mentions(result, file.name), (file, way)


BUNDLES = {
    "visium_seurat": (None, 2695, 100, 132_231, 6),
    "visiumhd_seurat_two_bins": ("008um", 2695, 100, 132_231, 6),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_real_folders(bundle, name):
    bins, *right = BUNDLES[name]
    settled = read_settled(bundle(name), Answers(bin=bins))
    depth = np.asarray(settled.adata.X.sum(axis=1)).ravel()
    assert [*settled.adata.shape, depth.sum(), (depth == 0).sum()] == right
    assert [item.n for item in settled.findings.left_out if item.what == "positions"] == [2297]


def test_outs_has_the_name_of_the_folder_that_it_lies_in(tmp_path, counts):
    write_visium(tmp_path / "patient 7" / "outs", counts, spots())
    for path in (tmp_path / "patient 7", tmp_path / "patient 7" / "outs"):
        assert io.read(path).obs[keys.SECTION].unique().tolist() == ["patient 7"]


def test_a_folder_of_two_runs_is_two_sections(bundle):
    report = io.validate(bundle("visium_v1_spatialexperiment_2sections"))
    assert [(s.section_id, s.n_cells) for s in report.sections] == [("section1", 50), ("section2", 49)]
    assert [(item.what, item.n) for item in report.left_out] == [("barcodes", 1)]
