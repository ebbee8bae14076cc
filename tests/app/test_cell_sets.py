"""Cell sets: the store, its history, what a browser posts, numbers, files, and the panel."""

import json
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.cell_sets import files, history, numbers
from app.cell_sets import store as cell_sets
from app.cell_sets.drawn import take
from app.cell_sets.store import ADD, REPLACE, SUBTRACT, CellSets, Draft, combine
from app.exports.stamp import stamp
from app.library.store import CELLS, Library, Section, write_table
from squint import keys
from squint.errors import InputError

A, B, C = "a" * 16, "b" * 16, "c" * 16
SQUARE = [[-0.5, -0.5], [3.5, -0.5], [3.5, 3.5], [-0.5, 3.5]]  # 16 cells, 16 um2
CORNER = [[1.5, 1.5], [9.5, 1.5], [9.5, 9.5], [1.5, 9.5]]  # 64 cells, 4 of them in the square


def put(library: Library, section_id: str, patient: str = "P1", unit: str = "um", side: int = 10) -> Section:
    """Put a section of cells on a square lattice into a library, without its counts."""
    folder = library.workspace()
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    cells = pd.DataFrame(grid.astype(float), columns=["x", "y"])
    cells.index = pd.Index([f"{section_id[0]}{i}" for i in range(len(cells))], name="cell")
    cells[keys.CELL_TYPE] = np.where(grid[:, 0] < 2, "tumour", "stroma")
    write_table(cells, folder / CELLS)
    section = Section(
        section_id, section_id * 4, section_id[0].upper(), patient, "kidney", "Xenium", "2026-01-01",
        len(cells), 5, 2, unit, "counts", 10.0, simulated=False,
    )  # fmt: skip
    library.keep(folder, section)
    return section


@pytest.fixture
def store(tmp_path: Path) -> Library:
    library = Library(tmp_path / "home")
    put(library, A), put(library, B, "P2"), put(library, C, "P2", "unknown")
    return library


@pytest.fixture
def sets(store: Library) -> CellSets:
    return CellSets(store)


def positions(library: Library):
    return lambda section_id: library.cells(section_id)[["x", "y"]].to_numpy()


def draw(library: Library, polygon, section=A, mode="new", **event):
    event = {"mode": mode, "panels": [{"section": section, "polygon": polygon}], **event}
    return take(library, event, library.sections(), positions(library))


# --- the store --------------------------------------------------------------------------------------------


def test_a_set_is_kept_as_sorted_rows_beside_its_section(sets: CellSets, store: Library) -> None:
    made = sets.make(" Tumour\u202e  core\n", {A: [5, 1, 1], B: np.array([0])}, how="by hand")
    assert made == sets.get(made.id)
    assert (made.name, made.colour, made.how) == ("Tumour core", "#E69F00", "by hand")
    rows = CellSets(Library(store.home)).rows(made, A)
    assert rows.tolist() == [1, 5]
    assert rows.dtype == np.uint32
    assert sets.mask(made, store.get(A)).sum() == 2
    assert sets.n_cells(made, A) == 2
    assert sets.n_cells(made, C) == 0
    assert (store.folder(A) / "sets" / f"{made.members[A]}.npy").exists()
    assert not list(store.home.rglob("*.tmp"))


def test_the_same_cells_have_the_same_name_of_members(sets: CellSets) -> None:
    one, other = sets.make("one", {A: [3, 2]}), sets.make("other", {A: [2, 3]})
    assert one.members == other.members
    assert sets.change(one.id, {A: [4]}, mode=ADD).members != other.members


def test_deleting_a_section_removes_its_cells_and_outlines(sets: CellSets, store: Library) -> None:
    made = draw(store, SQUARE)
    made = sets.change(made.id, {B: [0, 1]}, mode=ADD)
    assert list(made.members) == [A, B]
    store.delete(A)
    found = sets.get(made.id)
    assert list(found.members) == [B]
    assert sets.rows(made, A).size == 0
    assert sets.outline(made, A) == ()
    put(store, A)  # the same section again has no sets
    assert list(sets.get(made.id).members) == [B]
    store.delete(B)
    assert sets.get(made.id).members == {}
    assert A not in json.dumps([vars(one) for one in sets.all()])
    with pytest.raises(InputError, match="no longer in the library"):
        sets.make("gone", {B: [0]})


