"""Outlines in GeoJSON, as QuPath writes and reads it."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint.errors import InputError
from squint.formats import qupath
from squint.geometry.outlines import Outline
from tests.helpers.outlines import (
    GRID,
    HOLE,
    SQUARE,
    same,
    several,
)


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
