"""Stored files: what is damaged, lost or was never recorded is not read, and its section is marked."""

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from squint.errors import InputError
from squint.library.database import Database
from squint.library.records import Patient, SectionRow, StoredFile
from squint.library.stored import DamagedError, StoredFiles, hashed

FACTS = {
    "sha256": "0" * 64,
    "section": "s",
    "organ": "",
    "assay": "",
    "added": "",
    "n_cells": 1,
    "n_genes": 1,
    "n_cell_types": 0,
    "unit": "um",
    "values": "counts",
    "median_depth": 1.0,
    "simulated": False,
    "notes": [],
    "stack": "",
    "n_regions": 0,
    "n_left_out": 0,
    "quality": {},
    "recipe": {},
}


@pytest.fixture
def home(tmp_path: Path, database: Database) -> Path:
    """Make a library of one section "ab" with a file of its own and one below."""
    folder = tmp_path / "sections" / "ab"
    (folder / "tokens").mkdir(parents=True)
    (folder / "cells").write_bytes(b"cells")
    (folder / "tokens" / "m").write_bytes(b"tokens")
    with database.writing() as session:
        session.add(Patient(code="P", added=""))
        session.flush()
        session.add(SectionRow(id="ab", patient="P", **FACTS))
        session.flush()
        StoredFiles(tmp_path, database).record(session, folder, hashed(folder), section_id="ab")
    return tmp_path


def damage_of(database: Database) -> str:
    with database.reading() as session:
        row = session.get_one(SectionRow, "ab")
        assert row.intact
        return row.damage


def test_what_is_as_it_was_written_is_given(home: Path, database: Database) -> None:
    files = StoredFiles(home, database)
    for name in ("cells", "tokens/m"):
        assert files.checked(home / "sections" / "ab" / name).read_bytes() in (b"cells", b"tokens")
    assert files.used_bytes() == 11
    assert damage_of(database) == ""


@pytest.mark.parametrize("how", ["bit", "cut", "gone"])
def test_damage_is_said_and_marks_the_section(home: Path, database: Database, how: str) -> None:
    files, path = StoredFiles(home, database), home / "sections" / "ab" / "cells"
    files.checked(path)
    path.unlink()
    if how != "gone":
        path.write_bytes(b"cellr" if how == "bit" else b"cell")
    with pytest.raises(DamagedError, match=r"cells (in the library is damaged|is missing)"):
        files.checked(path)
    assert "cells" in damage_of(database)


def test_what_lies_deeper_leaves_its_section_whole(home: Path, database: Database) -> None:
    path = home / "sections" / "ab" / "tokens" / "m"
    path.write_bytes(b"other!")
    with pytest.raises(DamagedError, match="m in the library is damaged"):
        StoredFiles(home, database).checked(path)
    assert damage_of(database) == ""


def test_a_record_that_was_changed_beside_is_not_trusted(home: Path, database: Database) -> None:
    with database.engine.connect() as connection, connection.begin():
        connection.execute(sa.update(StoredFile.__table__).values(n_bytes=6))
    with pytest.raises(DamagedError, match="knows of cells is damaged"):
        StoredFiles(home, database).checked(home / "sections" / "ab" / "cells")


def test_what_nobody_recorded_is_not_read(home: Path, database: Database) -> None:
    (home / "sections" / "ab" / "planted").write_bytes(b"x")
    with pytest.raises(DamagedError, match="not put there"):
        StoredFiles(home, database).checked(home / "sections" / "ab" / "planted")


def test_a_file_that_is_written_anew_counts_as_it_is_now(home: Path, database: Database) -> None:
    files, folder = StoredFiles(home, database), home / "sections" / "ab" / "tokens"
    files.checked(folder / "m")
    (home / "m").write_bytes(b"new tokens")
    with database.writing() as session:
        files.record(session, folder, hashed(home / "m"), section_id="ab")
        (home / "m").replace(folder / "m")
    assert files.checked(folder / "m").read_bytes() == b"new tokens"


def test_files_are_forgotten_with_what_they_are_of_or_alone(home: Path, database: Database) -> None:
    files, folder = StoredFiles(home, database), home / "sections" / "ab"
    with database.writing() as session:
        files.forget(session, folder / "tokens")
    assert not files.is_recorded(folder / "tokens" / "m")
    assert files.is_recorded(folder / "cells")
    with database.writing() as session:
        session.execute(sa.delete(SectionRow))
    shutil.rmtree(folder)
    assert files.used_bytes() == 0
    with pytest.raises(InputError, match="no longer in the library"):
        files.checked(folder / "cells")
