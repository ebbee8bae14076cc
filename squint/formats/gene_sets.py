"""Named sets of genes, from files that pathologists and databases write."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from squint.errors import InputError
from squint.formats import gene_fields
from squint.formats.gene_fields import clean, gene_columns, is_gene_title, is_set_title
from squint.parsing import read_at_most

MAX_BYTES = 2_000_000
MAX_GENES = 400_000  # of all sets, and blanks between them: more than 2 MB of names have
_LISTED = 5


def read(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read gene sets from a file, as :func:`parse` does.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    The genes of each set.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no gene sets.
    """
    return parse(read_at_most(path, MAX_BYTES + 1), Path(path).name)


def parse(content: bytes, name: str) -> dict[str, tuple[str, ...]]:
    """Find the gene sets in the content of a file.

    ``.gmt`` holds a set per line: name, description and genes, separated by tabs. ``.csv`` and ``.txt`` hold
    one gene per line, which make one set named after the file, or a set and a gene per line below a line of
    titles, such as ``set,gene``; separated by commas, semicolons or tabs. Several genes in one field are
    taken apart, and characters that nobody sees are dropped. A ``.txt`` of Enrichr is read as ``.gmt``.

    Parameters
    ----------
    content
        At most 2 MB.
    name
        Name of the file; its end says what it holds.

    Returns
    -------
    The genes of each set, in the order of the file, each once.

    Raises
    ------
    InputError
        If there are no genes, the content is none of the above, or where a gene should be there is a date, as
        Excel makes of some.
    """
    text = _decode(content, name)
    ending = Path(name).suffix.lower()
    if ending == ".gmt":
        return _parse_gmt(text, name)
    if ending in {".csv", ".txt"}:
        return _parse_table(text, name)
    raise InputError(f"{name} is no .gmt, .csv or .txt file. Save the gene sets as one of these.")


