"""Outlines: membership, area, and the files of QuPath and Xenium Explorer."""

import json
import subprocess
import sys
import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st
from matplotlib.path import Path as Drawn

from squint.errors import InputError
from squint.formats import qupath, xenium_explorer
from squint.geometry import outlines, regions
from squint.geometry.outlines import Group, Outline

POINTS = np.random.default_rng(0).uniform(-10, 110, (400, 2))
GRID = np.stack(np.meshgrid(np.arange(11.0), np.arange(11.0)), axis=-1).reshape(-1, 2)
SQUARE = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
HOLE = np.array([[3.0, 3], [7, 3], [7, 7], [3, 7]])
BOW = np.array([[0.0, 0], [10, 10], [10, 0], [0, 10]])  # crosses itself

corner = st.tuples(st.floats(0, 100, width=16), st.floats(0, 100, width=16))
ring = st.lists(corner, min_size=3, max_size=8, unique=True).map(lambda c: np.array(c, dtype=float))
polygon = st.lists(ring, min_size=1, max_size=3).map(tuple)
polygons = st.lists(polygon, min_size=1, max_size=3).map(tuple)
lattice = st.lists(
    st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=3, max_size=9, unique=True
).map(lambda c: np.array(c, dtype=float))
label = st.text("aZé9=+-'#; µ", min_size=1, max_size=5).filter(lambda t: t == " ".join(t.split()))


# --- membership and area ----------------------------------------------------------------------------------


@given(lattice)
def test_a_ring_holds_the_cells_that_a_region_of_r_json_holds(corners):
    region = regions.Polygon("s", tuple(map(tuple, corners.tolist())))
    np.testing.assert_array_equal(outlines.inside([(corners,)], GRID), region.mask(None, GRID, None))


@given(polygon)
def test_rings_are_filled_by_the_even_odd_rule(rings):
    # matplotlib counts the crossings of each path too, by another formula.
    odd = np.sum([Drawn(corners).contains_points(POINTS) for corners in rings], axis=0)
    edge = shapely.union_all([shapely.LinearRing(corners) for corners in rings])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    np.testing.assert_array_equal(outlines.inside([rings], POINTS)[clear], (odd % 2 == 1)[clear])


def test_borders_and_holes_are_as_drawn():
    found = outlines.inside([(SQUARE, HOLE)], GRID)
    x, y = GRID.T
    np.testing.assert_array_equal(found, ~((x > 3) & (x < 7) & (y > 3) & (y < 7)))
    assert outlines.area([(SQUARE, HOLE)]) == 84
    assert outlines.area([(SQUARE, HOLE[::-1])]) == 84
    assert outlines.area([(BOW,)]) == 50
    assert not outlines.inside([(SQUARE,)], np.empty((0, 2))).any()


@given(polygons, st.integers(0, 20), st.booleans())
def test_where_a_ring_starts_and_which_way_it_runs_do_not_matter(many, shift, turn):
    moved = [
        tuple(np.roll(corners, shift, axis=0)[:: -1 if turn else 1] for corners in rings) for rings in many
    ]
    edge = shapely.union_all([shapely.LinearRing(corners) for rings in many for corners in rings])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    first, second = outlines.inside(many, POINTS), outlines.inside(moved, POINTS)
    np.testing.assert_array_equal(first[clear], second[clear])


@given(polygons)
def test_a_union_is_counted_once(many):
    assert outlines.area([*many, *many]) == pytest.approx(outlines.area(many))
    assert outlines.area(many) <= sum(outlines.area([one]) for one in many) + 1e-6


@given(polygons, polygons)
def test_what_is_cut_out_is_gone_and_the_rest_stays(many, others):
    rest = outlines.subtract(many, others)
    edge = shapely.union_all([shapely.LinearRing(c) for shape in (*many, *others, *rest) for c in shape])
    clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
    expected = outlines.inside(many, POINTS) & ~outlines.inside(others, POINTS)
    np.testing.assert_array_equal(outlines.inside(rest, POINTS)[clear], expected[clear])
    assert outlines.subtract(many, many) == ()


