"""Output folders of 10x Xenium: what each version writes is read exactly, and what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from squint import io, keys
from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.facts import Settled
from squint.io.xenium import columns, reads
from tests.helpers.sabotage import mentions, outcome, spoilt
from tests.helpers.xenium_folder import (
    N_CORNERS,
    UM,
    Run,
    manifest,
    write_clusters,
    write_picture,
    write_run,
)

INTEGERS = [str(i) for i in range(1, 31)]
LAYOUTS = {
    "1.0, integers": {"ids": "int", "version": "Xenium-1.0.1"},
    "1.x, R": {"ids": "bytes", "version": None},
    "2, gzipped": {"tables": "csv.gz", "matrix": "folder", "version": "xenium-2.0.0.10"},
    "3": {"version": "xenium-3.0.0.15"},
    "3, zarr": {"matrix": "zarr", "tables": "csv"},
    "4, all": {"matrix": "h5 zarr folder", "tables": "parquet csv.gz", "version": "xenium-4.0.0"},
}


def read(folder: Path) -> Settled:
    return read_settled(folder, Answers())


def written(tmp_path: Path, **options: object) -> tuple[Run, Path]:
    run = Run(ids=INTEGERS if options.get("ids") == "int" else [])
    return run, write_run(tmp_path / "output-XETG00001__region_1", run, **options)


def check(settled: Settled, run: Run) -> None:
    adata = settled.adata
    assert list(adata.obs_names) == run.ids
    assert list(adata.var_names) == run.names[:3]
    assert np.array_equal(adata.X.toarray(), run.counts[:, :3])
    assert np.array_equal(adata.obsm[keys.SPATIAL], run.positions)
    assert adata.uns[keys.PROVENANCE]["unit"] == "um"
    assert adata.uns[keys.PROVENANCE]["assay"] == "Xenium"


def check_rings(settled: Settled, run: Run) -> None:
    rings = settled.boundaries
    assert np.array_equal(rings.cells, np.arange(run.n_cells))
    assert (np.diff(rings.offsets) == N_CORNERS - 1).all()
    for i in (0, 7, run.n_cells - 1):
        corners = rings.corners[rings.offsets[i] : rings.offsets[i + 1]] + np.array(rings.origin)
        assert corners == pytest.approx(run.ring(i)[:-1], abs=1e-4)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_cells(layout, tmp_path):
    run, folder = written(tmp_path, **LAYOUTS[layout])
    settled = read(folder)
    check(settled, run)
    check_rings(settled, run)
    obs = settled.adata.obs
    assert obs["cell_area"].to_numpy() == pytest.approx(np.linspace(40, 90, 30))
    assert obs["nucleus_area"].isna().sum() == 1
    assert list(obs["control_counts"]) == list(run.counts[:, 3:].sum(axis=1))
    assert list(obs["segmentation_method"].cat.categories) == ["Segmented by boundary stain"]
    assert not settled.findings.asked
    left = {item.what: item.n for item in settled.findings.left_out}
    assert left["Negative Control Probe"] == left["Unassigned Codeword"] == 1
    assert "outlines of nuclei" in left


@pytest.mark.parametrize("tables", ["parquet", "csv"])
def test_names_of_files_may_be_in_capitals(tables, tmp_path):
    run, folder = written(tmp_path, tables=tables)
    for path in list(folder.iterdir()):
        path.rename(path.with_name(path.name.upper()))
    settled = read(folder)
    check(settled, run)
    check_rings(settled, run)


@pytest.mark.parametrize("kind", [pa.uint64(), pa.int16(), pa.float32(), pa.decimal128(20, 6)])
def test_positions_of_any_type_of_number_are_read(kind, tmp_path):
    run = Run()
    run.positions = run.positions.round()
    folder = write_run(tmp_path / "x", run)
    cells = pq.read_table(folder / "cells.parquet")
    for axis in ("x_centroid", "y_centroid"):
        cells = cells.set_column(cells.column_names.index(axis), axis, cells[axis].cast(kind))
    pq.write_table(cells, folder / "cells.parquet")
    check(read(folder), run)


def test_a_cell_without_position_is_refused_with_the_file(tmp_path):
    _, folder = written(tmp_path, tables="csv")
    lines = (folder / "cells.csv").read_text().splitlines()
    lines[3] = ",".join([lines[3].split(",")[0], "NA", *lines[3].split(",")[2:]])
    (folder / "cells.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"cells.csv: 1 cells have no x_centroid"):
        read(folder)


def test_order_of_the_table_does_not_matter(tmp_path):
    run, folder = written(tmp_path)
    table = pq.read_table(folder / "cells.parquet")
    pq.write_table(table.take(np.random.default_rng(0).permutation(30)), folder / "cells.parquet")
    settled = read(folder)
    check(settled, run)
    check_rings(settled, run)


def test_names_to_which_r_added_a_word_are_joined_and_the_instrument_s_kept(tmp_path):
    run = Run(ids=INTEGERS)
    folder = write_run(tmp_path / "x", run, ids="int", barcodes=[f"Cell_{name}" for name in run.ids])
    settled = read(folder)
    check(settled, run)
    assert any("'Cell_1' is cell '1'" in item.what for item in settled.findings.assumed)


def test_proteins_of_version_4_are_left_out_and_counted(tmp_path):
    run = Run(
        names=["ACTB", "CD3E", "MS4A1", "CD45", "CD20"],
        types=["Gene Expression"] * 3 + ["Protein Expression"] * 2,
    )
    run.counts = run.counts + np.array([0, 0, 0, 0.25, 0.5])
    folder = write_run(tmp_path / "x", run, version="xenium-4.1.0")
    settled = read(folder)
    check(settled, run)
    assert ("Protein Expression", 2) in {(item.what, item.n) for item in settled.findings.left_out}
    assert "control_counts" not in settled.adata.obs


def test_clusters_of_the_graph_become_a_column_and_others_are_named(tmp_path):
    run, folder = written(tmp_path)
    clusters = [1 + i % 11 for i in range(29)]
    write_clusters(folder, "gene_expression_graphclust", run.ids[:29][::-1], clusters)
    write_clusters(folder, "gene_expression_kmeans_2_clusters", run.ids, [1] * 30)
    settled = read(folder)
    column = settled.adata.obs["cluster"]
    assert list(column[:29]) == [str(cluster) for cluster in clusters[::-1]]
    assert pd.isna(column.iloc[29])
    assert list(column.cat.categories) == [str(i) for i in range(1, 12)]
    assert keys.CELL_TYPE not in settled.adata.obs
    assert any("1 of 30 cells have no cluster" in note for note in settled.findings.notes)
    assert ("other clusterings", 1) in {(item.what, item.n) for item in settled.findings.left_out}
    assert {"cluster", "cell_area"} <= set(columns(folder))
    named = io.read(folder, columns={keys.CELL_TYPE: "cluster"})
    assert named.obs[keys.CELL_TYPE].iloc[0] == str(clusters[-1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ('{"pixel_size": 0.21', "it is damaged"),
        ("{}", "it says nothing"),
        ("[1]", "it says nothing"),
        ("[" * 100_000, "it is damaged"),
    ],
)
def test_a_broken_manifest_is_named_and_the_rest_is_read(tmp_path, text, words):
    run, folder = written(tmp_path)
    (folder / "experiment.xenium").write_text(text)
    settled = read(folder)
    check(settled, run)
    assert [words in item.why for item in settled.findings.left_out if item.file == "experiment.xenium"] == [
        True
    ]


@pytest.mark.parametrize(("version", "noted"), [("xenium-9.1.0", 1), ("Development", 0), ("Xenium-1.0.1", 0)])
def test_a_newer_version_is_noted(tmp_path, version, noted):
    run, folder = written(tmp_path, version=version)
    settled = read(folder)
    check(settled, run)
    assert sum("squint knows those up to" in note for note in settled.findings.notes) == noted


def test_cells_of_another_run_are_refused_with_both_numbers(tmp_path):
    _, folder = written(tmp_path)
    table = pq.read_table(folder / "cells.parquet")
    pq.write_table(table.slice(0, 28), folder / "cells.parquet")
    with pytest.raises(
        InputError, match=r"cells\.parquet lists 28 cells, but cell_feature_matrix\.h5 counts 30"
    ):
        read(folder)


def test_barcodes_of_another_run_are_refused_with_both_numbers(tmp_path):
    run = Run()
    folder = write_run(tmp_path / "x", run, barcodes=[*run.ids[:20], *(f"other{i}-1" for i in range(10))])
    with pytest.raises(InputError, match=r"of 30 barcodes 20 are listed, and 'other0-1' is not"):
        read(folder)


def test_what_is_missing_is_named(tmp_path):
    run, folder = written(tmp_path)
    (folder / "cells.parquet").unlink()
    with pytest.raises(
        InputError, match=r"lacks cells\.parquet \(or cells\.csv\.gz\): .* 30 cells x 3 genes \(and 2 "
    ):
        read(folder)
    (folder / "cell_feature_matrix.h5").unlink()
    with pytest.raises(
        InputError, match=r"lacks cell_feature_matrix\.h5 .* and cells\.parquet .*whole output folder"
    ):
        read(folder)
    alone = write_run(tmp_path / "alone", run, version=None)
    (alone / "cell_feature_matrix.h5").unlink()
    with pytest.raises(InputError, match=r"alone .* lacks cell_feature_matrix\.h5"):
        read(alone)


def test_names_that_occur_twice_are_refused(tmp_path):
    run = Run()
    run.ids[4] = run.ids[3]
    with pytest.raises(InputError, match=r"cells\.parquet: 1 names of cells occur twice"):
        read(write_run(tmp_path / "x", run))


def test_outlines_of_other_cells_are_left_out_and_those_without_are_said(tmp_path):
    run, folder = written(tmp_path)
    table = pq.read_table(folder / "cell_boundaries.parquet")
    pq.write_table(table.slice(N_CORNERS), folder / "cell_boundaries.parquet")
    settled = read(folder)
    assert list(settled.boundaries.cells) == list(range(1, run.n_cells))
    assert any("1 of 30 cells have no outline" in note for note in settled.findings.notes)
    others = write_run(tmp_path / "others", Run(ids=[f"other{i}-1" for i in range(30)]))
    (others / "cell_boundaries.parquet").replace(folder / "cell_boundaries.parquet")
    settled = read(folder)
    assert settled.boundaries is None
    assert mentions(settled, "cell_boundaries.parquet")


def placed(settled: Settled) -> dict[str, object]:
    return {picture.name: picture.to_section for picture in settled.pictures}


def scale(um: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    return (um, 0.0, 0.0), (0.0, um, 0.0)


def test_pictures_of_old_and_new_names_are_placed(tmp_path):
    run, folder = written(tmp_path)
    write_picture(folder / "morphology_mip.ome.tif", 900, 800)
    write_picture(folder / "morphology.ome.tif", 900, 800)
    write_picture(folder / "morphology_focus/morphology_focus_0000.ome.tif", 900, 800, UM, big=True)
    write_picture(folder / "morphology_focus/ch0001_atp1a1_cd45.ome.tif", 450, 400, 2 * UM)
    settled = read(folder)
    check(settled, run)
    assert placed(settled) == {
        "morphology mip": scale(UM),
        "morphology focus 0000": scale(UM),
        "morphology focus ch0001 atp1a1 cd45": scale(2 * UM),
    }
    assert mentions(settled, "morphology.ome.tif")


def test_a_reduced_copy_is_not_placed(tmp_path):
    run, folder = written(tmp_path, version=None)
    write_picture(folder / "morphology_focus.ome.tif", 237, 237)
    settled = read(folder)
    check(settled, run)
    assert placed(settled) == {"morphology focus": None}
    assert any(
        "morphology_focus.ome.tif" in note and "reduced copy" in note for note in settled.findings.notes
    )


def test_a_pixel_size_that_nothing_states_is_said_to_be_assumed(tmp_path):
    _, folder = written(tmp_path, version=None)
    write_picture(folder / "morphology_focus.ome.tif", 900, 800)
    settled = read(folder)
    assert placed(settled) == {"morphology focus": scale(UM)}
    assert [item.file for item in settled.findings.assumed] == ["morphology_focus.ome.tif"]


def test_an_alignment_places_the_stain_beside_it(tmp_path):
    _, folder = written(tmp_path)
    write_picture(folder / "run_he_image.ome.tif", 3_000, 2_000)
    write_picture(folder / "if.tif", 30, 20)
    write_picture(folder / "run_if_image.ome.tif", 30, 20)
    (folder / "run_he_imagealignment.csv").write_text("0.5,-1.5,100\n1.5,0.5,200\n0,0,1\n")
    (folder / "gone_alignment.csv").write_text("0.5,-1.5,100\n1.5,0.5,200\n0,0,1\n")
    (folder / "run_if_imagealignment.csv").write_text("0.5,-1.5,100\n1.5,nan,200\n0,0,1\n")
    settled = read(folder)
    found = placed(settled)
    assert np.array(found["run he image"]) == pytest.approx(
        UM * np.array([[0.5, -1.5, 100], [1.5, 0.5, 200]])
    )
    assert found["if"] is None
    assert found["run if image"] is None
    assert mentions(settled, "gone_alignment.csv")
    assert mentions(settled, "run_if_imagealignment.csv")


def test_pictures_that_are_named_and_absent_or_broken_are_said(tmp_path):
    run, folder = written(tmp_path)
    images = {"a": "morphology_mip.ome.tif", "b": "../../etc/passwd", "c": "/etc/passwd"}
    (folder / "experiment.xenium").write_text(json.dumps(manifest(run, "xenium-3.0.0") | {"images": images}))
    (folder / "morphology_focus.ome.tif").write_bytes(b"II*\0\xff\xff\xff\x7f and no more")
    settled = read(folder)
    check(settled, run)
    assert not settled.pictures
    assert mentions(settled, "morphology_focus.ome.tif")
    assert [note for note in settled.findings.notes if note.endswith("not here: morphology_mip.ome.tif.")]
    assert not mentions(settled, "passwd")


@pytest.mark.parametrize("name", ["cells.parquet", "cell_feature_matrix.h5"])
def test_a_link_that_is_needed_is_refused(tmp_path, name):
    _, folder = written(tmp_path)
    (folder / name).replace(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}' is a link"):
        read(folder)


@pytest.mark.parametrize(
    ("matrix", "tables"),
    [("h5 folder", "parquet csv.gz"), ("zarr", "csv"), ("h5", "parquet"), ("folder", "csv.gz")],
)
def test_each_file_spoilt_is_named_or_refused_or_does_not_matter(tmp_path, matrix, tables):
    run, folder = written(tmp_path, matrix=matrix, tables=tables)
    write_clusters(folder, "gene_expression_graphclust", run.ids, [1] * 30)
    write_picture(folder / "morphology_focus.ome.tif", 900, 800)
    obs = read(folder).adata.obs
    form = tables.split()[0]
    read_files = {"experiment.xenium", "clusters.csv", "morphology_focus.ome.tif", f"cells.{form}"}
    read_files |= {f"cell_boundaries.{form}", "cell_feature_matrix.h5", "cell_feature_matrix.zarr.zip"}
    for copy, file, way in spoilt(folder, tmp_path / "spoilt"):
        found = outcome(copy)
        if isinstance(found, str):
            assert file.name.startswith(("cells.", "cell_feature_matrix")) or len(file.parts) == 2
            assert file.name in found or f"lacks {file.name.split('.')[0]}" in found, (file, way, found)
        else:
            check(found, run)
            same = found.adata.obs.equals(obs) and found.boundaries is not None
            assert same or mentions(found, file.name.partition(".")[0]), (file, way)
            needed = way in {"emptied", "cut"} and file.name in read_files
            assert mentions(found, file.name) or not needed, (file, way)


def test_what_is_another_instrument_s_is_not_taken(tmp_path):
    assert not reads(tmp_path)
    (tmp_path / "cells.csv.gz").write_text("cell,x,y\na,1,2\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/experiment.xenium").write_text("{}")
    (tmp_path / "metadata_file.csv").write_text("")
    assert not reads(tmp_path)
    assert not reads(tmp_path / "cells.csv.gz")
    assert not reads(tmp_path / "no such folder")
    assert reads(tmp_path / "inner")


def test_several_outputs_in_one_folder_are_sections(tmp_path):
    for i in range(2):
        write_run(tmp_path / f"region_{i}", Run())
    adata = io.read(tmp_path)
    assert adata.obs[keys.SECTION].value_counts().to_dict() == {"region_0": 30, "region_1": 30}


EXPECTED = {  # of EXPECTED.md beside the bundles
    "xenium_1.x_mousebrain_sfe": (526, 27, 45_726),
    "xenium_1.0.1_breast_tiny": (6, 4, 21),
    "SpatialExperimentIO_tiny/Xenium_small": (6, 4, 21),
    "xenium_CellSPA_breast_subset": (7_440, 313, 1_657_316),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_vendor_s_own_folders(bundle, name):
    settled = read(bundle(name))
    adata = settled.adata
    assert (adata.n_obs, adata.n_vars, adata.X.sum()) == EXPECTED[name]
    assert adata.uns[keys.PROVENANCE]["unit"] == "um"
    names = {"xenium_1.x_mousebrain_sfe": "jcccmpde-1", "xenium_CellSPA_breast_subset": "644"}
    assert adata.obs_names[0] == names.get(name, "1")
    if name == "xenium_1.x_mousebrain_sfe":
        assert len(settled.boundaries.cells) == 526
        assert placed(settled) == {"morphology focus": None, "morphology mip": None}
        assert sum(item.n or 0 for item in settled.findings.left_out) == 3
    if name == "xenium_1.0.1_breast_tiny":
        assert len(settled.boundaries.cells) == 6
        assert any("morphology_focus.ome.tif" in note for note in settled.findings.notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "xenium_bonemarrow_cell_feature_matrix_h5",
            r"cells\.parquet .*cells\.csv\.gz.*84,518 cells x 477 .* 64 controls",
        ),
        ("xenium_experiment_json_only", r"cell_feature_matrix\.h5 .* and cells\.parquet"),
        ("xenium_3.0.0_manifests_only/mouse_ileum_tiny_5k", r"cell_feature_matrix\.h5 .* and cells\.parquet"),
        ("xenium_mousebrain_transcripts_only/sample1", r"cell_feature_matrix\.h5 .* and cells\.parquet"),
    ],
)
def test_the_vendor_s_folders_that_lack_a_part(bundle, name, words):
    with pytest.raises(InputError, match=words):
        read(bundle(name))
