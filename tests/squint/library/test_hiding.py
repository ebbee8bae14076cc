"""Sections that are put away: kept, and in no list until they are shown again."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from anndata import AnnData

from squint.errors import InputError
from squint.library import keeping
from squint.library.database import database
from squint.library.records import Mark
from squint.library.stacks import find_stacks
from squint.library.store import Library, Section
from tests.helpers.sections import add_sections, restate


@pytest.fixture
def two(library: Library, section: AnnData, tmp_path: Path) -> list[Section]:
    """Add two sections."""
    return add_sections(library, section, tmp_path)


def test_hidden_sections_are_in_no_list_until_they_are_shown_again(
    library: Library, two: list[Section]
) -> None:
    one, other = two
    library.hide([one.id])
    database(library.home).close()
    again = Library(library.home)  # as after a restart
    assert again.sections() == [other]
    assert again.hidden() == [one]
    assert again.get(one.id) == one
    assert len(again.genes(one.id)) == one.n_genes
    again.show([one.id])
    assert {section.id for section in again.sections()} == {one.id, other.id}
    assert again.hidden() == []


def test_who_adds_a_hidden_section_again_sees_it(
    library: Library, two: list[Section], section: AnnData, tmp_path: Path
) -> None:
    library.hide([one.id for one in two])
    assert library.sections() == []
    assert add_sections(library, section, tmp_path) == two
    assert library.hidden() == []


def test_nothing_is_noted_of_sections_that_are_not_there(library: Library, two: list[Section]) -> None:
    library.hide([two[0].id, "0" * 16])
    library.delete(two[0].id)
    with library.database.reading() as session:
        marks = session.scalars(sa.select(Mark.name)).all()
    assert not [name for name in marks if name.startswith("hidden")]


def test_sections_are_deleted_together_with_what_was_made_of_any(
    library: Library, two: list[Section]
) -> None:
    for one in two:
        keeping.keep_result(library, library.workspace(), f"of {one.section}", "{}", [one.id])
    library.delete(*(one.id for one in two), "0" * 16)
    assert library.sections() == []
    assert not [*library.sections_folder.iterdir(), *library.results.iterdir()]
    with pytest.raises(InputError, match="no longer in the library"):
        library.delete(*(one.id for one in two))


def test_simulated_sections_come_last(library: Library, two: list[Section]) -> None:
    first, last = library.sections()
    assert {first.id, last.id} == {one.id for one in two}
    restate(library, first.id, simulated=True)
    assert [section.id for section in library.sections()] == [last.id, first.id]


def test_a_stack_of_simulated_sections_comes_last_however_high_it_is(two: list[Section]) -> None:
    one = two[0]
    high = [replace(one, z_um=z, stack="A", simulated=True) for z in (0.0, 5.0, 10.0)]
    low = [replace(one, z_um=z, stack="B") for z in (0.0, 5.0)]
    assert [len(stack.levels) for stack in find_stacks([*high, *low])] == [2, 3]
