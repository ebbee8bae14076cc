"""A stack in print is what the screen shows: where, in which colour, what hides what, what is left out."""

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from squint import pl
from squint.pl import Categories, Continuous, Look, Orbit, Page, Panel
from squint.pl._orbit import bounds, corners, ticks
from squint.pl._plate import settled
from squint.pl._scene import draw_scene, scene_of
from tests.helpers.printed import frame_in

pytestmark = pytest.mark.slow

WHITE = (255, 255, 255, 255)
ORANGE, BLUE, GREY = (230, 159, 0), (86, 180, 233), (0xD5, 0xD7, 0xDD)
KINDS = Categories("cell type", ("T cell", "B cell"))
SCORE = Continuous("score", 0, 1, (0.25, 0.75))
ABOVE = Orbit(azimuth=0, elevation=90, width=400, height=400)
PAGE = Page("A stack", "n = 3 cells", ["Notice"], {"Notice": "Notice"})
F = np.array([[c == "#" for c in row] for row in ("#####", "#....", "####.", "#....", "#....")])
LETTER = np.argwhere(F)[:, ::-1] * 10.0


def level(label, points=LETTER, unit="um"):
    values = np.array([label] * len(points), dtype=object)
    return Panel(str(label), np.asarray(points, dtype=float), values, unit)


def scene(panels, heights, orbit, look=None, scale=KINDS):
    return scene_of(panels, [scale] * len(panels), heights, orbit, settled(look, scale))


def seen(panels, heights, orbit, look=None, scale=KINDS, n_pixels=400):
    return draw_scene(scene(panels, heights, orbit, look, scale), n_pixels, WHITE)[..., :3]


def of(picture, colour):
    return (np.abs(picture.astype(int) - colour) <= 3).all(axis=-1)


def text_of(pdf):
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


@pytest.mark.parametrize(
    ("orbit", "place", "expected"),
    [  # as `project` of orbit.js gives them, in a panel of 900 x 500 pixels
        (Orbit(scale=0.5, centre=(100, 200, 300)), (10, 20, 30), (447.25179314, 302.89204037, -319.65531076)),
        (
            Orbit(-130, -20, 3, 40, -70, scale=0.2, centre=(5, -6, 70)),
            (100, -300, 250),
            (318.23086648, 54.66645772, 47.63367014),
        ),
        (Orbit(0, 90, 2, scale=2, centre=(0, 0, 0)), (3, 4, 5), (462, 266, 5)),
    ],
)
def test_places_are_where_the_screen_has_them(orbit, place, expected):
    orbit = replace(orbit, width=900, height=500)
    turned = orbit.turn(np.array([place], dtype=float))
    at = orbit.view.place(turned)[0] * orbit.pixels_per_unit
    np.testing.assert_allclose([*at, turned[0, 2]], expected)


@given(st.floats(-360, 360), st.floats(-90, 90))
def test_turning_keeps_lengths_and_hands(azimuth, elevation):
    rotation = Orbit(azimuth, elevation).rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    # y runs down and z up in the tissue, and y down and z nearer on the screen: nothing is mirrored
    assert np.linalg.det(rotation) == pytest.approx(1)


@given(st.floats(-360, 360), st.floats(-90, 90), st.floats(0.1, 20))
def test_at_first_all_of_the_stack_is_in_the_panel(azimuth, elevation, stretch):
    low, high = np.array([-5.0, 20, 0]), np.array([400.0, 90, 130])
    orbit = Orbit(azimuth, elevation, stretch=stretch).around(low, high)
    at = orbit.view.place(orbit.turn(corners(low, high)))
    assert (at >= 0).all()
    assert (at <= [orbit.view.width, orbit.view.height]).all()


def test_from_above_a_stack_is_the_map():
    picture = seen([level("T cell")], [0.0], ABOVE)
    ends = bounds([level("T cell")], [0.0])
    orbit = ABOVE.around(*ends)
    places = np.array([[10.0 * x, 10.0 * y, 0] for y in range(5) for x in range(5)])
    column, row = (orbit.view.place(orbit.turn(places)) * orbit.pixels_per_unit).astype(int).T
    np.testing.assert_array_equal(of(picture, ORANGE)[row, column].reshape(5, 5), F)
    assert (np.diff(column.reshape(5, 5), axis=1) > 0).all()  # x right
    assert (np.diff(row.reshape(5, 5), axis=0) > 0).all()  # y down


def test_upper_levels_hide_lower_ones_from_above_and_lower_ones_upper_from_below():
    panels = [level("T cell"), level("B cell")]
    from_above, from_below = (
        seen(panels, [0.0, 40.0], replace(ABOVE, elevation=elevation)) for elevation in (90, -90)
    )
    assert of(from_above, BLUE).any()
    assert not of(from_above, ORANGE).any()
    assert of(from_below, ORANGE).any()
    assert not of(from_below, BLUE).any()


