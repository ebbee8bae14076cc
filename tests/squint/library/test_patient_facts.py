"""The table of patients in the library: added to, replaced, undone, deleted, and gone with the patient."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.formats.patient_table import parse
from squint.library import patient_facts
from squint.library.backup import backup, restore
from squint.library.records import HistoryVersion
from squint.library.store import Library
from squint.library.verify import verify
from squint.stats.patient_columns import GROUPS, NUMBERS
from tests.helpers.sections import add_sections, small_section


@pytest.fixture
def filled(tmp_path: Path) -> Library:
    """Fill a library with a section of each of two patients."""
    library = Library(tmp_path / "home")
    add_sections(library, small_section(), tmp_path)
    return library


def give(library: Library, *lines: str, replace: bool = False) -> None:
    found = parse("\n".join(lines).encode(), "p.csv", patient_facts.codes(library))
    patient_facts.keep(library, found, replace=replace)


def test_a_library_without_a_table_says_so(filled: Library) -> None:
    now = patient_facts.known(filled)
    assert not now.columns
    assert not now.undo
    assert now.table.empty


def test_a_second_file_adds_to_the_table_or_takes_its_place(filled: Library) -> None:
    give(filled, "code,grade,stage", "A-1,3,pT3", "A-2,2,pT1")
    give(filled, "code,grade,age", "A-1,4,61")
    now = patient_facts.known(filled)
    assert list(now.columns) == ["grade", "stage", "age"]
    assert now.rows == {
        "A-1": {"grade": "4", "stage": "pT3", "age": "61"},
        "A-2": {"grade": "2", "stage": "pT1"},
    }
    give(filled, "code,outcome", "A-2,alive", replace=True)
    now = patient_facts.known(filled)
    assert now.rows == {"A-2": {"outcome": "alive"}}
    assert now.table.to_dict("records") == [{"patient_id": "A-2", "outcome": "alive"}]


def test_changes_are_undone_and_done_again(filled: Library) -> None:
    give(filled, "code,grade", "A-1,3")
    first = patient_facts.known(filled)
    give(filled, "code,grade", "A-1,4", replace=True)
    assert patient_facts.known(filled).undo == "the patient table was replaced"
    patient_facts.step(filled, -1)
    assert patient_facts.known(filled).rows == first.rows
    patient_facts.step(filled, 1)
    assert patient_facts.known(filled).rows == {"A-1": {"grade": "4"}}
    patient_facts.step(filled, -1)
    patient_facts.step(filled, -1)
    assert not patient_facts.known(filled).columns


def test_a_column_is_taken_as_numbers_only_if_it_holds_some(filled: Library) -> None:
    give(filled, "code,grade,stage", "A-1,3,pT3", "A-2,2,pT1")
    assert patient_facts.known(filled).columns == {"grade": GROUPS, "stage": GROUPS}
    patient_facts.take_as(filled, "grade", NUMBERS)
    now = patient_facts.known(filled)
    assert now.columns["grade"] == NUMBERS
    assert now.numbers("grade") == {"A-1": 3.0, "A-2": 2.0}
    for column, kind in (("stage", NUMBERS), ("nothing", GROUPS), ("stage", "dates")):
        with pytest.raises(InputError):
            patient_facts.take_as(filled, column, kind)


def everything(library: Library) -> str:
    with library.database.reading() as session:
        rows = session.scalars(sa.select(HistoryVersion).where(HistoryVersion.name == patient_facts.NAME))
        return repr([(row.what, row.content) for row in rows])


def test_a_patient_without_sections_is_in_no_version_any_more(filled: Library) -> None:
    give(filled, "code,grade", "A-1,3", "A-2,2")
    give(filled, "code,outcome", "A-1,alive", "A-2,dead")
    gone = next(section for section in filled.sections() if section.patient == "A-1")
    filled.delete(gone.id)
    assert "A-1" not in everything(filled)
    assert patient_facts.known(filled).rows == {"A-2": {"grade": "2", "outcome": "dead"}}
    assert verify(filled).problems == ()
    patient_facts.step(filled, -1)
    assert patient_facts.known(filled).rows == {"A-2": {"grade": "2"}}


def test_a_deleted_table_is_gone_with_its_history_and_from_the_file(filled: Library) -> None:
    give(filled, "code,outcome", "A-1,zebrafinch")
    patient_facts.delete(filled)
    assert not patient_facts.known(filled).undo
    assert everything(filled) == "[]"
    content = b"".join(path.read_bytes() for path in filled.home.glob("library.sqlite*"))
    assert b"zebrafinch" not in content
    give(filled, "code,grade", "A-1,3")
    assert patient_facts.known(filled).rows == {"A-1": {"grade": "3"}}


def test_a_table_that_is_damaged_is_said_to_be_and_can_be_deleted(filled: Library) -> None:
    give(filled, "code,grade", "A-1,3")
    with filled.database.engine.connect() as connection, connection.begin():
        connection.execute(
            sa.text("UPDATE history_versions SET content = replace(content, '\"3\"', '\"4\"')")
        )
    now = patient_facts.known(filled)
    assert "damaged" in now.damage
    assert not now.rows
    assert verify(filled).problems
    with pytest.raises(InputError, match="damaged"):
        give(filled, "code,grade", "A-1,3")
    patient_facts.delete(filled)
    assert verify(filled).problems == ()


def test_a_backup_holds_the_table_and_what_can_be_undone(filled: Library, tmp_path: Path) -> None:
    give(filled, "code,grade", "A-1,3")
    give(filled, "code,grade", "A-1,4")
    backup(filled.home, tmp_path / "b.zip")
    restore(tmp_path / "b.zip", tmp_path / "other")
    other = Library(tmp_path / "other")
    assert patient_facts.known(other) == patient_facts.known(filled)
    patient_facts.step(other, -1)
    assert patient_facts.known(other).rows == {"A-1": {"grade": "3"}}