def test_a_million_cells_are_decided_while_the_mouse_is_still_warm():
    # 10 s instead of the 0.5 s that it takes here: a slow machine must not fail.
    code = (
        "import numpy as np, time; from squint.geometry.outlines import inside\n"
        "angle = np.linspace(0, 6.28, 300)\n"
        "ring = 5e3 + 4e3 * np.column_stack([np.cos(angle), np.sin(angle)])\n"
        "cells = np.random.default_rng(0).uniform(0, 1e4, (1_000_000, 2)); start = time.perf_counter()\n"
        "n = inside([(ring,)], cells).sum(); print(n, time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    n, seconds = done.stdout.split()
    assert int(n) == pytest.approx(1e6 * np.pi * 0.16, rel=0.01)
    assert float(seconds) < 10


def test_outlines_are_read_without_anndata():
    code = "import sys, squint.formats.qupath, squint.formats.xenium_explorer; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"anndata", "scanpy", "torch", "shapely", "scipy"} & set(done.stdout.split())


def star(n_corners):
    return np.random.default_rng(0).uniform(0, 1e4, (n_corners, 2))


def zigzag(n_corners):
    """Run up and down across the section, and back below it."""
    x, y = np.linspace(0, 1e4, n_corners - 1), np.where(np.arange(n_corners - 1) % 2, 0, 1e4)
    return np.vstack([np.column_stack([x, y]), [[5e3, -1e8]]])


def wave(n_corners):
    angle = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    reach = 4e3 + 100 * np.sin(50 * angle)
    return 5e3 + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("n_corners", [300, 1_000, 3_000, 10_000])
def test_outlines_that_cross_all_over_are_refused_at_once(n_corners):
    """1,000 corners took 13 s and 3,000 took 2.5 GB, before any number was shown."""
    start = time.process_time()
    for act in (outlines.area, lambda many: outlines.subtract(many, [(SQUARE,)])):
        with pytest.raises(InputError, match="crosses itself more than 3,000 times"):
            act([(star(n_corners),)])
    with pytest.raises(InputError, match="The area crosses itself more than"):
        outlines.check_outline([(star(n_corners),)], "The area")
    assert time.process_time() - start < 10


def test_rings_that_cross_each_other_all_over_are_refused():
    squares = [(SQUARE * 100 + np.array([i, 7 * i % 101]),) for i in range(100)]
    with pytest.raises(InputError, match="crosses itself more than"):
        outlines.check_outline(squares, "Tumour")
    outlines.check_outline(squares[:10], "Tumour")
    apart = [(SQUARE + np.array([10 * i, 10 * j]),) for i in range(60) for j in range(60)]  # share borders
    outlines.check_outline(apart, "Tumour")
    assert outlines.area(apart) == 360_000


def test_corners_are_bounded():
    with pytest.raises(InputError, match="100,001 corners, and at most 100,000"):
        outlines.check_outline([(wave(100_001),)], "The area")
    with pytest.raises(InputError, match="crosses itself and has 20,005 corners"):
        outlines.check_outline([(np.vstack([BOW - 2, wave(20_001)]),)], "The area")
    outlines.check_outline([(wave(50_000),)], "The area")
    assert outlines.area([(wave(50_000),)]) == pytest.approx(np.pi * (4e3**2 + 100**2 / 2), rel=1e-3)


def test_an_outline_that_runs_past_all_cells_too_often_is_refused_at_once():
    """20,000 corners over 230,000 cells took 90 s."""
    cells = np.random.default_rng(1).uniform(0, 1e4, (230_000, 2))
    start = time.process_time()
    with pytest.raises(InputError, match="runs up and down past too many cells"):
        outlines.inside([(zigzag(20_000),)], cells)
    with pytest.raises(InputError, match="runs up and down past too many cells"):
        outlines.inside([(zigzag(100),)] * 200, cells)  # one would do
    assert time.process_time() - start < 10
    assert outlines.inside([(wave(20_000),)], cells).mean() == pytest.approx(np.pi * 0.16, rel=0.02)


def test_thousands_of_small_outlines_over_many_cells_are_decided_soon():
    cells = np.random.default_rng(1).uniform(0, 1e4, (200_000, 2))
    many = [(SQUARE + corner,) for corner in star(5_000)]
    start = time.process_time()
    found = outlines.inside(many, cells)
    assert time.process_time() - start < 5  # 12 s, when each looked at all cells
    lows = np.array([rings[0][0] for rings in many])
    some = cells[:2_000, None]
    held = ((some >= lows) & (some <= lows + 10)).all(axis=-1).any(axis=-1)
    np.testing.assert_array_equal(found[:2_000], held)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([[0, 0], [1, 1]], "fewer than three corners"),
        ([[0, 0], [1, 1], [0, 0], [1, 1]], "fewer than three corners"),
        ([], "fewer than three corners"),
        ([[0, 0], [1, float("nan")], [2, 0]], "no finite number"),
        ([[0, 0], [1, float("inf")], [2, 0]], "no finite number"),
        ([[0, 0], [1, 10**400], [2, 0]], "out of all bounds"),
        ([[0, 0], [1, "1"], [2, 0]], "no finite number"),
        ([[0, 0], [1, True], [2, 0]], "no finite number"),
        ([[0, 0], [1], [2, 0]], "list of positions"),
        ([0, 0, 1, 1], "list of positions"),
        ("ring", "list of positions"),
        (None, "list of positions"),
        ({"0": [0, 0]}, "list of positions"),
    ],
)
def test_what_is_no_ring_is_refused(corners, message):
    with pytest.raises(InputError, match=message):
        outlines.as_ring(corners, "The area")