def test_names_are_unique_short_and_harmless(sets: CellSets) -> None:
    names = [sets.make(name, {A: [0]}).name for name in ("Tumour", "tumour", "TUMOUR", "x" * 90, "x" * 90)]
    assert names == ["Tumour", "tumour 2", "TUMOUR 3", "x" * 60, "x" * 58 + " 2"]
    one = sets.all()[1]
    sets.rename(one.id, "Tumour")
    assert sets.get(one.id).name == "Tumour 2"
    sets.rename(one.id, "Tumour 2")  # its own name is free
    assert sets.get(one.id).name == "Tumour 2"
    for bad, why in ((" \n", "needs a name"), ("born 1970-01-02", "a date"), ("MRN 1234567", "long number")):
        with pytest.raises(InputError, match=why):
            sets.rename(one.id, bad)
    with pytest.raises(InputError, match="no colour"):
        sets.recolour(one.id, "red;background:url(x)")


def test_colours_come_in_turn_and_the_least_used_first(sets: CellSets) -> None:
    made = [sets.make("s", {A: [0]}) for _ in range(9)]
    assert len({one.colour for one in made[:8]}) == 8
    assert made[8].colour == made[0].colour
    sets.delete(made[3].id)
    assert sets.make("s", {A: [0]}).colour == made[3].colour


def test_rows_that_a_section_does_not_have_are_refused_and_nothing_is_kept(sets: CellSets) -> None:
    for rows in ([100], [-1], [2**40]):
        with pytest.raises(InputError, match="no such cells"):
            sets.make("bad", {A: rows})
    for section_id in ("../..", "", "zz", "d" * 16):
        with pytest.raises(InputError, match="section"):
            sets.make("bad", {section_id: [0]})
    assert sets.all() == []
    assert sets.can_undo == ""


def test_too_many_sets_are_refused(sets: CellSets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sets, "MAX_SETS", 2)
    sets.make_all([Draft("a", {A: [0]}, {}, ""), Draft("b", {A: [0]}, {}, "")])
    with pytest.raises(InputError, match="more than 2 cell sets"):
        sets.make("c", {A: [0]})


def test_what_is_undone_and_redone_is_said(sets: CellSets) -> None:
    assert (sets.can_undo, sets.can_redo, sets.saved, sets.version) == ("", "", None, 0)
    one = sets.make("Core", {A: [0]})
    sets.rename(one.id, "Rim")
    assert sets.can_undo == "renamed Core to Rim"
    assert sets.saved is not None
    assert sets.undo() == "renamed Core to Rim"
    assert (sets.can_undo, sets.can_redo) == ("made Core", "renamed Core to Rim")
    assert sets.redo() == "renamed Core to Rim"
    sets.delete(one.id)
    assert sets.undo() == "deleted Rim"
    assert sets.get(one.id).name == "Rim"
    sets.undo(), sets.undo()
    assert sets.all() == []
    with pytest.raises(InputError, match="nothing to undo"):
        sets.undo()
    sets.make("Other", {A: [1]})  # drops what was undone
    assert sets.can_redo == ""
    with pytest.raises(InputError, match="nothing to do again"):
        sets.redo()


def test_a_change_on_a_stale_view_loses_nothing_and_an_undo_on_one_is_refused(store: Library) -> None:
    mine, theirs = CellSets(store), CellSets(Library(store.home))
    one = mine.make("Core", {A: [0]})
    seen = mine.version
    theirs.make("Rim", {A: [1]})
    theirs.change(one.id, {A: [2]}, mode=ADD)
    with pytest.raises(InputError, match="changed meanwhile"):
        mine.undo(seen)
    changed = mine.change(one.id, {A: [3]}, mode=ADD)
    assert mine.rows(changed, A).tolist() == [0, 2, 3]
    assert [s.name for s in mine.all()] == ["Core", "Rim"]
    theirs.delete(one.id)
    with pytest.raises(InputError, match="no longer there"):
        mine.rename(one.id, "x")


def test_sessions_at_once_lose_no_change(store: Library) -> None:
    def work(number: int) -> None:
        own = CellSets(Library(store.home))
        for i in range(8):
            own.make(f"set {number}", {A: [number, i]})
            own.all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = CellSets(store).all()
    assert len(found) == 32
    assert len({one.name for one in found}) == 32


