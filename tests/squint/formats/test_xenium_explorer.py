"""Cell groups and selections in the tables of Xenium Explorer."""

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
from squint.geometry import outlines
from squint.geometry.outlines import Group, Outline
from tests.helpers.outlines import HOLE, POINTS, SQUARE, label, polygon


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: ("x,y\n" + t).encode()))
def test_nothing_but_an_input_error_comes_of_any_table(content):
    with suppress(InputError):
        xenium_explorer.read(content, "a.csv")


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
    for shape, ring in zip(found.polygons, (one, two), strict=True):
        np.testing.assert_array_equal(shape[0], ring)
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
