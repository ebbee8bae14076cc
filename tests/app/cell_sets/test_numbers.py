"""Numbers of a cell set."""

import numpy as np
import pandas as pd
import pytest

from app.cell_sets import numbers
from app.cell_sets.store import ADD, CellSets
from squint import keys
from squint.errors import InputError
from squint.library.store import Library
from tests.helpers.cell_sets import SQUARE, A, B, C, draw


def test_numbers_say_what_the_area_is_of(store: Library, sets: CellSets) -> None:
    everything = store.sections()
    made = draw(store, SQUARE)
    found = numbers.numbers(store, made, everything)
    assert (found.n_cells, found.n_sections, found.n_patients) == (16, 1, 1)
    assert found.area_mm2 == pytest.approx(16e-6)
    assert found.density == pytest.approx(1e6)
    assert found.area_is == "of the outline drawn, overlaps counted once"
    made = sets.change(made.id, {B: [0, 1, 10, 11]}, mode=ADD)
    found = numbers.numbers(store, made, everything)
    assert (found.n_cells, found.n_sections, found.n_patients) == (20, 2, 2)
    assert found.area_mm2 == pytest.approx(17e-6)
    assert "elsewhere of the convex hull of its cells" in found.area_is
    made = sets.change(made.id, {C: [0]}, mode=ADD)
    found = numbers.numbers(store, made, everything)
    assert (found.area_mm2, found.density) == (None, None)
    assert "units unknown in P2 · C" in found.area_is
    assert numbers.numbers(store, made, [store.get(B)]).area_mm2 == pytest.approx(1e-6)
    line = sets.make("line", {B: [0, 1]})
    assert numbers.numbers(store, line, everything).area_mm2 is None
    assert "no cell of this set" in numbers.numbers(store, line, [store.get(A)]).area_is


def test_an_outline_of_which_no_area_is_measured_is_not_kept(sets: CellSets) -> None:
    star = np.random.default_rng(0).uniform(0, 9, (1_000, 2))
    with pytest.raises(InputError, match="The outline crosses itself more than"):
        sets.make("Star", {A: range(50)}, {A: [(star,)]})
    assert sets.all() == []


def test_a_composition_adds_up_and_names_the_most_frequent() -> None:
    labels = [f"t{i}" for i in range(12) for _ in range(i + 1)] + [None] * 3
    cells = pd.DataFrame({keys.TOKEN: labels})
    inside = np.zeros(len(cells), dtype=bool)
    inside[:40], inside[-1] = True, True
    table = numbers.composition(cells, inside, keys.TOKEN)
    assert list(table.index[-2:]) == [numbers.REST, numbers.MISSING]
    assert len(table) == 10
    assert table["n"].sum() == 41
    assert table["n_all"].sum() == len(cells)
    assert table["share"].sum() == pytest.approx(1)
    assert table["share_all"].sum() == pytest.approx(1)
    assert table.loc[numbers.MISSING, "n"] == 1
    assert table["n"].iloc[:8].is_monotonic_decreasing
    nothing = numbers.composition(cells, ~inside & False, keys.TOKEN)
    assert nothing["n"].sum() == 0