def test_the_history_is_pruned_and_cells_that_no_version_names_go(
    sets: CellSets, store: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_VERSIONS", 5)
    monkeypatch.setattr(cell_sets, "_SWEEP_EVERY", 1)
    one = sets.make("Core", {A: [0]})
    for row in range(1, 20):
        sets.change(one.id, {A: [row]})
    assert len(list(store.cell_sets_folder.glob("0*.json"))) == 5
    assert len(list((store.folder(A) / "sets").iterdir())) == 5
    for _ in range(4):
        sets.undo()
    assert sets.can_undo == ""
    assert sets.rows(sets.get(one.id), A).tolist() == [15]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"versions": 3}', '{"versions": [1], "at": "x"}', "\x00"]
)
def test_a_damaged_history_is_told(sets: CellSets, store: Library, content: str) -> None:
    sets.make("Core", {A: [0]})
    (store.cell_sets_folder / "head.json").write_text(content)
    with pytest.raises(InputError, match=r"head\.json in the library is damaged"):
        sets.all()
    (store.cell_sets_folder / "head.json").write_text('{"versions": [1, 2], "at": 1}')
    (store.cell_sets_folder / "00000002.json").write_text(content)
    with pytest.raises(InputError, match="damaged"):
        sets.all()


def test_damaged_rows_are_told(sets: CellSets, store: Library) -> None:
    made = sets.make("Core", {A: [0]})
    path = store.folder(A) / "sets" / f"{made.members[A]}.npy"
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="damaged"):
        sets.rows(made, A)


row_lists = st.lists(st.integers(0, 99), max_size=30)


@given(row_lists, row_lists)
def test_combining_is_the_algebra_of_sets(old: list[int], new: list[int]) -> None:
    for mode, expected in ((REPLACE, set(new)), (ADD, {*old, *new}), (SUBTRACT, set(old) - set(new))):
        found = combine(old, new, mode)
        assert found.tolist() == sorted(expected)
        assert found.dtype == np.uint32
    with pytest.raises(InputError, match="replace a set"):
        combine(old, new, "xor")


class Edited(RuleBasedStateMachine):
    """A user at work, beside a list of states as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.library = Library(Path(self.folder.name))
        put(self.library, A, side=4), put(self.library, B, side=4)
        self.sets = CellSets(self.library)
        self.states: list[dict[str, tuple[str, dict[str, frozenset[int]]]]] = [{}]
        self.at = 0

    def keep(self, state) -> None:
        """Note a change."""
        self.states[self.at + 1 :] = [state]
        self.at += 1

    @property
    def state(self):
        """What should be there."""
        return dict(self.states[self.at])

    @rule(rows=st.lists(st.integers(0, 15), max_size=6), section=st.sampled_from([A, B]))
    def make(self, rows, section) -> None:
        """Make a set."""
        made = self.sets.make("s", {section: rows})
        self.keep({**self.state, made.id: (made.name, {section: frozenset(rows)} if rows else {})})

    @precondition(lambda self: self.state)
    @rule(
        data=st.data(),
        rows=st.lists(st.integers(0, 15), max_size=6),
        section=st.sampled_from([A, B]),
        mode=st.sampled_from([REPLACE, ADD, SUBTRACT]),
    )
    def change(self, data, rows, section, mode) -> None:
        """Change one."""
        key = data.draw(st.sampled_from(sorted(self.state)))
        name, before = self.state[key]
        self.sets.change(key, {section: rows}, mode=mode)
        old = before.get(section, frozenset())
        new = {REPLACE: frozenset(rows), ADD: old | set(rows), SUBTRACT: old - set(rows)}[mode]
        after = {**({} if mode == REPLACE else before), section: new}
        self.keep({**self.state, key: (name, {k: v for k, v in after.items() if v})})

    @precondition(lambda self: self.state)
    @rule(data=st.data(), name=st.text(min_size=1, max_size=3))
    def rename(self, data, name) -> None:
        """Rename one."""
        key = data.draw(st.sampled_from(sorted(self.state)))
        try:
            self.sets.rename(key, name)
        except InputError:
            return
        self.keep({**self.state, key: (self.sets.get(key).name, self.state[key][1])})

    @precondition(lambda self: self.state)
    @rule(data=st.data())
    def delete(self, data) -> None:
        """Delete one."""
        state = self.state
        key = data.draw(st.sampled_from(sorted(state)))
        self.sets.delete(key)
        del state[key]
        self.keep(state)

    @rule()
    def undo(self) -> None:
        """Go back."""
        if self.at:
            self.sets.undo(self.sets.version)
            self.at -= 1
        else:
            assert self.sets.can_undo == ""

    @rule()
    def redo(self) -> None:
        """Go forward."""
        if self.at + 1 < len(self.states):
            self.sets.redo(self.sets.version)
            self.at += 1
        else:
            assert self.sets.can_redo == ""

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Compare."""
        found = {
            one.id: (one.name, {key: frozenset(self.sets.rows(one, key).tolist()) for key in one.members})
            for one in CellSets(self.library).all()
        }
        assert found == self.state
        assert len({name.casefold() for name, _ in found.values()}) == len(found)
        assert bool(self.sets.can_undo) == (self.at > 0)
        assert bool(self.sets.can_redo) == (self.at + 1 < len(self.states))

    def teardown(self) -> None:
        """Remove the library."""
        self.folder.cleanup()


