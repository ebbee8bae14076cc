"""A map is exported as the reader sees it, and no state that a browser may send does harm."""

import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageColor
from pypdf import PdfReader

from app.exports.stamp import stamp
from app.maps.export import write_map
from app.maps.state import describe, read_state
from app.maps.views import MapView
from app.requests import DrawMap
from app.settings import NOTICE
from app.tasks import map_files
from app.tasks.exports import TASKS
from squint import pl
from squint.errors import InputError
from squint.library import tiling
from squint.library.images import BY_PIXEL_SIZE, Addition, Images
from squint.library.store import Library, Section
from tests.helpers.section_pictures import report

pytestmark = pytest.mark.slow

ORANGE = (230, 159, 0)
N = 400
POINTS = np.stack(np.meshgrid(np.arange(20), np.arange(20)), axis=-1).reshape(-1, 2) * 10.0
WINDOW = {"x": 95, "y": 95, "width": 40, "aspect": 1, "rotation": 90, "flipped": True, "points": "x"}


def section(name: str) -> Section:
    return Section(
        id="ab" * 8,
        sha256="ab" * 32,
        section=name,
        patient="P",
        organ="",
        assay="",
        added="2026-01-01T00:00:00+00:00",
        n_cells=N,
        n_genes=2,
        n_cell_types=0,
        unit="um",
        values="counts",
        median_depth=1.0,
        simulated=False,
    )


def view_of(*values: Any, scale: pl.Continuous | pl.Categories) -> MapView:
    panels = tuple(pl.Panel(f"S{i}", POINTS, v, "um") for i, v in enumerate(values, 1))
    sections = tuple(section(panel.title) for panel in panels)
    return MapView("A map", sections, panels, scale, pd.DataFrame(), {"colour": "x"})


@pytest.fixture
def scores() -> MapView:
    values = np.linspace(0, 1, N).astype(np.float32)
    values[:5] = np.nan
    return view_of(values, values[::-1], scale=pl.Continuous("activation score", 0, 1, (0.25, 0.75)))


@pytest.fixture
def types() -> MapView:
    values = np.array(["T cell", "B cell", None, "<b>rare</b> $x$"] * 100, dtype=object)
    scale = pl.Categories("cell type", ("T cell", "B cell"), names={"B cell": "B lymphocyte"})
    return view_of(values, scale=scale)


def marks_of(view: MapView, state: Mapping[str, Any]) -> dict[str, str]:
    return stamp(view.title, view.sections, None, {**view.parameters, **describe(state, view)})


def export(
    folder: Path, view: MapView, state: Mapping[str, Any], kind: pl.Kind = "pdf", **more: Any
) -> bytes:
    marks = marks_of(view, state)
    write_map(folder, view, state, marks, **more)
    return draw_map(folder, kind, marks)


def draw_map(folder: Path, kind: pl.Kind, marks: Mapping[str, str]) -> bytes:
    """Print what was left in a folder, beside the library."""
    asked = DrawMap(str(folder), kind, marks, dpi=100)
    return Path(map_files.draw_map(Library(folder / "home"), asked, report)).read_bytes()


def text_of(pdf: bytes) -> str:
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


def test_what_the_reader_sees_is_on_the_page(tmp_path: Path, scores: MapView) -> None:
    whole = {**WINDOW, "width": 400, "rotation": 0, "flipped": False}
    state = {
        "panels": [WINDOW, whole],
        "range": [0.1, 0.5],
        "thresholds": [0.4, 0.2],
        "hidden": ["__missing__", "no such entry"],
        "linked": True,
        "coloured": "x",
    }
    said = text_of(export(tmp_path, scores, state))
    for words in (
        "S1",
        "400 cells, 5 without a value",
        "16 in view, mirrored, turned 90° clockwise",
        "≥ 0.5",
        "0.4",
        "no value · 10 (hidden)",
        NOTICE,
        "n = 800 cells, 2 sections, 1 patient",
        "window 1, S1: centre 95, 95 µm, 40 µm wide, mirrored, turned 90° clockwise",
        "colour range: 0.1 to 0.5",
        "thresholds: 0.2 and 0.4",
        "hidden: cells without a value",
    ):
        assert words in said
    assert "window 2" not in said
    assert "0.75" not in said


