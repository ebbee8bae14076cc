"""CosMx's flat files: ids of fields, cell 0, which way y points, what a pixel is, and outlines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import io, keys
from squint.errors import InputError
from squint.io import Answers, read_settled
from squint.io.cosmx_places import fit_fields, scale_of
from squint.io.findings import AskedError
from tests.helpers.cosmx_folder import GENES, SIZE, SQUARE, Run, with_mm, write, write_run
from tests.helpers.sabotage import mentions, outcome, spoilt


def dense(adata):
    return np.asarray(adata.X.todense())


def left_out(settled):
    return {item.what: item.n for item in settled.findings.left_out}


def refusal(folder, **answers):
    with pytest.raises(InputError) as caught:
        read_settled(folder, Answers(**answers))
    return str(caught.value)


def ring(settled, row):
    rings = settled.boundaries
    at = int(np.flatnonzero(rings.cells == row)[0])
    return rings.corners[rings.offsets[at] : rings.offsets[at + 1]] + np.array(rings.origin)


# --- counts, names, cell 0 -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("prefix", ["S1_", "Lung5_Rep1_", ""])
def test_counts_names_and_columns_are_those_of_the_run(tmp_path, prefix, ending):
    run = Run()
    settled = read_settled(write_run(run, tmp_path / "run", prefix, ending), Answers())
    adata = settled.adata
    assert adata.var_names.tolist() == GENES[:3]
    np.testing.assert_array_equal(dense(adata), run.counts[:, :3])
    assert adata.obs_names.tolist() == [f"{f}_{c}" for f, c in zip(run.fov, run.cell, strict=True)]
    np.testing.assert_array_equal(adata.obs[["fov", "cell_ID"]], np.column_stack([run.fov, run.cell]))
    np.testing.assert_array_equal(adata.obs["Mean.DAPI"], run.metadata()["Mean.DAPI"])
    np.testing.assert_array_equal(adata.obs["control_counts"], run.counts[:, 3:].sum(axis=1))
    assert adata.uns[keys.PROVENANCE]["assay"] == "CosMx"
    assert left_out(settled) == {"row of cell 0": 2, "Negative probe": 1, "System control": 1}
    (zero,) = [item for item in settled.findings.left_out if item.what == "row of cell 0"]
    assert zero.why.startswith(f"{len(GENES) * (107 + 116):,} counts")


def test_numbers_of_rows_that_r_added_are_no_gene(tmp_path):
    run = Run()
    tables = {"exprMat_file": run.expression(), "metadata_file": run.metadata()}
    for name, table in tables.items():
        tables[name] = table.reset_index(drop=True).reset_index(names="")
    adata = read_settled(write(tmp_path, **tables), Answers()).adata
    assert adata.var_names.tolist() == GENES[:3]
    np.testing.assert_array_equal(dense(adata), run.counts[:, :3])


def test_order_of_the_metadata_does_not_matter(tmp_path):
    run = Run()
    shuffled = run.metadata().sample(frac=1, random_state=1)
    folder = write(tmp_path, exprMat_file=run.expression(), metadata_file=shuffled)
    adata = read_settled(folder, Answers()).adata
    np.testing.assert_array_equal(adata.obsm["spatial"], run.right_and_down)
    np.testing.assert_array_equal(dense(adata), run.counts[:, :3])


def test_names_that_the_run_states_are_the_cells_names(tmp_path):
    run = Run()
    stated = [f"c_1_{f}_{c}" for f, c in zip(run.fov, run.cell, strict=True)]
    table = run.metadata().assign(cell_id=stated, cell=stated)
    adata = read_settled(write(tmp_path, exprMat_file=run.expression(), metadata_file=table), Answers()).adata
    assert adata.obs_names.tolist() == stated
    assert adata.obs["cell_ID"].tolist() == run.cell.tolist()


def test_a_plain_file_called_gz_is_read(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    (folder / "S1_exprMat_file.csv").rename(folder / "S1_exprMat_file.csv.gz")
    np.testing.assert_array_equal(dense(read_settled(folder, Answers()).adata), run.counts[:, :3])


def test_a_damaged_table_is_replaced_by_the_one_beside_it_and_said(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    (folder / "S1_exprMat_file.csv.gz").write_bytes(b"")
    (folder / "S1_metadata_file.csv").rename(folder / "S1_metadata_file.csv.gz")
    (folder / "S1_metadata_file.csv").write_bytes(b"")
    settled = read_settled(folder, Answers())
    assert settled.adata.n_obs == len(run.fov)
    assert mentions(settled, "S1_metadata_file.csv.gz was read instead")


def test_cells_of_one_table_alone_are_refused_with_both_numbers(tmp_path):
    run = Run()
    folder = write(tmp_path, exprMat_file=run.expression(), metadata_file=run.metadata().iloc[:-3])
    words = refusal(folder)
    assert "S1_exprMat_file.csv has 80 cells, 3 of them not in S1_metadata_file.csv" in words
    assert "77, 0 of them" in words
    folder = write(tmp_path, exprMat_file=run.expression().iloc[:-5], metadata_file=run.metadata())
    assert "has 75 cells, 0 of them not in" in (words := refusal(folder))
    assert "80, 5 of them" in words


def test_cells_that_share_field_and_number_are_refused(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    doubled = run.metadata()
    doubled.loc[3, "cell_ID"] = 1
    write(folder, metadata_file=doubled)
    assert "S1_metadata_file.csv: 1 cells have the field and number of another" in refusal(folder)


def test_fractions_are_refused_but_a_protein_assay_is_for_viewing(tmp_path):
    run = Run()
    expression = run.expression(outside=False).astype(dict.fromkeys(GENES, float))
    expression.loc[4, "CD83"] = 2.5
    folder = write(tmp_path, exprMat_file=expression, metadata_file=run.metadata())
    assert "exprMat_file.csv holds values that are no counts (1 negative" in refusal(folder)
    write(folder, metadata_file=run.metadata().assign(assay_type="protein"))
    settled = read_settled(folder, Answers())
    assert settled.adata.uns[keys.PROVENANCE]["values"] == "intensities"
    assert mentions(settled, "protein assay")


# --- places --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", [False, True])
def test_y_points_down_by_what_cells_with_both_positions_show(tmp_path, up):
    run = Run(up=up)
    settled = read_settled(write_run(run, tmp_path), Answers())
    np.testing.assert_allclose(settled.adata.obsm["spatial"], run.right_and_down)
    (direction,) = [item for item in settled.findings.assumed if item.what == "y points down"]
    assert ("turned round" in direction.why) == up
    for row in (0, 55):
        np.testing.assert_allclose(ring(settled, row), run.right_and_down[row] + SQUARE * (1, 1), atol=0.01)


def test_the_unit_of_pixels_is_asked_and_an_answer_converts_areas_and_outlines(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    settled = read_settled(folder, Answers())
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "unknown"
    assert "cell_area" not in settled.adata.obs
    (asked,) = settled.findings.asked
    assert asked.option == "unit"
    assert ".12028 um on instruments from 2022" in asked.words
    settled = read_settled(folder, Answers(unit="0.18"))
    np.testing.assert_allclose(settled.adata.obsm["spatial"], run.right_and_down * 0.18)
    np.testing.assert_allclose(settled.adata.obs["cell_area"], run.metadata()["Area"] * 0.18**2)
    np.testing.assert_allclose(ring(settled, 3), (run.right_and_down[3] + SQUARE) * 0.18, atol=0.01)


@pytest.mark.parametrize("fields", [(7, 16), (7,)])
def test_positions_of_fields_in_both_units_show_what_a_pixel_is(tmp_path, fields):
    run = Run(fields=fields, up=True)
    folder = write_run(run, tmp_path)
    write(folder, fov_positions_file=with_mm(run.positions(), run.um))
    settled = read_settled(folder, Answers())
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "um"
    np.testing.assert_allclose(settled.adata.obsm["spatial"], run.right_and_down * run.um)
    assert any("0.12 um per pixel" in item.what for item in settled.findings.found)
    np.testing.assert_allclose(settled.adata.obs["cell_area"], run.metadata()["Area"] * run.um**2)


def test_positions_of_fields_that_contradict_each_other_show_nothing():
    positions = with_mm(Run().positions(), 0.12)
    positions["y_global_mm"] *= 1.5
    assert scale_of(positions, Run().metadata()) is None


def test_areas_in_both_units_show_what_a_pixel_is(tmp_path):
    run = Run()
    table = run.metadata().assign(**{"Area.um2": run.metadata()["Area"] * 0.0144})
    folder = write(tmp_path, exprMat_file=run.expression(), metadata_file=table)
    adata = read_settled(folder, Answers()).adata
    assert adata.uns[keys.PROVENANCE]["unit"] == "um"
    np.testing.assert_allclose(adata.obsm["spatial"], run.right_and_down * 0.12)
    np.testing.assert_allclose(adata.obs["cell_area"], table["Area.um2"])


def test_millimetres_are_stated_and_outlines_follow_them(tmp_path):
    run = Run(up=True)
    on_slide = run.on_slide(run.fov, run.local) * run.um / 1000
    table = run.metadata().drop(columns=["CenterX_global_px", "CenterY_global_px"])
    table = table.assign(x_slide_mm=on_slide[:, 0], y_slide_mm=on_slide[:, 1])
    folder = write(tmp_path, exprMat_file=run.expression(), metadata_file=table, polygons=run.polygons())
    settled = read_settled(folder, Answers())
    assert settled.adata.uns[keys.PROVENANCE]["unit"] == "um"
    np.testing.assert_allclose(settled.adata.obsm["spatial"], run.right_and_down * run.um)
    np.testing.assert_allclose(ring(settled, 9), (run.right_and_down[9] + SQUARE) * run.um, atol=0.01)
    np.testing.assert_allclose(settled.adata.obs["cell_area"], table["Area"] * run.um**2)


def test_cells_without_a_position_are_refused(tmp_path):
    folder = write_run(run := Run(), tmp_path)
    table = run.metadata()
    write(
        folder,
        metadata_file=table.assign(CenterX_global_px=table["CenterX_global_px"].where(table.index != 3)),
    )
    assert "S1_metadata_file.csv: 1 cells have no position, the first is 7_4" in refusal(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"CenterX_global_px": "left"}, "column 'CenterX_global_px' holds text"),
        ({"cell_ID": -1}, "'fov', 'cell_ID' of row 1 are no whole numbers"),
        ({"fov": 1.5}, "'fov', 'cell_ID' of row 1 are no whole numbers"),
    ],
)
def test_odd_values_are_refused_with_their_column(tmp_path, change, words):
    folder = write_run(run := Run(), tmp_path)
    write(folder, metadata_file=run.metadata().assign(**change))
    assert words in refusal(folder)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content + b"\n\n",
        lambda content: content.replace(b"Mean.DAPI", b'"Mean.DAPI"'),
    ],
)
def test_other_ways_to_write_a_table_are_read(tmp_path, spoil):
    run = Run()
    folder = write_run(run, tmp_path)
    for path in folder.iterdir():
        path.write_bytes(spoil(path.read_bytes()))
    settled = read_settled(folder, Answers())
    np.testing.assert_array_equal(dense(settled.adata), run.counts[:, :3])
    np.testing.assert_array_equal(settled.adata.obs["Mean.DAPI"], run.metadata()["Mean.DAPI"])
    assert len(settled.boundaries.cells) == len(run.fov)


def test_links_are_never_followed(tmp_path):
    run = Run()
    for name in ("exprMat_file", "metadata_file", "polygons"):
        folder = write_run(run, tmp_path / name)
        (path,) = folder.glob(f"*{name}.csv")
        path.symlink_to(path.rename(tmp_path / path.name))
        found = outcome(folder)
        assert path.name in found if isinstance(found, str) else mentions(found, f"{path.name} is refused")


def local_only(run):
    return run.metadata().drop(columns=["CenterX_global_px", "CenterY_global_px"])


@pytest.mark.parametrize("up", [False, True])
def test_fields_are_put_together_by_corners_that_have_both_positions(tmp_path, up):
    run = Run(up=up)
    folder = write(
        tmp_path, exprMat_file=run.expression(), metadata_file=local_only(run), polygons=run.polygons()
    )
    adata = read_settled(folder, Answers()).adata
    np.testing.assert_allclose(adata.obsm["spatial"], run.right_and_down)


def test_fields_whose_places_nothing_shows_are_asked_about_and_read_as_sections(tmp_path):
    run = Run()
    folder = write(
        tmp_path,
        exprMat_file=run.expression(),
        metadata_file=local_only(run),
        fov_positions_file=run.positions(),
    )
    with pytest.raises(AskedError, match="2 fields have positions within their fields alone") as caught:
        read_settled(folder, Answers())
    assert caught.value.question.choices == ("fov",)
    adata = read_settled(folder, Answers(columns={"section_id": "fov"})).adata
    assert adata.obs["section_id"].unique().tolist() == ["7", "16"]
    np.testing.assert_array_equal(adata.obsm["spatial"], run.local)


def test_a_single_field_needs_no_place(tmp_path):
    run = Run(fields=(3,))
    folder = write(tmp_path, exprMat_file=run.expression(), metadata_file=local_only(run))
    np.testing.assert_array_equal(read_settled(folder, Answers()).adata.obsm["spatial"], run.local)


@given(
    slope=st.tuples(st.sampled_from([-0.18, -1, 0.00012, 1]), st.sampled_from([-1.0, 1.0])),
    seed=st.integers(0, 1000),
    n=st.integers(2, 40),
)
def test_what_takes_fields_to_the_slide_is_found_exactly(slope, seed, n):
    rng = np.random.default_rng(seed)
    fov = rng.integers(1, 4, n)
    local = rng.integers(0, SIZE, (n, 2)).astype(float)
    scale = (slope[0], abs(slope[0]) * slope[1])
    placed = local * scale + rng.uniform(-SIZE, SIZE, (5, 2))[fov]
    found = fit_fields(fov, local, placed)
    if found is not None:  # fields of one cell each show nothing
        np.testing.assert_allclose(found.place(fov, local), placed, atol=abs(slope[0]) * 0.01)
    noisy = placed + rng.choice([-1, 1], (n, 2)) * 30 * abs(slope[0])
    if n > 20:
        assert found is not None
        assert fit_fields(fov, local, noisy) is None


# --- outlines ------------------------------------------------------------------------------------------


def test_outlines_that_lie_elsewhere_are_left_out(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    write(folder, polygons=run.polygons().assign(x_local_px=lambda table: table["x_local_px"] + 300))
    settled = read_settled(folder, Answers())
    assert settled.boundaries is None
    assert mentions(settled, "S1-polygons.csv")


def test_outlines_of_other_cells_are_no_matter(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    corners = run.polygons()
    corners.loc[corners["cellID"] == 5, "cellID"] = 900
    write(folder, polygons=corners)
    rings = read_settled(folder, Answers()).boundaries
    assert len(rings.cells) == len(run.fov) - 2
    assert 4 not in rings.cells


# --- what else lies in a folder ------------------------------------------------------------------------


def test_of_several_data_sets_one_is_asked_for(tmp_path):
    first, second = Run(), Run(seed=1)
    write_run(first, tmp_path / "run", "A_")
    write_run(second, tmp_path / "run", "B_")
    for path in (tmp_path / "run", tmp_path):
        with pytest.raises(AskedError, match="several sources") as caught:
            read_settled(path, Answers())
        name = caught.value.question.choices[1]
        assert name == ("B" if path != tmp_path else "run/B")
        adata = read_settled(path, Answers(section=name)).adata
        np.testing.assert_array_equal(dense(adata), second.counts[:, :3])


def test_transcripts_and_pictures_are_left(tmp_path):
    run = Run()
    folder = write_run(run, tmp_path)
    (folder / "S1_tx_file.csv").write_text("fov,cell_ID,x_global_px,y_global_px,target\n")
    (folder / "CellComposite").mkdir()
    settled = read_settled(folder, Answers())
    assert mentions(settled, "S1_tx_file.csv")
    assert mentions(settled, "CellComposite")


def test_transcripts_without_counts_are_refused_with_the_way(tmp_path):
    write(tmp_path, tx_file=Run().polygons(), fov_positions_file=Run().positions())
    assert "S1_tx_file.csv holds transcripts, and S1_exprMat_file.csv is missing" in refusal(tmp_path)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_each_file_spoilt_is_named_by_the_report_or_the_refusal(tmp_path, ending):
    folder = write_run(Run(up=True), tmp_path / "run", ending=ending)
    for copy, file, way in spoilt(folder, tmp_path / "spoilt"):
        found = outcome(copy)
        if isinstance(found, str):
            assert file.name.split(".")[0] in found, (file, way)
        elif way != "gzipped":
            assert mentions(found, file.name.split(".")[0]), (file, way)


# --- the vendor's own ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "counts", "n_outlines"),
    [
        ("cosmx_dbkero_breast_fov16", (905, 1000), 726_309, 905),
        ("cosmx_mousebrain_run5642_sfe", (27, 950), 58_588, 27),
        ("SpatialExperimentIO_tiny/CosMx_small", (9, 8), 7, 0),
    ],
)
def test_runs_are_read_with_the_numbers_counted_by_hand(bundle, name, shape, counts, n_outlines):
    settled = read_settled(bundle(name), Answers())
    assert settled.adata.shape == shape
    assert settled.adata.X.sum() == counts
    assert settled.adata.obs_names.is_unique
    assert [asked.option for asked in settled.findings.asked] == ["unit"]
    assert (len(settled.boundaries.cells) if settled.boundaries else 0) == n_outlines


def test_a_protein_run_is_read_for_viewing(bundle):
    report = io.validate(bundle("cosmx_protein_s01"))
    assert (report.n_cells, report.values, report.unit, report.n_boundaries) == (
        1793,
        "intensities",
        "um",
        1793,
    )


def test_a_run_without_counts_is_refused(bundle):
    assert "Lung12_exprMat_file.csv is missing" in refusal(bundle("cosmx_giotto_lung12_mini"))


@pytest.mark.parametrize(
    "name", ["cosmx_dbkero_breast_fov16", "cosmx_mousebrain_run5642_sfe", "cosmx_protein_s01"]
)
def test_no_spoilt_file_of_a_run_goes_unnoticed(bundle, tmp_path, name):
    for copy, file, way in spoilt(bundle(name), tmp_path):
        found = outcome(copy)
        if isinstance(found, str):
            assert file.name.partition("_")[0] in found, (file, way)
        elif way != "gzipped" and "label" not in file.name and not (way == "cut" and "tx_file" in file.name):
            assert mentions(found, file.name.split(".")[0]) or way == "removed", (file, way)
