"""Maps in print show what the window shows, where it is, in its colour, with every number in words."""

import io
import re
import subprocess
import sys
import time
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import plotly.colors
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageColor
from pypdf import PdfReader

from squint import pl
from squint.pl import _print
from squint.pl._look import Look, Outline, Page, Picture
from tests.helpers.printed import frame_in

pytestmark = pytest.mark.slow

F = np.array([[c == "#" for c in row] for row in ("#####", "#....", "####.", "#....", "#....")])
ROWS, COLUMNS = np.nonzero(F)
POINTS = np.column_stack([10.0 * COLUMNS, 10.0 * ROWS])
WINDOW = pl.View(20, 20, 70)
NOTICE = "For research use only. Not for use in diagnostic procedures."
PAGE = Page(
    "A map", "n = 12 cells, 1 section, 1 patient", [NOTICE, "Parameters: codes: 1, 2"], {"Notice": NOTICE}
)
SCORE = pl.Continuous("activation score", 0, 1, (0.25, 0.75))
KINDS = pl.Categories("cell type", ("T cell", "B cell"))
ORANGE, BLUE = (230, 159, 0), (86, 180, 233)
DPI = 100


def panel(values, points=POINTS, **more):
    return pl.Panel("S1", points, values, "um", **more)


def labels(*names):
    return np.array(names, dtype=object)


def draw(panels, scale, views, look=None, page=PAGE, kind="png", dpi=DPI):
    return pl.print_map(panels, scale, views, page, look, kind=kind, dpi=dpi)


def pixels(drawn):
    """Give the picture of the panels, without the legend."""
    with Image.open(io.BytesIO(drawn)) as image:
        return np.asarray(image)[:, : round(0.65 * image.width)]


def of(picture, colour):
    return (np.abs(picture.astype(int) - colour) <= 3).all(axis=2)


def inside(one, scale, view, look=None):
    """Draw a single panel, and cut out what lies within its frame."""
    picture = pixels(draw([one], scale, [view], look))
    left, top, right, bottom = frame_in(picture)
    return picture[top : bottom + 1, left : right + 1]


def text_of(pdf):
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


def words_of(svg):
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return " ".join(" ".join(node.itertext()) for node in root.iter() if node.tag.endswith("}text"))


def many(n=60_000, n_panels=1):
    side = int(np.ceil(np.sqrt(n)))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n] * 10.0
    rng = np.random.default_rng(0)
    points, values = grid + rng.normal(0, 2, grid.shape), rng.random(n).astype(np.float32)
    view = pl.View(5 * side, 5 * side, 10.4 * side, 1.1)
    return [panel(values[i::n_panels], points[i::n_panels]) for i in range(n_panels)], [view] * n_panels


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (WINDOW, F),
        (replace(WINDOW, rotation=90), np.rot90(F, -1)),
        (replace(WINDOW, rotation=180), np.rot90(F, 2)),
        (replace(WINDOW, flipped=True), F[:, ::-1]),
        (replace(WINDOW, flipped=True, rotation=90), np.rot90(F[:, ::-1], -1)),
    ],
)
def test_tissue_lies_as_its_window_says(monkeypatch, vectors_up_to, view, expected):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    seen = of(inside(panel(labels(*["T cell"] * len(POINTS))), KINDS, view), ORANGE)
    places = ((np.arange(5) * 10 + 15) / 70 * len(seen)).astype(int)
    np.testing.assert_array_equal(seen[np.ix_(places, places)], expected)


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
def test_cells_have_the_colours_of_the_palette(monkeypatch, vectors_up_to):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    values = np.array([0.0, 0.3, 1.0, 7.0])
    points = np.array([[10.0, 10], [30, 10], [10, 30], [30, 30]])
    seen = inside(panel(values, points), SCORE, pl.View(20, 20, 40), Look(diameter=12))
    at = (points / 40 * len(seen)).astype(int)
    expected = plotly.colors.sample_colorscale("Viridis", np.clip(values, 0, 1), colortype="tuple")
    np.testing.assert_allclose(seen[at[:, 1], at[:, 0]] / 255, expected, atol=0.012)


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
def test_what_lies_outside_the_window_is_not_drawn(monkeypatch, vectors_up_to):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    points = np.array([[20.0, 20], [20, 60], [1_000, 20]])
    one = panel(labels("T cell", "B cell", "B cell"), points)
    look = Look(diameter=10)
    picture = pixels(draw([one], KINDS, [pl.View(20, 20, 40)], look))
    assert of(picture, ORANGE).any()
    assert not of(picture, BLUE).any()
    assert "1 in view" in text_of(draw([one], KINDS, [pl.View(20, 20, 40)], look, kind="pdf"))
    assert of(pixels(draw([one], KINDS, [pl.View(20, 40, 60)], look)), BLUE).any()


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
def test_what_is_hidden_is_not_drawn_and_the_legend_says_so(monkeypatch, vectors_up_to):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    one = panel(labels("T cell", "B cell", "other", None), POINTS[:4])
    look = Look(hidden=["B cell", "__rest__"])
    picture = pixels(draw([one], KINDS, [WINDOW], look))
    assert of(picture, ORANGE).any()
    assert not of(picture, BLUE).any()
    grey = of(inside(one, KINDS, WINDOW, look)[5:-5, 5:-5], (0xD5, 0xD7, 0xDD))
    assert grey.sum() < 100  # where the ring of the cell without a value fades; a cell has thousands
    said = text_of(draw([one], KINDS, [WINDOW], look, kind="pdf"))
    for words in ("T cell · 1", "B cell · 1 (hidden)", "all others · 1 (hidden)", "no value · 1"):
        assert words in said
    assert "T cell · 1 (hidden)" not in said