def test_boundaries_and_hidden_transcripts_are_said(scores: MapView) -> None:
    said = describe({"boundaries": True, "bounded": [True, False]}, scores)
    assert said == {"cell boundaries": "drawn in S1"}
    assert describe({"boundaries": True, "bounded": [True, True]}, scores)["cell boundaries"] == "drawn"
    assert not describe({"boundaries": False, "bounded": [True, True]}, scores)
    assert not describe({"boundaries": True, "bounded": [True]}, scores)  # of another map
    hidden = {"hidden": [f"{pl.TRANSCRIPTS}ACTA2", f"{pl.TRANSCRIPTS}{'A' * 200}", 3]}
    assert describe(hidden, scores) == {"hidden": "transcripts of ACTA2"}
    with pytest.raises(InputError):
        read_state({"boundaries": True, "bounded": "all"}, scores)


def test_without_a_state_the_whole_section_is_shown_and_nothing_more_said(
    tmp_path: Path, scores: MapView
) -> None:
    assert describe({}, scores) == {}
    said = text_of(export(tmp_path, scores, {}))
    assert "in view" not in said
    assert "turned" not in said
    assert "Parameters: colour: x" in said


@pytest.mark.parametrize("categorical", [False, True])
def test_labels_travel_with_their_names_counts_and_colours(
    tmp_path: Path, types: MapView, *, categorical: bool
) -> None:
    if categorical:
        values = pd.Categorical(types.panels[0].values)
        types = view_of(values, scale=types.scale)
    said = text_of(export(tmp_path, types, {"hidden": ["B cell"]}))
    for words in ("T cell · 100", "B lymphocyte · 100 (hidden)", "all others · 100", "no value · 100"):
        assert words in said
    assert "hidden: B lymphocyte" in said
    with Image.open(io.BytesIO(export(tmp_path, types, {"hidden": ["B cell"]}, "png"))) as image:
        seen = np.asarray(image)
        assert image.info["Notice"] == NOTICE
    left = seen[:, : round(0.65 * seen.shape[1])].astype(int)
    assert (np.abs(left - ORANGE) < 4).all(axis=2).any()
    assert not (np.abs(left - (86, 180, 233)) < 4).all(axis=2).any()


def test_a_file_is_on_a_dark_ground_only_where_that_was_chosen(tmp_path: Path, types: MapView) -> None:
    ground = np.array(ImageColor.getrgb(pl.LIGHT.on_dark().ground))
    for state, dark in (({}, False), ({"dark": "yes"}, False), ({"dark": True}, True)):
        with Image.open(io.BytesIO(export(tmp_path, types, state, "png"))) as image:
            seen = np.asarray(image.convert("RGB")).astype(int)
        assert ((np.abs(seen - ground) < 4).all(axis=2).mean() > 0.05) == dark
        assert ("ground: dark" in text_of(export(tmp_path, types, state))) == dark


def test_pictures_areas_and_predictions_travel(
    tmp_path: Path, scores: MapView, library: Library, added: Section
) -> None:
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "red.png")
    red = tiling.keep(library, Addition(added.id, str(tmp_path / "red.png")), report)
    Images(library).place(added.id, red.id, [[5.0, 0, 0], [0, 5.0, 0]], BY_PIXEL_SIZE)
    corners = np.array([[50.0, 50], [100, 50], [100, 100]])
    imputed = np.arange(N) > 300
    panels = (
        pl.Panel("S1", POINTS, scores.panels[0].values, "um", imputed=imputed, outlines=[corners]),
        scores.panels[1],
    )
    view = MapView(scores.title, scores.sections, panels, scores.scale, scores.cells, {})
    more = {
        "pictures": [(added.id, red.id), None],
        "outlines": [[pl.Outline("tumour margin", "#D55E00", corners)], []],
    }
    state = {"image": {"shown": True, "opacity": 0.5}, "size": 0.2}
    said = text_of(export(tmp_path, view, state, **more))
    for words in ("tumour margin", "99 in-painted", "image opacity: 50%", "size of cells: x 0.2"):
        assert words in said

    def reds(state: Mapping[str, Any]) -> int:
        with Image.open(io.BytesIO(export(tmp_path, view, state, "png", **more))) as image:
            return int((np.abs(np.asarray(image).astype(int) - (255, 127, 127)) < 3).all(axis=2).sum())

    assert reds(state) > 1_000
    assert reds({**state, "image": {"shown": False, "opacity": 0.5}}) == 0


