import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squint import io
from squint.errors import InputError
from squint.geometry import regions

HIDDEN = {  # cells inside the three rectangles of each real section
    "xenium_breast_roi_17k": 2427,
    "xenium_human_pancreas_full": 15927,
    "cosmx_nsclc_lung5_rep3_4fov": 1317,
    "merfish_mouse_poa": 646,
    "starmap_mpfc_3sections": 119,
}


@pytest.fixture
def adata(section, tmp_path):
    """Give a section as it is read: x in 0..100 and y in 0..20 (left) or 20..40 (right)."""
    io.write(section, tmp_path / "section.h5ad")
    return io.read(tmp_path / "section.h5ad")


@pytest.fixture
def saved(tmp_path):
    """Write regions and give the file."""

    def save(*items):
        path = tmp_path / "R.json"
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)  # for those that write such a file, it is no number to Python
        path.write_text(json.dumps({"regions": items}))
        sys.set_int_max_str_digits(before)
        return path

    return save


@pytest.mark.parametrize("name", HIDDEN)
def test_real_regions_hide_the_published_number_of_cells(real_section, name):
    path = real_section(name)
    file = path.parents[1] / "regions" / f"{name}.json"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    assert regions.hidden_cells(io.read(path), regions.load(file)).sum() == HIDDEN[name]


def test_a_rectangle_includes_its_borders(adata, saved):
    path = saved({"section": "left", "x0": 20, "x1": 40, "y0": 0, "y1": 10})
    hidden = regions.hidden_cells(adata, regions.load(path))
    assert set(map(tuple, adata.obsm["spatial"][hidden])) == {(20, 0), (40, 0), (20, 10), (40, 10)}


def test_a_region_stays_in_its_section(adata, saved):
    path = saved({"section": "left", "x0": -1e9, "x1": 1e9, "y0": -1e9, "y1": 1e9})
    hidden = regions.hidden_cells(adata, regions.load(path))
    assert set(adata.obs["section_id"][hidden]) == {"left"}
    assert hidden.sum() == 15


def test_regions_add_up(adata, saved):
    path = saved({"section": "left", "cells": ["cell3", "cell4"]}, {"section": "right", "cells": ["cell20"]})
    hidden = regions.hidden_cells(adata, regions.load(path))
    assert list(adata.obs_names[hidden]) == ["cell3", "cell4", "cell20"]


def test_a_polygon_includes_its_border(adata, saved):
    path = saved({"section": "left", "polygon": [[0, 0], [40, 0], [0, 20]]})
    hidden = regions.hidden_cells(adata, regions.load(path))
    inside = {(0, 0), (20, 0), (40, 0), (0, 10), (20, 10), (0, 20)}
    assert set(map(tuple, adata.obsm["spatial"][hidden])) == inside


corners = st.tuples(st.floats(0, 100), st.floats(0, 100))


@given(centre=corners, radii=st.lists(st.floats(5, 60), min_size=3, max_size=12), seed=st.integers(0, 99))
def test_a_polygon_holds_the_points_that_it_winds_around(centre, radii, seed):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    outline = np.array(centre) + np.array(radii)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    points = np.random.default_rng(seed).uniform(-50, 150, (300, 2))
    seen = outline[None] - points[:, None]  # corners as seen from each point (n, corners, 2)
    bearing = np.arctan2(seen[..., 1], seen[..., 0])
    turns = np.diff(bearing, axis=1, append=bearing[:, :1])
    winding = ((turns + np.pi) % (2 * np.pi) - np.pi).sum(axis=1) / (2 * np.pi)
    mask = regions.Polygon("s", tuple(map(tuple, outline.tolist()))).mask(None, points, None)
    np.testing.assert_array_equal(mask, np.abs(winding) > 0.5)


@given(shift=st.integers(0, 5), reverse=st.booleans())
def test_a_polygon_may_start_anywhere_and_run_either_way(shift, reverse):
    outline = [(0, 0), (8, 1), (9, 7), (5, 3), (2, 9), (1, 4)]
    points = np.stack(np.meshgrid(np.arange(11), np.arange(11)), axis=-1).reshape(-1, 2).astype(float)
    turned = outline[shift:] + outline[:shift]
    turned = turned[::-1] if reverse else turned
    masks = [regions.Polygon("s", tuple(o)).mask(None, points, None) for o in (outline, turned)]
    np.testing.assert_array_equal(*masks)


def test_a_fraction_depends_on_the_seed_and_not_on_the_order_of_cells(adata, saved):
    hide = regions.load(saved({"section": "right", "fraction": 0.4}))
    names = set(adata.obs_names[regions.hidden_cells(adata, hide, seed=3)])
    assert len(names) == 6
    turned = adata[::-1].copy()
    assert set(turned.obs_names[regions.hidden_cells(turned, hide, seed=3)]) == names
    assert set(adata.obs_names[regions.hidden_cells(adata, hide, seed=4)]) != names


