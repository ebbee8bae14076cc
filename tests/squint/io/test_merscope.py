"""Folders of MERSCOPE: what was written is read, in each of the layouts that Vizgen's programs have."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from squint import io
from squint.errors import InputError
from squint.io import Answers, AskedError, merscope, read_settled
from squint.io.merscope_hdf5 import read_folder
from squint.io.registry import sources_in
from tests.helpers.merscope_folder import GENES, Run
from tests.helpers.sabotage import mentions, outcome, spoilt

IDS = {
    "17 digits": [str(26985800002100002 + i) for i in range(30)],
    "18 digits": [str(112824700230101249 + i) for i in range(30)],
    "39 digits": [str(103327291694389284070574461648020091166 + i) for i in range(30)],
}


def read(folder, **answers):
    return read_settled(folder, Answers(**answers))


def squares(boundaries) -> dict[int, tuple[float, float, float]]:
    """Give centre and side of each cell's outline."""
    found = {}
    for cell, start, stop in zip(
        boundaries.cells, boundaries.offsets[:-1], boundaries.offsets[1:], strict=True
    ):
        corners = boundaries.corners[start:stop].astype(float) + boundaries.origin
        assert stop - start == 4
        found[int(cell)] = (*corners.mean(axis=0).round(3), float(np.ptp(corners[:, 0]).round(3)))
    return found


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("names", [("cell", "EntityID"), ("", ""), ('"cell"', '"EntityID"'), ("cell", "X")])
def test_counts_positions_and_ids_are_those_written(ids, names, tmp_path):
    run = Run(ids=ids, id_name=names[0], cells_id_name=names[1], prefix="Liver1Slice1_")
    settled = read(run.tables(tmp_path / "run"))
    adata = settled.adata
    assert adata.obs_names.tolist() == ids
    assert adata.var_names.tolist() == list(GENES[:4])
    assert (adata.X.toarray() == run.counts[:, :4]).all()
    assert (adata.obs["control_counts"] == run.counts[:, 4:].sum(axis=1)).all()
    assert (adata.obsm["spatial"] == run.centres).all()
    assert adata.obs["volume"].tolist() == (100.5 + run.centres[:, 0]).tolist()
    assert not {"fov", "min_x", "max_y", "center_x"} & set(adata.obs)
    assert adata.uns["squint"]["unit"] == "um"
    assert adata.uns["squint"]["assay"] == "MERSCOPE"
    assert settled.boundaries is None
    assert any("no outlines" in note for note in settled.findings.notes)
    assert any(item.what == "column 'fov'" for item in settled.findings.left_out)


