"""Names and notes of tokens: kept with all changes, undone one by one, of nobody, whole or said not to be."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.errors import InputError
from squint.library import token_naming
from squint.library.backup import backup, restore
from squint.library.database import HEAD, Database
from squint.library.migrations.upgrade import upgrade
from squint.library.records import TokenName
from squint.library.store import Library
from squint.library.token_naming import Named, changes, get, name, named, names, redo, undo
from squint.library.verify import verify

A, B = "a" * 64, "b" * 64


def test_a_name_is_of_one_token_of_one_model_and_its_number_stays(library: Library) -> None:
    assert name(library, A, "7", "  glomerulus\n", "rim of the tumour\nlooks loose")
    name(library, A, "12", "", "only noted")
    assert names(library, A) == {"7": "7 · glomerulus"}
    assert names(library, B) == {}
    assert get(library, A, "7").note == "rim of the tumour\nlooks loose"
    assert get(library, A, "12").note == "only noted"
    assert get(library, A, "3") == Named()
    assert not name(library, A, "7", "glomerulus", "rim of the tumour\nlooks loose")
    assert len(changes(library, A, "7")) == 1


def test_changes_are_undone_one_by_one_and_none_is_lost(library: Library) -> None:
    name(library, A, "7", "first", "")
    name(library, A, "7", "second", "")
    name(library, A, "7", "second", "a note")
    assert get(library, A, "7").undoes == "noted"
    assert undo(library, A, "7") == "noted"
    assert get(library, A, "7").note == ""
    assert undo(library, A, "7") == "named 'second'"
    name(library, A, "7", "third", "")
    assert undo(library, A, "7") == "named 'third'"
    assert get(library, A, "7").name == "first"
    assert undo(library, A, "7") == "named 'first'"
    assert names(library, A) == {}
    with pytest.raises(InputError, match="nothing to undo"):
        undo(library, A, "7")
    said = [(one.what, one.name) for one in changes(library, A, "7")]
    assert said == [
        ("undone: named 'first'", ""),
        ("undone: named 'third'", "first"),
        ("named 'third'", "third"),
        ("undone: named 'second'", "first"),
        ("undone: noted", "second"),
        ("noted", "second"),
        ("named 'second'", "second"),
        ("named 'first'", "first"),
    ]


def test_what_was_undone_is_done_again_until_something_else_is_done(library: Library) -> None:
    name(library, A, "7", "first", "")
    name(library, A, "7", "second", "a note")
    assert get(library, A, "7").redoes == ""
    with pytest.raises(InputError, match="nothing to do again"):
        redo(library, A, "7")
    undo(library, A, "7")
    undo(library, A, "7")
    assert get(library, A, "7").redoes == "named 'first'"
    assert redo(library, A, "7") == "named 'first'"
    assert redo(library, A, "7") == "named 'second'"
    assert (get(library, A, "7").name, get(library, A, "7").note) == ("second", "a note")
    assert get(library, A, "7").redoes == ""
    assert [one.what for one in changes(library, A, "7")][:2] == [
        "done again: named 'second'",
        "done again: named 'first'",
    ]
    undo(library, A, "7")
    name(library, A, "7", "another", "")
    assert get(library, A, "7").redoes == ""
    assert undo(library, A, "7") == "named 'another'"
    assert get(library, A, "7").name == "first"


def test_naming_by_hand_what_was_undone_is_doing_it_again(library: Library) -> None:
    for one in ("first", "second", "third"):
        name(library, A, "7", one, "")
    undo(library, A, "7")
    undo(library, A, "7")
    name(library, A, "7", "second", "")
    assert get(library, A, "7").redoes == "named 'third'"
    assert redo(library, A, "7") == "named 'third'"


@given(st.lists(st.sampled_from(["undo", "redo", "x", "y", "z", ""]), max_size=20))
@settings(deadline=None, max_examples=25)
def test_undo_and_redo_go_as_two_piles_of_names_do(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    library, pile, undone = Library(tmp_path_factory.mktemp("pile")), [""], list[str]()
    for step in steps:
        if step == "undo":
            if len(pile) > 1:
                undo(library, A, "0")
                undone.append(pile.pop())
        elif step == "redo":
            if undone:
                redo(library, A, "0")
                pile.append(undone.pop())
        elif name(library, A, "0", step, ""):
            pile.append(step)
            undone = undone[:-1] if undone and undone[-1] == step else []
        assert get(library, A, "0").name == pile[-1]
        assert bool(get(library, A, "0").undoes) == (len(pile) > 1)
        assert bool(get(library, A, "0").redoes) == bool(undone)
    library.database.close()


@pytest.mark.parametrize(
    "text", ["seen 12.03.1961", "MRN 12345678", "biopsy of Dr Miller", "Mrs Jones", "born 1961-03-12"]
)
def test_what_may_identify_a_person_is_refused_and_nothing_is_kept(library: Library, text: str) -> None:
    for said in ((text, ""), ("rim", text)):
        with pytest.raises(InputError, match="identifies a person"):
            name(library, A, "7", *said)
    assert named(library, A) == {}


def test_names_of_tissue_are_not_taken_for_people(library: Library) -> None:
    for text in ("Proximal Tubule", "Clear Cell Carcinoma", "CD8+ rim, 50 µm", "Loop of Henle 2"):
        name(library, A, "7", text, text)
        assert get(library, A, "7").name == text


def test_what_is_too_long_or_no_token_is_refused(library: Library) -> None:
    with pytest.raises(InputError, match="at most 60"):
        name(library, A, "7", "x" * 61, "")
    with pytest.raises(InputError, match="at most 2,000"):
        name(library, A, "7", "", "word " * 401)
    for token in ("x", "-1", "", "9" * 30):
        with pytest.raises(InputError, match="is no token"):
            name(library, A, token, "x", "")
    assert named(library, A) == {}


def test_whoever_saw_an_older_name_is_told(library: Library) -> None:
    name(library, A, "7", "mine", "", seen=0)
    name(library, A, "7", "other", "")
    undo(library, A, "7")
    for change in (
        lambda: name(library, A, "7", "yours", "", seen=0),
        lambda: undo(library, A, "7", seen=0),
        lambda: redo(library, A, "7", seen=0),
    ):
        with pytest.raises(InputError, match="meanwhile"):
            change()
    assert get(library, A, "7").name == "mine"


def test_many_at_once_are_all_kept(library: Library) -> None:
    def work(who: int) -> None:
        for i in range(5):
            name(library, A, "7", f"{who} {i}", "")

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(changes(library, A, "7")) == 20


def test_a_damaged_change_is_said_undone_and_renamed(library: Library) -> None:
    name(library, A, "7", "right", "")
    name(library, A, "7", "next", "")
    name(library, A, "8", "other", "")
    with library.database.engine.begin() as connection:
        row = sa.update(TokenName.__table__).where(sa.text("name = 'next'"))
        connection.execute(row.values(name="nexu"))
    assert names(library, A) == {"8": "8 · other"}
    assert token_naming.damaged(named(library, A)) == ["7"]
    assert any("token_names" in problem for problem in verify(library).problems)
    assert undo(library, A, "7") == "a change that is damaged"
    assert get(library, A, "7").redoes == ""  # of what is damaged nobody knows what it was made on
    with pytest.raises(InputError, match="nothing to do again"):
        redo(library, A, "7")
    assert names(library, A)["7"] == "7 · right"
    name(library, A, "7", "again", "")
    assert undo(library, A, "7") == "named 'again'"
    assert undo(library, A, "7") == "named 'right'"
    assert [one.name for one in changes(library, A, "7")] == ["", "right", "again", "right", "right"]


def test_names_go_into_a_backup_with_all_changes(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(library, A, "7", "first", "a note")
    name(library, A, "7", "second", "")
    assert backup(library.home, tmp_path / "b.zip").rows["token_names"] == 2
    before = named(library, A)
    monkeypatch.delenv("SQUINT_DATABASE_URL", raising=False)
    restore(tmp_path / "b.zip", tmp_path / "again")
    again = Library(tmp_path / "again")
    assert named(again, A) == before
    assert undo(again, A, "7") == "named 'second'"
    assert get(again, A, "7").note == "a note"
    assert verify(again).problems == ()


def test_a_library_from_before_there_were_names_is_upgraded(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'library.sqlite'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0005")
        connection.execute(sa.text("INSERT INTO marks (name, added) VALUES ('samples', '2026-11-27')"))
    engine.dispose()
    database = Database(url)
    assert database.revision() == HEAD
    database.close()
    library = Library(tmp_path)
    assert library.samples_imported()
    name(library, A, "7", "glomerulus", "")
    assert names(library, A) == {"7": "7 · glomerulus"}