def test_points_hide_nothing(adata, saved):
    (points,) = regions.load(saved({"section": "left", "points": [[1, 2], [3, 4]]}))
    assert not regions.hidden_cells(adata, [points]).any()
    assert isinstance(points, regions.Points)
    assert points.points == ((1.0, 2.0), (3.0, 4.0))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"section": "middle", "fraction": 0.1}, "section 'middle', but the data hold 'left', 'right'"),
        ({"section": "left", "x0": 500, "x1": 501, "y0": 0, "y1": 1}, "holds no cell"),
        ({"section": "left", "fraction": 0.001}, "holds no cell"),
        ({"section": "left", "cells": ["cell1", "absent"]}, r"no cell 'absent' \(1 of 2"),
        ({"section": "left", "cells": ["cell29"]}, "no cell 'cell29'"),
    ],
)
def test_regions_that_do_not_fit_the_data_are_refused(adata, saved, item, message):
    with pytest.raises(InputError, match=message):
        regions.hidden_cells(adata, regions.load(saved(item)))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"fraction": 0.1}, 'names no "section"'),
        ({"section": 3, "fraction": 0.1}, 'names no "section"'),
        ({"section": "s"}, "has no shape"),
        ({"section": "s", "fraction": 0.1, "cells": ["a"]}, "must have one of"),
        ({"section": "s", "circle": 1}, "has circle; it must have one of"),
        ({"section": "s", "fraction": 1.5}, "between 0 and 1"),
        ({"section": "s", "fraction": "half"}, "no finite number"),
        ({"section": "s", "fraction": True}, "no finite number"),
        ({"section": "s", "x0": 2, "x1": 1, "y0": 0, "y1": 1}, "is empty"),
        ({"section": "s", "x0": 0, "x1": float("nan"), "y0": 0, "y1": 1}, "no finite number"),
        ({"section": "s", "x0": 0, "x1": 2e9, "y0": 0, "y1": 1}, "no finite number up to 1,000,000,000"),
        ({"section": "s", "points": [[1, 2], [1e155, 1e155]]}, "region 1: points holds .* no finite number"),
        ({"section": "s", "points": [[1, 10**400]]}, "a whole number of 401 digits"),
        ({"section": "s", "points": [[1, 10**20]]}, "no finite number up to"),
        ({"section": "s", "fraction": 10**5000}, "a whole number of 5,001 digits"),
        ({"section": "s", "polygon": [[0, 0], [1e300, 1], [1, 1]]}, "no finite number up to"),
        ({"section": "s", "polygon": [[0, 0], [1, 1]]}, "three corners"),
        ({"section": "s", "polygon": [[0, 0], [1, 1], [0]]}, r"list of \[x, y\]"),
        ({"section": "s", "cells": []}, "list of obs_names"),
        ({"section": "s", "points": []}, r"list of \[x, y\]"),
        ("left", 'names no "section"'),
    ],
)
def test_malformed_regions_are_refused(saved, item, message):
    with pytest.raises(InputError, match=message):
        regions.load(saved(item))


def test_a_byte_order_mark_is_no_part_of_the_json(saved):
    path = saved({"section": "s", "fraction": 0.5})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert regions.load(path) == [regions.Fraction("s", 0.5)]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"regions": []}', '{"regions": 3}', "\x00", "[" * 100_000])
def test_what_is_no_json_of_regions_is_refused(tmp_path, text):
    (tmp_path / "R.json").write_text(text)
    with pytest.raises(InputError, match=r"R\.json"):
        regions.load(tmp_path / "R.json")


def test_a_missing_file_of_regions_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        regions.load(tmp_path / "absent.json")


def test_every_kind_of_region_is_read_back_as_it_was_written(tmp_path):
    written: list[regions.Shape] = [
        regions.Rectangle("S", 0.5, 2.0, -1.0, 3.25),
        regions.Polygon("S", ((0.0, 0.0), (1.0, 0.0), (0.0, 1.5))),
        regions.Cells("T", ("a", "b")),
        regions.Fraction("T", 0.1),
        regions.Points("S", ((1.0, 2.0), (3.0, 4.0))),
    ]
    (tmp_path / "R.json").write_text(regions.dump(written))
    assert regions.load(tmp_path / "R.json") == written
    assert [region.outline is not None for region in written] == [True, True, False, False, False]
    assert [region.words.split()[0] for region in written] == ["rectangle", "polygon", "2", "10%", "2"]
