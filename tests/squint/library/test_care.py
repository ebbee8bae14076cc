"""What a server does for all its libraries, and projects that are removed."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint.errors import InputError
from squint.library import care, database, removing
from squint.library.database import FILE, schema_of
from squint.library.place import all_homes, project_home, projects_folder
from squint.library.spare import SPARE
from squint.library.store import Library
from tests.helpers.sections import add_sections

ONE, OTHER = "0a" * 8, "0b" * 8  # projects


@pytest.fixture
def others(library: Library) -> Callable[[str], Library]:
    """Give the library of a project beside the first."""
    return lambda project: Library(project_home(library.home, project))


def schemas(library: Library) -> set[str]:
    if library.database.is_sqlite:
        return set()
    with library.database.reading() as session:
        found = session.scalars(sa.text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'project%'"))
        return set(found)


def test_a_project_sees_nothing_of_another(
    library: Library, others: Callable[[str], Library], section: AnnData, tmp_path: Path
) -> None:
    first, second = others(ONE), others(OTHER)
    (one, _) = add_sections(first, section, tmp_path)
    assert second.sections() == library.sections() == []
    with pytest.raises(InputError, match="no longer in the library"):
        second.get(one.id)
    assert add_sections(second, section, tmp_path)[0].id == one.id
    first.delete(*[found.id for found in first.sections()])
    assert len(second.sections()) == 2
    assert second.database.revision() == library.database.revision() == database.HEAD


def test_a_project_is_removed_with_all_that_it_holds_and_no_other(
    library: Library, others: Callable[[str], Library], section: AnnData, tmp_path: Path
) -> None:
    doomed, other = others(ONE), others(OTHER)
    for one in (doomed, other):
        add_sections(one, section, tmp_path)
    assert len(schemas(library)) == (0 if library.database.is_sqlite else 2)
    removing.remove(library.home, ONE)
    assert [path.name for path in projects_folder(library.home).iterdir()] == [OTHER]
    assert schemas(library) == ({schema_of(other.home)} - {""})
    assert len(other.sections()) == 2
    with pytest.raises(InputError, match=r"removed|deleted or replaced"):
        Library(doomed.home).sections()
    with pytest.raises(InputError):
        doomed.sections()
    with pytest.raises(InputError, match="somebody removed it"):  # as for who asks for a job of it now
        database.database(doomed.home)
    assert not doomed.home.exists()
    assert schemas(library) == ({schema_of(other.home)} - {""})  # nor is it made anew
    removing.remove(library.home, ONE)  # again: nothing
    for wrong in ("", "..", "../x", f"{ONE}/../{OTHER}", ONE.upper()):
        with pytest.raises(InputError):
            removing.remove(library.home, wrong)
    assert all_homes(library.home) == [library.home, other.home]


def test_what_a_removal_left_goes_with_the_next_sweep(
    library: Library, others: Callable[[str], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    others(ONE)

    def refuse(*_: object, **__: object) -> None:
        raise InputError("The database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(removing, "drop", refuse)
        removing.remove(library.home, ONE)
    assert all_homes(library.home) == [library.home]
    assert list(projects_folder(library.home).iterdir())
    care.sweep(library.home)
    assert not list(projects_folder(library.home).iterdir())
    assert schemas(library) == set()


def test_all_libraries_are_swept_and_recovered_though_one_is_damaged(
    library: Library, others: Callable[[str], Library], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = others(ONE), others(OTHER)
    shutil.rmtree(bad.home / "sections")
    (bad.home / "sections").touch()
    for one in (library, good):
        orphan = one.sections_folder / "00ff"
        orphan.mkdir()
        (one.uploads / "old").mkdir()
    with caplog.at_level(logging.WARNING):
        care.begin(library.home)
        care.sweep(library.home, 0.0)
    assert "Project 0a" in caplog.text
    for one in (library, good):
        assert not list(one.sections_folder.iterdir())
        assert not list(one.uploads.iterdir())
        assert (one.home / SPARE).exists()
    with pytest.raises(InputError, match="Project 0a"):
        care.check(library.home)
    removing.remove(library.home, ONE)
    care.check(library.home)


def test_each_library_has_its_own_database(library: Library, others: Callable[[str], Library]) -> None:
    first, second = others(ONE), others(OTHER)
    first.note_samples()
    assert [one.samples_imported() for one in (library, first, second)] == [False, True, False]
    if library.database.is_sqlite:
        assert all((one.home / FILE).exists() for one in (library, first, second))
