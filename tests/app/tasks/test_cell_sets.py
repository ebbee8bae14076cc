"""Cell sets of areas that take long, and in and out of files."""

import json
import resource
import time
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from app.cell_sets.store import CellSets
from app.exports.stamp import stamp
from app.requests import BringIn, TakeArea, WriteSet
from app.tasks import cell_sets as files
from app.tasks.exports import TASKS
from squint.errors import InputError
from squint.formats import qupath
from squint.geometry.outlines import Outline
from squint.library.results import Task
from squint.library.store import Library
from tests.helpers.cell_sets import CORNER, SQUARE, A, B, C, draw

Answer = TypeVar("Answer")


@pytest.mark.parametrize("pixel", [None, 0.2125])
def test_a_set_goes_through_geojson_to_the_same_cells_elsewhere(
    store: Library, sets: CellSets, pixel: float | None
) -> None:
    a, b = store.get(A), store.get(B)
    drawn = draw(store, SQUARE, name="Core")
    listed = sets.make("List", {A: [0, 7, 42]})
    for one in (drawn, listed):
        text = files.geojson(store, one, a, pixel, {"Notice": "n"})
        assert json.loads(text)["properties"]["squint"] == {"Notice": "n"}
        (note,) = files.make_sets(store, b, text.encode(), "x.geojson")
        made = sets.all()[-1]
        assert note == f"{made.name}: {sets.n_cells(made, B)} cells"
        np.testing.assert_array_equal(sets.rows(made, B), sets.rows(one, A))
        assert bool(made.outlines) == bool(one.outlines)
        assert made.colour == one.colour
    assert [one.name for one in sets.all()] == ["Core", "List", "Core 2", "List 2"]


def test_a_file_of_another_section_is_told_of(store: Library, sets: CellSets) -> None:
    a, b = store.get(A), store.get(B)
    made = draw(store, SQUARE, name="Core")
    text = files.geojson(store, made, a, None, stamp("Cell set Core", [a], None, {}))
    assert len(files.make_sets(store, a, text.encode(), "x.geojson")) == 1
    notes = files.make_sets(store, b, text.encode(), "x.geojson")
    assert "was made from another section" in notes[-1]
    assert a.title in notes[-1]
    assert len(sets.all()) == 3


def test_a_set_goes_through_the_tables_of_xenium_explorer(store: Library, sets: CellSets) -> None:
    a = store.get(A)
    drawn, listed = draw(store, SQUARE, name="=Core"), sets.make("List", {A: [0, 7], B: [1]})
    text = files.cell_groups(store, drawn, a)
    assert text.splitlines()[0] == "cell_id,group,color"
    assert text.splitlines()[1] == "a0,'=Core,#E69F00"  # which no spreadsheet computes
    text += files.cell_groups(store, listed, a).partition("\n")[2]
    notes = files.make_sets(store, a, text.encode(), "groups.csv")
    assert notes == ["=Core 2: 16 cells", "List 2: 2 cells"]
    assert sets.history.now().undo == "made =Core 2, List 2"
    np.testing.assert_array_equal(sets.rows(sets.all()[2], A), sets.rows(drawn, A))
    text = files.selections(store, drawn, a)
    assert text.startswith("#Selection name: '=Core\n#Area (µm^2): 16.00\nSelection,X,Y\n")
    assert files.make_sets(store, a, text.encode(), "coordinates.csv") == ["=Core 3: 16 cells"]
    with pytest.raises(InputError, match="no outline in um"):
        files.selections(store, listed, a)


def test_cells_that_are_not_here_are_counted_and_left_out_when_asked(store: Library) -> None:
    content = b"cell_id,group\na1,T\nzz,T\n"
    with pytest.raises(InputError, match=r"Of the 2 cells that g\.csv names, this section lacks 1: 'zz'"):
        files.make_sets(store, store.get(A), content, "g.csv")
    notes = files.make_sets(store, store.get(A), content, "g.csv", skip_unknown=True)
    assert notes == ["T: 1 cell, 1 that are not here left out"]


def test_a_file_that_marks_no_cell_says_where_it_lies(store: Library) -> None:
    far = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [
        [[900, 900], [990, 900], [990, 990]]]}}  # fmt: skip
    with pytest.raises(InputError, match=r"spans x 900 to 990.* the cells x 0 to 9.*um per pixel"):
        files.make_sets(store, store.get(A), json.dumps(far).encode(), "a.json", pixel_size_um=1)
    near = {
        **far,
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {"name": "2001-02-03"},
    }
    notes = files.make_sets(
        store, store.get(A), json.dumps([near, {**far, "id": 2}]).encode(), "a.json", pixel_size_um=1
    )
    assert notes == ["Imported: 16 cells", "An outline that holds no cell was left out"]


