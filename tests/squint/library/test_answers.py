"""How questions about sources were answered, for the next of the same kind."""

import json

import pytest
import sqlalchemy as sa

from squint.io import Answers
from squint.library.answers import OLD_FILE, remember, remembered
from squint.library.database import database
from squint.library.store import Library


def test_answers_are_remembered_by_kind_but_not_what_is_of_one_file(library: Library) -> None:
    assert remembered(library, "Xenium") == Answers()
    remember(library, "Xenium", Answers(unit="0.5", section="left", columns={"section_id": "fov"}))
    assert remembered(library, "Xenium") == Answers(unit="0.5", columns={"section_id": "fov"})
    assert remembered(library, "CosMx") == Answers()
    remember(library, "Xenium", Answers(unit="um"))
    assert remembered(library, "Xenium") == Answers(unit="um")


def test_a_damaged_answer_is_asked_again_and_the_others_are_not(library: Library) -> None:
    remember(library, "Xenium", Answers(unit="0.5"))
    remember(library, "CosMx", Answers(unit="um"))
    with database(library.home).engine.begin() as connection:
        connection.execute(
            sa.text("""UPDATE remembered_answers SET given = '{"unit": "0.4"}' WHERE kind = 'Xenium'""")
        )
    assert remembered(library, "Xenium") == Answers()
    assert remembered(library, "CosMx") == Answers(unit="um")
    remember(library, "Xenium", Answers(unit="0.4"))
    assert remembered(library, "Xenium") == Answers(unit="0.4")


def test_answers_of_an_older_library_are_taken_over_once(library: Library) -> None:
    path = library.home / OLD_FILE
    known = {
        "Xenium": {"unit": "0.5", "of_another_version": 1},
        "CosMx": "nonsense",
        "x" * 300: {"unit": "um"},
    }
    path.write_text(json.dumps(known))
    assert remembered(library, "Xenium") == Answers(unit="0.5")
    assert remembered(library, "CosMx") == Answers()
    assert not path.exists()
    path.write_text(json.dumps({"Xenium": {"unit": "um"}}))
    assert remembered(library, "Xenium") == Answers(unit="0.5")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "\x00", "[" * 100_000, "\udcff"])
def test_damaged_answers_of_an_older_library_are_asked_again(library: Library, content: str) -> None:
    (library.home / OLD_FILE).write_bytes(content.encode(errors="surrogateescape"))
    assert remembered(library, "Xenium") == Answers()
    remember(library, "Xenium", Answers(unit="um"))
    assert remembered(library, "Xenium") == Answers(unit="um")
