"""The audit log looked at: page by page, by filters, and as a file."""

import io

import pytest

from squint.errors import InputError
from squint.library import audit, chain
from squint.library.acting import Actor
from squint.library.chain import EXPORTED, FIGURE, Entry
from squint.library.database import Database
from tests.helpers.audit_log import write


def test_pages_of_rows_make_up_the_log(database: Database) -> None:
    write(database, 25)
    found, before = [], None
    while page := audit.rows(database, audit.Filter(), before=before, n=10):
        found += page
        before = page[-1].id
    assert [row.id for row in found] == list(range(25, 0, -1))
    assert found == list(audit.every(database, audit.Filter()))
    assert [row.id for row in audit.every(database, audit.Filter(), 3)] == [25, 24, 23]


def test_filters_choose_what_they_say(database: Database) -> None:
    write(database, 3)
    write(database, 2, Actor(None, "server"))
    with database.writing() as session:
        chain.append(session, [Entry(EXPORTED, FIGURE, section="ab" * 8)], Actor(8, "tokens"))

    def numbers(**how: str) -> list[int]:
        return [row.id for row in audit.rows(database, audit.Filter(**how))]

    assert numbers(person="7") == [3, 2, 1]
    assert numbers(person="server") == [5, 4]
    assert numbers(action="exported") == [6]
    assert numbers(section="abab") == numbers(section="ab" * 8) == [6]
    assert numbers(section="%") == []
    assert numbers(since="2001-01-01") == [6, 5, 4, 3, 2, 1]
    assert numbers(until="2001-01-01") == []
    assert audit.people(database) == [None, 7, 8]
    for wrong in ({"person": "Anna"}, {"action": "stolen"}):
        with pytest.raises(InputError):
            audit.Filter(**wrong)


def test_the_csv_holds_ids_and_every_row(database: Database) -> None:
    write(database, 4)
    file = io.StringIO()
    assert audit.write_csv(database, audit.Filter(), file) == 4
    lines = file.getvalue().splitlines()
    assert lines[0].startswith('"id","time","person"')
    assert [line.split(",")[0] for line in lines[1:]] == ["4", "3", "2", "1"]
