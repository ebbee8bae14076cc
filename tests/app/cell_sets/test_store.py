"""The store of cell sets, and its history."""

import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.cell_sets import store as cell_sets
from app.cell_sets.content import name_of, outline_path, read_outline
from app.cell_sets.store import ADD, REPLACE, SUBTRACT, CellSets, Draft, combine
from squint.errors import InputError
from squint.library import history
from squint.library.database import database
from squint.library.store import Library
from tests.helpers.cell_sets import CORNER, SQUARE, A, B, C, draw, put


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


def test_an_outline_that_was_kept_without_its_area_is_read(sets: CellSets, store: Library) -> None:
    made = draw(store, SQUARE)
    polygons = json.dumps(json.loads(read_outline(store, A, made.outlines[A]))["polygons"]).encode()
    old = replace(made, outlines={A: name_of(polygons)})
    outline_path(store, A, old.outlines[A]).write_bytes(polygons)
    now, then = ((sets.outline(one, A), sets.area(one, A)) for one in (made, old))
    np.testing.assert_array_equal(np.array(then[0]), np.array(now[0]))
    assert then[1] == now[1]
    assert then[1] is not None


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
    assert sets.history.now().undo == ""


def test_too_many_sets_are_refused(sets: CellSets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_sets, "MAX_SETS", 2)
    sets.make_all([Draft("a", {A: [0]}, {}, ""), Draft("b", {A: [0]}, {}, "")])
    with pytest.raises(InputError, match="more than 2 cell sets"):
        sets.make("c", {A: [0]})


def test_what_is_undone_and_redone_is_said(sets: CellSets) -> None:
    assert (sets.history.now().undo, sets.history.now().redo, sets.history.now().saved, sets.version) == (
        "",
        "",
        None,
        0,
    )
    one = sets.make("Core", {A: [0]})
    sets.rename(one.id, "Rim")
    assert sets.history.now().undo == "renamed Core to Rim"
    assert sets.history.now().saved is not None
    assert sets.undo() == "renamed Core to Rim"
    assert (sets.history.now().undo, sets.history.now().redo) == ("made Core", "renamed Core to Rim")
    assert sets.redo() == "renamed Core to Rim"
    sets.delete(one.id)
    assert sets.undo() == "deleted Rim"
    assert sets.get(one.id).name == "Rim"
    sets.undo(), sets.undo()
    assert sets.all() == []
    with pytest.raises(InputError, match="nothing to undo"):
        sets.undo()
    sets.make("Other", {A: [1]})  # drops what was undone
    assert sets.history.now().redo == ""
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
    with sets.history.held() as versions:
        assert len(versions or []) == 5
    assert len(list((store.folder(A) / "sets").iterdir())) == 5
    for _ in range(4):
        sets.undo()
    assert sets.history.now().undo == ""
    assert sets.rows(sets.get(one.id), A).tolist() == [15]


def test_a_damaged_history_is_told_and_undo_mends_it(sets: CellSets, store: Library) -> None:
    sets.make("Core", {A: [0]})
    sets.make("Rim", {A: [1]})
    with database(store.home).engine.begin() as connection:
        connection.execute(sa.text("UPDATE history_versions SET content = '[{' WHERE number = 3"))
    with pytest.raises(InputError, match=r"The cell sets are damaged in the library\. Undo"):
        sets.all()
    with pytest.raises(InputError, match="damaged"):
        sets.make("New", {A: [0]})
    assert sets.history.now().undo == "a change that is damaged"
    sets.undo(sets.version)
    assert [one.name for one in sets.all()] == ["Core"]


def test_a_set_that_means_nothing_is_told(sets: CellSets) -> None:
    sets.history.commit(lambda _: ("odd", [{"name": "Core", "of_another_version": 1}]))
    with pytest.raises(InputError, match="The cell sets are damaged"):
        sets.all()


def test_what_is_damaged_of_a_set_is_said_and_the_others_are_there(sets: CellSets, store: Library) -> None:
    made = [
        draw(store, SQUARE, name="first"),
        draw(store, CORNER, name="second"),
        sets.make("third", {A: [7]}),
    ]
    section = store.get(A)
    outline = store.folder(A) / "sets" / f"{made[0].outlines[A]}.json"
    rows = store.folder(A) / "sets" / f"{made[1].members[A]}.npy"
    for path, at in ((outline, 10), (rows, -3)):
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)
    assert [one.name for one, _ in sets.within([section])] == ["third"]
    assert [bool(sets.damage(one, [section])) for one in sets.all()] == [True, True, False]
    with pytest.raises(InputError, match="damaged"):
        sets.outline(made[0], A)
    with pytest.raises(InputError, match="damaged"):
        sets.n_cells(made[1], A)
    assert sets.within([store.get(B)]) == []
    sets.delete(made[0].id)
    sets.delete(made[1].id)
    assert [one.name for one in sets.all()] == ["third"]


@given(at=st.integers(0, 167), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_one_bit_that_flips_in_rows_is_noticed_or_means_nothing(
    sets: CellSets, store: Library, at: int, bit: int
) -> None:
    made = sets.all()[0] if sets.all() else sets.make("Core", {A: range(0, 20, 2)})
    path = store.folder(A) / "sets" / f"{made.members[A]}.npy"
    right = path.read_bytes()
    assert len(right) == 168
    content = bytearray(right)
    content[at] ^= 1 << bit
    path.write_bytes(content)
    if at < 128:  # the head, which is not looked at
        assert sets.rows(made, A).tolist() == list(range(0, 20, 2))
    else:
        with pytest.raises(InputError, match="damaged"):
            sets.rows(made, A)
    path.write_bytes(right)


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
            assert self.sets.history.now().undo == ""

    @rule()
    def redo(self) -> None:
        """Go forward."""
        if self.at + 1 < len(self.states):
            self.sets.redo(self.sets.version)
            self.at += 1
        else:
            assert self.sets.history.now().redo == ""

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        """Compare."""
        found = {
            one.id: (one.name, {key: frozenset(self.sets.rows(one, key).tolist()) for key in one.members})
            for one in CellSets(self.library).all()
        }
        assert found == self.state
        assert len({name.casefold() for name, _ in found.values()}) == len(found)
        assert bool(self.sets.history.now().undo) == (self.at > 0)
        assert bool(self.sets.history.now().redo) == (self.at + 1 < len(self.states))

    def teardown(self) -> None:
        """Remove the library."""
        self.folder.cleanup()


TestEdited = Edited.TestCase
TestEdited.settings = __import__("hypothesis").settings(
    max_examples=15, stateful_step_count=25, deadline=None
)
