"""Transcripts of CosMx runs and SpatialData stores lie where the cells of the same source were read."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import shapely
from anndata import AnnData

from squint import keys
from squint.errors import InputError
from squint.io import Answers, read_settled, transcripts
from squint.io.facts import Settled
from squint.io.transcript_files import Placing, is_drawn, placed
from tests.helpers import cosmx_folder
from tests.helpers.spatialdata_store import N_CELLS, Writer, places, points, squares, table, to


def read(path: Path, settled: Settled, genes: list[str]) -> transcripts.Read:
    known = settled.adata.var_names.tolist()
    return transcripts.read(path, genes, known, lambda _: None, settled.transcripts)


def xy(settled: Settled) -> np.ndarray:
    return np.asarray(settled.adata.obsm[keys.SPATIAL])


# --- CosMx ---------------------------------------------------------------------------------------------


def cosmx(run: cosmx_folder.Run, folder: Path, **tables: pd.DataFrame) -> Path:
    told = {
        "exprMat_file": run.expression(),
        "metadata_file": run.metadata(),
        "fov_positions_file": run.positions(),
        "polygons": run.polygons(),
        "tx_file": run.transcripts(),
    }
    return cosmx_folder.write(folder, **(told | tables))


def own_of(run: cosmx_folder.Run, told: pd.DataFrame, gene: str) -> np.ndarray:
    """Give what must be read of a gene: pixels of the slide, y down."""
    own = told[told.target == gene]
    return own[["x_global_px", "y_global_px"]].to_numpy() * (1, -1 if run.up else 1)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("without", [None, "global", "local"])
def test_cosmx_in_pixels_of_the_slide_or_of_fields(tmp_path: Path, without: str | None, *, up: bool) -> None:
    run = cosmx_folder.Run(up=up)
    told = run.transcripts()
    left = told.drop(columns=[f"{axis}_{without}_px" for axis in "xy"]) if without else told
    settled = read_settled(cosmx(run, tmp_path, tx_file=left), Answers(unit="0.12"))
    found = read(tmp_path / "S1_tx_file.csv", settled, ["RAMP2", "HLA-DQB1/2"])
    for gene, spots in found.genes.items():
        np.testing.assert_allclose(spots.places, 0.12 * own_of(run, told, gene), rtol=1e-6, atol=1e-3)
    assert found.n_other == int((~told.target.isin(settled.adata.var_names)).sum())
    inside = told[(told.cell_ID > 0) & (told.target == "RAMP2")]
    index = [f"{fov}_{cell}" for fov, cell in zip(inside.fov, inside.cell_ID, strict=True)]
    away = (
        found.genes["RAMP2"].places[: len(inside)] - xy(settled)[settled.adata.obs_names.get_indexer(index)]
    )
    assert (np.abs(away) <= np.array([20, 10]) * 0.12 + 0.01).all()


def test_cosmx_cells_in_millimetres_take_their_transcripts_along(tmp_path: Path) -> None:
    run = cosmx_folder.Run(up=True)
    cells = run.metadata().rename(columns={f"Center{a}_global_px": f"{a.lower()}_slide_mm" for a in "XY"})
    cells[["x_slide_mm", "y_slide_mm"]] *= 0.00012
    told = run.transcripts()
    settled = read_settled(cosmx(run, tmp_path, metadata_file=cells), Answers())
    found = read(tmp_path / "S1_tx_file.csv", settled, ["CD83"])
    np.testing.assert_allclose(found.genes["CD83"].places, 0.12 * own_of(run, told, "CD83"), atol=0.01)
    alone = cells.drop(columns=["CenterX_local_px", "CenterY_local_px"])
    settled = read_settled(cosmx(run, tmp_path, metadata_file=alone), Answers())
    assert settled.transcripts is not None
    assert "CenterX_local_px" in settled.transcripts.why_not
    assert any(
        "CenterX_local_px" in one.why for one in settled.findings.left_out if one.what == "transcripts"
    )
    with pytest.raises(InputError, match="cannot be drawn: its cells lie in millimetres"):
        read(tmp_path / "S1_tx_file.csv", settled, ["CD83"])


def test_cosmx_fields_without_a_cell_have_no_place_and_are_counted(tmp_path: Path) -> None:
    run = cosmx_folder.Run()
    told = run.transcripts().drop(columns=["x_global_px", "y_global_px"])
    more = told.assign(fov=99)
    settled = read_settled(cosmx(run, tmp_path, tx_file=pd.concat([told, more])), Answers())
    spots = read(tmp_path / "S1_tx_file.csv", settled, ["RAMP2"]).genes["RAMP2"]
    n = int((told.target == "RAMP2").sum())
    assert (len(spots.places), spots.n_nowhere) == (n, n)


def test_cosmx_pixels_of_a_single_field_are_not_taken_for_those_of_the_slide(tmp_path: Path) -> None:
    run = cosmx_folder.Run(fields=(7,))
    cells = run.metadata().drop(columns=["CenterX_global_px", "CenterY_global_px"])
    told = run.transcripts()
    folder = cosmx(run, tmp_path, metadata_file=cells)
    (folder / "S1-polygons.csv").unlink()
    settled = read_settled(folder, Answers())
    np.testing.assert_allclose(xy(settled), run.local)
    spots = read(folder / "S1_tx_file.csv", settled, ["RAMP2"]).genes["RAMP2"]
    own = told[told.target == "RAMP2"]
    np.testing.assert_allclose(spots.places, own[["x_local_px", "y_local_px"]], rtol=1e-6)
    left = told.drop(columns=["x_local_px", "y_local_px"])
    with pytest.raises(InputError, match="has no column"):
        read(cosmx(run, tmp_path / "b", tx_file=left) / "S1_tx_file.csv", settled, ["RAMP2"])


def test_a_packed_table_breaks_off(tmp_path: Path) -> None:
    settled = read_settled(cosmx(cosmx_folder.Run(), tmp_path), Answers())
    path = tmp_path / "S1_tx_file.csv.gz"
    path.write_bytes(gzip.compress((tmp_path / "S1_tx_file.csv").read_bytes())[:-200])
    with pytest.raises(InputError, match="damaged"):
        read(path, settled, ["RAMP2"])


def test_cosmx_of_the_vendor_lies_in_its_own_cells(bundle: Callable[[str], Path]) -> None:
    folder = bundle("cosmx_mousebrain_run5642_sfe")
    settled = read_settled(folder, Answers(unit="0.12028"))
    told = pd.read_csv(folder / "Run5642_S3_Quarter_tx_file.csv")
    genes = settled.adata.var_names.tolist()
    found = read(folder / "Run5642_S3_Quarter_tx_file.csv", settled, genes)
    assert sum(len(spots.places) for spots in found.genes.values()) == len(told) - found.n_other
    rows = settled.adata.obs_names
    own, others, inside = [], [], []
    rings = settled.boundaries
    assert rings is not None
    corners = np.split(rings.corners + np.array(rings.origin), rings.offsets[1:-1])
    polygons = {cell: shapely.Polygon(ring) for cell, ring in zip(rings.cells, corners, strict=True)}
    for gene, spots in found.genes.items():
        of = told[told.target == gene]
        at = rows.get_indexer([f"{fov}_{cell}" for fov, cell in zip(of.fov, of.cell_ID, strict=True)])
        for cell, place in zip(at[at >= 0], spots.places[at >= 0], strict=True):
            away = np.hypot(*(xy(settled) - place).T)
            own.append(away[cell])
            others.append(np.median(np.delete(away, cell)))
            inside.append(polygons[cell].buffer(0.5).covers(shapely.Point(place)))
    assert len(own) > 2_000
    assert np.median(own) < 5  # um
    assert np.median(others) > 40
    assert np.mean(inside) > 0.95


# --- SpatialData ---------------------------------------------------------------------------------------

TOLD = pd.DataFrame(
    {
        "x": np.repeat(places()[:, 0], 3) + np.tile([-1.0, 0, 1], N_CELLS),
        "y": np.repeat(places()[:, 1], 3),
        "feature_name": np.tile(["A", "B", "NegControl"], N_CELLS),
        "qv": np.tile([30.0, 10.0, 30.0], N_CELLS),
    }
)
AFFINE = [[0.0, 2.0, 7.0], [-3.0, 0.0, 1.0]]  # turns, stretches and moves


@pytest.mark.parametrize("version", [2, 3])
def test_points_are_taken_to_the_system_of_the_cells(tmp_path: Path, version: int) -> None:
    way = to(kind="affine", affine=[*AFFINE, [0, 0, 1]])
    writer = Writer(tmp_path / "s.zarr", version).table(table())
    writer.shapes("cells", squares(places()), range(N_CELLS), [way])
    own = TOLD.assign(x=TOLD.x * 10, y=TOLD.y * 10)
    scaled = to(kind="scale", scale=[0.1, 0.1])
    together = to(kind="sequence", transformations=[scaled, way])
    writer.points("transcripts", own, [to("elsewhere"), together])
    settled = read_settled(writer.path, Answers(unit="0.5"))
    assert settled.transcripts is not None
    found = read(writer.path / settled.transcripts.file, settled, ["A", "B", "C"])
    of = TOLD[TOLD.feature_name == "A"][["x", "y"]].to_numpy()
    np.testing.assert_allclose(
        found.genes["A"].places, 0.5 * (of @ np.array(AFFINE)[:, :2].T + [7, 1]), rtol=1e-6
    )
    np.testing.assert_allclose(
        found.genes["A"].places, xy(settled) - 0.5 * np.array(AFFINE)[:, 0], rtol=1e-6
    )  # each is one unit left of its cell
    assert (found.genes["B"].n_low, len(found.genes["B"].places)) == (N_CELLS, 0)
    assert found.n_other == N_CELLS


def why_not(writer: Writer) -> str:
    settled = read_settled(writer.path, Answers())
    assert settled.transcripts is not None
    assert any(settled.transcripts.why_not in one.why for one in settled.findings.left_out)
    with pytest.raises(InputError, match="cannot be drawn"):
        read(writer.path / settled.transcripts.file, settled, ["A"])
    return settled.transcripts.why_not


def test_points_whose_place_is_not_stated_are_not_drawn(tmp_path: Path) -> None:
    def store(name: str) -> Writer:
        return Writer(tmp_path / name).table(table()).shapes("cells", squares(places()), range(N_CELLS))

    elsewhere = store("a.zarr").points("transcripts", TOLD, [to("elsewhere")])
    assert "in 'global'" in why_not(elsewhere)
    odd = store("b.zarr").points("transcripts", TOLD, [to(kind="bijection")])
    assert "bijection" in why_not(odd)
    two = store("c.zarr").points("raw", TOLD).points("transcripts", TOLD)
    assert "'raw', 'transcripts'" in why_not(two)
    adata = table()
    adata.obsm["spatial"] = places()
    adata.uns["spatialdata_attrs"]["region"] = "gone"
    adata.obs["region"] = pd.Categorical(["gone"] * N_CELLS)
    bare = Writer(tmp_path / "d.zarr").table(adata).points("transcripts", TOLD)
    assert "among its cells" in why_not(bare)
    unnamed = store("e.zarr").points("beads", TOLD.drop(columns="feature_name"), feature_key=None)
    settled = read_settled(unnamed.path, Answers())
    assert settled.transcripts is None
    assert any("which column names genes" in one.why for one in settled.findings.left_out)


@pytest.mark.parametrize("own", ["elements", "global"])
def test_positions_of_the_table_tell_the_frame_by_its_outlines(tmp_path: Path, own: str) -> None:
    way = to(kind="scale", scale=[4.0, 4.0])
    adata = table(["gone"])
    adata.obsm["spatial"] = places() * (1 if own == "elements" else 4)
    adata.uns["spatialdata_attrs"]["region"] = "gone"
    writer = Writer(tmp_path / "s.zarr").table(adata)
    writer.shapes("cell_boundaries", squares(places()), range(N_CELLS), [way])
    settled = read_settled(writer.points("transcripts", TOLD, [way]).path, Answers())
    assert settled.transcripts is not None
    spots = read(writer.path / settled.transcripts.file, settled, ["A"]).genes["A"]
    np.testing.assert_allclose(spots.places, xy(settled) - [1 if own == "elements" else 4, 0], rtol=1e-6)


def test_points_of_the_vendor_lie_at_cells_whose_positions_are_from_elsewhere(
    bundle: Callable[[str], Path], real_section: Callable[[str], Path], tmp_path: Path
) -> None:
    """The points of 10x's breast Rep1 as spatialdata-io wrote them, at centroids that others published."""
    store = bundle("spatialdata_points_only_vitessce") / "xenium_rep1_io.points_only.spatialdata.zarr"
    both = anndata.read_h5ad(real_section("xenium_breast_serial_rep1_rep2_crop"))
    cells = both[both.obs_names.str.startswith("rep1_")].copy()
    ids = cells.obs_names.str.removeprefix("rep1_").astype(int)
    obs = pd.DataFrame(
        {"region": pd.Categorical(["cells"] * len(ids)), "instance_id": ids.to_numpy()}, index=cells.obs_names
    )
    adata = AnnData(cells.X, obs=obs, var=pd.DataFrame(index=cells.var_names))
    adata.uns["spatialdata_attrs"] = table().uns["spatialdata_attrs"]
    centroids = cells.obsm["spatial"]
    way = to(kind="scale", scale=[1 / 0.2125, 1 / 0.2125])  # as 10x's pixels
    writer = Writer(tmp_path / "s.zarr").table(adata).shapes("cells", points(centroids), ids, [way])
    shutil.copytree(store / "points", writer.path / "points")
    settled = read_settled(writer.path, Answers(unit="0.2125"))
    np.testing.assert_allclose(xy(settled), centroids, rtol=1e-5)
    assert settled.transcripts is not None
    path = writer.path / settled.transcripts.file
    genes = cells.var_names.tolist()
    found = read(path, settled, genes)
    told = pd.concat([pd.read_parquet(part) for part in sorted(path.iterdir())])
    own = []
    for gene, spots in found.genes.items():
        at = pd.Index(ids).get_indexer(told[told.feature_name == gene].cell_id)
        own += np.hypot(*(spots.places[at >= 0] - centroids[at[at >= 0]]).T).tolist()
    assert len(own) > 500
    assert np.median(own) < 6  # um, of a crop of 300 x 800
    assert np.quantile(own, 0.99) < 30
    # one transcript in 200 was kept there: what cells have of a gene here goes with what the matrix counts
    near = told[told.cell_id.isin(ids)].feature_name.value_counts().reindex(genes, fill_value=0)
    counted = np.asarray(cells.X.sum(axis=0)).ravel()
    assert np.corrcoef(near, counted)[0, 1] > 0.8


