"""What a browser posts becomes a change of a cell set."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cell_sets import numbers
from app.cell_sets.drawn import take
from app.cell_sets.store import CellSets
from app.library.store import Library
from squint.errors import InputError
from squint.geometry import outlines
from tests.helpers.cell_sets import CORNER, SQUARE, A, B, draw, positions, put


def test_an_area_makes_a_set_and_others_are_added_and_subtracted(store: Library, sets: CellSets) -> None:
    made = draw(store, SQUARE, name="Core")
    assert (made.name, made.how, sets.n_cells(made, A)) == ("Core", "drawn on the map", 16)
    made = draw(store, CORNER, mode="add", set=made.id)
    assert sets.n_cells(made, A) == 16 + 64 - 4
    assert numbers.numbers(store, made, [store.get(A)]).area_mm2 == pytest.approx(76e-6)
    made = draw(store, SQUARE, mode="subtract", set=made.id)
    assert sets.n_cells(made, A) == 60
    assert numbers.numbers(store, made, [store.get(A)]).area_mm2 == pytest.approx(60e-6)
    coordinates = positions(store)(A)
    inside = outlines.inside(sets.outline(made, A), coordinates)
    np.testing.assert_array_equal(np.flatnonzero(inside), sets.rows(made, A))
    made = draw(store, CORNER, section=B, mode="add", set=made.id)
    assert list(made.members) == [A, B]
    for _ in range(4):
        sets.undo()
    assert sets.all() == []


def test_areas_of_several_sections_are_one_change(store: Library, sets: CellSets) -> None:
    panels = [{"section": key, "polygon": SQUARE} for key in (A, B)]
    made = take(store, {"mode": "new", "panels": panels}, store.sections(), positions(store))
    assert {key: sets.n_cells(made, key) for key in made.members} == {A: 16, B: 16}
    sets.undo()
    assert sets.all() == []


def test_a_legend_entry_makes_a_set_of_its_name_and_adds_to_a_drawn_one(store: Library) -> None:
    event = {"mode": "new", "section": A, "labels": ["tumour"]}
    made = take(store, event, store.sections(), positions(store), {A: [0, 1], "f" * 16: [3]})
    assert (made.name, made.how, list(made.members)) == ("tumour", "legend entry tumour", [A])
    drawn = draw(store, SQUARE)
    more = {"mode": "add", "set": drawn.id, "labels": {"cell type": "tumour"}}
    drawn = take(store, more, store.sections(), positions(store), {A: [99]})
    assert CellSets(store).n_cells(drawn, A) == 17
    assert drawn.outlines == {}  # none says any longer who is in
    named = {"mode": "new", "labels": ["born 1970-01-02"]}
    assert take(store, named, store.sections(), positions(store), {A: [0]}).name == "Set 2"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "can make a set"),
        ({"mode": ["new"]}, "can make a set"),
        ({"mode": "new"}, "No cell lies there"),
        ({"mode": "new", "panels": "x"}, "Load the page again"),
        ({"mode": "new", "panels": [1]}, "not shown here"),
        ({"mode": "new", "panels": [{"section": "../a", "polygon": SQUARE}]}, "not shown here"),
        ({"mode": "new", "panels": [{"section": [A], "polygon": SQUARE}]}, "not shown here"),
        ({"mode": "new", "panels": [{"section": A}] * 9}, "Load the page again"),
        ({"mode": "new", "panels": [{"section": A}]}, "list of positions"),
        ({"mode": "new", "panels": [{"section": A, "polygon": SQUARE[:2]}]}, "fewer than three"),
        ({"mode": "new", "panels": [{"section": A, "polygon": [[0, 0], [1, None], [2, 0]]}]}, "no finite"),
        ({"mode": "new", "panels": [{"section": A, "polygon": [[0, i] for i in range(10_001)]}]}, "10,000"),
        ({"mode": "new", "panels": [{"section": A, "polygon": [[50, 50], [60, 50], [60, 60]]}]}, "No cell"),
        ({"mode": "new", "name": "MRN 1234567", "panels": [{"section": A, "polygon": SQUARE}]}, "number"),
        ({"mode": "add", "panels": [{"section": A, "polygon": SQUARE}]}, "Choose the cell set"),
        ({"mode": "add", "set": {}, "panels": [{"section": A, "polygon": SQUARE}]}, "no longer there"),
        ({"mode": "subtract", "set": "x", "panels": [{"section": A, "polygon": SQUARE}]}, "no longer there"),
    ],
)
def test_what_a_browser_may_not_post_is_refused(store: Library, event: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        take(store, event, store.sections(), positions(store))
    assert CellSets(store).all() == []


POSTED = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["new", "add", A, "panels", "", "tumour"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["mode", "panels", "section", "polygon", "set", "labels", "name"]), inner
        )
    ),
    max_leaves=15,
)


def test_nothing_but_an_input_error_comes_of_any_event(tmp_path: Path) -> None:
    library = Library(tmp_path)
    sections = [put(library, A)]

    @given(st.dictionaries(st.sampled_from(["mode", "panels", "set", "labels", "name"]), POSTED))
    def post(event) -> None:
        with suppress(InputError):
            take(library, {"mode": "new", **event}, sections, positions(library))

    post()