TestEdited = Edited.TestCase
TestEdited.settings = __import__("hypothesis").settings(
    max_examples=15, stateful_step_count=25, deadline=None
)


# --- what a browser posts ---------------------------------------------------------------------------------


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
    inside = cell_sets.shapes.inside(sets.outline(made, A), coordinates)
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
    event = {"mode": "add", "set": drawn.id, "labels": {"cell type": "tumour"}}
    drawn = take(store, event, store.sections(), positions(store), {A: [99]})
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


# --- numbers ----------------------------------------------------------------------------------------------


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


# --- files ------------------------------------------------------------------------------------------------


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
        (note,) = files.bring_in(store, b, text.encode(), "x.geojson")
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
    assert len(files.bring_in(store, a, text.encode(), "x.geojson")) == 1
    notes = files.bring_in(store, b, text.encode(), "x.geojson")
    assert "was made from another section" in notes[-1]
    assert a.title in notes[-1]
    assert len(sets.all()) == 3


def test_a_set_goes_through_the_tables_of_xenium_explorer(store: Library, sets: CellSets) -> None:
    a = store.get(A)
    drawn, listed = draw(store, SQUARE, name="=Core"), sets.make("List", {A: [0, 7], B: [1]})
    text = files.cell_groups(store, [drawn, listed], a)
    assert text.splitlines()[0] == "cell_id,group,color"
    assert text.splitlines()[1] == "a0,'=Core,#E69F00"  # which no spreadsheet computes
    notes = files.bring_in(store, a, text.encode(), "groups.csv")
    assert notes == ["=Core 2: 16 cells", "List 2: 2 cells"]
    assert sets.can_undo == "made =Core 2, List 2"
    np.testing.assert_array_equal(sets.rows(sets.all()[2], A), sets.rows(drawn, A))
    text = files.selections(store, drawn, a)
    assert text.startswith("#Selection name: '=Core\n#Area (µm^2): 16.00\nSelection,X,Y\n")
    assert files.bring_in(store, a, text.encode(), "coordinates.csv") == ["=Core 3: 16 cells"]
    with pytest.raises(InputError, match="no outline in um"):
        files.selections(store, listed, a)


def test_cells_that_are_not_here_are_counted_and_left_out_when_asked(store: Library) -> None:
    content = b"cell_id,group\na1,T\nzz,T\n"
    with pytest.raises(InputError, match=r"Of the 2 cells that g\.csv names, this section lacks 1: 'zz'"):
        files.bring_in(store, store.get(A), content, "g.csv")
    notes = files.bring_in(store, store.get(A), content, "g.csv", skip_unknown=True)
    assert notes == ["T: 1 cell, 1 that are not here left out"]


def test_a_file_that_marks_no_cell_says_where_it_lies(store: Library) -> None:
    far = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [
        [[900, 900], [990, 900], [990, 990]]]}}  # fmt: skip
    with pytest.raises(InputError, match=r"spans x 900 to 990.* the cells x 0 to 9.*um per pixel"):
        files.bring_in(store, store.get(A), json.dumps(far).encode(), "a.json", pixel_size_um=1)
    near = {
        **far,
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
        "properties": {"name": "2001-02-03"},
    }
    notes = files.bring_in(
        store, store.get(A), json.dumps([near, {**far, "id": 2}]).encode(), "a.json", pixel_size_um=1
    )
    assert notes == ["Imported: 16 cells", "An outline that holds no cell was left out"]


def test_a_unit_that_is_unknown_stays_so(store: Library, sets: CellSets) -> None:
    made, c = sets.make("C", {C: [0, 1]}), store.get(C)
    with pytest.raises(InputError, match="unit of P2 · C is unknown"):
        files.geojson(store, made, c, 0.5)
    text = files.geojson(store, made, c)
    assert json.loads(text)["properties"] == {"unit": "unknown"}
    assert files.bring_in(store, c, text.encode(), "c.geojson") == ["C 2: 2 cells"]