def _decode(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{name} is larger than {MAX_BYTES // 1_000_000} MB. Keep the gene sets that you need."
        )
    if sum(map(content.count, (b",", b";", b"\t", b" ", b"|", b"\n", b"\r"))) > MAX_GENES:
        raise InputError(f"{name} holds more than {MAX_GENES:,} fields. Keep the gene sets that you need.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8 or as GMT.") from error
    if re.search(r"[\x00-\x08\x0e-\x1f]", text):
        raise InputError(f"{name} is no plain text. Save it as CSV UTF-8 or as GMT.")
    if not any(map(clean, text.splitlines())):
        raise InputError(f"{name} is empty. Give one gene per line, or a GMT file.")
    return text


class _Row(NamedTuple):
    line: int  # of the file, from 1
    fields: list[str]


class _Listed(NamedTuple):
    line: int
    field: str  # one gene or several


def _parse_gmt(text: str, name: str) -> dict[str, tuple[str, ...]]:
    sets: dict[str, list[_Listed]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not clean(line):
            continue
        title, _, *genes = [*map(clean, line.split("\t")), ""]
        if not title or not any(genes):
            raise InputError(
                f"Line {number} of {name} is no gene set. A line of a GMT file has a name, a description and "
                "genes, separated by tabs."
            )
        if title in sets:
            raise InputError(f"Line {number} of {name} names {title!r} a second time. Rename one of the two.")
        sets[title] = [_Listed(number, field) for field in genes]
    return _take_apart(sets, name)


def _parse_table(text: str, name: str) -> dict[str, tuple[str, ...]]:
    rows = _split(text, name)
    titles = rows[0].fields
    if len(titles) == 1 or sum(map(bool, titles)) == 1:
        return _one_set(rows, name)
    if all(len(row.fields) > 2 and row.fields[0] and not row.fields[1] for row in rows) and "\t" in text:
        return _parse_gmt(text, name)
    at_gene = gene_columns(titles)
    at_set = [at for at, title in enumerate(titles) if is_set_title(title)]
    if len(at_gene) != 1 or len(at_set) != 1:
        raise _of_several_columns(name)
    return _group(rows[1:], at_set[0], at_gene[0], name)


def _one_set(rows: Sequence[_Row], name: str) -> dict[str, tuple[str, ...]]:
    titles = rows[0].fields
    titled = is_gene_title("".join(titles))
    if titled and len(titles) > 1:  # the others have no title, as row numbers
        rows = [_Row(line, _without_numbers(fields, gene_columns(titles)[0])) for line, fields in rows]
    alone = titled and len(titles) == 1
    if not alone and any(sum(map(bool, row.fields)) > 1 for row in rows[1:]):
        raise _of_several_columns(name)
    listed = [_Listed(row.line, field) for row in rows[titled:] for field in row.fields]
    if not listed:
        raise InputError(f"{name} has a title but no genes. Give one gene per line.")
    return _take_apart({Path(name).stem: listed}, name)


def _without_numbers(fields: list[str], at_gene: int) -> list[str]:
    return [field for at, field in enumerate(fields) if at == at_gene or not gene_fields.is_date(field)]


def _of_several_columns(name: str) -> InputError:
    return InputError(
        f"{name} has several columns, and its first line does not say which hold set and gene. "
        "Begin with the line `set,gene`, or give one gene per line."
    )


def _split(text: str, name: str) -> list[_Row]:
    """Split a table into its fields, without lines that are blank or comments."""
    lines = text.splitlines(keepends=True)  # a field in quotes may hold several
    first = next(line for line in lines if clean(line))
    separator = max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=separator)
    try:
        rows = [_Row(reader.line_num, list(map(clean, row))) for row in reader]
    except csv.Error as error:
        raise InputError(f"{name} is no table: {error}. Save it as CSV UTF-8.") from error
    rows = [row for row in rows if any(map(gene_fields.split, row.fields))]
    rows = [row for row in rows if not row.fields[0].startswith("#")]
    if not rows:
        raise InputError(f"{name} is empty. Give one gene per line, or a set and a gene.")
    return rows


def _group(rows: Sequence[_Row], at_set: int, at_gene: int, name: str) -> dict[str, tuple[str, ...]]:
    genes: dict[str, list[_Listed]] = {}
    for line, fields in rows:
        cells = fields + [""] * (max(at_set, at_gene) + 1 - len(fields))
        if cells[at_set] and cells[at_gene]:
            genes.setdefault(cells[at_set], []).append(_Listed(line, cells[at_gene]))
    if not genes:
        raise InputError(f"{name} has titles but no genes. Give a set and a gene per line.")
    return _take_apart(genes, name)


def _take_apart(sets: dict[str, list[_Listed]], name: str) -> dict[str, tuple[str, ...]]:
    """Give the genes of each set, each once; refuse what is none."""
    found = {
        title: [(line, gene) for line, field in listed for gene in gene_fields.split(field)]
        for title, listed in sets.items()
    }
    genes = [each for listed in found.values() for each in listed]
    if dates := [each for each in genes if gene_fields.is_date(each[1])]:
        where = ", ".join(f"line {line:,}: {gene[:40]!r}" for line, gene in dates[:_LISTED])
        raise InputError(
            f"{name} holds {len(dates):,} dates or numbers where genes should be, as Excel makes of SEPTIN2 "
            f"or MARCHF1 ({where}{' ...' if len(dates) > _LISTED else ''}). Write the genes' names there."
        )
    titles = {gene for gene in {gene for _, gene in genes} if is_gene_title(gene)}
    for line, gene in genes:
        if gene in titles:
            raise InputError(
                f"Line {line:,} of {name} has {gene[:40]!r} where a gene should be. Name the column `gene`, "
                "or delete the line."
            )
    for title, listed in found.items():
        if not listed:
            raise InputError(
                f"{name} names no gene of {title[:60]!r}. Give one gene per line, or a GMT file."
            )
    return {title: _once(gene for _, gene in listed) for title, listed in found.items()}


def _once(genes: Iterable[str]) -> tuple[str, ...]:
    """Drop repetitions."""
    return tuple(dict.fromkeys(genes))
