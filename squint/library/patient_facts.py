"""What is known of the patients of the library, by study code: with its history, gone with the patient."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from squint import keys
from squint.errors import InputError
from squint.library.access import changing
from squint.library.folders import Folders
from squint.library.history import History
from squint.library.records import HistoryVersion, Patient
from squint.stats.patient_columns import GROUPS, NUMBERS, as_number, kind_of

if TYPE_CHECKING:
    from squint.formats.patient_table import PatientFile

NAME = "patient_facts"  # of the history
_COLUMNS, _ROWS = "columns", "rows"


@dataclass(frozen=True)
class PatientFacts:
    """The table of patients as it is now."""

    version: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)  # name -> "numbers" or "groups"
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # code -> column -> value
    undo: str = ""  # what going back would undo, in words; nothing if there is nothing
    redo: str = ""
    damage: str = ""  # why there is no table, and what to do

    @property
    def table(self) -> pd.DataFrame:
        """One row for each patient, as it was written; missing values are ``None``."""
        rows = [
            {keys.PATIENT: code, **{name: row.get(name) for name in self.columns}}
            for code, row in sorted(self.rows.items())
        ]
        return pd.DataFrame(rows, columns=[keys.PATIENT, *self.columns], dtype=object)

    def groups(self, column: str) -> dict[str, str]:
        """Give the group of each patient that has one."""
        return {code: row[column] for code, row in self.rows.items() if column in row}

    def numbers(self, column: str) -> dict[str, float]:
        """Give the number of each patient that has one."""
        found = {code: as_number(value) for code, value in self.groups(column).items()}
        return {code: number for code, number in found.items() if number is not None}

    def can_be_numbers(self, column: str) -> bool:
        """Say whether all values of a column are numbers."""
        values = self.groups(column)
        return bool(values) and len(self.numbers(column)) == len(values)


def known(library: Folders) -> PatientFacts:
    """Read the table; without columns if there is none."""
    now = _history(library).now()
    content = now.content or {}
    return PatientFacts(
        now.version, content.get(_COLUMNS, {}), content.get(_ROWS, {}), now.undo, now.redo, now.damage
    )


def codes(library: Folders) -> list[str]:
    """List the study codes of all patients of the library."""
    with library.database.reading() as session:
        return sorted(session.scalars(sa.select(Patient.code)))


@changing
def keep(library: Folders, found: "PatientFile", *, replace: bool = False) -> None:
    """Put what a file says into the table.

    Parameters
    ----------
    library
        Whose patients they are.
    found
        Of :func:`squint.formats.patient_table.parse`.
    replace
        Whether it takes the place of the table. Else it is added: what the file says of a patient counts, and
        what it does not say stays.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    there = set(codes(library))

    def change(content: Any) -> tuple[str, Any]:
        before = {} if replace else content or {}
        rows = {code: dict(row) for code, row in before.get(_ROWS, {}).items()}
        for code, row in found.rows.items():
            if code in there:  # a patient may have gone meanwhile
                rows[code] = rows.get(code, {}) | row
        kinds = dict(before.get(_COLUMNS, {}))
        for name in found.columns:
            kinds[name] = kind_of([row[name] for row in rows.values() if name in row])
        what = "the patient table was replaced" if replace else f"columns {', '.join(found.columns)}"
        return what, {_COLUMNS: kinds, _ROWS: rows}

    _history(library).commit(change)


@changing
def take_as(library: Folders, column: str, kind: str) -> None:
    """Say whether a column holds numbers or groups.

    Raises
    ------
    InputError
        If there is no such column, or not all of its values are numbers.
    """
    if kind not in (NUMBERS, GROUPS):
        raise InputError(f"A column holds {NUMBERS} or {GROUPS}, not {kind}.")
    now = known(library)
    if column not in now.columns:
        raise InputError(f"The patient table has no column {column}. Load the page again.")
    if kind == NUMBERS and not now.can_be_numbers(column):
        raise InputError(f"Not all values of {column} are numbers, so it can only hold groups.")

    def change(content: Any) -> tuple[str, Any]:
        return f"{column} holds {kind}", {**content, _COLUMNS: {**content[_COLUMNS], column: kind}}

    if now.columns[column] != kind:
        _history(library).commit(change)


@changing
def step(library: Folders, by: int, seen: int | None = None) -> str:
    """Go back (-1) or forward (1) by a change, as :meth:`squint.library.history.History.step` does."""
    return _history(library).step(by, seen)


@changing
def delete(library: Folders) -> None:
    """Delete the table with all of its history: there is no way back."""
    _history(library).clear()
    library.database.scrub()


def forget(session: Session, code: str) -> None:
    """Take a patient out of all versions of the table; a version that is damaged goes as a whole."""
    for row in session.scalars(sa.select(HistoryVersion).where(HistoryVersion.name == NAME)):
        if not row.intact:
            session.delete(row)
        elif row.content and code in row.content[_ROWS]:
            rows = {other: said for other, said in row.content[_ROWS].items() if other != code}
            row.content = {**row.content, _ROWS: rows}


def _history(library: Folders) -> History:
    return History(library.home, NAME)
