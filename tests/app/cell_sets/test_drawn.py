"""What a browser posts becomes a change of a cell set."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cell_sets import drawn, numbers
from app.cell_sets.drawn import take_area, take_entry
from app.cell_sets.store import CellSets
from squint.errors import InputError
from squint.geometry import outlines
from squint.geometry.outlines import LaboriousError
from squint.library.store import Library
from tests.helpers.cell_sets import CORNER, SQUARE, A, B, draw, put


def test_an_area_makes_a_set_and_others_are_added_and_subtracted(store: Library, sets: CellSets) -> None:
    made = draw(store, SQUARE)
    assert (made.name, made.how, sets.n_cells(made, A)) == ("Set", "drawn on the map", 16)
    made = draw(store, CORNER, mode="add", chosen=made.id)
    assert sets.n_cells(made, A) == 16 + 64 - 4
    assert numbers.numbers(store, made, [store.get(A)]).area_mm2 == pytest.approx(76e-6)
    made = draw(store, SQUARE, mode="subtract", chosen=made.id)
    assert sets.n_cells(made, A) == 60
    assert numbers.numbers(store, made, [store.get(A)]).area_mm2 == pytest.approx(60e-6)
    coordinates = store.cells(A)[["x", "y"]].to_numpy()
    inside = outlines.inside(sets.outline(made, A), coordinates)
    np.testing.assert_array_equal(np.flatnonzero(inside), sets.rows(made, A))
    made = draw(store, CORNER, section=B, mode="add", chosen=made.id)
    assert list(made.members) == [A, B]
    for _ in range(4):
        sets.undo()
    assert sets.all() == []


def test_a_legend_entry_makes_a_set_of_its_name_and_adds_to_a_drawn_one(store: Library) -> None:
    made = take_entry(store, "tumour", {A: [0, 1], B: []}, mode="new")
    assert (made.name, made.how, list(made.members)) == ("tumour", "legend entry tumour", [A])
    drawn = draw(store, SQUARE)
    drawn = take_entry(store, "tumour", {A: [99]}, mode="add", chosen=drawn.id)
    assert CellSets(store).n_cells(drawn, A) == 17
    assert drawn.outlines == {}  # none says any longer who is in
    assert take_entry(store, "born 1970-01-02", {A: [0]}, mode="new").name == "Set 2"


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (None, "list of positions"),
        ("x", "list of positions"),
        (SQUARE[:2], "fewer than three"),
        ([[0, 0], [1, None], [2, 0]], "no finite"),
        ([[0, i] for i in range(10_001)], "10,000"),
        ([[50, 50], [60, 50], [60, 60]], "No cell"),
    ],
)
def test_what_is_no_area_is_refused(store: Library, corners, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(store, corners)
    assert CellSets(store).all() == []


@pytest.mark.parametrize(
    ("mode", "chosen", "message"),
    [
        (None, None, "can make a set"),
        (["new"], None, "can make a set"),
        ("replace", None, "can make a set"),
        ("add", None, "Choose the cell set"),
        ("add", "x", "no longer there"),
        ("subtract", "x", "no longer there"),
    ],
)
def test_a_change_of_no_set_is_refused(store: Library, mode, chosen, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(store, SQUARE, mode=mode, chosen=chosen)
    with pytest.raises(InputError, match=message):
        take_entry(store, "tumour", {A: [0]}, mode=mode, chosen=chosen)
    assert CellSets(store).all() == []


def test_an_entry_without_cells_is_refused(store: Library) -> None:
    with pytest.raises(InputError, match="No cell lies there"):
        take_entry(store, "tumour", {A: [], B: np.empty(0, dtype=int)}, mode="new")


def zigzag(n: int) -> list[list[float]]:
    """Draw up and down past all cells, n times."""
    return [*([i * 9 / n, (i % 2) * 9.5] for i in range(n)), [9.5, -1], [-1, -1]]


def test_what_takes_long_is_not_done_quickly_but_done(
    store: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = store.get(A)
    coordinates = store.cells(A)[["x", "y"]].to_numpy()
    quick, slow = SQUARE, zigzag(1_500)
    take_area(store, section, coordinates, quick, mode="new", quick=True)
    with pytest.raises(LaboriousError):
        take_area(store, section, coordinates, slow, mode="new", quick=True)
    assert len(CellSets(store).all()) == 1
    made = take_area(store, section, coordinates, slow, mode="new")
    with pytest.raises(LaboriousError, match="with what is there of the set"):
        take_area(store, section, coordinates, quick, mode="add", chosen=made.id, quick=True)
    monkeypatch.setattr(drawn, "QUICK_COMPARED", 1_000)  # as by a million cells
    take_area(store, section, coordinates, quick, mode="new", quick=True)
    with pytest.raises(LaboriousError, match="past too many cells"):
        take_area(store, section, coordinates, zigzag(90), mode="new", quick=True)
    assert len(CellSets(store).all()) == 3


@given(st.integers(1_001, 3_000), st.floats(1, 3))
def test_corners_that_nobody_sees_are_left_out(n: int, radius: float) -> None:
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    circle = radius * np.column_stack([np.cos(turn), np.sin(turn)])
    kept = drawn.ring_of(circle.tolist())
    assert len(kept) < 300
    assert outlines.area([(kept,)]) == pytest.approx(outlines.area([(circle,)]), rel=1e-3)
    few = circle[:1_000] / 2
    np.testing.assert_array_equal(drawn.ring_of(few.tolist()), few)


def test_an_area_of_too_many_corners_that_are_seen_is_refused(store: Library) -> None:
    with pytest.raises(InputError, match="winds through more than 3,000 corners"):
        draw(store, zigzag(9_000))


def test_an_area_that_crosses_itself_all_over_is_refused_with_what_it_is_added_to(store: Library) -> None:
    star = np.random.default_rng(0).uniform(0, 9, (3_000, 2)).tolist()
    with pytest.raises(InputError, match="The area crosses itself more than 3,000 times"):
        draw(store, star)
    made = draw(store, star[:100])
    assert made.outlines

    def add_all() -> None:
        for i in range(20):
            draw(store, star[100 * i : 100 * i + 100], mode="add", chosen=made.id)

    with pytest.raises(InputError, match="with what is added, crosses itself more than"):
        add_all()
    (left,) = CellSets(store).all()
    assert numbers.numbers(store, left, [store.get(A)]).area_mm2


POSTED = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["new", "add", A, ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["mode", "0"]), inner),
    max_leaves=15,
)


def test_nothing_but_an_input_error_comes_of_whatever_is_posted(tmp_path: Path) -> None:
    library = Library(tmp_path)
    put(library, A)

    @given(POSTED, st.sampled_from(["new", "add", "subtract"]) | POSTED)
    def post(corners, mode) -> None:
        with suppress(InputError):
            draw(library, corners, mode=mode)

    post()