def test_sections_can_have_ranges_of_their_own(tmp_path: Path, scores: MapView) -> None:
    state = {"ranges": [[0.2, 0.4], None], "classes": False}
    said = text_of(export(tmp_path, scores, state))
    assert "≤ 0.2" in said
    assert "colour range of each section: 0.2 to 0.4, 0 to 1" in said
    assert describe({"ranges": []}, scores) == {}


CAMERA = {
    "orbit": {"azimuth": 10, "elevation": 40, "zoom": 2, "dx": 5, "dy": -5},
    "first": 1,
    "last": 2,
    "cut": {"axis": 1, "share": 0.4},
    "stretch": 2.5,
    "scale": 0.7,
    "centre": [95, 95, 30],
    "width": 800,
    "height": 500,
}


def test_a_stack_is_exported_from_where_it_is_seen(tmp_path: Path) -> None:
    values = np.linspace(0, 1, N)
    stack = view_of(*[values] * 8, scale=pl.Continuous("score", 0, 1))  # more than a map has panels
    state = {"camera": CAMERA, "panels": [WINDOW] * 8}
    heights = [np.float32(10 * i) for i in range(8)]
    said = text_of(export(tmp_path, stack, state, heights=heights, stretch=3.0))
    for words in (
        "levels 2 to 3 of 8",
        "height drawn \N{MULTIPLICATION SIGN} 2.5, cut at 40 % of x",
        "levels: 2 to 3 of 8",
    ):
        assert words in said
    assert "stack: turned 10°, seen from 40° above, magnified x 2, height drawn" in said
    assert "window" not in said