def test_a_ring_that_crosses_itself_is_taken_and_one_that_is_closed_is_opened():
    assert len(outlines.as_ring(BOW.tolist(), "The area")) == 4
    np.testing.assert_array_equal(outlines.as_ring([*SQUARE.tolist(), [0, 0]], "The area"), SQUARE)


def test_cells_are_found_at_and_near_positions():
    rows, n_far = outlines.at_points(np.array([[2.1, 3], [2, 3], [9.8, 10.2], [50, 50]]), GRID)
    np.testing.assert_array_equal(GRID[rows], [[2, 3], [10, 10]])
    assert n_far == 1


@given(st.lists(st.integers(0, 29)))
def test_cells_are_found_by_name_in_any_order(wanted):
    names = [f"cell{i}" for i in range(30)]
    found = outlines.find_cells([names[i] for i in wanted], names, "a.csv")
    assert found.tolist() == sorted(set(wanted))
    assert found.dtype == np.uint32


def test_unknown_cells_are_counted_and_the_first_are_named():
    names = ["a", "b"]
    wanted = ["a", *(f"x{i}" for i in range(1_200))]
    with pytest.raises(InputError, match=r"1,201 cells .* lacks 1,200: 'x0', 'x1', 'x2', 'x3', 'x4' \.\.\."):
        outlines.find_cells(wanted, names, "a.csv")
    assert outlines.find_cells(wanted, names, "a.csv", skip=True).tolist() == [0]
    with pytest.raises(InputError, match="Choose the section that the file was made of"):
        outlines.find_cells(["x"], names, "a.csv", skip=True)


# --- GeoJSON ----------------------------------------------------------------------------------------------


def same(one, other, rtol=0.0):
    assert [o.name for o in one] == [o.name for o in other]
    for a, b in zip(one, other, strict=True):
        assert (a.colour or "#808080") == (b.colour or "#808080")
        assert [len(shape) for shape in a.polygons] == [len(shape) for shape in b.polygons]
        for left, right in zip(
            [c for shape in a.polygons for c in shape],
            [c for shape in b.polygons for c in shape],
            strict=True,
        ):
            np.testing.assert_allclose(left, right, rtol=rtol)
        np.testing.assert_allclose(a.points, b.points, rtol=rtol)


marked = st.builds(
    Outline,
    label,
    polygons | st.just(()),
    st.just(GRID[:5]),
    st.none() | st.just("#E69F00"),
)
several = st.lists(marked, min_size=1, max_size=3, unique_by=lambda o: o.name)


