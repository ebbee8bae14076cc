"""Labelings of a section: several, one in use, each change a version; damage is no other name in silence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from squint import keys
from squint.errors import InputError
from squint.library import carrying, labelings, relabeling
from squint.library.carrying import carry
from squint.library.labelings import Made
from squint.library.store import THUMBNAIL, Library, Section
from squint.library.stored import DamagedError
from squint.stats import labelings as names_of
from squint.stats.labelings import Labeling
from tests.helpers.sections import add_sections

N = 15


@pytest.fixture
def one(library: Library, section: AnnData, tmp_path: Path) -> Section:
    """Add two sections without types; give the first."""
    return add_sections(library, section, tmp_path)[0]


def made(name: str = "mine", *, words: str = "aab") -> Made:
    column = pd.Categorical([(words * N)[i] if i else None for i in range(N)])
    sure = np.linspace(0, 1, N, dtype=np.float32)
    return Made(name, "clusters", "clusters by hand", column, sure, {"notes": ["nan"], "x": float("nan")})


def the(library: Library, section: Section, name: str = "mine") -> labelings.KnownLabeling:
    return next(found for found in labelings.known(library, section.id) if found.name == name)


def shown(library: Library, section: Section) -> list[object] | None:
    """Give the types that pages show."""
    cells = library.cells(section.id)
    if keys.CELL_TYPE not in cells:
        return None
    column = cells[keys.CELL_TYPE].astype(object)
    return [value if isinstance(value, str) else None for value in column]


def test_a_labeling_gives_the_types_of_its_section_and_none_of_others(library: Library, one: Section) -> None:
    assert one.n_cell_types == 0
    assert shown(library, one) is None
    before = (library.folder(one.id) / THUMBNAIL).read_bytes()
    labelings.add(library, one.id, made())
    now = library.get(one.id)
    assert now.n_cell_types == 2
    assert now.named is not None
    assert now.named.words.startswith("mine: clusters by hand, by squint ")
    assert shown(library, one) == [None, *("aab" * N)[1:N]]
    assert [section.named for section in library.sections() if section.id != one.id] == [None]
    assert (library.folder(one.id) / THUMBNAIL).read_bytes() != before
    with Image.open(library.path(one.id, THUMBNAIL)) as picture:
        assert picture.getcolors(1 << 20) is not None


def test_one_of_several_is_in_use(library: Library, one: Section) -> None:
    first = labelings.add(library, one.id, made("first"))
    second = labelings.add(library, one.id, made("second", words="x"))
    assert {found.id: found.in_use for found in labelings.known(library, one.id)} == {
        first: False,
        second: True,
    }
    assert set(shown(library, one) or []) == {None, "x"}
    labelings.use(library, one.id, first)
    assert set(shown(library, one) or []) == {None, "a", "b"}
    labelings.use(library, one.id, None)
    assert library.get(one.id) == one
    assert shown(library, one) is None
    with pytest.raises(InputError, match="no longer"):
        labelings.use(library, one.id, "f" * 32)


def test_names_of_labelings_are_checked(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    for name, why in (
        ("mine", "already"),
        ("", "1 to 60"),
        ("x" * 61, "1 to 60"),
        ("Jane Doe 1950-01-01", "looks like"),
    ):
        with pytest.raises(InputError, match=why):
            labelings.add(library, one.id, made(name))
    labelings.add(library, one.id, made("other"))
    with pytest.raises(InputError, match="already"):
        labelings.rename(library, the(library, one), "other")
    labelings.rename(library, the(library, one), " new  name ")
    assert {found.name for found in labelings.known(library, one.id)} == {"new name", "other"}


def test_names_of_other_cells_or_of_none_are_refused(library: Library, one: Section) -> None:
    few = Made("few", "file", "", pd.Categorical(["a"]), np.ones(1, np.float32))
    with pytest.raises(InputError, match="other cells"):
        labelings.add(library, one.id, few)
    nothing = Made("none", "file", "", pd.Categorical([None] * N), np.ones(N, np.float32))
    with pytest.raises(InputError, match="No cell would have a name"):
        labelings.add(library, one.id, nothing)
    assert labelings.known(library, one.id) == []
    assert not (library.folder(one.id) / "labelings").exists()


def test_changes_are_undone_and_done_again(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    start = shown(library, one)
    names, sure = labelings.read(library, the(library, one))
    assert np.array_equal(sure, np.linspace(0, 1, N, dtype=np.float32))
    relabeling.change(library, the(library, one), "renamed a", names_of.rename(names, "a", "c"))
    renamed = shown(library, one)
    assert renamed == ["c" if word == "a" else word for word in start or []]
    names, _ = labelings.read(library, the(library, one))
    relabeling.change(library, the(library, one), "cleared b", names_of.clear(names, "b"))
    cleared = the(library, one)
    assert (cleared.undoes, cleared.redoes) == ("cleared b", "")
    assert (cleared.now.n_changes, cleared.now.n_types) == (2, 1)
    assert "; changed 2 times by hand" in cleared.words
    _, sure = labelings.read(library, cleared)
    assert np.isnan(sure[[word == "b" for word in start or []]]).all()
    relabeling.undo(library, the(library, one))
    assert shown(library, one) == renamed
    assert (the(library, one).undoes, the(library, one).redoes) == ("renamed a", "cleared b")
    relabeling.undo(library, the(library, one))
    relabeling.undo(library, the(library, one))  # stays at the first
    assert shown(library, one) == start
    relabeling.redo(library, the(library, one))
    assert shown(library, one) == renamed
    names, _ = labelings.read(library, the(library, one))
    relabeling.change(library, the(library, one), "merged", names_of.merge(names, ["c", "b"], "d"))
    assert the(library, one).redoes == ""
    assert [version.number for version in the(library, one).versions] == [0, 1, 3]  # none is used twice
    files = sorted(path.name for path in (library.folder(one.id) / "labelings").glob("*/*"))
    assert files == ["0.parquet", "1.parquet", "3.parquet"]


def test_a_change_of_what_somebody_else_changed_is_refused(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    seen = the(library, one)
    names, _ = labelings.read(library, seen)
    relabeling.change(library, seen, "renamed", names_of.rename(names, "a", "c"))
    for act in (
        lambda: relabeling.change(library, seen, "cleared", names_of.clear(names, "b")),
        lambda: relabeling.undo(library, seen),
    ):
        with pytest.raises(InputError, match="changed these names meanwhile"):
            act()
    assert the(library, one).now.what == "renamed"
    with pytest.raises(InputError, match="No cell would have a name"):
        relabeling.change(library, the(library, one), "", Labeling((), np.full(N, -1)))


def test_the_first_version_and_the_last_ones_are_kept(
    library: Library, one: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabeling, "MOST_VERSIONS", 4)
    labelings.add(library, one.id, made())
    for number in range(6):
        names, _ = labelings.read(library, the(library, one))
        new = names_of.rename(names, names.names[0], f"a{number}")
        relabeling.change(library, the(library, one), f"{number}", new)
    assert [version.number for version in the(library, one).versions] == [0, 4, 5, 6]
    assert the(library, one).now.n_changes == 6
    for _ in range(2):
        relabeling.undo(library, the(library, one))
    assert the(library, one).undoes == "4 changes"
    relabeling.undo(library, the(library, one))
    assert (the(library, one).undoes, the(library, one).redoes) == ("", "4 changes")


def test_a_deleted_labeling_leaves_nothing(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    found = the(library, one)
    before = library.used_bytes()
    labelings.delete(library, found)
    assert labelings.known(library, one.id) == []
    assert library.get(one.id) == one
    assert library.used_bytes() < before
    assert not list((library.folder(one.id) / "labelings").iterdir())
    with pytest.raises(InputError, match="no longer"):
        labelings.delete(library, found)


def test_labelings_go_with_their_section(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    library.delete(one.id)
    assert labelings.known(library, one.id) == []
    assert not library.folder(one.id).exists()


def test_damaged_names_are_no_names_and_never_those_of_the_file(
    library: Library, section: AnnData, tmp_path: Path
) -> None:
    section.obs["cell_type"] = pd.Categorical(["of the file"] * section.n_obs)
    one = add_sections(library, section, tmp_path)[0]
    assert one.n_cell_types == 1
    labelings.add(library, one.id, made())
    named = library.get(one.id).named
    assert named is not None
    (library.folder(one.id) / named.file).write_bytes(b"other")
    with pytest.raises(DamagedError, match="page Cell types"):
        library.cells(one.id)
    assert shown(library, one) is None
    now = library.get(one.id)
    assert (now.n_cell_types, now.named and now.named.file) == (0, "")
    damaged = the(library, one)
    assert "damaged" in damaged.damage
    for act in (
        lambda: labelings.use(library, one.id, damaged.id),
        lambda: labelings.rename(library, damaged, "x"),
        lambda: relabeling.undo(library, damaged),
    ):
        with pytest.raises(InputError, match="is damaged"):
            act()
    labelings.use(library, one.id, None)
    assert set(shown(library, one) or []) == {"of the file"}
    labelings.delete(library, damaged)
    assert labelings.known(library, one.id) == []


def test_labelings_are_carried_to_a_section_with_more_cells(library: Library, one: Section) -> None:
    other = next(section for section in library.sections() if section.id != one.id)
    labelings.add(library, one.id, made("first"))
    labelings.add(library, one.id, made("second", words="x"))
    labelings.use(library, one.id, the(library, one, "first").id)
    names, _ = labelings.read(library, the(library, one, "first"))
    relabeling.change(library, the(library, one, "first"), "renamed", names_of.rename(names, "a", "c"))
    places = np.arange(N)[::-1]
    carry(library, one.id, other.id, places)
    assert [found.name for found in labelings.known(library, other.id) if found.in_use] == ["first"]
    assert shown(library, other) == (shown(library, one) or [])[::-1]
    assert "changed 1 times by hand" in the(library, other, "first").words
    assert the(library, other, "first").added == the(library, one, "first").added
    carry(library, one.id, other.id, places)  # once more, as after an end half-way
    assert len(labelings.known(library, other.id)) == 2


def test_labelings_are_carried_beside_those_that_are_there(library: Library, one: Section) -> None:
    other = next(section for section in library.sections() if section.id != one.id)
    labelings.add(library, one.id, made())
    labelings.add(library, other.id, made(words="x"))
    chosen = library.get(other.id).named
    carry(library, one.id, other.id, np.arange(N))
    assert {found.name for found in labelings.known(library, other.id)} == {"mine", "mine 2"}
    assert library.get(other.id).named == chosen


def test_nothing_is_in_use_that_nobody_chose(library: Library, one: Section) -> None:
    other = next(section for section in library.sections() if section.id != one.id)
    labelings.add(library, one.id, made("unused"))
    labelings.add(library, one.id, made("used", words="x"))
    named = library.get(one.id).named
    assert named is not None
    carrying.check(library, one.id)
    (library.folder(one.id) / named.file).write_bytes(b"other")
    with pytest.raises(DamagedError):
        library.cells(one.id)
    with pytest.raises(InputError, match="Choose others on the page Cell types"):
        carrying.check(library, one.id)
    carry(library, one.id, other.id, np.arange(N))
    assert [found.name for found in labelings.known(library, other.id)] == ["unused"]
    assert library.get(other.id).named is None


def test_what_is_unknown_is_neither_a_type_nor_a_name(library: Library, one: Section) -> None:
    column = pd.Categorical(["T cell"] * 5 + ["unknown 3"] * 6 + ["unknown cluster 4"] * 4)
    labelings.add(library, one.id, Made("m", "markers", "", column, np.ones(N, np.float32)))
    assert (the(library, one, "m").now.n_types, the(library, one, "m").now.n_named) == (1, 5)
    assert library.get(one.id).n_cell_types == 1


def test_names_that_tell_of_a_person_are_refused(library: Library, one: Section) -> None:
    column = pd.Categorical(["seen 1950-02-03"] * N)
    with pytest.raises(InputError, match="date"):
        labelings.add(library, one.id, Made("m", "file", "", column, np.ones(N, np.float32)))
    labelings.add(library, one.id, made())
    names, _ = labelings.read(library, the(library, one))
    with pytest.raises(InputError, match="record numbers"):
        relabeling.change(library, the(library, one), "", names_of.rename(names, "a", "no 123456789"))
    assert the(library, one).now.n_changes == 0


def test_a_damaged_version_is_not_gone_back_to(library: Library, one: Section) -> None:
    labelings.add(library, one.id, made())
    names, _ = labelings.read(library, the(library, one))
    relabeling.change(library, the(library, one), "renamed", names_of.rename(names, "a", "c"))
    folder = library.folder(one.id) / "labelings" / the(library, one).id
    (folder / "0.parquet").write_bytes(b"other")
    before = shown(library, one)
    with pytest.raises(DamagedError):
        relabeling.undo(library, the(library, one))
    assert the(library, one).damage == ""
    assert shown(library, one) == before


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=5)), min_size=N, max_size=N))
def test_names_come_back_as_they_were_given(library: Library, one: Section, words: list[str | None]) -> None:
    names = Labeling.of(pd.Categorical(pd.Series(words, dtype=object)))
    for found in labelings.known(library, one.id):
        labelings.delete(library, found)
    if not names.names:
        return
    column = names.column()
    labelings.add(library, one.id, Made("mine", "file", "", column, np.full(N, np.nan, np.float32)))
    back, sure = labelings.read(library, the(library, one))
    assert back.names == names.names
    assert back.codes.tolist() == names.codes.tolist()
    assert np.isnan(sure).all()
    assert shown(library, one) == words
