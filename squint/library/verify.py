"""Whether all that a library keeps is as it was kept: every file read and hashed, every row compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint.errors import InputError
from squint.library.records import Checked, Record, SectionRow, StoredFile
from squint.library.store import Library
from squint.library.stored import DamagedError


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is wrong."""

    n_files: int
    n_bytes: int
    n_rows: int
    problems: tuple[str, ...]  # in words; none if all is as it was kept


def verify(
    library: Library, section_id: str | None = None, report: Callable[[int, int], None] | None = None
) -> Verified:
    """Hash all files of a library, or of one section, and look whether its rows are as they were written.

    Sections of which something is damaged are marked, as they are when a page meets the damage. A file that
    this process hashed before is hashed again only if it was written since: a new process looks at all.

    Parameters
    ----------
    library
        Whose files they are.
    section_id
        Of the section; if not given, all sections, and what belongs to none.
    report
        Is told how many files were read, and of how many.

    Raises
    ------
    InputError
        If there is no such section, or the database does not answer.
    """
    if section_id is not None:
        library.folder(section_id)  # refuses what is no id
    with library.database.reading() as session:
        rows = list(_rows(session, section_id))
        files = [row for row in rows if isinstance(row, StoredFile)]
        paths = sorted(row.path for row in files)
        n_bytes = sum(row.n_bytes for row in files if row.intact)
        problems = {f"What the library knows of {_name(row)} is damaged." for row in rows if not row.intact}
    if section_id is not None and not any(isinstance(row, SectionRow) for row in rows):
        raise InputError(f"There is no section {section_id} in the library.")
    for n_read, path in enumerate(paths, 1):
        if not (library.home / path).is_relative_to(library.home):  # its row is damaged, which is said
            continue
        try:
            library.files.checked(library.home / path)
        except DamagedError:
            problems.add(f"{path} is not as it was kept.")
        except InputError:  # deleted just now
            continue
        if report is not None:
            report(n_read, len(paths))
    return Verified(len(paths), n_bytes, len(rows), tuple(sorted(problems)))


def _rows(session: Session, section_id: str | None) -> Iterator[Checked]:
    """Give the rows that hold a hash of themselves, of everything or of a section."""
    for mapper in Record.registry.mappers:
        kind = mapper.class_
        if not issubclass(kind, Checked):
            session.execute(sa.select(kind).limit(1)).first()  # refuses a table that is not what it was
            continue
        if section_id is None:
            yield from session.scalars(sa.select(kind))
        elif kind is SectionRow:
            yield from session.scalars(sa.select(SectionRow).where(SectionRow.id == section_id))
        elif "section_id" in mapper.columns:
            yield from session.scalars(sa.select(kind).where(mapper.columns.section_id == section_id))


def _name(row: Checked) -> str:
    """Name a row by its table and key, which name no person."""
    state = sa.inspect(row)
    key = " ".join(str(value) for value in state.identity or ())
    return f"{state.mapper.local_table.name} {key}".strip()