@given(several, st.none() | st.floats(0.05, 5))
def test_geojson_comes_back_as_it_went(drawn, size):
    text = qupath.write(drawn, pixel_size_um=size)
    same(qupath.read(text.encode(), "a.geojson"), drawn, rtol=0 if size is None else 1e-12)


@given(several)
def test_a_file_that_qupath_saved_again_still_says_its_unit(drawn):
    content = json.loads(qupath.write(drawn, pixel_size_um=0.2125))
    assert content.pop("properties") == {"unit": "px", "pixel_size_um": 0.2125}  # which QuPath drops
    for feature in content["features"]:
        del feature["properties"]["isLocked"]  # which QuPath writes only if true
    same(qupath.read(json.dumps(content).encode(), "a.geojson"), drawn, rtol=1e-12)


def test_geojson_is_what_qupath_imports():
    drawn = [Outline("Tumour", ((SQUARE, HOLE),), colour="#E69F00"), Outline("Clicked", points=GRID[:2])]
    content = json.loads(qupath.write(drawn, pixel_size_um=0.5, stamp={"Notice": "n"}))
    assert content["type"] == "FeatureCollection"
    assert content["properties"] == {"unit": "px", "pixel_size_um": 0.5, "squint": {"Notice": "n"}}
    area, points = content["features"]
    assert area["type"] == "Feature"
    assert area["properties"]["objectType"] == "annotation"
    assert area["properties"]["classification"] == {"name": "Tumour", "color": [230, 159, 0]}
    assert area["properties"]["isLocked"] is False
    assert all(isinstance(value, str) for value in area["properties"]["metadata"].values())
    border, _ = area["geometry"]["coordinates"]
    assert area["geometry"]["type"] == "Polygon"
    assert border == [[0, 0], [20, 0], [20, 20], [0, 20], [0, 0]]  # JTS takes closed rings only
    assert points["geometry"] == {"type": "MultiPoint", "coordinates": [[0, 0], [2, 0]]}


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def area_of(corners):
    return {"type": "Polygon", "coordinates": [corners]}


SQUARE_PX = area_of([*SQUARE.tolist(), [0, 0]])


def read(*features, **how):
    content = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return qupath.read(content, "a.geojson", **how)


def test_annotations_of_one_class_are_one_outline_and_named_ones_their_own():
    tumour = {"name": "Tumor", "color": [200, 0, 0]}
    old = {"name": "Stroma", "colorRGB": -16711936}
    found = read(
        feature(SQUARE_PX, objectType="annotation", classification=tumour),
        feature(SQUARE_PX, objectType="annotation", classification=tumour),
        feature(SQUARE_PX, objectType="detection", name="Mine", classification=tumour),
        feature(SQUARE_PX, classification=old),
        feature(SQUARE_PX, classification={"names": ["Tumor", "Positive"]}),
        feature(SQUARE_PX),
        feature(None, objectType="root"),
        pixel_size_um=0.5,
    )
    assert [(o.name, len(o.polygons)) for o in found] == [
        ("Tumor", 2),
        ("Mine", 1),
        ("Stroma", 1),
        ("Tumor: Positive", 1),
        ("a", 1),
    ]
    assert [o.colour for o in found[:3]] == ["#C80000", "#C80000", "#00FF00"]
    np.testing.assert_array_equal(found[0].polygons[0][0], SQUARE / 2)


def test_a_list_of_features_and_a_single_one_are_read_too():
    for content in ([feature(SQUARE_PX)], feature(SQUARE_PX)):
        (found,) = qupath.read(json.dumps(content).encode("utf-8-sig"), "x.json", pixel_size_um=1)
        np.testing.assert_array_equal(found.polygons[0][0], SQUARE)


