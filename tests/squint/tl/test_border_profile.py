"""What lies around a border: planted truth, agreement with scipy and by hand, and what does not matter."""

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from squint import datasets, keys, tl
from squint.errors import InputError
from squint.geometry.outlines import Polygon
from squint.stats import border

SEEDS = st.integers(0, 2**32 - 1)
HALFWAY = "halfway between cells inside, by most of their neighbourhood, and the nearest outside"
RADIUS, FALL = 150.0, 60.0  # um
RING = ("CD8 T cell", 20.0, 60.0)  # a type that lies in a ring around the circle


def planted(n_sections: int = 3, n: int = 4_000, unit: float = 1.0) -> AnnData:
    """Circles of tumour in tissue; a gene falls exponentially from their border outwards, and is flat inside.

    The other genes keep the depth even.
    """
    sections = []
    for number in range(n_sections):
        rng = np.random.default_rng(number)
        places = rng.uniform(0, 640, (n, 2))
        distance = np.linalg.norm(places - 320, axis=1) - RADIUS
        types = np.where(distance <= 0, "tumour", "fibroblast").astype(object)
        types[(distance > RING[1]) & (distance <= RING[2])] = RING[0]
        falling = 8 * np.exp(-np.maximum(distance, 0) / FALL)
        rates = np.column_stack([falling, 10 - falling, np.full((n, 2), 20.0)])
        obs = pd.DataFrame({keys.CELL_TYPE: pd.Categorical(types), "truth": distance * unit})
        obs[keys.SECTION] = pd.Categorical([f"S{number}"] * n)
        obs.index = [f"S{number}-{i}" for i in range(n)]
        one = AnnData(csr_matrix(rng.poisson(rates).astype(np.float32)), obs=obs)
        one.var_names = ["falling", "rising", "flat", "even"]
        one.obsm[keys.SPATIAL] = places * unit
        sections.append(one)
    together = anndata.concat(sections)
    together.uns[keys.PROVENANCE] = {"unit": "um"}
    return together


def circle(unit: float = 1.0) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    return (unit * (320 + RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])),)


MEASURES = tl.Measures(genes=["falling"], shares={keys.CELL_TYPE: [RING[0]]})


def profile_of(adata: AnnData) -> pd.DataFrame:
    table: pd.DataFrame = adata.uns[keys.BORDER_PROFILE]["profile"]
    return table


@pytest.mark.parametrize("drawn", [True, False])
def test_a_gene_that_falls_from_a_border_and_a_ring_of_cells_are_found(drawn):
    adata = planted()
    outlines = {f"S{number}": [circle()] for number in range(3)} if drawn else None
    bins = tl.DistanceBins(width=20, reach=140)
    tl.border_profile(adata, keys.CELL_TYPE, group="tumour", measures=MEASURES, bins=bins, outlines=outlines)
    distance = adata.obs[keys.BORDER_DISTANCE]
    off = 0.01 if drawn else 4  # um; a polygon of 400 corners is no circle, and cells are 10 um apart
    assert np.abs(distance - adata.obs["truth"]).mean() < off
    table = profile_of(adata)
    gene = table[(table["name"] == "falling") & (table["from"] >= 0)]
    fall = -1 / np.polyfit(gene["middle"], np.log(gene["mean"]), 1)[0]
    assert fall == pytest.approx(FALL, rel=0.1)
    inside = table[(table["name"] == "falling") & (table["to"] <= 0)]["mean"]
    assert inside.mean() == pytest.approx(8, rel=0.05)
    ring = table[table["name"] == RING[0]].set_index("from")["mean"]
    assert ring[[20, 40]].min() > (0.99 if drawn else 0.85)
    assert ring[[0, 60]].max() < (0.01 if drawn else 0.15)
    assert ring[[-140, -20, 120]].max() == 0
    assert (table["n_sections"] == 3).all()
    (how,) = set(adata.uns[keys.BORDER_PROFILE]["border"].values())
    assert how == ("the outline that was drawn" if drawn else HALFWAY)


def test_intervals_are_students_over_sections_and_none_is_of_cells():
    adata = planted()
    bins = tl.DistanceBins(width=40, reach=120)
    tl.border_profile(adata, keys.CELL_TYPE, group="tumour", measures=MEASURES, bins=bins)
    found = adata.uns[keys.BORDER_PROFILE]
    means = found["sections"].pivot_table(index=["name", "from"], columns="section_id", values="value")
    for row in found["profile"].rename(columns={"from": "start"}).itertuples():
        own = means.loc[(row.name, row.start)].to_numpy()
        assert row.mean == pytest.approx(own.mean())
        if own.std() == 0:
            continue
        low, high = stats.t.interval(0.95, 2, own.mean(), stats.sem(own))
        most = 1 if row.kind == border.TYPE else np.inf
        assert (row.low, row.high) == pytest.approx((max(low, 0), min(high, most)))
    single = planted(1)
    tl.border_profile(single, keys.CELL_TYPE, group="tumour", measures=MEASURES, bins=bins)
    assert profile_of(single)[["low", "high"]].isna().all(axis=None)


