"""Areas to be in-painted, marked by hand, by a file and by a cell set."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.areas import marking
from app.cell_sets.store import CellSets
from squint.geometry.regions import Cells, Fraction, Polygon, dump
from squint.library.store import Library
from tests.helpers.app import words
from tests.helpers.marking import PAGE, half, marked, section_of

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]


def test_an_area_comes_from_a_file_and_goes_to_one(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    app = visit(PAGE)
    polygon = Polygon(section.section, ((0.0, 0.0), (60.0, 0.0), (0.0, 60.0)))
    elsewhere = Fraction("another", 0.1)
    content = dump([polygon, elsewhere]).encode()
    app.file_uploader(f"regions-{section.id}").set_value(("R.json", content, "application/json")).run()
    app.button(f"regions-take-{section.id}").click().run()
    assert not app.error
    assert app.session_state[f"marked-{section.id}"] == [polygon]
    assert "polygon of 3 corners" in words(app)
    only = dump([elsewhere]).encode()
    app.file_uploader(f"regions-{section.id}").set_value(("R.json", only, "application/json")).run()
    app.button(f"regions-take-{section.id}").click().run()
    assert "marks nothing in section 'TOY-H-1', but in another" in words(app)
    bomb = b'{"regions": [' + b"{}," * 300_000 + b"{}]}"
    app.file_uploader(f"regions-{section.id}").set_value(("R.json", bomb, "application/json")).run()
    app.button(f"regions-take-{section.id}").click().run()
    assert "holds more than 500,000 values" in words(app)
    app.file_uploader(f"regions-{section.id}").set_value([]).run()
    assert not app.error
    assert not list(loaded.staging.iterdir())


def test_what_takes_long_to_count_is_counted_by_the_worker(
    visit: Open, loaded: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = section_of(loaded)
    every = [
        *half(loaded, section),
        Fraction(section.section, 0.1),
        Polygon(section.section, ((0.0, 0.0), (60.0, 0.0), (0.0, 60.0))),
    ]
    app = marked(visit(PAGE), section, every)
    assert not app.exception
    at_once = next(line for line in words(app).splitlines() if "lie inside" in line)
    monkeypatch.setattr(marking, "_QUICK_REGIONS", 0)
    app = marked(visit(PAGE), section, every)
    assert not app.exception
    assert at_once in words(app)


def test_a_cell_set_is_marked(visit: Open, loaded: Library) -> None:
    section = section_of(loaded)
    made = CellSets(loaded).make("left", {section.id: [3, 5, 8]})
    app = visit(PAGE)
    app.button(f"marked-set-take-{section.id}").click().run()
    assert not app.exception
    assert "3 cells of 60 lie inside" in words(app.run()).replace("**", "")
    ring = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])
    assert marking.from_set("S", [(ring,)], ["a"]) == [Polygon("S", tuple(map(tuple, ring.tolist())))]
    assert marking.from_set("S", [(ring, ring / 2)], ["a"]) == [Cells("S", ("a",))]
    assert made.name == "left"


def test_what_was_drawn_decides_by_its_border_and_a_click_is_no_area() -> None:
    drawn = [
        {"box": True, "polygon": [[3.0, 2.0], [1.0, 2.0], [1.0, 0.0], [3.0, 0.0]]},
        {"box": False, "polygon": [[10, 10], [12, 10], [12, 12], [10, 12]]},
        {"box": False, "polygon": [[1, 1], [1, 1], [2, 2]]},
        {"polygon": [[0, 0], [float("nan"), 1], [2, 2]]},
    ]
    items = [item for event in drawn for item in marking.drawn(event, "S")]
    at = np.array([[1.0, 1.0], [3.0, 2.0], [11.0, 11.0], [5.0, 5.0], [99.0, 99.0]])
    inside = marking.inside(items, pd.Index(list("abcde")), at)
    assert inside.tolist() == [True, True, True, False, False]
    assert [marking.area(outline) for outline in marking.outlines(items)] == [4, 4]
    assert json.loads(dump(items))["regions"][0] == {
        "section": "S",
        "x0": 1,
        "x1": 3,
        "y0": 0,
        "y1": 2,
    }