def test_what_has_no_label_of_interest_is_seen_through():
    picture = seen([level("T cell"), level("other")], [0.0, 40.0], ABOVE, Look(size=0.3))
    through = np.round(0.75 * np.array(ORANGE) + 0.25 * np.array(GREY))
    assert of(picture, through).sum() > 100
    assert not of(picture, GREY).any()
    picture = seen([level("other"), level("T cell")], [0.0, 40.0], ABOVE, Look(size=0.3))
    assert of(picture, ORANGE).sum() > 100
    assert not of(picture, through).any()
    alone = seen([level("other")], [0.0], ABOVE, Look(size=0.3))
    assert of(alone, np.round(0.75 * 255 + 0.25 * np.array(GREY))).sum() > 100


def test_on_a_clear_ground_what_is_faint_stays_faint():
    drawn = draw_scene(scene([level("other")], [0.0], ABOVE, Look(size=0.3)), 400, (0, 0, 0, 0))
    assert set(np.unique(drawn[..., 3])) == {0, 64}
    assert (drawn[drawn[..., 3] > 0][:, :3] == GREY).all()


def test_levels_and_cells_that_are_cut_off_are_not_drawn():
    panels = [level("T cell"), level("B cell")]
    assert not of(seen(panels, [0.0, 40.0], replace(ABOVE, last=0)), BLUE).any()
    assert not of(seen(panels, [0.0, 40.0], replace(ABOVE, first=1)), ORANGE).any()
    right = scene(panels[:1], [0.0], replace(ABOVE, cut=(1, 0.5)))
    below = scene(panels[:1], [0.0], replace(ABOVE, cut=(2, 0.5)))
    assert right.n_seen == len(right.points) == (LETTER[:, 0] >= 20).sum()
    high = bounds(panels[:1], [0.0])
    assert below.n_seen == (LETTER[:, 1] >= (high[0] + high[1])[1] / 2).sum()


def test_cells_have_heights_of_their_own():
    one = Panel("block", np.zeros((3, 2)), np.array(["T cell", "B cell", "T cell"], dtype=object), "um")
    side = replace(ABOVE, elevation=0, scale=10.0, centre=(0, 0, 0))
    drawn = scene([one], [np.array([0.0, 5.0, -8.0])], side, Look(diameter=1))
    rows = np.sort(drawn.points[:, 1] * 10)
    np.testing.assert_allclose(rows, [150, 200, 280])  # z runs up
    assert ticks([np.array([0.0, 8.0])]) == [0, 2, 4, 6, 8]


def test_the_nearest_wins_for_cells_of_any_size():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 100, (60, 2))
    labels = np.array(["T cell", "B cell"] * 30, dtype=object)
    panel, heights = Panel("", points, labels, "um"), rng.uniform(0, 50, 60)
    for size in (0.5, 3, 40):  # by pixels, and cell by cell
        drawn = scene([panel], [heights], ABOVE, Look(size=size))
        picture = draw_scene(drawn, 200, WHITE)
        scale = 200 / drawn.view.width
        centre = (drawn.points * scale).astype(int)
        row, column = np.mgrid[:200, :200]
        expected = np.full((200, 200, 3), 255, np.uint8)
        for (x, y), diameter, colour in zip(centre, drawn.diameters, drawn.colours, strict=True):
            radius = max(1.0, np.round(2 * diameter * scale) / 4)
            expected[np.hypot(row - y, column - x) <= radius] = colour
        np.testing.assert_array_equal(picture[..., :3], expected)


@pytest.mark.parametrize("size", [0.5, 3, 40, 1e6])
def test_cells_at_the_edge_are_drawn_as_in_a_larger_picture(size):
    rng = np.random.default_rng(0)
    panel = Panel("", rng.uniform(0, 100, (300, 2)), np.array(["T cell", "other"] * 150, dtype=object), "um")
    near = replace(ABOVE, zoom=3.0, width=200, height=200, scale=2.0, centre=(50, 50, 0))
    wide = replace(near, width=400, height=400)
    narrow, larger = (
        seen([panel], [rng.uniform(0, 9, 300)], orbit, Look(diameter=size), n_pixels=int(orbit.width))
        for orbit, rng in ((near, np.random.default_rng(1)), (wide, np.random.default_rng(1)))
    )
    same = (narrow == larger[100:300, 100:300]).all(axis=-1)
    assert same.mean() > 0.999