@settings(max_examples=10)
@given(SEEDS, st.floats(0, 6), st.sampled_from([0.25, 4.0]))
def test_order_place_and_unit_do_not_matter(seed, angle, factor):
    adata = planted(2, 500)
    rng = np.random.default_rng(seed)
    cos, sin = np.cos(angle), np.sin(angle)
    moved = adata[rng.permutation(adata.n_obs)].copy()
    moved.obsm[keys.SPATIAL] = factor * moved.obsm[keys.SPATIAL] @ [[cos, sin], [-sin, cos]] + 1_000
    for one, unit in ((adata, 1.0), (moved, factor)):
        bins = tl.DistanceBins(width=40.0123 * unit, reach=121 * unit, min_cells=1)
        tl.border_profile(one, keys.CELL_TYPE, group="tumour", measures=MEASURES, bins=bins)
    again = moved.obs[keys.BORDER_DISTANCE].reindex(adata.obs_names) / factor
    np.testing.assert_allclose(again, adata.obs[keys.BORDER_DISTANCE], atol=1e-3)
    first, second = profile_of(adata), profile_of(moved)
    assert (first["n_cells"] == second["n_cells"]).all()
    np.testing.assert_allclose(first["mean"], second["mean"])
    np.testing.assert_allclose(first["from"] * factor, second["from"])


def test_bins_have_an_edge_at_the_border_and_are_alike_on_both_sides():
    distance = np.array([-20.0, -19.9, -10, -0.1, 0, 0.1, 10, 19.9, 20, np.nan])
    place, there = border.bins(distance, 10, 20)
    assert there.tolist() == [False, True, True, True, True, True, True, True, False, False]
    assert place[there].tolist() == [-2, -2, -1, -1, 0, 1, 1]
    for width, reach in ((0, 10), (10, 5), (np.nan, 10), (1, 1_000)):
        with pytest.raises(InputError, match="wide up to"):
            border.bins(distance, width, reach)


def test_means_are_those_by_hand_and_thin_bins_are_left_out():
    distance = np.array([-5.0, -5, -5, 5, 5, 5, 5, 15])
    section = np.array(["A", "A", "B", "A", "A", "B", "B", "B"], dtype=object)
    values = pd.DataFrame({0: [1.0, 3, 5, 2, np.nan, 1, 0, 9]})
    values.columns = pd.MultiIndex.from_tuples([("gene", "x")])
    table = border.by_section(distance, section, values, width=10, reach=20, min_cells=2)
    found = {(row.section_id, row.middle): (row.n_cells, row.value) for row in table.itertuples()}
    assert found == {
        ("A", -5): (2, 2.0),
        ("A", 5): (1, pytest.approx(np.nan, nan_ok=True)),
        ("B", -5): (1, pytest.approx(np.nan, nan_ok=True)),
        ("B", 5): (2, 0.5),
        ("B", 15): (1, pytest.approx(np.nan, nan_ok=True)),
    }
    over = border.over_sections(table)
    assert over[["middle", "n_sections", "n_cells", "mean"]].to_numpy().tolist() == [
        [-5, 1, 2, 2.0],
        [5, 1, 2, 0.5],
    ]
    counted = border.cells_in_bins(distance, section, width=10, reach=20)
    assert counted["n_cells"].tolist() == [2, 2, 1, 2, 1]
    with pytest.raises(InputError, match="No cell lies within reach"):
        border.by_section(distance + 100, section, values, width=10, reach=20)


def test_every_section_has_one_vote():
    values = pd.DataFrame({0: [1.0] * 90 + [0.0] * 10})
    values.columns = pd.MultiIndex.from_tuples([("token", "1")])
    section = np.repeat(["A", "B"], [90, 10]).astype(object)
    table = border.by_section(np.full(100, 3.0), section, values, width=5, reach=5, min_cells=1)
    (row,) = border.over_sections(table).itertuples()
    assert row.mean == 0.5
    assert (row.low, row.high) == (0, 1)  # cut to what is possible


@pytest.mark.parametrize(("spacing", "width"), [(7.9, 20), (10, 20), (11, 25), (100, 200), (0.4, 1), (0, 1)])
def test_bins_are_round_and_two_cells_wide(spacing, width):
    assert border.nice_width(spacing) == width


def test_what_cannot_be_asked_is_refused():
    adata = datasets.toy(n_cells=200)
    for options, says in (
        ({"group": "ghost", "measures": MEASURES}, "has no ghost"),
        ({"group": "tumour", "measures": tl.Measures()}, "Nothing is asked"),
        ({"group": "tumour", "measures": tl.Measures(genes=["x"])}, "does not measure x"),
        ({"group": "tumour", "measures": tl.Measures(scores={"s": "s"})}, "score_gene_set"),
        ({"group": "tumour", "measures": tl.Measures(genes=["CA9"]), "min_patch": 10_000}, "both sides"),
    ):
        with pytest.raises(InputError, match=says):
            tl.border_profile(adata, keys.CELL_TYPE, **options)
        assert keys.BORDER_PROFILE not in adata.uns
        assert keys.BORDER_DISTANCE not in adata.obs


def test_cells_without_a_label_have_no_distance():
    adata = planted(1)
    unknown = adata.obs_names[::7]
    adata.obs.loc[unknown, keys.CELL_TYPE] = None
    tl.border_profile(adata, keys.CELL_TYPE, group="tumour", measures=MEASURES)
    missing = adata.obs_names[adata.obs[keys.BORDER_DISTANCE].isna()]
    assert list(missing) == list(unknown)