def test_a_file_whose_reading_is_stopped_makes_no_set(store: Library, sets: CellSets) -> None:
    class StoppedError(Exception):
        pass

    told = []

    def stop(fraction: float, words: str) -> None:
        told.append((fraction, words))
        if fraction > 0.5:
            raise StoppedError

    text = "Selection,X,Y\n" + "".join(f"{name},{x},{y}\n" for name in "ABC" for x, y in SQUARE)
    with pytest.raises(StoppedError):
        files.make_sets(store, store.get(A), text.encode(), "s.csv", report=stop)
    assert len(told) == 3
    assert not sets.all()


@pytest.mark.parametrize("form", ["geojson", "selection"])
def test_an_outline_that_crosses_itself_all_over_is_refused(
    store: Library, sets: CellSets, form: str
) -> None:
    star = np.random.default_rng(0).uniform(0, 9, (1_000, 2))
    if form == "geojson":
        text = qupath.write([Outline("Star", ((star,),))])
    else:
        text = "Selection,X,Y\n" + "".join(f"Star,{x},{y}\n" for x, y in star)
    start = time.process_time()
    with pytest.raises(InputError, match=r"Star of a\.\w+ crosses itself more than 3,000 times"):
        files.make_sets(store, store.get(A), text.encode(), "a.json" if form == "geojson" else "a.csv")
    assert time.process_time() - start < 5
    assert not sets.all()


def test_a_unit_that_is_unknown_stays_so(store: Library, sets: CellSets) -> None:
    made, c = sets.make("C", {C: [0, 1]}), store.get(C)
    with pytest.raises(InputError, match="unit of P2 · C is unknown"):
        files.geojson(store, made, c, 0.5)
    text = files.geojson(store, made, c)
    assert json.loads(text)["properties"] == {"unit": "unknown"}
    assert files.make_sets(store, c, text.encode(), "c.geojson") == ["C 2: 2 cells"]


def ask(store: Library, asked: Task[Answer]) -> Answer:
    """Ask the worker, by its own names and by way of JSON."""
    args = json.loads(json.dumps({"home": str(store.home), "asked": asked.args}))
    answer: Answer = TASKS[asked.name](args, lambda *_: None)
    return answer


def test_an_area_that_takes_long_makes_the_set_that_it_would_make_at_once(
    store: Library, sets: CellSets
) -> None:
    at_once = draw(store, SQUARE)
    made = sets.get(ask(store, TakeArea(A, tuple(map(tuple, SQUARE)), "new")))
    np.testing.assert_array_equal(sets.rows(made, A), sets.rows(at_once, A))
    assert ask(store, TakeArea(A, tuple(map(tuple, CORNER)), "subtract", made.id)) == made.id
    assert sets.n_cells(sets.get(made.id), A) == 12
    with pytest.raises(InputError, match="can make a set"):
        ask(store, TakeArea(A, tuple(map(tuple, SQUARE)), "None"))


@pytest.mark.parametrize("form", ["geojson", "groups", "selection"])
def test_files_are_written_and_read_by_the_worker(store: Library, sets: CellSets, form: Any) -> None:
    drawn = draw(store, SQUARE)
    path = ask(store, WriteSet(drawn.id, A, form))
    notes = ask(store, BringIn(A, path, "a.json" if form == "geojson" else "a.csv", 1.0, skip_unknown=False))
    assert notes == ["Set 2: 16 cells"]
    np.testing.assert_array_equal(sets.rows(sets.all()[1], A), sets.rows(drawn, A))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.geojson", b"[" + b"{}," * 21_000_000 + b"{}]", "holds more than 2,500,000 values"),
        ("a.csv", b"cell_id,group" + b",x" * 20_000_000 + b"\n", "longer than 10,000 characters"),
        ("a.csv", b"cell_id,group" + b",x" * 45_000 + b"\na1,T\n", "longer than 10,000 characters"),
        ("a.csv", b"cell_id,group" + b",x" * 4_000 + b"\na1,T\n", "more than 200 columns"),
        ("a.csv", b"x" * 64_000_001, "larger than 64 MB"),
    ],
    ids=["64 MB of {}", "20 million columns", "90 kB wide", "4,000 columns", "too large"],
)
def test_files_that_unfold_are_refused_soon_and_in_little_memory(
    store: Library, sets: CellSets, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=words):
        ask(store, BringIn(A, str(path), name, 1.0, skip_unknown=False))
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB
    assert not sets.all()