def test_predictions_have_a_border_and_hidden_cells_are_not_there():
    one = Panel("", LETTER, np.full(len(LETTER), 0.5), "um", imputed=np.arange(len(LETTER)) > 5)
    assert of(seen([one], [0.0], ABOVE, scale=SCORE), (0, 0, 0)).any()
    hidden = seen([one], [0.0], ABOVE, Look(hidden=["__imputed__"]), scale=SCORE)
    assert not of(hidden, (0, 0, 0)).any()
    nothing = seen([one], [0.0], ABOVE, Look(hidden=["__imputed__", "__measured__"]), scale=SCORE)
    assert (nothing == 255).all()


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_the_page_says_what_is_drawn(kind):
    panels = [level("T cell"), level("B cell"), level("other")]
    orbit = Orbit(stretch=2.5, cut=(1, 0.4), last=1)
    drawn = pl.print_stack(panels, KINDS, [0.0, 1_230.0, 2_000.0], orbit, PAGE, kind=kind, dpi=100)
    assert drawn == pl.print_stack(panels, KINDS, [0.0, 1_230.0, 2_000.0], orbit, PAGE, kind=kind, dpi=100)
    if kind == "pdf":
        for words in (
            "A stack",
            "levels 1 to 2 of 3",
            "36 cells",
            "in view",
            "height drawn \N{MULTIPLICATION SIGN} 2.5, cut at 40 % of x",
            "1230 µm",
            "T cell · 12",
            "all others · 12",
            "Notice",
        ):
            assert words in text_of(drawn)


@pytest.mark.parametrize(
    ("unit", "words"), [("unknown", "height not to scale"), ("um", "height drawn \N{MULTIPLICATION SIGN} 2")]
)
def test_what_is_not_known_is_said(unit, words):
    panels = [level("T cell", unit=unit), level("B cell")]
    said = text_of(pl.print_stack(panels, KINDS, [0.0, 20.0], Orbit(stretch=2), PAGE))
    assert words in said
    assert ("units unknown" in said) == (unit == "unknown")
    assert Orbit().words(known=True) == ""


def test_the_picture_lies_in_its_frame():
    panels = [level("T cell")]
    orbit = replace(ABOVE, width=700, height=400)
    drawn = pl.print_stack(panels, KINDS, [0.0], orbit, PAGE, kind="png", dpi=100)
    with Image.open(io.BytesIO(drawn)) as image:
        page = np.asarray(image)
    left, top, right, bottom = frame_in(page)
    inside = page[top : bottom + 1, left : right + 1]
    assert inside.shape[0] / inside.shape[1] == pytest.approx(400 / 700, abs=0.01)
    orbit = orbit.around(*bounds(panels, [0.0]))
    window = orbit.view
    at = window.place(orbit.turn(np.column_stack([LETTER, np.zeros(len(LETTER))])))
    at *= inside.shape[1] / window.width
    assert of(inside, ORANGE)[at[:, 1].astype(int), at[:, 0].astype(int)].all()


def test_empty_stacks_and_views_of_nothing_are_drawn():
    none = Panel("none", np.zeros((0, 2)), np.zeros(0, dtype=object))
    assert "0 cells" in text_of(pl.print_stack([none], KINDS, [np.zeros(0)], Orbit(), PAGE))
    assert "no level" in text_of(pl.print_stack([none, none], KINDS, [0.0, 1.0], Orbit(first=9), PAGE))
    away = pl.print_stack([level("T cell")], KINDS, [0.0], replace(ABOVE, dx=1e6, zoom=1e5), PAGE)
    assert "0 in view" in text_of(away)
    with pytest.raises(ValueError, match="a height for each panel, not 1 for 2"):
        pl.print_stack([none, none], KINDS, [0.0], Orbit(), PAGE)


def test_more_levels_than_a_map_has_panels_share_a_legend():
    panels = [level("T cell") for _ in range(13)]
    said = text_of(pl.print_stack(panels, KINDS, [60.0 * i for i in range(13)], Orbit(), PAGE))
    assert "13 levels" in said
    assert "T cell · 156" in said
    assert "720 µm" in said


def test_100_000_cells_take_seconds():
    rng = np.random.default_rng(0)
    points, values = rng.uniform(0, 3_000, (100_000, 2)), rng.random(100_000).astype(np.float32)
    panels = [Panel(f"L{i}", points[i::10], values[i::10], "um") for i in range(10)]
    start = time.process_time()
    pdf = pl.print_stack(panels, SCORE, [50.0 * i for i in range(10)], Orbit(stretch=2), PAGE, dpi=600)
    assert time.process_time() - start < 10  # 2 s when nothing else runs
    assert len(pdf) < 2e6