def test_classes_have_three_colours_and_say_their_shares():
    values = np.array([0.1, 0.25, 0.5, 0.9, np.nan])
    one = panel(values, POINTS[:5])
    said = text_of(draw([one], SCORE, [WINDOW], Look(classes=True, hidden=["__low__"]), kind="pdf"))
    assert "low, below 0.25 (hidden) 1 cells (25.0%)" in said
    assert "intermediate, 0.25 to 0.75 2 cells (50.0%)" in said
    assert "high, above 0.75 1 cells (25.0%)" in said
    picture = pixels(draw([one], SCORE, [WINDOW], Look(classes=True, hidden=["__low__"])))
    low, middle, high = np.round(
        255 * np.array(plotly.colors.sample_colorscale("Viridis", [0.1, 0.5, 0.9], colortype="tuple"))
    )
    assert of(picture, middle).any()
    assert of(picture, high).any()
    assert not of(picture, low).any()


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
def test_predicted_cells_are_diamonds_with_a_border(monkeypatch, vectors_up_to):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    points = np.array([[10.0, 20], [30, 20]])
    one = panel(np.array([0.5, 0.5]), points, imputed=np.array([False, True]))
    seen = inside(one, SCORE, pl.View(20, 20, 40), Look(diameter=12))
    black = of(seen, (0, 0, 0))[: 3 * len(seen) // 4]  # below is the scale bar
    half = black.shape[1] // 2
    assert not black[:, :half].any()
    assert black[:, half:].any()
    assert "1 in-painted" in text_of(draw([one], SCORE, [WINDOW], kind="pdf"))


def test_a_picture_lies_below_the_cells_where_its_affine_says():
    colours = np.array([[[200, 0, 0], [0, 200, 0]], [[0, 0, 200], [90, 90, 90]]], dtype=np.uint8)
    opaque = np.dstack([colours.repeat(50, axis=0).repeat(50, axis=1), np.full((100, 100), 255, np.uint8)])
    picture = Picture(opaque, np.array([[0.4, 0, 100], [0, 0.4, 200]]), 0.5)
    look = Look(hidden=["__measured__"], pictures=[picture])
    one = panel(np.array([0.5, 0.5]), np.array([[100.0, 200], [140, 240]]))

    def corners(view):
        seen = inside(one, SCORE, view, look)
        near = [int(share * len(seen)) for share in (0.3, 0.6)]
        return seen[np.ix_(near, near)].astype(int)

    faint = np.round(127.5 + colours / 2)
    upright = pl.View(120, 220, 80)
    assert np.abs(corners(upright) - faint).max() <= 4
    assert np.abs(corners(replace(upright, rotation=90)) - np.rot90(faint, -1)).max() <= 4
    assert np.abs(corners(replace(upright, flipped=True)) - faint[:, ::-1]).max() <= 4


def as_shapes(cells, *rings):
    offsets = np.concatenate([[0], np.cumsum([len(ring) for ring in rings])])
    return pl.Shapes(np.array(cells), offsets, np.concatenate(rings).astype(float))


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
@pytest.mark.parametrize("flipped", [False, True])
def test_cells_with_outlines_are_drawn_by_them(monkeypatch, vectors_up_to, flipped):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    ell = [[0, 0], [40, 0], [40, 8], [8, 8], [8, 40], [0, 40]]
    one = panel(labels("T cell", "B cell"), np.array([[25.0, 25.0], [60.0, 60.0]]))
    view = pl.View(40, 40, 80, flipped=flipped)
    look = Look(boundaries=[as_shapes([0], ell)], diameter=12)
    drawn = inside(one, KINDS, view, look)

    def at(x, y):
        left, top = view.place(np.array([[x, y]]))[0] / 80 * np.array(drawn.shape[1::-1])
        return drawn[int(top) : int(top) + 1, int(left) : int(left) + 1]

    for x, y in ((4, 4), (35, 4), (4, 35), (20, 3)):
        assert of(at(x, y), ORANGE), (x, y)
    for x, y in ((25, 25), (12, 12), (38, 38)):  # its centre, and between its arms
        assert (at(x, y) == 255).all(), (x, y)
    assert of(at(60, 60), BLUE)  # has no outline, and stays a disc


def test_cells_whose_outlines_reach_into_the_window_are_drawn():
    box = [[0, 0], [100, 0], [100, 30], [0, 30]]
    one = panel(labels("T cell"), np.array([[50.0, 15.0]]))
    look = Look(boundaries=[as_shapes([0], box)], diameter=1)
    drawn = pixels(draw([one], KINDS, [pl.View(100, 25, 20)], look))
    assert of(drawn, ORANGE).sum() == pytest.approx(300 * 450, rel=0.03)  # of 600 by 600
    assert not of(pixels(draw([one], KINDS, [pl.View(120, 15, 8)], look)), ORANGE).any()


def test_transcripts_are_drawn_where_they_are_and_named():
    one = panel(np.full(12, np.nan))
    dots = [pl.Dots("ACTA2", "#D55E00", np.array([[20.0, 20.0], [500.0, 500.0]]), 1_234)]
    look = Look(dots=[dots], hidden=["__missing__"])
    drawn = inside(one, SCORE, WINDOW, look)
    row, column = np.nonzero(of(drawn, ImageColor.getrgb("#D55E00")))
    assert row.mean() / drawn.shape[0] == pytest.approx(0.5, abs=0.02)
    assert column.mean() / drawn.shape[1] == pytest.approx(0.5, abs=0.02)
    assert "Transcripts ACTA2 · 1,234" in text_of(draw([one], SCORE, [WINDOW], look, kind="pdf"))
    hidden = replace(look, hidden=["__missing__", f"{pl.TRANSCRIPTS}ACTA2"])
    assert not of(inside(one, SCORE, WINDOW, hidden), ImageColor.getrgb("#D55E00")).any()


def test_areas_are_outlined_and_named():
    corners = np.array([[10.0, 10], [30, 10], [30, 30], [10, 30]])
    look = Look(hidden=["__measured__"], outlines=[[Outline("tumour margin", "#D55E00", corners)]])
    one = panel(np.full(len(POINTS), 0.5))
    seen = of(inside(one, SCORE, WINDOW, look), (0xD5, 0x5E, 0x00))
    rows, columns = np.nonzero(seen)
    np.testing.assert_allclose([rows.min(), rows.max()], np.array([25, 45]) / 70 * len(seen), atol=3)
    np.testing.assert_allclose([columns.min(), columns.max()], np.array([25, 45]) / 70 * len(seen), atol=3)
    assert "tumour margin" in text_of(draw([one], SCORE, [WINDOW], look, kind="pdf"))


def test_text_stays_text_and_says_it_all():
    values = np.where(np.arange(len(POINTS)) < 2, np.nan, 0.5)
    view = replace(WINDOW, rotation=450, flipped=True)
    pdf, svg = (draw([panel(values)], SCORE, [view], kind=kind) for kind in ("pdf", "svg"))
    for said in (text_of(pdf), words_of(svg)):
        for words in ("A map", "S1", "12 cells, 2 without a value", "mirrored, turned 90° clockwise"):
            assert words in said
        for words in ("activation score", "0.25", "0.75", "10 µm", "no value · 2", PAGE.count, *PAGE.footer):
            assert words in said
    assert not PdfReader(io.BytesIO(pdf)).pages[0].images
    assert min(float(size) for size in re.findall(r"font(?:-size)?: (?:\d+ )?([\d.]+)px", svg.decode())) >= 7


@pytest.mark.parametrize(("unit", "words"), [("unknown", "units unknown"), ("um", "10 µm")])
def test_the_scale_bar_says_what_is_known(unit, words):
    one = pl.Panel("S1", POINTS, np.full(len(POINTS), 0.5), unit)
    assert words in text_of(draw([one], SCORE, [WINDOW], kind="pdf"))
    black = of(inside(one, SCORE, WINDOW), (0, 0, 0))
    longest = black.sum(axis=1).max() / black.shape[1] * 70
    assert (longest == pytest.approx(10, abs=0.3)) == (unit != "unknown")


def test_each_panel_can_have_its_own_range():
    panels = [panel(np.full(len(POINTS), 0.5)), panel(np.full(len(POINTS), 0.9))]
    said = text_of(draw(panels, SCORE, [WINDOW] * 2, Look(ranges=[(0.4, 0.6), (0, 0.8)]), kind="pdf"))
    for words in ("0.4", "0.6", "≥ 0.8"):
        assert words in said


def test_names_are_text_not_markup():
    odd = "<b>&amp; $x^2$ \x00\n{é} 😀 $"
    one = pl.Panel(odd, POINTS, labels(*[odd] * len(POINTS)), "um", missing_name=odd)
    scale = pl.Categories(odd, (odd,))
    page = Page(odd, odd, [odd, odd], {"Title": odd.replace("\0", "")})
    look = Look(outlines=[[Outline(odd, "black", POINTS[:3])]])
    said = words_of(draw([one], scale, [WINDOW], look, page, "svg"))
    assert said.count("<b>&amp; $x^2$ {é}") == 8
    said = text_of(draw([one], scale, [WINDOW], look, page, "pdf"))
    assert said.count("<b>&amp; $x^2$ {é}") == 8
    draw([one], scale, [WINDOW], look, page)


@pytest.mark.parametrize("n_panels", [1, 4])
def test_many_cells_are_one_picture_for_each_panel_in_a_small_file(n_panels):
    panels, views = many(60_000, n_panels)
    pdf = draw(panels, SCORE, views, kind="pdf", dpi=600)
    assert len(PdfReader(io.BytesIO(pdf)).pages[0].images) == n_panels
    assert len(pdf) < 2e6
    assert "activation score" in text_of(pdf)
    svg = draw(panels, SCORE, views, kind="svg", dpi=150).decode()
    assert svg.count("<image") == n_panels


def test_300_000_cells_without_any_order_stay_below_2_mb_and_take_seconds():
    panels, views = many(300_000)
    start = time.process_time()
    pdf = draw(panels, SCORE, views, kind="pdf", dpi=600)
    assert time.process_time() - start < 15  # 2 s when nothing else runs
    assert len(pdf) < 2e6


def test_cells_of_any_size_are_drawn_in_seconds():
    panels, views = many(60_000)
    start = time.process_time()
    draw(panels, SCORE, views, Look(diameter=1e9))
    draw([panel(np.full(len(POINTS), 0.5))], SCORE, [WINDOW], Look(diameter=1e9))
    assert time.process_time() - start < 30


def test_a_map_without_cells_or_with_one_is_drawn():
    empty = pl.Panel("none", np.zeros((0, 2)), np.zeros(0))
    single = pl.Panel("one", np.array([[5.0, 5.0]]), np.array([0.5]))
    drawn = draw([empty, single], SCORE, [WINDOW, replace(WINDOW, x=5, y=5)], kind="pdf")
    assert "0 cells" in text_of(drawn)
    assert "1 cell" in text_of(drawn)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_equal_maps_are_equal_files(kind):
    panels = [panel(np.linspace(0, 1, len(POINTS)))]
    assert draw(panels, SCORE, [WINDOW], kind=kind) == draw(panels, SCORE, [WINDOW], kind=kind)


def test_the_stamp_is_in_the_metadata():
    panels = [panel(np.linspace(0, 1, len(POINTS)))]
    png, svg, pdf = (draw(panels, SCORE, [WINDOW], kind=kind, dpi=300) for kind in ("png", "svg", "pdf"))
    with Image.open(io.BytesIO(png)) as image:
        assert image.info["Notice"] == NOTICE
        assert round(image.info["dpi"][0]) == 300
        assert image.width == 3_000
    facts = PdfReader(io.BytesIO(pdf)).metadata
    assert facts["/Notice"] == NOTICE
    assert NOTICE in facts["/Subject"]
    assert "/CreationDate" not in facts
    assert f"<metadata>Notice: {NOTICE}</metadata>" in svg.decode()


@pytest.mark.parametrize("n_panels", range(1, 7))
def test_nothing_on_the_page_overlaps(monkeypatch, n_panels):
    sheets = []

    def save(sheet, *_):
        sheets.append(sheet)
        return b""

    monkeypatch.setattr(_print, "save", save)
    long = "a very long name of a section, of which the patient is said as well"
    values = np.where(np.arange(len(POINTS)) < 2, np.nan, 0.5)
    imputed = np.arange(len(POINTS)) > 8
    own = replace(panel(values, imputed=imputed, missing_name="held out and not told"), title=long)
    views = [replace(WINDOW, rotation=33.5, flipped=True, width=50, aspect=a) for a in (1, 0.4, 2, 1, 5, 1)]
    look = Look(ranges=[(i / 10, 1) for i in range(n_panels)])
    page = Page(long * 3, long * 3, [long * 3, long * 20])
    draw([own] * n_panels, replace(SCORE, title=long), views[:n_panels], look, page)
    (sheet,) = sheets
    sheet.figure.set_dpi(200)
    FigureCanvasAgg(sheet.figure).draw()
    boxes = [text.get_window_extent() for text in sheet.axes.texts if text.get_text()]
    boxes += [axes.get_window_extent() for axes in sheet.figure.axes if axes is not sheet.axes]
    width, height = 200 * sheet.figure.get_size_inches()
    overlaps = [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    bars = [text for text in sheet.axes.texts if "µm" in text.get_text()]
    assert len(overlaps) == len(bars) == n_panels  # only the scale bars lie in their panels
    outside = [b for b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > width or b.y1 > height]
    assert not outside


def test_a_map_shows_at_most_six_sections():
    with pytest.raises(ValueError, match="1 to 6 sections, not 7"):
        draw([panel(np.full(len(POINTS), 0.5))] * 7, SCORE, [WINDOW] * 7)


def test_figures_come_without_matplotlib_until_one_is_printed():
    code = "import squint.pl, app.maps.export, sys; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError, match="print_plan"):
        getattr(pl, "print_plan")  # noqa: B009 - that there is no such name is what is tested


@pytest.mark.parametrize("vectors_up_to", [0, 50_000])
def test_tissue_lies_on_a_dark_ground_if_that_is_chosen_and_the_page_stays_white(monkeypatch, vectors_up_to):
    monkeypatch.setattr(_print, "VECTORS_UP_TO", vectors_up_to)
    kinds = replace(KINDS, colours={"T cell": "#000000"})  # which nobody would see
    one = panel(labels(*["T cell"] * 6, *["other"] * (len(POINTS) - 6)))
    ground = ImageColor.getrgb(pl.LIGHT.on_dark().ground)
    eighth, rest = (ImageColor.getrgb(colour) for colour in (pl.DARK.eighth, pl.LIGHT.on_dark().rest))
    dark = pixels(draw([one], kinds, [WINDOW], Look(dark=True)))
    for colour in (ground, eighth, rest):
        assert of(dark, colour).mean() > 0.01
    assert of(dark, (255, 255, 255))[0].all()  # the paper
    light = pixels(draw([one], kinds, [WINDOW]))
    for colour in (ground, eighth, rest):
        assert not of(light, colour).mean() > 0.001


def test_a_stack_can_be_on_a_dark_ground():
    levels, ground = [panel(np.ones(len(POINTS)))] * 2, ImageColor.getrgb(pl.LIGHT.on_dark().ground)
    for dark in (False, True):
        drawn = pl.print_stack(levels, SCORE, [0, 20], pl.Orbit(), PAGE, Look(dark=dark), kind="png", dpi=DPI)
        assert (of(pixels(drawn), ground).mean() > 0.1) == dark


def test_a_picture_that_is_seen_through_shows_the_ground():
    clear = Picture(np.full((4, 4, 4), 255, np.uint8), np.array([[10.0, 0, 0], [0, 10.0, 0]]), 0.0)
    one, ground = panel(np.ones(len(POINTS))), ImageColor.getrgb(pl.LIGHT.on_dark().ground)
    seen = inside(one, SCORE, WINDOW, Look(dark=True, pictures=[clear], diameter=1))
    assert of(seen, ground).mean() > 0.5