def test_a_stack_that_nobody_turned_is_as_at_first(tmp_path: Path, types: MapView) -> None:
    write_map(tmp_path, types, {}, marks_of(types, {}), heights=[np.arange(N)], stretch=2.0)
    assert "height drawn \N{MULTIPLICATION SIGN} 2" in text_of(draw_map(tmp_path, "pdf", {}))
    said = describe({}, types, 2.0)
    assert said == {"stack": "turned 25°, seen from 35° above, height drawn \N{MULTIPLICATION SIGN} 2"}
    assert read_state({"camera": {}}, types).orbit == pl.Orbit()
    assert read_state({}, types).orbit is None


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (7, "camera of the map cannot be read"),
        ({"orbit": []}, "turn of the stack of the map cannot be read"),
        ({"orbit": {"azimuth": "1"}}, "turn of the stack of the map is not a number"),
        ({"orbit": {"elevation": 91}}, "tilt of the stack"),
        ({"orbit": {"zoom": 0}}, "magnification of the stack"),
        ({"orbit": {"dx": float("nan")}}, "place of the stack"),
        ({"first": 0.5}, "lowest level of the map is not a whole number"),
        ({"last": 2}, "uppermost level of the map is not a number from 0 to 1"),
        ({"first": 1, "last": 0}, "lowest level, 2, lies above the uppermost, 1"),
        ({"cut": {"axis": 3}}, "axis of the cut"),
        ({"cut": {"axis": 1, "share": 2}}, "cut of the map is not a number"),
        ({"stretch": -1}, "stretch of the height"),
        ({"scale": 0}, "scale of the stack"),
        ({"centre": [1, 2]}, "three numbers, not 2"),
        ({"centre": [1, 2, None]}, "centre of the stack"),
        ({"width": 1e9}, "width of the panel"),
        ({"height": 0}, "height of the panel"),
    ],
)
def test_a_view_that_no_reader_can_have_is_refused_in_words(scores: MapView, camera: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_state({"camera": camera}, scores)


def test_three_classes_are_counted(tmp_path: Path, scores: MapView) -> None:
    said = text_of(export(tmp_path, scores, {"classes": True, "thresholds": [0.5, 0.5]}))
    assert "low, below 0.5" in said
    assert "colours: three classes" in said


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([], "state of the map cannot be read"),
        ({"panels": "F"}, "list of panels of the map is no list"),
        ({"panels": [WINDOW]}, "2 sections, but 1 windows"),
        ({"panels": [WINDOW] * 1_000_000}, "1,000,000 entries, more than 6"),
        ({"panels": [WINDOW, 7]}, "window of the map cannot be read"),
        *(
            ({"panels": [WINDOW, {**WINDOW, key: value}]}, "is not a number from")
            for key, value in (
                ("x", float("nan")),
                ("y", float("inf")),
                ("x", "1"),
                ("y", None),
                ("x", True),
                ("x", 10**400),
                ("width", -1),
                ("width", 0),
                ("aspect", 1e-9),
                ("aspect", 1e9),
                ("rotation", "90"),
                ("rotation", [90]),
            )
        ),
        ({"range": [1, 0]}, "cannot go from 1 to 0"),
        ({"range": [0.5, 0.5]}, "its ends must differ"),
        ({"range": [0]}, "two ends, not 1"),
        ({"range": "ab"}, "colour range of the map is no list"),
        ({"range": [0, float("nan")]}, "end of the colour range of the map is not a number"),
        ({"ranges": [[0, 1]]}, "2 sections, but 1 colour ranges"),
        ({"thresholds": [0.1, 0.2, 0.3]}, "3 entries, more than 2"),
        ({"thresholds": ["<script>"]}, "threshold of the map is not a number"),
        ({"hidden": {"a": 1}}, "hidden entries of the map is no list"),
        ({"hidden": ["x"] * 100_000}, "more than 1,000"),
        ({"diameter": -3}, "diameter of cells"),
        ({"size": 1e9}, "size of cells"),
        ({"image": []}, "image of the map cannot be read"),
        ({"image": {"shown": True, "opacity": 2}}, "opacity of the image"),
    ],
)
def test_what_no_reader_can_have_set_is_refused_in_words(
    tmp_path: Path, scores: MapView, state: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_map(tmp_path, scores, state, {"Title": "", "Cells": "", "Notice": ""})
    assert not list(tmp_path.iterdir())


def test_what_is_unknown_is_passed_over(scores: MapView, types: MapView) -> None:
    state = {"hidden": ["T cell", 7, None, "__low__"], "camera": {"x": "y"}, "__class__": 1, "classes": "yes"}
    seen = read_state(state, scores)
    assert seen.hidden == ["__low__"]
    assert not seen.classes
    seen = read_state({**state, "range": "no scale", "thresholds": 3}, types)
    assert seen.hidden == ["T cell", "__low__"]
    assert seen.range is None


def test_the_worker_draws_it(tmp_path: Path, types: MapView) -> None:
    marks = marks_of(types, {})
    write_map(tmp_path, types, {}, marks)
    asked = {"folder": str(tmp_path), "format": "svg", "stamp": marks, "dpi": 300}
    args = {"home": str(tmp_path / "home"), "asked": asked}
    drawn = Path(TASKS["draw_map"](args, lambda *_: None))
    assert drawn.name == "figure.svg"
    assert f"Notice: {NOTICE}" in drawn.read_text()


def test_the_web_process_writes_a_map_without_matplotlib() -> None:
    code = "import sys, app.maps.export; print({'matplotlib', 'pypdf', 'kaleido'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
