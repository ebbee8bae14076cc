"""A profile of expression, from a file of two columns: gene and value."""

import csv
from math import isfinite
from pathlib import Path

from squint.errors import InputError
from squint.formats.gene_fields import clean
from squint.parsing import read_at_most

MAX_BYTES = 5_000_000


def read(path: str | Path) -> dict[str, float]:
    """Read a profile from a file, as :func:`parse` does.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    The expression of each gene.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no profile.
    """
    return parse(read_at_most(path, MAX_BYTES + 1), Path(path).name)


def parse(content: bytes, name: str) -> dict[str, float]:
    """Find the profile in the content of a file: a gene and a number per line, below titles or not.

    Parameters
    ----------
    content
        At most 5 MB of text, fields separated by commas, semicolons or tabs.
    name
        Name of the file.

    Returns
    -------
    The expression of each gene, in the order of the file.

    Raises
    ------
    InputError
        If a line has no gene and number of at least 0, a gene comes twice, or there is none.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the genes that you need.")
    try:
        lines = [line for line in content.decode("utf-8-sig").splitlines() if clean(line)]
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8.") from error
    lines = [line for line in lines if not line.startswith("#")]
    found: dict[str, float] = {}
    for number, row in enumerate(_rows(lines, name), start=1):
        fields = [clean(field) for field in row]
        value = _number(fields[1]) if len(fields) == 2 else None
        if value is None and number == 1 and len(fields) == 2:
            continue  # of titles
        if value is None or not fields[0]:
            raise InputError(
                f"Line {number} of {name} is no gene and number of at least 0. Give a gene and its "
                "expression per line, in two columns."
            )
        if fields[0] in found:
            raise InputError(f"{name} names {fields[0][:40]!r} twice. Keep one of the two.")
        found[fields[0]] = value
    if not found:
        raise InputError(f"{name} names no gene. Give a gene and its expression per line.")
    return found


def _rows(lines: list[str], name: str) -> list[list[str]]:
    separator = max(",;\t", key=lines[0].count) if lines else ","
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{name} is no table: {error}. Save it as CSV UTF-8.") from error


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None
