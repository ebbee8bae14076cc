"""SpatialData stores: which table, where its cells lie, and what else of the store comes along."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from squint import io, keys
from squint.errors import InputError
from squint.io.findings import AskedError
from squint.io.mapped import folder_of
from squint.io.spatialdata import READER
from tests.helpers import spatialdata_store as make
from tests.helpers.sabotage import WAYS, mentions, outcome, spoilt
from tests.helpers.spatialdata_reading import VERSIONS, positions, read, refusal
from tests.helpers.spatialdata_store import N_CELLS, Writer, counts, places, points, squares, table, to


@pytest.mark.parametrize("version", VERSIONS)
def test_table_and_polygons_are_read(tmp_path: Path, version: int) -> None:
    settled = read(make.store(tmp_path / "s.zarr", version))
    assert_array_equal(settled.adata.X.toarray(), counts())
    assert_allclose(positions(settled), places())
    assert list(settled.adata.obs_names) == [f"row{i}" for i in range(N_CELLS)]
    assert settled.adata.obs[keys.SECTION].unique().tolist() == ["s"]
    assert keys.REGION not in settled.adata.obs
    assert settled.boundaries is not None
    assert_array_equal(settled.boundaries.cells, np.arange(N_CELLS))
    corners = settled.boundaries.corners[:4] + np.array(settled.boundaries.origin)
    assert sorted(corners.tolist()) == [[3, 3], [3, 7], [7, 3], [7, 7]]
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "unknown"
    assert [picture.name for picture in settled.pictures] == ["stain"]
    assert_allclose(settled.pictures[0].to_section, [[1, 0, 0.5], [0, 1, 0.5]])


@pytest.mark.parametrize(
    "names", [[f"cell-{i}" for i in range(N_CELLS)], [str(10**17 + i) for i in range(N_CELLS)]]
)
def test_shapes_are_joined_by_name_and_not_by_place(tmp_path: Path, names: list[str]) -> None:
    order = np.random.default_rng(0).permutation(N_CELLS)
    writer = Writer(tmp_path / "s.zarr").table(table(instances=names))
    writer.shapes("cells", [points(places())[i] for i in order], [names[i] for i in order], [to()])
    assert_allclose(positions(read(writer.path)), places())


TURN = [[0.0, -2.0, 7.0], [2.0, 0.0, -1.0]]


@pytest.mark.parametrize(
    ("transformation", "expected"),
    [
        (to(), [[1, 0, 0], [0, 1, 0]]),
        (to(kind="scale", scale=[2.0, 3.0]), [[2, 0, 0], [0, 3, 0]]),
        (to(kind="translation", translation=[5.0, -4.0]), [[1, 0, 5], [0, 1, -4]]),
        (to(kind="affine", affine=[*TURN, [0.0, 0.0, 1.0]]), TURN),
        (to(kind="mapAxis", mapAxis={"x": "y", "y": "x"}), [[0, 1, 0], [1, 0, 0]]),
        (
            to(
                kind="sequence",
                transformations=[
                    to(kind="scale", scale=[2.0, 2.0]),
                    to(kind="translation", translation=[1.0, 0.0]),
                ],
            ),
            [[2, 0, 1], [0, 2, 0]],
        ),
        (to(kind="affine", names="yx", affine=[[3.0, 0.0, 1.0], [0.0, 2.0, 4.0]]), [[2, 0, 4], [0, 3, 1]]),
    ],
)
def test_places_are_transformed(tmp_path: Path, transformation: Any, expected: Any) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", squares(places()), range(N_CELLS), [transformation])
    settled = read(writer.path)
    moved = places() @ np.array(expected)[:, :2].T + np.array(expected)[:, 2]
    assert_allclose(positions(settled), moved)
    middle = settled.boundaries.corners.reshape(-1, 4, 2).mean(axis=1) + np.array(settled.boundaries.origin)
    assert_allclose(middle, moved, rtol=1e-5)


def test_transformation_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", points(places()), range(N_CELLS), [to(kind="bijection")])
    assert "shapes/cells: A place is given by a transformation (bijection)" in refusal(writer.path)


@pytest.mark.parametrize(
    ("unit", "factor"), [("micrometer", 1.0), ("millimeter", 1000.0), ("nanometer", 0.001)]
)
def test_unit_is_that_of_the_axes(tmp_path: Path, unit: str, factor: float) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", points(places()), range(N_CELLS), [to(unit=unit)])
    settled = read(writer.path)
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "um"
    assert_allclose(positions(settled), places() * factor)


def test_scale_to_pixels_is_hinted_at(tmp_path: Path) -> None:
    scale = 1 / 0.2125
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", points(places()), range(N_CELLS), [to(kind="scale", scale=[scale, scale])])
    settled = read(writer.path)
    assert "0.2125" in settled.findings.asked[0].words
    assert_allclose(positions(read(writer.path, unit="0.2125")), places())


def test_scale_of_space_ranger_is_carried_over(tmp_path: Path) -> None:
    adata = table()
    adata.uns["spatial"] = {"lib": {"scalefactors": {"microns_per_pixel": 0.5}}}
    writer = Writer(tmp_path / "s.zarr").table(adata)
    writer.shapes("cells", points(places()), range(N_CELLS), [to(kind="scale", scale=[0.1, 0.1])])
    assert_allclose(positions(read(writer.path)), places() * 0.5)


def test_names_of_bins_state_the_unit(tmp_path: Path) -> None:
    adata = table()
    adata.obs_names = [f"s_008um_{i // 4:05}_{i % 4:05}-1" for i in range(N_CELLS)]
    writer = Writer(tmp_path / "s.zarr").table(adata).shapes("cells", squares(places()), range(N_CELLS))
    assert_allclose(positions(read(writer.path)), places() * 0.8)


def test_which_table_is_asked(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table(), "tables/one").table(table(), "tables/two")
    writer.shapes("cells", points(places()))
    with pytest.raises(AskedError) as error:
        read(writer.path)
    assert error.value.question.option == "table"
    assert error.value.question.choices == ("one", "two")
    assert read(writer.path, table="two").adata.n_obs == N_CELLS
    assert "no 'three'" in refusal(writer.path, table="three")


def test_table_of_the_older_layout_is_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table(), "table/table").shapes("cells", points(places()))
    assert_allclose(positions(read(writer.path)), places())


@pytest.mark.parametrize("version", VERSIONS)
def test_regions_are_sections(tmp_path: Path, version: int) -> None:
    writer = Writer(tmp_path / "s.zarr", version).table(table(["left", "right"]))
    for name in ("left", "right"):
        writer.shapes(name, points(places() + (100 if name == "right" else 0)), range(N_CELLS))
    settled = read(writer.path)
    assert settled.adata.obs[keys.SECTION].astype(str).tolist() == ["left", "right"] * (N_CELLS // 2)
    assert_allclose(positions(settled), places() + np.tile([[0], [100]], (N_CELLS // 2, 1)))
    assert any(
        item.what == "shapes without a cell" and item.n == N_CELLS // 2 for item in settled.findings.left_out
    )


@pytest.mark.parametrize(
    ("left", "right", "scales", "words"),
    [
        (["global", "own"], ["global"], (1, 1), ""),
        (
            ["own", "shared"],
            ["shared", "other"],
            (3, 2),
            "there is no 'global', so that positions are in 'shared'",
        ),
        (["own"], ["other"], (2, 2), "left in own, right in other"),
    ],
)
def test_regions_lie_in_the_system_that_they_share(
    tmp_path: Path, left: list[str], right: list[str], scales: tuple[int, int], words: str
) -> None:
    factors = {"left": {"global": 1, "own": 2, "shared": 3}, "right": {"global": 1, "other": 2, "shared": 2}}
    writer = Writer(tmp_path / "s.zarr").table(table(["left", "right"]))
    for name, systems in (("left", left), ("right", right)):
        ways = [to(system, "scale", scale=[factors[name][system]] * 2) for system in systems]
        writer.shapes(name, points(places()), range(N_CELLS), ways)
    settled = read(writer.path)
    assert_allclose(positions(settled)[::2], places()[::2] * scales[0])
    assert_allclose(positions(settled)[1::2], places()[1::2] * scales[1])
    said = [item.why for item in settled.findings.assumed]
    assert any(words in why for why in said) if words else not said


def test_shapes_that_lost_their_place_are_said_or_refused_beside_others(tmp_path: Path) -> None:
    ways = [to("own", "scale", scale=[2, 2])]
    writer = Writer(tmp_path / "s.zarr").table(table(["left", "right"]))
    writer.shapes("left", points(places()), range(N_CELLS), ways)
    writer.shapes("right", points(places()), range(N_CELLS), [])
    with pytest.raises(InputError, match=r"s.zarr: shapes/right names no coordinate system"):
        read(writer.path)
    alone = Writer(tmp_path / "t.zarr").table(table()).shapes("cells", points(places()), range(N_CELLS), [])
    settled = read(alone.path)
    assert_allclose(positions(settled), places())
    assert "shapes/cells" in {item.file for item in settled.findings.assumed}


def test_cells_and_shapes_that_miss_each_other_are_counted(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", squares(places()), range(3, N_CELLS + 3))
    settled = read(writer.path)
    left_out = {item.what: (item.n, item.why) for item in settled.findings.left_out}
    assert left_out["cells without a shape"] == (3, "3 of 12 cells of 'cells' have no place in it")
    assert left_out["shapes without a cell"][0] == 3
    assert list(settled.adata.obs_names) == [f"row{i}" for i in range(3, N_CELLS)]
    assert_array_equal(settled.adata.X.toarray(), counts()[3:])
    assert_allclose(positions(settled), places()[: N_CELLS - 3])
    assert_array_equal(settled.boundaries.cells, np.arange(N_CELLS - 3))


def test_rows_that_are_left_out_are_left_out_on_the_disk(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table())
    writer.shapes("cells", points(places()), range(3, N_CELLS + 3))
    adata = io.read(writer.path, scratch=tmp_path)
    assert folder_of(adata.X) is not None
    assert_array_equal(adata.X.toarray(), counts()[3:])


def test_store_of_other_cells_is_refused(tmp_path: Path) -> None:
    writer = (
        Writer(tmp_path / "s.zarr")
        .table(table())
        .shapes("cells", points(places()), range(100, 100 + N_CELLS))
    )
    assert "none of the 12 cells" in refusal(writer.path)


def test_files_that_lie_beside_the_shapes_are_not_theirs(tmp_path: Path) -> None:
    path = make.store(tmp_path / "s.zarr")
    expected = positions(read(path))
    for file in ("._shapes.parquet", ".shapes.parquet", "a_copy.parquet"):
        (path / "shapes/cells" / file).write_bytes(b"\0\5\x16\7")
    assert_allclose(positions(read(path)), expected)


def test_cells_whose_shape_is_empty_are_left_out_and_counted(tmp_path: Path) -> None:
    geometry = points(places())
    geometry[3] = shapely.Point()
    settled = read(Writer(tmp_path / "s.zarr").table(table()).shapes("cells", geometry, range(N_CELLS)).path)
    assert_allclose(positions(settled), np.delete(places(), 3, axis=0))
    assert ("cells without a shape", 1) in {(item.what, item.n) for item in settled.findings.left_out}


def test_two_shapes_of_one_name_are_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table()).shapes("cells", points(places()), [0] * N_CELLS)
    assert "two shapes named '0'" in refusal(writer.path)


@pytest.mark.parametrize("kind", ["point", "polygon", "multipolygon"])
@pytest.mark.parametrize("text", [False, True])
def test_arrays_before_parquet_are_read(tmp_path: Path, kind: str, text: bool) -> None:  # noqa: FBT001 - a case
    names = [f"c{i}" for i in range(N_CELLS)] if text else list(range(N_CELLS))
    geometry = points(places()) if kind == "point" else squares(places())
    if kind == "multipolygon":
        geometry = [shapely.MultiPolygon([one]) for one in geometry]
    number, coords, offsets = shapely.to_ragged_array(geometry)
    arrays = {"coords": coords, "Index": np.array(names, dtype="U4" if text else int)}
    arrays |= {f"offset{i}": values.astype(int) for i, values in enumerate(offsets or ())}
    if kind == "point":
        arrays["radius"] = np.ones(N_CELLS)
    writer = (
        Writer(tmp_path / "s.zarr").table(table(instances=names)).old_shapes("cells", int(number), arrays)
    )
    settled = read(writer.path)
    assert_allclose(positions(settled), places())
    assert (settled.boundaries is None) == (kind == "point")
    if kind == "polygon":
        arrays["offset0"] = arrays["offset0"][::-1].copy()
        shutil.rmtree(writer.path / "shapes")
        Writer(tmp_path / "s.zarr").table(table(instances=names)).old_shapes("cells", int(number), arrays)
        assert "offsets do not fit" in refusal(writer.path)


def test_without_shapes_obsm_is_taken_as_it_is(tmp_path: Path) -> None:
    adata = table()
    adata.obsm["spatial"] = places()
    writer = Writer(tmp_path / "s.zarr").table(adata)
    settled = read(writer.path)
    assert_allclose(positions(settled), places())
    assert any("no shapes or labels named cells" in item.why for item in settled.findings.assumed)


def test_damaged_shapes_are_named_where_obsm_does(tmp_path: Path) -> None:
    adata = table()
    adata.obsm["spatial"] = places() + 1
    writer = Writer(tmp_path / "s.zarr").table(adata).shapes("cells", points(places()))
    (writer.path / "shapes/cells/shapes.parquet").write_bytes(b"PAR1")
    settled = read(writer.path)
    assert_allclose(positions(settled), places() + 1)
    assert mentions(settled, "shapes/cells/shapes.parquet")


def test_outlines_of_other_shapes_are_found_by_name_and_place(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(N_CELLS)]
    adata = table(instances=names)
    adata.obsm["spatial"] = places()
    writer = Writer(tmp_path / "s.zarr").table(adata)
    pixels = [to(kind="scale", scale=[4.0, 4.0])]
    writer.shapes("nucleus_boundaries", squares(places(), 2), names, pixels)
    writer.shapes("cell_boundaries", squares(places()), names, pixels)
    writer.shapes("anatomy", squares(places() + 500), names)
    writer.raster("images/stain", [np.zeros((1, 8, 8), np.uint8)], "cyx")
    settled = read(writer.path)
    assert settled.boundaries.what == "cell"
    assert np.ptp(settled.boundaries.corners[:4], axis=0).tolist() == [4, 4]
    assert_allclose(
        settled.pictures[0].to_section, [[0.25, 0, 0.125], [0, 0.25, 0.125]]
    )  # by the outlines' place
    shutil.rmtree(writer.path / "shapes/cell_boundaries")
    assert read(writer.path).boundaries.what == "nucleus"
    shutil.rmtree(writer.path / "shapes/nucleus_boundaries")
    assert read(writer.path).boundaries is None


@pytest.mark.parametrize("way", WAYS)
def test_outlines_that_are_damaged_are_said(tmp_path: Path, way: str) -> None:
    names = [f"c{i}" for i in range(N_CELLS)]
    adata = table(instances=names)
    adata.obsm["spatial"] = places()
    writer = Writer(tmp_path / "s.zarr").table(adata).shapes("cell_boundaries", squares(places()), names)
    WAYS[way](writer.path / "shapes/cell_boundaries/shapes.parquet")
    settled = read(writer.path)
    assert settled.boundaries is None
    assert mentions(settled, "cell_boundaries/shapes.parquet is")


def test_picture_without_pixels_or_place_is_said(tmp_path: Path) -> None:
    path = make.store(tmp_path / "s.zarr")
    shutil.copytree(path / "images/stain", path / "images/broken")
    shutil.rmtree(path / "images/broken/0")
    shutil.copytree(path / "images/stain", path / "images/elsewhere")
    about = json.loads((path / "images/elsewhere/.zattrs").read_text())
    about["multiscales"][0]["coordinateTransformations"] = [to("nowhere", names="cyx")]
    (path / "images/elsewhere/.zattrs").write_text(json.dumps(about))
    settled = read(path)
    assert {picture.name: picture.to_section is None for picture in settled.pictures} == {
        "elsewhere": True,
        "stain": False,
    }
    assert mentions(settled, "images/elsewhere")
    assert mentions(settled, "picture 'broken'")


def test_points_are_never_opened(tmp_path: Path) -> None:
    path = make.store(tmp_path / "s.zarr")
    (path / "points/transcripts").mkdir(parents=True)
    (path / "points/transcripts/.zattrs").write_text("{broken")
    assert read(path).adata.n_obs == N_CELLS


def test_floats_that_are_whole_are_counts_and_fractions_are_for_viewing(tmp_path: Path) -> None:
    for version in VERSIONS:
        for kind, factor in (("counts", 1.0), ("intensities", 0.3)):
            adata = table(x=sparse.csr_matrix(counts() * factor))
            writer = (
                Writer(tmp_path / f"{kind}{version}.zarr", version)
                .table(adata)
                .shapes("cells", points(places()))
            )
            settled = read(writer.path)
            assert settled.adata.uns[keys.PROVENANCE]["values"] == kind
            assert_allclose(settled.adata.X.toarray(), (counts() * factor).astype(np.float32))
            assert (kind == "intensities") == any("viewing only" in note for note in settled.findings.notes)


def test_counts_of_a_layer_go_before_fractions(tmp_path: Path) -> None:
    adata = table(x=sparse.csr_matrix(counts() * 0.3))
    adata.layers["counts"] = sparse.csr_matrix(counts())
    writer = Writer(tmp_path / "s.zarr").table(adata).shapes("cells", points(places()))
    settled = read(writer.path)
    assert settled.adata.uns[keys.PROVENANCE]["values"] == "counts"
    assert_array_equal(settled.adata.X.toarray(), counts())


def test_negative_values_are_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table(x=counts() - 2.5)).shapes("cells", points(places()))
    assert "negative" in refusal(writer.path)


def test_store_without_a_table_or_positions_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "s.zarr").shapes("cells", points(places()))
    assert "no table of counts of cells: there is only shapes (cells)" in refusal(writer.path)
    writer.table(table(["elsewhere"]))
    assert "no shapes or labels named 'elsewhere', as obs['region'] says" in refusal(writer.path)


@pytest.mark.parametrize("name", ["../../secret", "/etc", "a/../b", ""])
def test_region_that_leads_elsewhere_is_no_shape(tmp_path: Path, name: str) -> None:
    writer = Writer(tmp_path / "s.zarr").table(table([name])).shapes("cells", points(places()))
    assert "holds no positions" in refusal(writer.path)


@pytest.mark.parametrize("version", VERSIONS)
def test_stores_without_their_root_descriptions_are_known(tmp_path: Path, version: int) -> None:
    path = make.store(tmp_path / "s.zarr", version)
    for file in (".zgroup", ".zattrs", "zarr.json", "tables/.zgroup", "tables/zarr.json", "shapes/.zgroup"):
        (path / file).unlink(missing_ok=True)
    assert READER.reads(path)
    assert_allclose(positions(read(path)), places())


def test_other_folders_are_not_of_this_kind(tmp_path: Path) -> None:
    (tmp_path / "tables/table").mkdir(parents=True)
    assert not READER.reads(tmp_path)
    assert not READER.reads(tmp_path / "missing")
    assert not READER.reads(Path("a\0b"))
    Writer(tmp_path / "picture.zarr").raster("labels/nuclei", [np.ones((4, 4), np.uint8)])
    assert not READER.reads(tmp_path / "picture.zarr")  # an OME-Zarr picture has labels, too


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_each_file_spoilt_is_said_or_refused_in_one_line(tmp_path: Path, version: int) -> None:
    path = make.store(tmp_path / "s.zarr", version)
    sound = read(path)
    for copy, file, way in spoilt(path, tmp_path / "copies"):
        found = outcome(copy)
        parts = [part for part in file.parent.parts if not part.isdigit() and part != "c"]
        if isinstance(found, str):
            assert not parts or any(part in found for part in parts[-2:]), f"{file} {way}: {found}"
        elif not any(mentions(found, part) for part in parts[-2:]):
            assert_array_equal(found.adata.X.toarray(), sound.adata.X.toarray())
            assert_allclose(positions(found), positions(sound))
            assert found.adata.obs.equals(sound.adata.obs)
