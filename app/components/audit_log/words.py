"""Ids of the audit log in words, for the eyes of admins: the log itself holds none."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from squint.errors import InputError
from squint.library.audit import Row
from squint.library.chain import CELL_SET, MODEL, REFUSED
from squint.library.database import database
from squint.library.history import History
from squint.library.people import LOCAL
from squint.library.place import all_homes, project_home, project_of
from squint.library.records import Model, SectionRow, User
from squint.library.section import of_row

GONE = "not in the library"
SQUINT = "squint itself"
STRANGER = "nobody known"


@dataclass(frozen=True)
class Words:
    """What ids stand for, as far as it is still there."""

    sections: Mapping[tuple[str, str], str] = field(default_factory=dict)  # project and id -> title
    objects: Mapping[tuple[str, str, str], str] = field(default_factory=dict)  # project, kind and id -> name
    people: Mapping[int, str] = field(default_factory=dict)  # id -> name

    def person(self, person: int | None) -> str:
        """Name whoever did something."""
        if person is None:
            return SQUINT
        return self.people.get(person, LOCAL.name if person == LOCAL.id else f"Person {person}")

    def who(self, row: Row) -> str:
        """Name whoever did what a row is of, or was refused it."""
        return STRANGER if row.person is None and row.action == REFUSED else self.person(row.person)

    def section(self, row: Row) -> str:
        """Name the section that a row is of."""
        return self.sections.get((row.project, row.section), GONE) if row.section else ""

    def object(self, row: Row) -> str:
        """Name what a row is about, beside its section."""
        if not row.object or row.object == row.section:
            return ""
        return self.objects.get((row.project, row.kind, row.object[:16]), row.object[:16])


def words_of(root: Path, rows: Iterable[Row]) -> Words:
    """Find what the ids of some rows stand for, in the projects that they are of."""
    found = list(rows)
    sections: dict[tuple[str, str], str] = {}
    objects: dict[tuple[str, str, str], str] = {}
    for project in {row.project for row in found}:
        with suppress(InputError):  # a project that is gone, or damaged: its ids are shown
            home = project_home(root, project)
            if not home.is_dir():
                continue
            ids = {row.section for row in found if row.project == project and row.section}
            sections |= {(project, key): title for key, title in _titles(home, ids).items()}
            objects |= {(project, *key): name for key, name in _names(home).items()}
    return Words(sections, objects, people_of(root))


def people_of(root: Path) -> dict[int, str]:
    """Name all who signed in."""
    with database(root).reading() as session:
        users = session.scalars(sa.select(User)).all()
        return {user.id: str(getattr(user, "name", "") or user.subject) for user in users}


def sections_of(root: Path) -> dict[str, str]:
    """Name all sections of all projects, by id."""
    found: dict[str, str] = {}
    for home in all_homes(root):
        with suppress(InputError):
            titles = _titles(home)
            project = project_of(home)
            found |= {key: f"{title} ({project[:6]})" if project else title for key, title in titles.items()}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _titles(home: Path, ids: Iterable[str] | None = None) -> dict[str, str]:
    asked = sa.select(SectionRow)
    if ids is not None:
        asked = asked.where(SectionRow.id.in_(list(ids)))
    with database(home).reading() as session:
        return {row.id: of_row(row).title for row in session.scalars(asked) if row.intact and row.sha256}


def _names(home: Path) -> dict[tuple[str, str], str]:
    with database(home).reading() as session:
        models = session.scalars(sa.select(Model)).all()
        names = {(MODEL, row.sha256[:16]): row.name for row in models if row.intact}
    sets = History(home, "cell_sets").now().content
    for one in sets if isinstance(sets, list) else []:
        names[CELL_SET, str(one.get("id"))] = str(one.get("name"))
    return names