# --- names ---------------------------------------------------------------------------------------------


def test_a_file_is_found_wherever_the_source_lies_in_its_original() -> None:
    tx = Placing("S1_tx_file.csv")
    assert placed(["a/S1_tx_file.csv.gz", "a/S2_tx_file.csv"], tx) == "a/S1_tx_file.csv.gz"
    assert placed(["S1_tx_file.csv.gz", "S1_tx_file.csv"], tx) == "S1_tx_file.csv"
    assert placed(["a/S1_tx_file.csv", "b/S1_tx_file.csv"], tx) is None
    assert placed(["XS1_tx_file.csv"], tx) is None
    parts = Placing("points/t/points.parquet")
    names = [f"s.zarr/points/t/points.parquet/part.{i}.parquet" for i in range(3)]
    assert placed(names, parts) == "s.zarr/points/t/points.parquet"
    assert placed(["points/t/points.parquet"], parts) == "points/t/points.parquet"
    assert placed(["points/other/points.parquet"], parts) is None


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("transcripts.parquet", True),
        ("outs/transcripts.csv.gz", True),
        ("transcripts.zarr.zip", False),
        ("transcripts.zarr/0/0", False),
        ("detected_transcripts.csv", True),
        ("Run1_tx_file.csv.gz", True),
        ("points/transcripts/points.parquet/part.0.parquet", True),
        ("s.zarr/points/transcripts/points.parquet", True),
        ("points/transcripts/.zattrs", False),
        ("reads.bam", False),
    ],
)
def test_what_the_map_may_draw_is_known_by_its_name(name: str, *, drawn: bool) -> None:
    assert is_drawn(name) == drawn
