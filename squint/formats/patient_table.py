"""What is known of patients, such as grade, stage and outcome: a table of study codes from a CSV file.

A table may come straight from a hospital's records: columns that may tell who somebody is are left out, and
the values in them are never repeated.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError
from squint.formats.gene_fields import clean
from squint.parsing import read_at_most, read_lines
from squint.sensitive import flag_name, flag_text, looks_like
from squint.spreadsheet import restored
from squint.stats.patient_columns import MAX_LETTERS, as_number, kind_of

MAX_BYTES = 1_000_000
MAX_ROWS = 10_000
MAX_COLUMNS = 100
_MISSING = {
    *("", "-", "--", ".", "?", "na", "n/a", "n.a.", "nan", "nd", "n.d.", "none", "null", "missing"),
    *("unknown", "not known", "not available", "not done", "#n/a"),
}
_OF_A_PERSON = {"name", "names"}
_LONG_WHOLE = re.compile(r"\d{6,}")  # as record numbers are
_LISTED = 20


class PatientFile(NamedTuple):
    """What a file says of patients of the library."""

    code_column: str  # in which the study codes stand
    columns: dict[str, str]  # name -> NUMBERS or GROUPS
    rows: dict[str, dict[str, str]]  # code -> column -> value, as it is written; missing ones are not there
    left_out: dict[str, str]  # name of a column -> why
    unknown: list[str]  # codes of no patient of the library, but for those that may be a person's name
    n_unlisted: int  # how many those are


class _Table(NamedTuple):
    columns: list[str]
    rows: list[tuple[int, list[str]]]  # number of the line, and as many fields as there are columns


def read(path: str | Path, known: Collection[str], *, sure: bool = False) -> PatientFile:
    """Read what a file says of patients, as :func:`parse` does.

    Parameters
    ----------
    path
        The file.
    known, sure
        As there.

    Returns
    -------
    What is known of the patients.

    Raises
    ------
    InputError
        If the file cannot be read, or is no table of patients.
    """
    return parse(read_at_most(path, MAX_BYTES + 1), Path(path).name, known, sure=sure)


def parse(content: bytes, name: str, known: Collection[str], *, sure: bool = False) -> PatientFile:
    """Find what a table says of patients: one row a patient, with a column of study codes.

    Fields are separated by commas, semicolons or tabs; lines that begin with ``#`` are skipped. The column of
    codes is the one with most codes of the library. Missing values may be empty, or spelt ``NA``, ``n/a``,
    ``unknown`` and the like.

    Parameters
    ----------
    content
        At most 1 MB, 10,000 rows and 100 columns.
    name
        Of the file, for messages.
    known
        Study codes of the patients of the library.
    sure
        Whether somebody said that values which look like names, dates or record numbers identify nobody.
        Columns that are called so are left out in any case.

    Returns
    -------
    What is known of the patients of the library, and what was left out. A column of numbers holds groups if
    there are at most 4 different ones, as grades are, and else numbers.

    Raises
    ------
    InputError
        If it is no table, holds no code of the library, names a patient twice, or is too large.
    """
    table = _take_apart(content, name)
    codes = set(known)
    at = _code_column(table, codes, name)
    rows, unknown = _rows(table, at, codes, name)
    found: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for place, column in enumerate(table.columns):
        values = [fields[place] for fields in rows.values() if fields[place]]
        if place == at or not (column or values):
            continue
        if why := _why_not(column, values, sure=sure):
            left_out[column or f"column {place + 1}"] = why
        else:
            found[column] = kind_of(values)
    if not found:
        why = "; ".join(f"{column}: {why}" for column, why in left_out.items())
        raise InputError(
            f"{name} has no column that can be kept beside that of the codes"
            f"{f' ({why})' if why else ''}. Add one, such as grade, stage or outcome."
        )
    named = [code for code in unknown if not looks_like(code)]
    return PatientFile(
        code_column=table.columns[at],
        columns=found,
        rows={code: _known(table.columns, fields, found) for code, fields in rows.items()},
        left_out=left_out,
        unknown=named,
        n_unlisted=len(unknown) - len(named),
    )


def _take_apart(content: bytes, name: str) -> _Table:
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the columns that you need."
        )
    lines = [
        (number, line)
        for number, line in read_lines(content, name, most=MAX_ROWS + 1)
        if not line.startswith("#")
    ]
    if len(lines) < 2:
        raise InputError(
            f"{name} is no table of patients: it needs a line of titles, and a row for each patient."
        )
    delimiter = max("\t;,", key=lambda mark: (lines[0][1].count(mark), mark == ","))
    columns = _titles(*lines[0], delimiter, name)
    rows = [(number, _fields(number, line, delimiter, name)) for number, line in lines[1:]]
    for number, fields in rows:
        if any(fields[len(columns) :]):
            raise InputError(f"Line {number:,} of {name} has more fields than there are columns.")
    return _Table(columns, [(number, _padded(fields, len(columns))) for number, fields in rows])


def _titles(number: int, line: str, delimiter: str, name: str) -> list[str]:
    """Give the names of the columns."""
    columns = _fields(number, line, delimiter, name)
    while columns and not columns[-1]:
        columns.pop()
    if len(columns) < 2:
        raise InputError(
            f"{name} has one column. Separate the columns by commas, semicolons or tabs: the study code, and "
            "what is known of the patient."
        )
    if len(columns) > MAX_COLUMNS:
        raise InputError(f"{name} has more than {MAX_COLUMNS} columns. Keep those that you need.")
    twice = [column for column, n in Counter(filter(None, columns)).items() if n > 1]
    if twice:
        raise InputError(f"{name} has two columns called {twice[0][:MAX_LETTERS]!r}. Rename one of them.")
    return columns


def _padded(fields: list[str], n_columns: int) -> list[str]:
    """Give as many fields as there are columns, missing ones empty however they are spelt."""
    fields = [*fields, *[""] * n_columns][:n_columns]
    return ["" if field.lower() in _MISSING else field for field in fields]


def _fields(number: int, line: str, delimiter: str, name: str) -> list[str]:
    try:
        fields = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise InputError(f"Line {number:,} of {name} is damaged: a quote is not closed.") from error
    return [restored(clean(field)) for field in fields]


def _code_column(table: _Table, known: set[str], name: str) -> int:
    """Find the column with most codes of the library; of several, the first."""
    hits = [sum(fields[at] in known for _, fields in table.rows) for at in range(len(table.columns))]
    if not max(hits):
        there = ", ".join(sorted(known)[:_LISTED])
        raise InputError(
            f"No column of {name} holds the study code of a patient of the library"
            f"{f' ({there})' if there else ', which has none yet'}. Write the codes as the library has them."
        )
    return hits.index(max(hits))


def _rows(table: _Table, at: int, known: set[str], name: str) -> tuple[dict[str, list[str]], list[str]]:
    """Give the fields of each known patient, and the codes that are not known."""
    rows: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    unknown: dict[str, None] = {}
    for number, fields in table.rows:
        code = fields[at]
        if code in known:
            if code in rows and rows[code] != fields:
                raise InputError(
                    f"{name} says of patient {code} two things, in lines {first[code]:,} and {number:,}. "
                    "Keep one row for each patient."
                )
            rows.setdefault(code, fields)
            first.setdefault(code, number)
        elif code:
            unknown[code] = None
    return rows, list(unknown)


def _why_not(column: str, values: Sequence[str], *, sure: bool) -> str:
    """Say why a column is left out; nothing if it can be kept."""
    if not column:
        return "it has no name"
    if len(column) > MAX_LETTERS:
        return f"its name is longer than {MAX_LETTERS} letters"
    # "Name" alone is of a gene or a type elsewhere, and of nobody but the patient here.
    if why := flag_name("patient name" if column.strip().lower() in _OF_A_PERSON else column):
        return why
    if not values:
        return "it holds nothing of patients of the library"
    if any(len(value) > MAX_LETTERS for value in values):
        return f"it holds free text of more than {MAX_LETTERS} letters"
    return "" if sure else _likeness(values)


def _likeness(values: Sequence[str]) -> str:
    """Say why values may tell who somebody is."""
    if all(as_number(value) is not None for value in values):
        if any(_LONG_WHOLE.fullmatch(value) for value in values):
            return "it holds long numbers, as record numbers and dates are"
        return ""
    if why := flag_text(values):
        return f"it {why}"
    different = set(values)
    n_names = sum(looks_like(value) == "a person's name" for value in different)
    if len(different) == len(values) and 2 * n_names >= len(values):  # an outcome is of several patients
        return "it holds what looks like persons' names, another for each patient"
    return ""


def _known(columns: Sequence[str], fields: Sequence[str], kept: Mapping[str, str]) -> dict[str, str]:
    said = zip(columns, fields, strict=True)
    return {column: value for column, value in said if column in kept and value}