def test_gzipped_tables_are_read_whatever_they_are_called(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    for name in ("cell_by_gene.csv", "cell_metadata.csv"):
        packed = gzip.compress((folder / name).read_bytes())
        (folder / name).unlink()
        (folder / f"{name}.gz" if "gene" in name else folder / name).write_bytes(packed)
    assert (read(folder).adata.X.toarray() == run.counts[:, :4]).all()


def test_of_a_table_that_stands_twice_the_plain_one_is_read(tmp_path):
    folder = Run().tables(tmp_path / "run")
    (folder / "cell_by_gene.csv.gz").write_bytes(b"another")
    assert mentions(read(folder), "cell_by_gene.csv.gz")


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
@pytest.mark.parametrize(
    "file",
    [
        "cell_boundaries.parquet",
        "cellpose_micron_space.parquet",
        "Cellpose_DAPI/cellpose_micron_space.parquet",
    ],
)
def test_the_outline_is_of_the_middle_plane_or_the_nearest_that_has_one(kind, file, tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    (folder / file).parent.mkdir(exist_ok=True)
    planes = {z: range(28) for z in range(7)} | {3: range(1, 27), 2: range(1, 28), 4: range(1, 28)}
    run.outlines(folder / file, planes, kind=kind)
    settled = read(folder)
    found = squares(settled.boundaries)
    sides = {0: 2.0 + 1} | dict.fromkeys(range(1, 27), 5.0) | {27: 4.0}  # plane 1, 3 and 2
    assert found == {cell: (*run.centres[cell], side) for cell, side in sides.items()}
    (said,) = (item for item in settled.findings.found if item.what == "outlines")
    assert (said.n, said.file) == (28, file)
    assert "plane 3, the middle one of 7; of 2 cells" in said.why
    assert any("2 cells have no outline" in note for note in settled.findings.notes)


def test_outlines_of_39_digit_ids_are_matched_as_text(tmp_path):
    run = Run(ids=IDS["39 digits"])
    folder = run.tables(tmp_path / "run")
    run.outlines(folder / "cellpose_micron_space.parquet", {0: range(30)}, kind=pa.string())
    assert list(squares(read(folder).boundaries)) == list(range(30))


def test_ids_that_were_rounded_match_no_cell(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    path = run.outlines(folder / "cell_boundaries.parquet", {0: range(30)})
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "EntityID", table["EntityID"].cast(pa.float64(), safe=False)), path)
    settled = read(folder)
    assert settled.boundaries is None
    assert mentions(settled, "cell_boundaries.parquet")


def test_of_several_parts_the_largest_is_the_cell(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    path = run.outlines(folder / "cell_boundaries.parquet", {0: range(30)})
    many = shapely.Point(0, 0).buffer(0.1, quad_segs=30)  # more corners, less area
    large = shapely.Polygon(shapely.box(10, 20, 30, 40).exterior, [shapely.box(12, 22, 14, 24).exterior])
    shapes = [shapely.MultiPolygon([many, large]), large, shapely.Point(0, 0), shapely.Polygon()]
    wkb = [shape.wkb for shape in shapes] + [b"", b"\x01", None] + [large.wkb[:40]]
    table = pq.read_table(path)
    stored = [*wkb, *table["Geometry"].to_pylist()[len(wkb) :]]
    pq.write_table(table.set_column(3, "Geometry", pa.array(stored, pa.binary())), path)
    settled = read(folder)
    found = squares(settled.boundaries)
    assert np.array_equal([found[0], found[1]], [[20, 30, 20]] * 2)
    assert list(found) == [0, 1, *range(8, 30)]
    assert any(item.what == "outlines" and item.n == 6 for item in settled.findings.left_out)


def test_outlines_in_hdf5_are_those_in_parquet(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    planes = {0: range(30), 1: range(2, 30), 2: range(1, 30)}
    run.hdf5(folder / "cell_boundaries", planes)
    old = read(folder).boundaries
    run.outlines(folder / "cell_boundaries.parquet", planes)
    settled = read(folder)
    assert squares(settled.boundaries) == squares(old)
    assert mentions(settled, "cell_boundaries")


def test_links_in_hdf5_are_not_followed(tmp_path):
    import h5py  # noqa: PLC0415

    run = Run()
    folder = run.hdf5(tmp_path / "cell_boundaries", {0: range(30)})
    first = folder / "feature_data_0.hdf5"
    with h5py.File(first, "a") as file:
        del file[f"featuredata/{run.ids[0]}/zIndex_0"]
        file[f"featuredata/{run.ids[0]}/zIndex_0"] = h5py.ExternalLink("feature_data_1.hdf5", "/featuredata")
    shutil.copy(first, folder / "feature_data_3.hdf5")
    findings = io.findings.Findings()
    outlines, _ = read_folder(folder, "cell_boundaries", pd.Index(run.ids), findings)
    assert outlines.cells.tolist() == list(range(16, 30))
    assert [item.file for item in findings.left_out] == [
        "cell_boundaries/feature_data_0.hdf5",
        "cell_boundaries/feature_data_3.hdf5",
    ]
    assert all("missing, or a link" in item.why for item in findings.left_out)


@pytest.mark.parametrize("missing", ["manifest.json", "micron_to_mosaic_pixel_transform.csv", ""])
def test_pictures_of_one_plane_lie_where_the_files_say(missing, tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    images = run.pictures(folder)
    if missing:
        (images / missing).unlink()
    settled = read(folder)
    assert [picture.name for picture in settled.pictures] == ["DAPI, plane 2", "PolyT, plane 2"]
    for picture in settled.pictures:
        corner = np.array(picture.to_section) @ [0, 0, 1]
        opposite = np.array(picture.to_section) @ [119, 99, 1]
        assert np.allclose(corner, [6490.25, -4.75])
        assert np.allclose(opposite, [6549.75, 44.75])
    assert any(item.what == "pictures" and item.n == 7 for item in settled.findings.left_out)


def test_a_picture_that_was_made_smaller_fills_the_box_of_the_manifest(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    images = run.pictures(folder)
    manifest = json.loads((images / "manifest.json").read_text())
    manifest["bbox_microns"] = [0, 0, 240, 200]
    (images / "manifest.json").write_text(json.dumps(manifest))
    assert read(folder).pictures[0].to_section == ((2, 0, 1), (0, 2, 1))


def test_pictures_without_a_place_are_said(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    images = run.pictures(folder, (0,))
    (images / "manifest.json").write_text("{")
    (images / "micron_to_mosaic_pixel_transform.csv").write_text("1 0 0\n0 0 0\n0 0 1\n")
    settled = read(folder)
    assert [picture.to_section for picture in settled.pictures] == [None, None]
    assert sum("is not placed" in note for note in settled.findings.notes) == 2
    assert mentions(settled, "images/manifest.json")


def test_clusters_are_labels_of_cells(tmp_path):
    run = Run(prefix="A_")
    folder = run.tables(tmp_path / "run")
    rows = [["", "leiden"], *([name, f"0{i % 2}"] for i, name in enumerate(run.ids[:-1])), ["other", 5]]
    run.text("cell_categories.csv", rows, folder)
    clusters = read(folder).adata.obs["cluster"]
    assert clusters.tolist()[:-1] == ["00", "01"] * 14 + ["00"]
    assert clusters.isna().tolist()[-1]


def test_of_several_runs_in_a_folder_one_is_asked_for(tmp_path):
    first, second = Run(prefix="A_"), Run(prefix="B_", ids=IDS["39 digits"])
    folder = first.tables(tmp_path / "runs")
    second.tables(folder)
    first.outlines(folder / "A_cell_boundaries.parquet", {0: range(30)})
    with pytest.raises(AskedError, match="Say it with --section") as asked:
        read(folder)
    assert asked.value.question.choices == ("A", "B")
    with pytest.raises(AskedError, match="'C'"):
        read(folder, section="C")
    assert merscope.parts(folder) == ["A", "B"]
    assert read(folder, section="A").boundaries is not None
    with pytest.raises(AskedError, match="several runs"):
        merscope.read(folder, io.content.Asked())
    chosen = read(folder, section="B")
    assert chosen.adata.obs_names.tolist() == second.ids
    assert chosen.boundaries is None


def test_runs_in_folders_of_their_own_are_sections(tmp_path):
    Run().tables(tmp_path / "region_0")
    Run(ids=IDS["17 digits"]).tables(tmp_path / "region_1")
    assert [source.name for source in sources_in(tmp_path)] == ["region_0", "region_1"]
    assert read(tmp_path).adata.obs["section_id"].value_counts().tolist() == [30, 30]


def test_tables_of_different_runs_are_refused_with_their_numbers(tmp_path):
    folder = Run().tables(tmp_path / "run")
    rows = (folder / "cell_metadata.csv").read_text().splitlines()
    (folder / "cell_metadata.csv").write_text("\n".join(rows[:-5]))
    with pytest.raises(
        InputError, match=r"cell_by_gene.csv has 30 cells and cell_metadata.csv 25, 25 of them"
    ):
        read(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: [*rows, rows[-1]], "1 cells have the id of another"),
        (lambda rows: [row.replace("center_x", "somewhere") for row in rows], "center_x"),
        (lambda rows: [*rows[:-1], rows[-1].replace("6500.5,", ",")], "1 cells have no position"),
        (lambda rows: [*rows[:-1], rows[-1].replace("6500.5,", "here,")], "holds text"),
    ],
)
def test_what_contradicts_itself_in_the_table_of_cells_is_refused(change, words, tmp_path):
    folder = Run().tables(tmp_path / "run")
    path = folder / "cell_metadata.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(InputError, match=words) as refused:
        read(folder)
    assert "cell_metadata.csv" in str(refused.value)


def test_columns_of_positions_and_sections_may_be_named(tmp_path):
    folder = Run().tables(tmp_path / "run")
    settled = read(folder, columns={"x": "center_y", "y": "center_x"})
    assert (settled.adata.obsm["spatial"] == Run().centres[:, ::-1]).all()
    assert io.obs_columns(folder) == ["center_x", "center_y", "fov", "solidity", "volume"]


def test_a_link_in_place_of_a_table_is_refused(tmp_path):
    folder = Run().tables(tmp_path / "run")
    (folder / "cell_metadata.csv").rename(tmp_path / "elsewhere.csv")
    (folder / "cell_metadata.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(InputError, match=r"cell_metadata.csv' is a link"):
        read(folder)


def test_a_run_without_any_counts_is_read_and_said(tmp_path):
    run = Run(counts=np.zeros((30, 6), int))
    assert any("nothing to tokenise" in note for note in read(run.tables(tmp_path / "run")).findings.notes)


def test_names_of_files_may_be_in_capitals(tmp_path):
    run = Run()
    folder = run.tables(tmp_path / "run")
    for path in list(folder.iterdir()):
        path.rename(path.with_name(f"LIVER_{path.name.upper()}"))
    adata = read(folder).adata
    assert adata.uns["squint"]["assay"] == "MERSCOPE"
    assert adata.obs_names.tolist() == run.ids
    np.testing.assert_array_equal(adata.X.toarray(), run.counts[:, :4])


@pytest.mark.parametrize(
    ("names", "is_run"),
    [
        (["cell_by_gene.csv"], True),
        (["x_cell_metadata.csv.gz"], True),
        (["detected_transcripts.csv"], True),
        (["region/cell_by_gene.csv", "detected_transcripts.csv"], False),
        (["region/cell_by_gene.csv"], False),
        (["A_exprMat_file.csv", "A_metadata_file.csv", "A_tx_file.csv"], False),
        (["cells.csv.gz", "transcripts.parquet", "cell_boundaries.parquet"], False),
        ([], False),
    ],
)
def test_a_run_is_known_by_its_tables(names, is_run, tmp_path):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert merscope.reads(tmp_path) is is_run
    assert not merscope.reads(tmp_path / "nothing")


def test_a_table_of_cells_of_others_is_no_run(tmp_path):
    (tmp_path / "cell_metadata.csv").write_text("bc_wells,sample,gene_count\n1,2,3\n")
    assert not merscope.reads(tmp_path)


def test_whatever_file_is_spoilt_is_named(tmp_path):
    folder = Run(prefix="S1_").whole(tmp_path / "whole" / "run")
    seen = 0
    for copy, file, way in spoilt(folder, tmp_path / "copies"):
        result = outcome(copy)
        needed = file.name in {"S1_cell_by_gene.csv", "S1_cell_metadata.csv"}
        if isinstance(result, str):
            assert needed, (file, way, result)
            assert file.name.removeprefix("S1_") in result, (file, way, result)
        elif way == "gzipped" and needed:
            assert result.adata.n_obs == 30
        elif used(file.as_posix()) and way != "removed":
            assert mentions(result, file.name), (file, way)
        seen += 1
    assert seen == 4 * 17


def used(file: str) -> bool:
    """Say whether a file is read: not what stands there twice, nor pictures of other planes and stains."""
    return not (file.startswith("cell_boundaries/") or "_z1" in file or "_z3" in file or "Cellbound" in file)


BUNDLES = [
    ("merscope_cellbound_sfe", 1058, 49, 73_142, "112824700230101249"),
    ("merscope_liver_sfe", 100, 347, 31_930, "103327291694389284070574461648020091166"),
    ("merscope_uterine_tiny", 50, 10, 14, "26985800002100002"),
    ("merscope_vpt_tests/smallset", 997, 130, 590_155, "2317032900000100001"),
    ("SpatialExperimentIO_tiny/MERSCOPE_small", 8, 9, 0, "15589"),
]


@pytest.mark.parametrize(("name", "n_cells", "n_genes", "n_counts", "first"), BUNDLES)
def test_vendors_folders_have_the_numbers_counted_by_hand(bundle, name, n_cells, n_genes, n_counts, first):
    settled = read(bundle(name))
    assert settled.adata.shape == (n_cells, n_genes)
    assert settled.adata.X.sum() == n_counts
    assert settled.adata.obs_names[0] == first
    assert settled.adata.uns["squint"]["unit"] == "um"
    if settled.boundaries is not None:
        assert len(settled.boundaries.cells) == n_cells
        inside = [
            shapely.Polygon(settled.boundaries.corners[start:stop] + settled.boundaries.origin).distance(
                shapely.Point(settled.adata.obsm["spatial"][cell])
            )
            for cell, start, stop in zip(
                settled.boundaries.cells,
                settled.boundaries.offsets[:-1],
                settled.boundaries.offsets[1:],
                strict=True,
            )
        ]
        assert np.median(inside) == 0
    else:
        assert name.endswith("MERSCOPE_small")


def test_pictures_of_a_vendors_folder_cover_its_cells(bundle):
    settled = read(bundle("merscope_cellbound_sfe"))
    assert [picture.name for picture in settled.pictures] == ["DAPI, plane 2", "PolyT, plane 2"]
    corners = np.array(settled.pictures[0].to_section) @ np.array([[-0.5, 694.5], [-0.5, 694.5], [1, 1]])
    assert np.allclose(corners, [[6499.9094, 6800.1409], [1199.9386, 1500.1662]])


def test_parts_of_different_runs_are_refused(bundle):
    with pytest.raises(InputError, match=r"holds cell_by_gene.csv, but no cell_metadata.csv"):
        read(bundle("merscope_vpt_tests"))


@pytest.mark.parametrize("in_files", [False, True])
def test_values_that_are_no_counts_are_refused_with_their_file_wherever_they_lie(tmp_path, in_files):
    run = Run()
    run.counts = run.counts.astype(int)
    run.counts[3, 1] = -2
    folder = run.tables(tmp_path / "run")
    (tmp_path / "scratch").mkdir()
    with pytest.raises(InputError, match=r"cell_by_gene\.csv holds values that are no counts \(1 negative"):
        io.read(folder, scratch=tmp_path / "scratch" if in_files else None)
    assert not list((tmp_path / "scratch").iterdir())