def test_the_unit_nearest_to_a_feature_counts_and_none_is_asked_for():
    (found,) = read(feature(SQUARE_PX, metadata={"unit": "px", "pixel_size_um": "0.25"}), pixel_size_um=1)
    np.testing.assert_array_equal(found.polygons[0][0], SQUARE / 4)
    (found,) = read(feature(SQUARE_PX, unit="um"), pixel_size_um=0.5)
    np.testing.assert_array_equal(found.polygons[0][0], SQUARE)
    with pytest.raises(InputError, match=r"does not say its unit\. QuPath writes pixels"):
        read(feature(SQUARE_PX))
    for size in (0, -1, float("nan"), 1e9, None, "wide", [1]):
        with pytest.raises(InputError, match="um per pixel must be a number above 0"):
            read(feature(SQUARE_PX, unit="px", pixel_size_um=size))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON"),
        (b"\x89PNG\r\n\x1a\n", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"{", "no JSON"),
        (b'{"type": "Feature", "id": ' + b"9" * 400 + b"}", "a whole number of 400 digits"),
        (b'{"type": "Feature", "id": ' + b"9" * 5_000 + b"}", "a whole number of 5,000 digits"),
        (b"3", "no GeoJSON FeatureCollection"),
        (b"null", "no GeoJSON FeatureCollection"),
        (b"{}", "no GeoJSON FeatureCollection"),
        (b'{"type": "Polygon", "coordinates": []}', "no GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": {}}', "no GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": [1]}', "no GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": []}', "marks nothing"),
        (b'{"type": "FeatureCollection"}', "no GeoJSON FeatureCollection"),
    ],
)
def test_what_is_no_geojson_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        qupath.read(content, "a.geojson", pixel_size_um=1)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "is a LineString. Only Polygon"),
        ({"type": 3, "coordinates": []}, "Only Polygon"),
        ({"type": ["Polygon"], "coordinates": []}, "Only Polygon"),
        ({"coordinates": []}, "is a None"),
        (area_of([[0, 0], [1, 1], [0, 0]]), "fewer than three corners"),
        (area_of([[0, 0], [1, float("nan")], [2, 0]]), "no finite number"),
        (area_of("corners"), "list of positions"),
        ({"type": "Polygon", "coordinates": []}, "no corners"),
        ({"type": "Polygon"}, "no corners"),
        ({"type": "MultiPolygon", "coordinates": [[]]}, "no corners"),
        ({"type": "MultiPolygon", "coordinates": SQUARE.tolist()}, "list of positions"),
        ({"type": "MultiPoint", "coordinates": [[0]]}, "list of positions"),
        ({"type": "Point", "coordinates": None}, "list of positions"),
        ([], "no GeoJSON Feature"),
        (3, "no GeoJSON Feature"),
    ],
)
def test_a_geometry_that_marks_no_cells_is_refused_by_its_number(geometry, message):
    with pytest.raises(InputError, match=message) as caught:
        read(feature(SQUARE_PX), feature(geometry), pixel_size_um=1)
    assert "Feature 2 of a.geojson" in str(caught.value)


def test_too_much_is_refused_before_it_is_worked_through(monkeypatch):
    monkeypatch.setattr(qupath, "MAX_CORNERS", 6)
    with pytest.raises(InputError, match="more than 6 corners"):
        read(feature(SQUARE_PX), feature(SQUARE_PX), pixel_size_um=1)
    monkeypatch.setattr(qupath, "MAX_FEATURES", 1)
    with pytest.raises(InputError, match="has 2 features, and at most 1"):
        read(feature(SQUARE_PX), feature(SQUARE_PX), pixel_size_um=1)
    monkeypatch.setattr(qupath, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="larger than"):
        read(feature(SQUARE_PX), pixel_size_um=1)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["Polygon", "Feature"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "coordinates", "geometry", "properties", "name", "classification", "unit"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_nothing_but_an_input_error_comes_of_any_json(geometry, properties):
    item = {"type": "Feature", "geometry": geometry, "properties": properties}
    content = json.dumps({"type": "FeatureCollection", "features": [item], "properties": properties})
    for text in (content, json.dumps(geometry)):
        with suppress(InputError):
            qupath.read(text.encode(), "a.json", pixel_size_um=1)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: ("x,y\n" + t).encode()))
def test_nothing_but_an_input_error_comes_of_any_table(content):
    with suppress(InputError):
        xenium_explorer.read(content, "a.csv")


# --- Xenium Explorer --------------------------------------------------------------------------------------

group = st.builds(
    Group, label, st.lists(label, min_size=1, unique=True).map(tuple), st.none() | st.just("#009E73")
)
safe = st.lists(group, min_size=1, max_size=3, unique_by=lambda g: g.name).filter(
    lambda groups: not any(text.startswith(("#", "'")) for g in groups for text in (g.name, *g.cells))
)


@given(safe)
def test_cell_groups_come_back_as_they_went(groups):
    content = xenium_explorer.write_groups(groups).encode()
    assert xenium_explorer.read(content, "a.csv") == groups
    assert xenium_explorer.read_groups(content, "a.csv") == groups


def test_cell_groups_are_what_10x_publishes():
    text = xenium_explorer.write_groups([Group("B", ("aaaacgpa-1", "aaaagjhh-1"), "#CB81DA")])
    assert text == "cell_id,group,color\naaaacgpa-1,B,#CB81DA\naaaagjhh-1,B,#CB81DA\n"


def test_cell_groups_of_other_hands_are_read():
    text = "\ufeffCell_ID;Group\r\na;T\r\n;\r\nb;B\r\na;T\r\n'=c;'+B\r\n".encode()
    assert xenium_explorer.read(text, "a.csv") == [
        Group("T", ("a",)),
        Group("B", ("b",)),
        Group("+B", ("=c",)),
    ]
    stats = "#Selection name: Crypt 1\n#Area (µm^2): 12.5\nCell ID,Transcripts\naaa-1,7\nbbb-1,2\n".encode()
    assert xenium_explorer.read(stats, "x_cells_stats.csv") == [Group("Crypt 1", ("aaa-1", "bbb-1"))]


def test_names_are_neutralised_on_the_way_out_and_come_back():
    groups = [Group("=1+1", ("@a", "-b"))]
    text = xenium_explorer.write_groups(groups)
    assert text.splitlines()[1:] == ["'@a,'=1+1,", "'-b,'=1+1,"]
    assert xenium_explorer.read(text.encode(), "a.csv") == groups
    split = xenium_explorer.write_groups([Group("A\r=cmd()", ("a\n=b",))])
    assert split == "cell_id,group,color\na =b,A =cmd(),\n"
    selections = xenium_explorer.write_selections([Outline("=1+1", ((SQUARE,),))])
    assert selections.splitlines()[3].startswith("'=1+1,")


whole = st.lists(
    st.builds(Outline, label, st.lists(polygon, min_size=1, max_size=1).map(tuple)),
    min_size=1,
    max_size=3,
    unique_by=lambda o: o.name.replace(",", "").strip(),
).filter(lambda many: not any(o.name.startswith(("#", "'")) or "," in o.name for o in many))


def test_wide_tables_take_little_memory():
    """Rows of two fields below 200 titles were made as wide as the titles: 300 MB here."""
    content = b"cell_id,group" + b",x" * 198 + b"\n" + b"a,b\n" * 200_000
    tracemalloc.start()
    assert xenium_explorer.read(content, "a.csv") == [Group("b", ("a",))]
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


@pytest.mark.parametrize("item", [b"{}", b"[]", b"[[", b'{"":', b"0,"])
def test_json_of_many_values_is_refused_before_it_is_parsed(item):
    content = b"[" + item + (b"," if item[-1:] in b"]}" else b"")
    content += content[1:] * (20_000_000 // len(content))
    tracemalloc.start()
    with pytest.raises(InputError, match="holds more than 2,500,000 values"):
        qupath.read(content, "a.json", pixel_size_um=1)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_half_a_million_corners_are_read():
    corners = "[0, 0, 5], [9, 0, 5], " + "[9, 9, 5], " * 499_997
    geometry = f'{{"type": "Polygon", "coordinates": [[{corners[:-2]}]]}}'
    text = f'{{"type": "Feature", "properties": {{}}, "geometry": {geometry}}}'
    ((ring,),) = qupath.read(text.encode(), "a.json", pixel_size_um=0.5)[0].polygons
    assert ring.shape == (499_999, 2)


@pytest.mark.parametrize("missing", ["NaN", "nan", "NA", "None", "null", "<NA>", "n/a", ""])
def test_cells_whose_group_is_missing_are_in_none(missing):
    text = f"cell_id,group\na,T\nb,{missing}\nc,Nan cells\n"
    assert xenium_explorer.read(text.encode(), "a.csv") == [Group("T", ("a",)), Group("Nan cells", ("c",))]
    with pytest.raises(InputError, match="names no cell with a group"):
        xenium_explorer.read(f"cell_id,group\na,{missing}\n".encode(), "a.csv")


def as_rows(ring, name):
    return "".join(f"{name},{x},{y}\n" for x, y in ring)


@pytest.mark.parametrize("between", ["", "B,90,90\nB,92,90\nB,92,92\n"])
@pytest.mark.parametrize("is_closed", [True, False])
def test_two_rings_of_one_name_stay_two(between, is_closed):
    """Run into one, they would hold the strip between them, or not what both hold."""
    one, two = SQUARE, SQUARE + 40
    if not is_closed and not between:
        pytest.skip("nothing says where the first ends")
    rings = [np.vstack([ring, ring[:1]]) if is_closed else ring for ring in (one, two)]
    text = "Selection,X,Y\n" + as_rows(rings[0], "A") + between + as_rows(rings[1], "A")
    found = xenium_explorer.read(text.encode(), "a.csv")[0]
    assert [len(polygon) for polygon in found.polygons] == [1, 1]
    for polygon, ring in zip(found.polygons, (one, two), strict=True):
        np.testing.assert_array_equal(polygon[0], ring)
    assert outlines.area(found.polygons) == 200


def test_an_outline_that_nothing_can_begin_is_not_written():
    with pytest.raises(InputError, match="each of its corners twice"):
        xenium_explorer.write_selections([Outline("A", ((SQUARE, SQUARE),))])


@given(whole)
def test_selections_hold_the_same_cells_when_they_come_back(drawn: list[Outline]) -> None:
    for one in drawn:
        for rings in one.polygons:
            border = {tuple(corner) for corner in rings[0].tolist()}
            assume(border - {tuple(corner) for ring in rings[1:] for corner in ring.tolist()})
    read = xenium_explorer.read(xenium_explorer.write_selections(drawn).encode(), "a.csv")
    back = [o for o in read if isinstance(o, Outline)]
    assert [o.name for o in back] == [o.name for o in drawn]
    for one, other in zip(drawn, back, strict=True):
        edge = shapely.union_all([shapely.LinearRing(c) for (c,) in [*((c,) for c in other.polygons[0])]])
        clear = shapely.distance(edge, shapely.points(POINTS)) > 1e-6
        first, second = (outlines.inside(o.polygons, POINTS) for o in (one, other))
        np.testing.assert_array_equal(first[clear], second[clear])


def test_a_hole_is_empty_by_the_other_rule_of_filling_too():
    for hole in (HOLE, HOLE[::-1]):
        text = xenium_explorer.write_selections([Outline("A", ((SQUARE, hole),))])
        ((cut,),) = xenium_explorer.read_selections(text.encode(), "a.csv")[0].polygons
        wound = Drawn(np.vstack([cut, cut[:1]]))
        assert not wound.contains_point((5, 5.5))
        assert wound.contains_point((1, 1.5))


def test_selections_are_what_xenium_explorer_writes():
    one = xenium_explorer.write_selections([Outline("Crypt", ((SQUARE,),))]).splitlines()
    assert one[:4] == ["#Selection name: Crypt", "#Area (µm^2): 100.00", "Selection,X,Y", "Crypt,0.0,0.0"]
    assert one[3] == one[-1]  # closed
    two = xenium_explorer.write_selections(
        [Outline("A", ((SQUARE,), (HOLE + 50,))), Outline("C, D", ((HOLE,),))]
    )
    assert two.splitlines()[:3] == [
        "#Selection names: A, A (2), C D",
        "#Areas (µm^2): 100.00, 16.00, 16.00",
        "Selection,X,Y",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("#Selection name: Crypt 1\n#Area (µm^2): 4\nX,Y\n0,0\n2,0\n2,2\n0,2\n0,0\n", ["Crypt 1"]),
        ("#Selection names: A, B\n#Areas (µm^2): 2, 2\nSelection,X,Y\n"
         "A,0,0\nA,2,0\nA,2,2\nB,5,5\nB,7,5\nB,7,7\n", ["A", "B"]),
        ("#a\n#b\n#c\nSelection,X,Y,Class,Color\nA,0,0,None,#c2c2c2\nA,2,0,,\nA,2,2,,\n", ["A"]),
        ("X,Y\n0,0\n2,0\n2,2\n", ["file"]),
    ],
)  # fmt: skip
def test_selections_of_every_version_are_read(text, names):
    found = xenium_explorer.read(text.encode(), "file.csv")
    assert [o.name for o in found] == names
    np.testing.assert_array_equal(found[0].polygons[0][0][:3], [[0, 0], [2, 0], [2, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("#only\n", "is empty"),
        ("a,b\n1,2\n", "neither the columns"),
        ("cell_id\n", "names no cell"),
        ("cell_id,group\n,\n", "names no cell"),
        ("X,Y\n", "no corners"),
        ("X,Y\n0,0\n1,1\n", "fewer than three corners"),
        ("X,Y\n0,0\n1,one\n1,1\n", "Line 3 of a.csv has 'one'"),
        ("X,Y\n0,0\n1,nan\n1,1\n", "Line 3 of a.csv has 'nan'"),
        ("X,Y\n0,0\n1\n1,1\n", "Line 3 of a.csv has ''"),
        ("X,Y\n0,0\n1,1e99\n1,1\n", "'1e99'"),
        ("X,Y\n\x000,0\n", "no plain text"),
        ('X,Y\n"' + "1" * 200_000 + '",1\n', "Line 2 of a.csv is longer than 10,000 characters"),
        ("X,Y" + "," * 20_000_000, "Line 1 of a.csv is longer than 10,000 characters"),
        ("X,Y" + "," * 200 + "\n" + "0,0\n" * 100_000, "more than 200 columns"),
        ("X,Y\n0,0\n" + "," * 300, "more than 200 columns"),
        ("#\n" * 1_001 + "X,Y\n", "more than 1,000 comments"),
        ("cell_id,group\na," + "g" * 201, "Line 2 of a.csv has a name of more than 200 characters"),
    ],
)
def test_bad_tables_are_refused_in_plain_words(text, message):
    with pytest.raises(InputError, match=message):
        xenium_explorer.read(text.encode(), "a.csv")
    with pytest.raises(InputError, match="no plain text"):
        xenium_explorer.read(b"X,Y\n\xff\xfe", "a.csv")


def test_too_large_tables_are_refused(monkeypatch):
    monkeypatch.setattr(xenium_explorer, "MAX_CORNERS", 3)
    with pytest.raises(InputError, match="more than 5,000 selections or 3 corners"):
        xenium_explorer.read(b"X,Y\n0,0\n2,0\n2,2\n1,1\n", "a.csv")
    monkeypatch.setattr(xenium_explorer, "MAX_FEATURES", 1)
    with pytest.raises(InputError, match="more than 1 groups"):
        xenium_explorer.read(b"cell_id,group\na,1\nb,2\n", "a.csv")
    monkeypatch.setattr(xenium_explorer, "MAX_ROWS", 2)
    with pytest.raises(InputError, match="more than 2 rows"):
        xenium_explorer.read(b"cell_id,group\na,A\nb,B\n", "g.csv")
    monkeypatch.setattr(xenium_explorer, "MAX_BYTES", 5)
    with pytest.raises(InputError, match="larger than"):
        xenium_explorer.read(b"X,Y\n0,0\n", "a.csv")
